"""In which language a person is told something: their own, the project's, or the one it was written in first (R1)."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple


class Words(NamedTuple):
    """What a notification says. ``action`` has ``url`` and maybe ``label``."""

    title: str
    message: str
    action: Mapping[str, Any] | None


def best(offered: Collection[str], *wanted: str | None) -> str | None:
    """Of the languages that there are the one for the first that is wanted and can be had: ``de-AT`` is served by
    ``de-AT``, else by ``de``."""
    known = {_tag(language): language for language in offered}
    for each in wanted:
        parts = _tag(each).split("-") if each else []
        while parts:
            if (found := known.get("-".join(parts))) is not None:
                return found
            parts.pop()
    return None


def words_in(
    written: Words,
    translations: Mapping[str, Mapping[str, Any]] | None,
    *wanted: str | None,
    channel: str | None = None,
) -> Words:
    """The words for somebody who wants these languages, the first one most. What a translation leaves out stays.

    Where a language has words for the channel alone (``de@sms``), these go before its others.
    """
    if not translations:
        return written
    general = best([key for key in translations if "@" not in key], *wanted)
    offered = {key.removesuffix(f"@{channel}"): key for key in translations if channel and key.endswith(f"@{channel}")}
    special = best(offered, general) if general else best(offered, *wanted)
    language = offered[special] if special else general
    if language is None:
        return written
    said = translations[language]
    title, message, action = said.get("title"), said.get("message"), said.get("action")
    return Words(
        written.title if title is None else title,
        written.message if message is None else message,
        action or written.action,
    )


def _tag(language: str) -> str:
    return language.replace("_", "-").lower()
