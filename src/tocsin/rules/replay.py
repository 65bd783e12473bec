"""Running a rule over stored events to see what would be different; nothing is stored or sent.

Events are read in portions, each in a short transaction, and judged between them with none open. A call ends after a
few seconds and says where to go on. Each replay has a child of its own that stands back behind everything else, and
few run at a time, so live matching waits for none of them.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from tocsin.kit.db import Env
from tocsin.kit.errors import TooManyRequests, Unavailable
from tocsin.kit.schema import iso
from tocsin.kit.together import Alone
from tocsin.rules import lookup
from tocsin.rules.evaluator import Evaluator, EvaluatorUnavailable
from tocsin.rules.jobs import Event, Job, RuleOutcome
from tocsin.rules.matching import patterns_for
from tocsin.rules.past import MOST_COMPARED, Glance, Heard, Past, read_heard, read_past, scan
from tocsin.rules.replay_schemas import Change, Now, ReplayExample, Then
from tocsin.rules.schemas import Rendering
from tocsin.rules.trial import rendering

MOST_AT_ONCE = 2
"""Replays in one process."""
NICENESS = 10
SECONDS = 4.0
"""After so long no further portion is begun."""
MOST_SECONDS = 10.0
"""For judging one portion, in which a rule may have to be stopped several times."""
PORTION = 50
"""Events that are read and judged at once: 12.5 MiB of them at most."""
MOST_EXAMPLES = 100
MOST_SHOWN = 50


class Replays:
    """Those under way in this process."""

    def __init__(self) -> None:
        self._projects: set[UUID] = set()

    @asynccontextmanager
    async def one(self, project_id: UUID) -> AsyncIterator[Evaluator]:
        """A place, and a child of its own until the end. Raises TooManyRequests, Unavailable."""
        if project_id in self._projects:
            detail = "A replay of this project is under way; begin another when it has ended."
            raise TooManyRequests("replay_running", detail, headers={"Retry-After": "5"})
        if len(self._projects) >= MOST_AT_ONCE:
            raise Unavailable("replays_busy", "Other replays are under way on this server; try again.")
        self._projects.add(project_id)
        evaluator = Evaluator(niceness=NICENESS)
        try:
            yield evaluator
        finally:
            await evaluator.close()
            self._projects.discard(project_id)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run, and over what: ``listens`` has the patterns of the rule as it would be, ``patterns`` those of the
    events that concern it, then or now."""

    candidate: lookup.Rule
    listens: frozenset[str]
    patterns: frozenset[str]
    only: frozenset[str] | None
    before: UUID

    def concerns(self, type_: str) -> bool:
        found = set(patterns_for(type_))
        return not found.isdisjoint(self.patterns) and (self.only is None or not found.isdisjoint(self.only))

    def covers(self, type_: str) -> bool:
        return not self.listens.isdisjoint(patterns_for(type_))


class Portion(NamedTuple):
    """Events with everything that judging and comparing them takes. ``last`` is how far was looked, None at the end."""

    scanned: int
    last: UUID | None
    events: list[Past]
    project: dict[str, Any]
    subjects: Mapping[str, lookup.Subject]
    people: lookup.People
    heard: Mapping[UUID, Heard]


async def read_portion(
    connection: asyncpg.Connection, project_id: UUID, env: Env, wanted: Wanted, after: UUID, most: int
) -> Portion:
    glances = await scan(connection, project_id, env, after, wanted.before)
    concerned = [glance for glance in glances if wanted.concerns(glance.type)]
    taken = concerned[: min(most, PORTION)]
    events = await read_past(connection, project_id, [glance.id for glance in taken], wanted.candidate.id)
    named = {lookup.payload_user(event.payload) for event in events} - {None}
    subjects = await lookup.subjects_of(connection, project_id, [name for name in named if name])
    asked = Alone(connection, lookup.ACTIVE_PEOPLE)
    ids = [subject.id for subject in subjects.values()]
    notifications = [event.told.notificationId for event in events if event.told and event.told.notificationId]
    return Portion(
        *_progress(glances, concerned, taken),
        events,
        await lookup.project_of(connection, project_id),
        subjects,
        await lookup.people_for(asked, project_id, env, [wanted.candidate], ids),
        await read_heard(connection, project_id, notifications),
    )


def _progress(
    glances: Sequence[Glance], concerned: Sequence[Glance], taken: Sequence[Glance]
) -> tuple[int, UUID | None]:
    """How many events were passed, and the last of them: the one taken last where not all that concern were taken."""
    if not glances:
        return 0, None
    if len(taken) == len(concerned):
        return len(glances), glances[-1].id
    return next(n for n, glance in enumerate(glances, 1) if glance is taken[-1]), taken[-1].id


async def judge(evaluator: Evaluator, wanted: Wanted, portion: Portion) -> dict[UUID, RuleOutcome]:
    """What the rule says now of the events that it listens to. Raises Unavailable."""
    jobs = [_job(event, wanted, portion) for event in portion.events if wanted.covers(event.type)]
    try:
        async with asyncio.timeout(MOST_SECONDS):
            outcomes = await evaluator.evaluate(jobs)
    except EvaluatorUnavailable as error:
        raise Unavailable("evaluator_unavailable", str(error), 2) from None
    except TimeoutError:
        detail = "Judging these events takes too long; look at fewer, or at a rule that asks for less."
        raise Unavailable("evaluator_busy", detail, 5) from None
    return {UUID(outcome.event_id): outcome.rules[0] for outcome in outcomes}


def _job(event: Past, wanted: Wanted, portion: Portion) -> Job:
    subject = _subject(event, portion)
    return Job(
        Event(str(event.id), event.type, event.source, iso(event.moment), event.payload),
        subject.fields if subject else None,
        portion.project,
        [wanted.candidate.source],
    )


def _subject(event: Past, portion: Portion) -> lookup.Subject | None:
    named = lookup.payload_user(event.payload)
    return portion.subjects.get(named) if named else None


@dataclass(slots=True)
class Difference:
    """What the portions add up to."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: list[ReplayExample] = field(default_factory=list)
    scanned: int = 0
    last_at: datetime | None = None

    def add(self, wanted: Wanted, portion: Portion, outcomes: Mapping[UUID, RuleOutcome]) -> None:
        self.scanned += portion.scanned
        told_by: dict[UUID | None, frozenset[UUID]] = {}
        for event in portion.events:
            self.last_at = event.received_at
            subject = _subject(event, portion)
            who = subject.id if subject else None
            if who not in told_by:
                told_by[who] = frozenset(portion.people.recipients(wanted.candidate, who))
            self._add(_Compared(event, outcomes.get(event.id), told_by[who], portion.heard))

    def _add(self, compared: "_Compared") -> None:
        changes = list(compared.changes())
        self.counts.update(["events", *changes])
        self.counts["matched_then"] += compared.matched_then
        self.counts["matched_now"] += compared.matched_now
        if changes and len(self.examples) < MOST_EXAMPLES:
            self.examples.append(compared.example(changes))


class _Compared:
    """One event: what the rule did, and what it would do."""

    def __init__(
        self, event: Past, outcome: RuleOutcome | None, would_tell: frozenset[UUID], heard: Mapping[UUID, Heard]
    ) -> None:
        self._event = event
        self._told = told = event.told
        self._outcome = outcome
        self._heard = heard.get(told.notificationId) if told and told.notificationId else None
        self.matched_then = bool(told and told.matched and not told.error)
        self.matched_now = bool(outcome and outcome.matched and not outcome.error)
        self._people = would_tell if self.matched_now else frozenset()

    def changes(self) -> Iterator[Change]:
        if self._outcome and self._outcome.error:
            yield "error"
        if self.matched_now and not self.matched_then:
            yield "newly_matching"
        elif self.matched_then and not self.matched_now:
            yield "no_longer_matching"
        elif self.matched_now:
            if self._told_others:
                yield "recipients"
            if self._heard and self._outcome and _printed(self._heard) != rendering(self._outcome.rendered):
                yield "texts"

    @property
    def _comparable(self) -> bool:
        return max(len(self._people), self._heard.total if self._heard else 0) <= MOST_COMPARED

    @property
    def _told_others(self) -> bool:
        if self._told and self._told.notificationId and not self._heard:
            return False  # the notification is not kept any more, and nothing is known of whom it told
        if not self._comparable:
            return len(self._people) != (self._heard.total if self._heard else 0)
        return self._people != (self._heard.people if self._heard else frozenset())

    def example(self, changes: list[Change]) -> ReplayExample:
        then = self._heard.people if self._heard else frozenset()
        gained = sorted(self._people - then)[:MOST_SHOWN] if self._comparable else []
        lost = sorted(then - self._people)[:MOST_SHOWN] if self._comparable else []
        return ReplayExample(
            event_id=self._event.id,
            event_type=self._event.type,
            received_at=self._event.received_at,
            changes=changes,
            then=self._then(),
            now=self._now(),
            gained=gained,
            lost=lost,
        )

    def _then(self) -> Then:
        told, heard = self._told, self._heard
        if told is None:
            reason = "the rule did not look at the event"
            return Then(matched=False, reason=reason, rule_version=None, rendered=None, recipients_total=0)
        return Then(
            matched=self.matched_then,
            reason=told.reason,
            rule_version=told.ruleVersion,
            rendered=_printed(heard) if heard else None,
            recipients_total=heard.total if heard else 0,
        )

    def _now(self) -> Now:
        outcome = self._outcome
        if outcome is None:
            reason = f"the rule's event types do not cover {self._event.type!r}"
            return Now(matched=False, reason=reason, rendered=None, recipients_total=0)
        return Now(
            matched=self.matched_now,
            reason=outcome.reason,
            rendered=rendering(outcome.rendered) if self.matched_now else None,
            recipients_total=len(self._people),
        )


def _printed(heard: Heard) -> Rendering:
    action = heard.action or {}
    return Rendering(
        title=heard.title, message=heard.message, action_url=action.get("url"), action_label=action.get("label")
    )
