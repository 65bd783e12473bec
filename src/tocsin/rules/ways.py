"""The words of a rule as their readers want times and numbers written (R4).

Templates that ask ``reader`` are printed once more for each way of reading that is found among the recipients, not for
each recipient: what it costs follows the formats and time zones that people have. The texts stand among the
translations of the notification, under ``de#full|12h|1.234,5|Europe/Vienna``; who reads by a way that was not printed
reads the first words, which are nobody's in particular.

The child that prints them serves all projects. It is asked in pieces, between which others have their turn, and after
a few seconds no more.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import structs

from tocsin.kit.db import Database, Env
from tocsin.notifications.write import NewNotification
from tocsin.rules.evaluator import Evaluator
from tocsin.rules.jobs import NOBODYS, Job, RuleOutcome, RuleSource
from tocsin.rules.pieces import Most, cut
from tocsin.rules.wording import printed
from tocsin.users.language import in_way

MOST_WAYS = 20
"""Of one notification; those of the most people."""
MOST_CHARACTERS = 128 * 1024
"""Of all that is printed for them."""
SECONDS = 5.0
"""After so long no further piece of a batch is begun."""
PIECE = Most(steps=128, size=256 * 1024)
"""Between two of them time is looked at; the evaluator allows two milliseconds for each step."""
_READER = "reader"

_WAYS = """
SELECT u.id, tocsin.way_of_reading(u.timezone, p.settings->>'timezone', u.preferences) AS way
FROM tocsin.users u JOIN tocsin.projects p ON p.id = u.project_id WHERE u.project_id = $1 AND u.id = ANY($2)
"""

Translations = dict[str, dict[str, Any]]


class Told(NamedTuple):
    """A notification, the job that made it, and what asks its reader among the templates of its rule."""

    notification: NewNotification
    job: Job
    asking: RuleSource


@dataclass(slots=True)
class InWays:
    """What one notification says to those who read by ways of their own."""

    notification: NewNotification
    translations: Translations = field(default_factory=dict)
    tried: int = 0
    failed: list[RuleOutcome] = field(default_factory=list)
    """An outcome for each way that is left with the first words."""
    room: int = MOST_CHARACTERS

    def add(self, way: str, outcome: RuleOutcome) -> None:
        """What was printed, unless it failed for this way or there is no room left."""
        self.tried += 1
        if outcome.error:
            self.failed.append(outcome)
            return
        said = {in_way(language, way): words for language, words in _by_language(outcome.rendered, self.notification)}
        size = len(msgspec.json.encode(said))
        if size > self.room:
            self.failed.append(_failed(outcome.rule_id, "its texts in all ways together are too long"))
            return
        self.translations |= said
        self.room -= size

    @property
    def remark(self) -> str:
        """For the trace; empty where nothing failed."""
        if not self.failed:
            return ""
        ways = f"{len(self.failed)} of {self.tried} ways of reading"
        return f"in the first words for {ways}: {self.failed[0].reason}"


def asking_reader(made: Iterable[tuple[NewNotification, Job]]) -> Iterator[Told]:
    """What tells anybody and has templates that ask who reads it. A rule has one source, however often it told."""
    asking: dict[str, RuleSource] = {}
    for notification, job in made:
        rule_id = str(notification.rule_id)
        if rule_id not in asking:
            asking[rule_id] = _asking(next(source for source in job.rules if source.rule_id == rule_id))
        if asking[rule_id].templates and notification.recipients:
            yield Told(notification, job, asking[rule_id])


def _asking(source: RuleSource) -> RuleSource:
    return RuleSource(source.rule_id, None, {name: text for name, text in source.templates.items() if _READER in text})


async def in_their_ways(
    db: Database, evaluator: Evaluator, project_id: UUID, env: Env, told: Sequence[Told]
) -> dict[UUID, InWays]:
    """By the ids of the notifications. A rule that had to be stopped is not tried in further pieces.
    Raises EvaluatorUnavailable."""
    people = {user for each in told for user in each.notification.recipients}
    async with db.unit(project_id, env) as connection:
        ways = {row["id"]: row["way"] for row in await connection.fetch(_WAYS, project_id, people)}
    found = {each.notification.id: InWays(each.notification) for each in told}
    stopped: set[str] = set()
    until = time.monotonic() + SECONDS
    for piece in cut(_wanted(told, ways), PIECE, lambda each: (each.job.event, each.told.asking)):
        outcomes = await _outcomes(evaluator, piece, stopped, late=time.monotonic() >= until)
        for each, outcome in zip(piece, outcomes, strict=True):
            found[each.told.notification.id].add(each.job.way, outcome)
        stopped |= {outcome.rule_id for outcome in outcomes if outcome.stopped}
    return found


class _Wanted(NamedTuple):
    """One notification in one way of reading. ``job`` has what asks, alone."""

    told: Told
    job: Job


def _wanted(told: Sequence[Told], ways: dict[UUID, str]) -> Iterator[_Wanted]:
    for each in told:
        for way in _most_common(each.notification, ways):
            yield _Wanted(each, structs.replace(each.job, rules=[each.asking], way=way))


def _most_common(notification: NewNotification, ways: dict[UUID, str]) -> list[str]:
    counted = Counter(ways[user] for user in notification.recipients if ways.get(user, NOBODYS) != NOBODYS)
    return [way for way, _ in counted.most_common(MOST_WAYS)]


async def _outcomes(
    evaluator: Evaluator, piece: Sequence[_Wanted], stopped: set[str], *, late: bool
) -> list[RuleOutcome]:
    if late:
        return [_failed(each.told.asking.rule_id, "no time was left") for each in piece]
    jobs = [each.job for each in piece if each.told.asking.rule_id not in stopped]
    answered = iter(await evaluator.evaluate(jobs))
    return [
        _failed(rule_id, "not tried: it was stopped for others just now")
        if (rule_id := each.told.asking.rule_id) in stopped
        else next(answered).rules[0]
        for each in piece
    ]


def _failed(rule_id: str, reason: str) -> RuleOutcome:
    return RuleOutcome(rule_id, True, reason, "render_error")


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
