"""The words of a rule as their readers want times and numbers written (R4).

Templates that ask ``reader`` are printed once more for each way of reading that is found among the recipients, not for
each recipient: what it costs follows the formats and time zones that people have. The texts stand among the
translations of the notification, under ``de#full|12h|1.234,5|Europe/Vienna``; who reads by a way that was not printed
reads the first words, which are nobody's in particular.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from tocsin.kit.db import Database, Env
from tocsin.notifications.write import NewNotification
from tocsin.rules.evaluator import Evaluator
from tocsin.rules.jobs import Job, RuleOutcome, RuleSource
from tocsin.rules.translations import printed
from tocsin.users.language import in_way

MOST_WAYS = 20
"""Of one notification; those of the most people."""
MOST_CHARACTERS = 128 * 1024
"""Of all that is printed for them."""
NOBODYS = "full|24h|1,234.5|UTC"
"""The way in which the first words are written."""
_READER = "reader"

_WAYS = """
SELECT u.id, tocsin.way_of_reading(u.timezone, p.settings->>'timezone', u.preferences) AS way
FROM tocsin.users u JOIN tocsin.projects p ON p.id = u.project_id WHERE u.project_id = $1 AND u.id = ANY($2)
"""

Translations = dict[str, dict[str, Any]]


class Told(NamedTuple):
    """A notification and the job that made it, of its rule alone."""

    notification: NewNotification
    job: Job


def asks_reader(source: RuleSource) -> bool:
    """Whether any of its templates may ask who reads it."""
    return any(_READER in text for text in source.templates.values())


async def in_their_ways(
    db: Database, evaluator: Evaluator, project_id: UUID, env: Env, told: Sequence[Told]
) -> dict[UUID, Translations]:
    """What is to stand among the translations of each notification, by its id. Raises EvaluatorUnavailable."""
    people = {user for each in told for user in each.notification.recipients}
    async with db.unit(project_id, env) as connection:
        ways = {row["id"]: row["way"] for row in await connection.fetch(_WAYS, project_id, people)}
    wanted = [(each, way) for each in told for way in _most_common(each.notification, ways)]
    outcomes = await evaluator.evaluate([_job(each.job, way) for each, way in wanted]) if wanted else []
    found: dict[UUID, Translations] = {}
    for (each, way), outcome in zip(wanted, outcomes, strict=True):
        kept = found.setdefault(each.notification.id, {})
        kept |= _fitting(outcome.rules[0], each.notification, way, MOST_CHARACTERS - _length(kept))
    return found


def _most_common(notification: NewNotification, ways: dict[UUID, str]) -> list[str]:
    counted = Counter(ways[user] for user in notification.recipients if ways.get(user, NOBODYS) != NOBODYS)
    return [way for way, _ in counted.most_common(MOST_WAYS)]


def _job(job: Job, way: str) -> Job:
    """Once more what asks for its reader, who is nobody but a way of reading."""
    length, time, number, timezone = way.split("|")
    reader = {"timezone": timezone, "format": {"length": length, "time": time, "number": number}}
    (source,) = job.rules
    asking = {name: text for name, text in source.templates.items() if _READER in text}
    return msgspec.structs.replace(job, reader=reader, rules=[RuleSource(source.rule_id, None, asking)])


def _fitting(outcome: RuleOutcome, notification: NewNotification, way: str, room: int) -> Translations:
    """What was printed, unless it failed for this way or there is no room left. An action is kept as a whole."""
    if outcome.error:
        return {}
    rendered = dict(outcome.rendered)
    said = {in_way(language, way): words for language, words in _by_language(rendered, notification)}
    return said if _length(said) <= room else {}


def _by_language(rendered: dict[str, str], notification: NewNotification) -> Iterator[tuple[str, dict[str, Any]]]:
    first = {name: text for name, text in rendered.items() if "." not in name}
    named = {f"{name}.first": text for name, text in first.items()}
    for language, words in (printed({**rendered, **named}) or {}).items():
        own = "" if language == "first" else language
        before = notification.action if not own else (notification.translations or {}).get(own, {}).get("action")
        yield own, _with_action(words, rendered, own, before)


def _with_action(
    words: dict[str, Any], rendered: dict[str, str], language: str, before: dict[str, Any] | None
) -> dict[str, Any]:
    """Of an action that asks only in its label, or only in its address, the other half stays."""
    suffix = f".{language}" if language else ""
    halves = {"url": rendered.get(f"actionUrl{suffix}"), "label": rendered.get(f"actionLabel{suffix}")}
    changed = {name: text for name, text in halves.items() if text is not None}
    return {**words, "action": {**before, **changed}} if before and changed else words


def _length(said: Translations) -> int:
    return len(msgspec.json.encode(said))
