"""Running a rule over stored events to see what would be different; nothing is stored or sent.

Events are read in portions, each in a short transaction, and judged between them with none open. A call ends after a
few seconds and says where to go on. Each replay has a child of its own that stands back behind everything else, and
few run at a time, so live matching waits for none of them.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from tocsin.clocks import CLOCK_TYPE
from tocsin.kit.db import Env
from tocsin.kit.errors import TooManyRequests, Unavailable
from tocsin.kit.schema import iso
from tocsin.kit.together import Alone
from tocsin.rules import lookup
from tocsin.rules.clocked import ClockRun, whose_time
from tocsin.rules.evaluator import Evaluator, EvaluatorUnavailable
from tocsin.rules.going_on import GoingOn
from tocsin.rules.idle import idle_reasons, unless_idle
from tocsin.rules.jobs import Event, Job, RuleOutcome
from tocsin.rules.matching import patterns_for
from tocsin.rules.past import Glance, Heard, Past, read_heard, read_past, scan

MOST_AT_ONCE = 2
"""Replays in one process."""
NICENESS = 10
SECONDS = 4.0
"""After so long no further portion is begun."""
MOST_SECONDS = 10.0
"""For judging one portion, in which a rule may have to be stopped several times."""
PORTION = 50
"""Events that are read and judged at once: 12.5 MiB of them at most."""


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
    events that concern it, then or now; ``going_on`` says what becomes of what it tells."""

    candidate: lookup.Rule
    going_on: GoingOn
    active_times: Mapping[str, Any] | None
    listens: frozenset[str]
    patterns: frozenset[str]
    only: frozenset[str] | None
    before: UUID

    def concerns(self, type_: str) -> bool:
        found = set(patterns_for(type_))
        return not found.isdisjoint(self.patterns) and (self.only is None or not found.isdisjoint(self.only))

    def meets(self, event: Past) -> bool:
        """Whether it could: what a clock made is for the rule of that clock alone."""
        return event.type != CLOCK_TYPE or (event.run is not None and event.run.rule_id == self.candidate.id)

    def covers(self, type_: str) -> bool:
        return not self.listens.isdisjoint(patterns_for(type_))


class Portion(NamedTuple):
    """Events with everything that judging and comparing them takes. ``last`` is how far was looked, None at the end;
    ``on_time`` has the people of each run of the rule's clock; ``idle`` says why the rule, as it would be, matched
    nothing when an event was processed, whatever it says of it."""

    scanned: int
    last: UUID | None
    events: list[Past]
    project: dict[str, Any]
    subjects: Mapping[str, lookup.Subject]
    people: lookup.People
    on_time: Mapping[ClockRun, frozenset[UUID]]
    heard: Mapping[UUID, Heard]
    idle: Mapping[UUID, str | None]


async def read_portion(
    connection: asyncpg.Connection, project_id: UUID, env: Env, wanted: Wanted, after: UUID, most: int
) -> Portion:
    glances = await scan(connection, project_id, env, after, wanted.before)
    concerned = [glance for glance in glances if wanted.concerns(glance.type)]
    taken = concerned[: min(most, PORTION)]
    past = await read_past(connection, project_id, [glance.id for glance in taken], wanted.candidate.id)
    events = [event for event in past if wanted.meets(event)]
    named = {lookup.payload_user(event.payload) for event in events} - {None}
    subjects = await lookup.subjects_of(connection, project_id, [name for name in named if name])
    asked = Alone(connection, lookup.ACTIVE_PEOPLE)
    ids = [subject.id for subject in subjects.values()]
    notifications = [event.told.notificationId for event in events if event.told and event.told.notificationId]
    people = await lookup.people_for(asked, project_id, env, [wanted.candidate], ids)
    return Portion(
        *_progress(glances, concerned, taken),
        events,
        await lookup.project_of(connection, project_id),
        subjects,
        people,
        await _whose_time(connection, project_id, env, events, people.recipients(wanted.candidate, None)),
        await read_heard(connection, project_id, notifications),
        await _idle(connection, project_id, wanted, events),
    )


async def _whose_time(
    connection: asyncpg.Connection, project_id: UUID, env: Env, events: Sequence[Past], people: Collection[UUID]
) -> dict[ClockRun, frozenset[UUID]]:
    runs = {event.run for event in events if event.run}
    return {run: await whose_time(connection, project_id, env, run, people) for run in runs}


async def _idle(
    connection: asyncpg.Connection, project_id: UUID, wanted: Wanted, events: Sequence[Past]
) -> dict[UUID, str | None]:
    times = [wanted.active_times] * len(events)
    reasons = await idle_reasons(connection, project_id, times, [event.processed_at for event in events])
    return {event.id: reason for event, reason in zip(events, reasons, strict=True)}


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
    said = {UUID(outcome.event_id): outcome.rules[0] for outcome in outcomes}
    return {id_: unless_idle(outcome, portion.idle[id_]) for id_, outcome in said.items()}


def _job(event: Past, wanted: Wanted, portion: Portion) -> Job:
    subject = subject_of(event, portion)
    return Job(
        Event(str(event.id), event.type, event.source, iso(event.moment), event.payload),
        subject.fields if subject else None,
        portion.project,
        [wanted.candidate.source],
    )


def subject_of(event: Past, portion: Portion) -> lookup.Subject | None:
    """The person an event is about, if the project knows them."""
    named = lookup.payload_user(event.payload)
    return portion.subjects.get(named) if named else None
