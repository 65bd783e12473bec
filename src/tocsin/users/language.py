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
    way: str | None = None,
) -> Words:
    """The words for somebody who wants these languages, the first one most. What a translation leaves out stays.

    Where a language has words for the channel alone (``de@sms``), these go before its others; where there are words for
    their way of reading times and numbers (``de#full|12h|...``), before those of the language.
    """
    if not translations:
        return written
    words = _over(written, translations.get(in_way("", way)))
    language = _chosen(list(by_language(translations)), wanted, channel)
    if language is None:
        return words
    return _over(_over(words, translations[language]), translations.get(in_way(language, way)))


def in_way(key: str, way: str | None) -> str:
    """Where the words of a language are kept as they are written for a way of reading."""
    return f"{key}#{way}"


def by_language(translations: Mapping[str, Any] | None) -> dict[str, Any]:
    """Without the same words as they are written for one way of reading or another."""
    return {key: said for key, said in (translations or {}).items() if "#" not in key}


def _chosen(offered: Collection[str], wanted: tuple[str | None, ...], channel: str | None) -> str | None:
    general = best([key for key in offered if "@" not in key], *wanted)
    for_channel = {key.removesuffix(f"@{channel}"): key for key in offered if channel and key.endswith(f"@{channel}")}
    special = best(for_channel, general) if general else best(for_channel, *wanted)
    return for_channel[special] if special else general


def _over(words: Words, said: Mapping[str, Any] | None) -> Words:
    if not said:
        return words
    title, message, action = said.get("title"), said.get("message"), said.get("action")
    return Words(
        words.title if title is None else title,
        words.message if message is None else message,
        action or words.action,
    )


def _tag(language: str) -> str:
    return language.replace("_", "-").lower()
