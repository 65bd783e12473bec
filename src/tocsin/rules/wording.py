"""The words of a rule in all its languages: what the child is to print, and what it printed (R1).

Looks nothing up in the grammar of templates, so that whoever only hands words over need not have it in memory.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

Kept = Mapping[str, Mapping[str, Any]]
"""By language ``title``, ``message`` and ``action``, each of which may be absent or null."""


def together(template: Kept | None, own: Kept | None) -> dict[str, dict[str, Any]] | None:
    """The words of the template that a rule names, with the rule's own over them. Keys of a template may name a channel
    too: ``de@sms``."""
    if not template and not own:
        return None
    said = {language: dict(words) for language, words in (template or {}).items()}
    for language, words in (own or {}).items():
        said.setdefault(language, {}).update({name: text for name, text in words.items() if text is not None})
    return said


async def words_of(session: AsyncSession, project_id: UUID, name: str | None) -> dict[str, dict[str, Any]] | None:
    """The words of a template as the pipeline reads them."""
    if name is None:
        return None
    rows = await session.execute(_WORDS, {"project": project_id, "name": name})
    return {row.key: {"title": row.subject, "message": row.body} for row in rows}


_WORDS = text("""
SELECT DISTINCT ON (t.channel, t.language) t.subject, t.body,
    t.language || CASE WHEN t.channel = '' THEN '' ELSE '@' || t.channel END AS key
FROM tocsin.templates t WHERE t.project_id = :project AND t.kind = 'notification' AND t.name = :name
ORDER BY t.channel, t.language, t.env DESC
""")


def sources(translations: Kept | None) -> dict[str, str]:
    """The templates by the names under which they are printed: ``title.de``, ``actionUrl.de``."""
    found: dict[str, str] = {}
    for language, said in (translations or {}).items():
        action = said.get("action") or {}
        texts = {
            "title": said.get("title"),
            "message": said.get("message"),
            "actionUrl": action.get("url"),
            "actionLabel": action.get("label"),
        }
        found |= {f"{name}.{language}": text for name, text in texts.items() if text is not None}
    return found


def printed(rendered: Mapping[str, str]) -> dict[str, dict[str, Any]] | None:
    """What the templates printed, by language; None where there is but the first one."""
    by_language: dict[str, dict[str, str]] = {}
    for name, said in rendered.items():
        what, _, language = name.partition(".")
        if language:
            by_language.setdefault(language, {})[what] = said
    return {language: _said(texts) for language, texts in by_language.items()} or None


def _said(texts: Mapping[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {name: texts[name] for name in ("title", "message") if name in texts}
    if url := texts.get("actionUrl"):
        said["action"] = {"url": url, "label": texts.get("actionLabel")}
    return said
