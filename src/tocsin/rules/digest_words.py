"""What a digest says: in its reader's language, in the words of the rule, of its template, or in ours (R1, R4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog

from tocsin.kit.schema import iso
from tocsin.rules.jobs import DIGEST, Event, Job, RuleOutcome, RuleSource
from tocsin.rules.wording import printed, sources, together
from tocsin.users.language import Words, best, words_in

log = structlog.get_logger(__name__)

MORE = {
    "en": "and {} more",
    "cs": "a {} dalších",
    "de": "und {} weitere",
    "es": "y {} más",
    "fr": "et {} de plus",
    "it": "e altri {}",
    "nl": "en nog {}",
    "pl": "i {} więcej",
    "pt": "e mais {}",
    "sv": "och {} till",
}
"""The only words of ours in a digest that nobody has worded."""


class Window(msgspec.Struct):
    """One person's window of one rule. ``items`` are the first of its ``count`` notifications that nobody has
    acknowledged; it tells of those that came after ``told`` and up to ``upto``."""

    id: UUID
    rule_id: UUID | None
    rule_name: str
    rule_version: int
    channels: list[str]
    after_seconds: int | None
    priority: str
    sound: str | None
    sound_digest: str | None
    topic: str | None
    told: int
    upto: int
    due_at: datetime
    title: str | None
    message: str | None
    user: dict[str, Any]
    count: int
    items: list[dict[str, Any]]
    language: str | None = None
    """The project's."""
    way: str | None = None
    """How the reader wants times and numbers."""
    translations: dict[str, dict[str, Any]] | None = None
    template: dict[str, dict[str, Any]] | None = None

    @property
    def wanted(self) -> tuple[str | None, str | None]:
        """The reader's language, else the project's."""
        return self.user.get("locale"), self.language


@dataclass(frozen=True, slots=True)
class DigestWords:
    """``by_channel`` are those that a template has for a channel alone, under ``de@sms``."""

    title: str
    message: str
    action: dict[str, Any] | None = None
    by_channel: dict[str, dict[str, Any]] | None = None


def job_of(window: Window, project: dict[str, Any]) -> Job | None:
    """What is to be printed, None where nobody has worded it."""
    templates = _templates(window)
    if not templates:
        return None
    payload = {"items": _items(window), "count": window.count, "rule": {"name": window.rule_name}}
    event = Event(str(window.id), DIGEST, "", iso(window.due_at), msgspec.json.encode(payload))
    return Job(event, window.user, project, [RuleSource(str(window.rule_id), None, templates)])


def _templates(window: Window) -> dict[str, str]:
    """Of one language, and of its channels."""
    said = together(window.template, window.translations) or {}
    language = best([key for key in said if "@" not in key], *window.wanted)
    own = {name: text for name, text in said.get(language or "", {}).items() if text is not None}
    texts = {"title": window.title, "message": window.message} | own
    return {name: text for name, text in texts.items() if text} | sources(_by_channel(window, said, language))


def _by_channel(window: Window, said: Mapping[str, Any], language: str | None) -> dict[str, Any]:
    found = {}
    for channel in window.channels:
        offered = {key.removesuffix(f"@{channel}"): key for key in said if key.endswith(f"@{channel}")}
        special = best(offered, language) if language else best(offered, *window.wanted)
        if special is not None:
            found[offered[special]] = said[offered[special]]
    return found


def words_of(window: Window, outcome: RuleOutcome | None) -> DigestWords:
    """What stands in for a template that is missing, or that could not be printed: one notification speaks for itself,
    several are listed by their titles."""
    if outcome is not None and outcome.error:
        log.warning("digest in plain words", rule=outcome.rule_id, reason=outcome.reason)
    rendered = outcome.rendered if outcome is not None and not outcome.error else {}
    plain = _plain(window)
    return DigestWords(
        rendered.get("title") or plain.title, rendered.get("message", plain.message), plain.action, printed(rendered)
    )


def _plain(window: Window) -> DigestWords:
    items = _items(window)
    if window.count == 1:
        return DigestWords(items[0]["title"], items[0]["message"], items[0]["action"])
    lines = [f"• {item['title']}" for item in items]
    if more := window.count - len(lines):
        lines.append(MORE[best(MORE, *window.wanted) or "en"].format(f"{more:,}"))
    return DigestWords(f"{window.count:,} × {window.rule_name}", "\n".join(lines))


def _items(window: Window) -> list[dict[str, Any]]:
    """Each in the reader's language."""
    return [_in_language(item, window) for item in window.items]


def _in_language(item: dict[str, Any], window: Window) -> dict[str, Any]:
    rest = {name: value for name, value in item.items() if name != "translations"}
    first = Words(item["title"], item["message"], item["action"])
    said = words_in(first, item.get("translations"), *window.wanted, way=window.way)
    return {**rest, **said._asdict()}
