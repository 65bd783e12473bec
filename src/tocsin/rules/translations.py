"""The words of a rule in further languages (R1): checked like the first ones, and printed together with them."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.errors import FieldError, Invalid
from tocsin.plans.entitlements import check_feature
from tocsin.rules import templates
from tocsin.rules.schemas import RuleCreate, RuleUpdate, Translation

FEATURE = "languages"
MOST_CHARACTERS = 128 * 1024
"""Of all templates in further languages: compiling them takes the child's time, whoever is next."""

Kept = Mapping[str, Mapping[str, Any]]
"""By language ``title``, ``message`` and ``action``, each of which may be absent or null."""


async def refuse_languages(session: AsyncSession, project_id: UUID, body: RuleCreate | RuleUpdate) -> None:
    """Raise Forbidden where the plan has no further languages. What was saved before goes on."""
    if body.translations or (body.digest and body.digest.translations):
        await check_feature(session, project_id, FEATURE)


def mistakes(translations: Mapping[str, Translation] | None, pointer: str) -> Iterator[FieldError]:
    """What is wrong with the templates."""
    kept = {language: said.model_dump() for language, said in (translations or {}).items()}
    if sum(map(len, sources(kept).values())) > MOST_CHARACTERS:
        words = f"All translations together have {MOST_CHARACTERS:,} characters at most."
        yield FieldError(f"{pointer}/translations", "too_long", words)
        return
    for language, said in (translations or {}).items():
        texts: dict[str, str | None] = {"title": said.title, "message": said.message}
        if said.action:
            texts |= {"action/url": said.action.url, "action/label": said.action.label}
        for place, source in texts.items():
            if source is not None:
                yield from templates.check(source, f"{pointer}/translations/{language}/{place}")


def together(template: Kept | None, own: Kept | None) -> dict[str, dict[str, Any]] | None:
    """The words of the template that a rule names, with the rule's own over them. Keys of a template may name a channel
    too: ``de@sms``."""
    if not template and not own:
        return None
    said = {language: dict(words) for language, words in (template or {}).items()}
    for language, words in (own or {}).items():
        said.setdefault(language, {}).update({name: text for name, text in words.items() if text is not None})
    return said


async def refuse_unknown_template(session: AsyncSession, name: str | None, kind: str = "notification") -> None:
    """Raise Invalid where a rule names a template that there is not."""
    if name is not None and not (await session.execute(_THERE, {"name": name, "kind": kind})).scalar():
        pointer = "/template" if kind == "notification" else f"/{kind}/template"
        raise Invalid([FieldError(pointer, "unknown_template", f"There is no {kind} template of this name.")])


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
_THERE = text("SELECT EXISTS (SELECT FROM tocsin.templates t WHERE t.kind = :kind AND t.name = :name)")


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
