"""The stage between an event and its notifications: claim, look up, evaluate, write (E5, E6, D6).

A batch belongs to one project and one environment. It is claimed and committed, evaluated in the child with
no transaction open, and written in one transaction: notifications, recipients, deliveries and the events'
outcome, or nothing; what reaches very many people takes several transactions, event by event. A worker that
dies in between leaves leases behind, which run out; its events are then tried one by one.

A project has one batch under way at a time. Quick ones are waited for; a slow one is left to itself, so that it
holds up nobody else's events.
"""

import asyncio
from collections import Counter as Count
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import structlog
from prometheus_client import Counter, Histogram

from tocsin.channels.registry import kinds
from tocsin.deliveries.send import Handed, SendStage
from tocsin.event_types.judge import Judge
from tocsin.kit import crash
from tocsin.kit.away import is_away
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database, Env, json_text
from tocsin.kit.schema import iso
from tocsin.kit.together import Alone, Calls, Together
from tocsin.notifications.quota import hold_quota, may_be_limited, within_quota
from tocsin.notifications.write import DEVICES_OF, Gather, Insist, NewNotification, rows, to_be_sent, with_devices
from tocsin.realtime.signal import channel_of, signals
from tocsin.rules import strikes
from tocsin.rules.clocked import ClockRun, whose_time
from tocsin.rules.destinations import Destination, Destinations, destinations_for
from tocsin.rules.evaluator import Evaluator, EvaluatorUnavailable
from tocsin.rules.jobs import Event as JobEvent
from tocsin.rules.jobs import Job, RuleOutcome
from tocsin.rules.lookup import (
    ACTION_LABEL,
    ACTION_URL,
    ACTIVE_PEOPLE,
    MAX_RECIPIENTS,
    READ_CLAIMED,
    Batch,
    Claimed,
    People,
    Rule,
    people_for,
    read_claimed,
)
from tocsin.rules.strikes import Strikes
from tocsin.rules.ways import InWays, asking_reader, in_their_ways
from tocsin.rules.wording import printed
from tocsin.sounds.built_in import digest_of

MOST_PROJECTS = 16
MOST_EACH = 200
SHARED_EACH = 20
"""Of each project while several have work: a large batch of one takes a tenth of a second of everybody's time."""
SHARED_SECONDS = 1.0
"""How long somebody else's work is remembered."""
TOGETHER = 200
"""Events, recipients and deliveries that projects with little work read or write in one statement."""
TOLD_TOGETHER = 10_000
"""Recipients written in one transaction, unless a single event has more."""
PATIENCE_SECONDS = 0.01
"""What most batches take; those that take longer are no longer waited for."""
MOST_SLOW = 5
"""Batches that may be left to themselves: large ones hold connections, of which sending needs one too."""
HOLDING_SHARE = 0.5
"""Of its lease a batch may begin further transactions; what is left of it then goes back."""
SUSPECT_SECONDS = 0.5
"""Between two looks for events that a process ended over; there hardly ever are any."""

MATCHED = Counter("tocsin_events_processed_total", "Events whose rules were run.", ["outcome"])
NOTIFIED = Counter("tocsin_notifications_total", "Notifications made.")
MATCH_SECONDS = Histogram("tocsin_match_seconds", "Matching one batch, from claim to commit.")

log = structlog.get_logger(__name__)

NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class _Decided:
    """What became of one event: the outcome, the trace of every rule considered, the notifications to write, and what
    its type finds wrong with it."""

    event: Claimed
    outcome: str
    trace: list[dict[str, Any]]
    made: list[NewNotification]
    faults: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class _Owed:
    """A claim that could not be worked on, through no fault of its events."""

    project_id: UUID
    env: Env
    ids: list[UUID]
    token: UUID
    because: Exception


# One statement, one round trip. A claim that a crash forgets was never worked on, so it need not wait for the disk.
_CLAIM = """
SELECT claimed.project_id, claimed.env, claimed.id
FROM set_config('synchronous_commit', 'off', true), tocsin.claim_idle_events($1, $2, $3, $4, $5, $6) AS claimed
"""

_WRITE = """
SELECT c.number, w.ours, w.leased
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::integer[])
    WITH ORDINALITY AS c (project, env, token, decided, made, lease, seconds, number)
CROSS JOIN LATERAL tocsin.write_matched_and_lease(
    c.project, c.env, c.token, c.decided::json, c.made::json, c.lease, c.seconds) AS w
"""
_HOLD = "SELECT id FROM tocsin.events WHERE project_id = $1 AND id = ANY($2) AND lease_token = $3 FOR UPDATE"
_SUSPEND = """
UPDATE tocsin.rules SET active = false, suspended_reason = $3, updated_at = now() WHERE project_id = $1 AND id = $2
"""
_FORGET_PATTERNS = "DELETE FROM tocsin.rule_patterns WHERE project_id = $1 AND rule_id = $2"


class MatchStage:
    """Turns waiting events into notifications; one per worker process."""

    def __init__(
        self,
        db: Database,
        broker: Broker,
        evaluator: Evaluator,
        lease_seconds: int,
        freed: Callable[[], None],
        sending: SendStage | None = None,
    ) -> None:
        """``freed`` is called when a project may be claimed again that was passed over. ``sending`` is handed what it
        has room for; without it all deliveries wait to be claimed."""
        self._db = db
        self._broker = broker
        self._evaluator = evaluator
        self._lease_seconds = lease_seconds
        self._reading = Together(db, READ_CLAIMED, TOGETHER)
        self._people = Together(db, ACTIVE_PEOPLE, TOGETHER)
        self._devices = Together(db, DEVICES_OF, TOGETHER)
        self._writing = Together(db, _WRITE, TOGETHER)
        self._after = NOBODY
        self._shared_until = 0.0
        self._strikes = Strikes()
        self._judge = Judge()
        self._owed: list[_Owed] = []
        self._suspects_at = 0.0
        self._under_way: dict[asyncio.Task[None], UUID] = {}
        self._slow: set[asyncio.Task[None]] = set()
        self._freed = freed
        self._sending = sending

    async def run_once(self) -> bool:
        """One claim with a moment for what it brought; now and then one event that a process ended over, alone.
        False when nobody is known to have more. Raises what kept it from the work, with the claims of that
        given back."""
        await self.give_back()
        token, began_at, each = uuid4(), self._after, self._each
        claimed = await self._claim(token, each)
        if claimed:
            await self._wait_for(self._begin(claimed, token))
        # A claim that went from the first project to the last and took all that each had has left nothing.
        most = max(Count(row["project_id"] for row in claimed).values(), default=0)
        more = most >= each or began_at != NOBODY or self._after != NOBODY
        return await self._try_suspect() or (bool(claimed) and more)

    async def _try_suspect(self) -> bool:
        """Match one event that a process ended over, if it is time to look; whether there may be another."""
        now = asyncio.get_running_loop().time()
        if now < self._suspects_at:
            return False
        token = uuid4()
        claimed = await self._claim_suspect(token)
        if not claimed:
            self._suspects_at = now + SUSPECT_SECONDS
            return False
        await self._drained_or_late()
        await self._wait_for(self._begin(claimed, token))
        await self._drained_or_late()
        return True

    async def _drained_or_late(self) -> None:
        """So that nothing else is lost with this process; a call that hangs must not stop the stage for it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._lease_seconds * HOLDING_SHARE):
                await self.drain()

    async def drain(self) -> None:
        """Let what is under way come to its end."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def _begin(self, claimed: list[asyncpg.Record], token: UUID) -> list[asyncio.Task[None]]:
        crash.here("match.after_claim")
        batches: defaultdict[tuple[UUID, Env], list[UUID]] = defaultdict(list)
        for row in claimed:
            batches[row["project_id"], row["env"]].append(row["id"])
        tasks = []
        for (project_id, env), ids in batches.items():
            task = asyncio.create_task(self._match_safely(project_id, env, ids, token))
            self._under_way[task] = project_id
            task.add_done_callback(self._done)
            tasks.append(task)
        return tasks

    async def _wait_for(self, tasks: list[asyncio.Task[None]]) -> None:
        """For all that are quick, and for room where too many are slow."""
        _, late = await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)
        self._slow |= late
        while len(self._under_way) > MOST_SLOW:
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        if self._owed:
            raise self._owed[0].because

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        if task in self._slow:
            self._slow.discard(task)
            self._freed()

    @property
    def _each(self) -> int:
        """Events of one project that are claimed at once."""
        return SHARED_EACH if asyncio.get_running_loop().time() < self._shared_until else MOST_EACH

    async def _claim(self, token: UUID, each: int) -> list[asyncpg.Record]:
        """Events of the next projects in turn that have none under way; from the beginning again after the last."""
        busy = [project_id for task, project_id in self._under_way.items() if not task.done()]
        rows = await self._db.hot.fetch(_CLAIM, self._after, MOST_PROJECTS, each, self._lease_seconds, token, busy)
        if not rows and self._after != NOBODY:
            self._after = NOBODY
            return await self._claim(token, each)
        projects = {row["project_id"] for row in rows}
        if len(projects.union(busy)) > 1:
            self._shared_until = asyncio.get_running_loop().time() + SHARED_SECONDS
        # Fewer than were asked for: there are no further ones, and to find that out would be a claim of its own.
        self._after = max(projects) if len(projects) == MOST_PROJECTS else NOBODY
        return list(rows)

    async def _claim_suspect(self, token: UUID) -> list[asyncpg.Record]:
        return list(
            await self._db.hot.fetch(
                "SELECT project_id, env, id FROM tocsin.claim_suspect_event($1, $2)", self._lease_seconds, token
            )
        )

    async def _match_safely(self, project_id: UUID, env: Env, ids: list[UUID], token: UUID) -> None:
        """A batch that fails is matched event by event, so that a bad one spoils only itself: its lease runs out.
        Where the failure is not theirs, their claim is given back."""
        try:
            with MATCH_SECONDS.time():
                await self._match(project_id, env, ids, token)
        except Exception as error:
            if is_away(error) or isinstance(error, EvaluatorUnavailable):
                self._owed.append(_Owed(project_id, env, ids, token, error))
                return
            log.exception("matching failed", project=str(project_id), env=env, events=len(ids))
            for id_ in ids if len(ids) > 1 else ():
                await self._match_safely(project_id, env, [id_], token)

    async def give_back(self) -> None:
        """Claims that came to nothing while we live are no crash: undo them, rather than let leases run out."""
        while self._owed:
            owed = self._owed[0]
            await self._undo_claim(owed.project_id, owed.env, owed.ids, owed.token)
            self._owed.remove(owed)

    async def _undo_claim(self, project_id: UUID, env: Env, ids: list[UUID], token: UUID) -> None:
        async with self._db.unit(project_id, env) as connection:
            await connection.execute(
                "UPDATE tocsin.events SET state = 'received', lease_token = NULL, lease_until = NULL,"
                " claims = claims - 1 WHERE project_id = $1 AND id = ANY($2) AND lease_token = $3",
                project_id,
                ids,
                token,
            )

    async def _match(self, project_id: UUID, env: Env, ids: list[UUID], token: UUID) -> None:
        hold_until = asyncio.get_running_loop().time() + self._lease_seconds * HOLDING_SHARE
        batch = await read_claimed(self._reading, project_id, env, ids, token)
        crash.here("match.after_read")
        jobs = {event.id: _job(event, batch) for event in batch.events if batch.candidates(event)}
        outcomes = {o.event_id: o.rules for o in await self._evaluator.evaluate(list(jobs.values()))} if jobs else {}
        crash.here("match.after_evaluate")
        decided = await _decide(self._people, self._db.hot, project_id, env, batch, outcomes)
        decided, failed = await self._in_their_ways(project_id, env, jobs, decided)
        if batch.warning_types:
            faults = await self._judge.faults(batch.warning_types, batch.events)
            decided = [replace(each, faults=faults.get(each.event.id)) for each in decided]
        first, *further = _portions(decided)
        await self._write(project_id, env, token, first, limited=batch.limited)
        await self._suspend(project_id, env, chain(*outcomes.values(), failed))
        for number, portion in enumerate(further):
            if asyncio.get_running_loop().time() > hold_until:
                left = [each.event.id for portion in further[number:] for each in portion]
                await self._undo_claim(project_id, env, left, token)
                return
            await self._write(project_id, env, token, portion, limited=batch.limited)

    async def _in_their_ways(
        self, project_id: UUID, env: Env, jobs: Mapping[UUID, Job], decided: list[_Decided]
    ) -> tuple[list[_Decided], list[RuleOutcome]]:
        """The same, with what asks for its reader printed for each way of reading; and what went wrong over it."""
        told = list(asking_reader((n, jobs[each.event.id]) for each in decided for n in each.made))
        if not told:
            return decided, []
        ways = await in_their_ways(self._db, self._evaluator, project_id, env, told)
        failed = [outcome for said in ways.values() for outcome in said.failed]
        return [_in_ways(each, ways) for each in decided], failed

    async def _write(self, project_id: UUID, env: Env, token: UUID, decided: list[_Decided], *, limited: bool) -> None:
        """Outcomes, notifications, recipients and deliveries, of events whose lease is still ours; and hint at it."""
        made = await with_devices(self._devices, project_id, env, [n for each in decided for n in each.made])
        with self._handing(project_id, env, made) as handed:
            if not may_be_limited(limited, env, made):
                ours = await _write_matched(self._writing, project_id, env, token, decided, made, handed)
            else:
                async with self._db.unit(project_id, env) as connection:
                    quota = await hold_quota(connection, project_id, made)
                    held = await _still_held(connection, project_id, token, decided)
                    made = await within_quota(connection, quota, [n for n in made if n.event_id in held])
                    writing = Alone(connection, _WRITE)
                    ours = await _write_matched(writing, project_id, env, token, decided, made, handed)
            crash.here("match.after_commit")
        made = [n for n in made if n.event_id in ours]
        self._tell(project_id, env, [each.outcome for each in decided if each.event.id in ours], made)
        if not handed.ids and any(map(to_be_sent, made)):
            self._broker.wake("deliveries")

    def _handing(self, project_id: UUID, env: Env, made: Sequence[NewNotification]) -> AbstractContextManager[Handed]:
        if self._sending is None:
            return nullcontext(Handed())
        return self._sending.handing(project_id, env, sum(map(to_be_sent, made)))

    def _tell(self, project_id: UUID, env: Env, outcomes: list[str], made: list[NewNotification]) -> None:
        """Count what was committed, and hint at it."""
        for outcome in outcomes:
            MATCHED.labels(outcome).inc()
        NOTIFIED.inc(len(made))
        for message in signals("created", [n.id for n in made if not n.over_quota]):
            self._broker.publish(channel_of(project_id, env), message)

    async def _suspend(self, project_id: UUID, env: Env, outcomes: Iterable[RuleOutcome]) -> None:
        """Switch off rules whose evaluation had to be killed again and again (design 4)."""
        suspended: dict[UUID, str] = {}
        for outcome in (outcome for outcome in outcomes if outcome.stopped):
            rule_id = UUID(outcome.rule_id)
            if self._strikes.add(rule_id):
                suspended.setdefault(rule_id, outcome.reason)
        for rule_id, reason in suspended.items():
            reason = f"suspended after {strikes.MOST} evaluations that had to be stopped: {reason}"
            async with self._db.unit(project_id, env) as connection:
                await connection.execute(_SUSPEND, project_id, rule_id, reason)
                await connection.execute(_FORGET_PATTERNS, project_id, rule_id)
            log.warning("rule suspended", project=str(project_id), rule=str(rule_id))


def _job(event: Claimed, batch: Batch) -> Job:
    subject = batch.subject(event)
    return Job(
        JobEvent(str(event.id), event.type, event.source or "", iso(event.moment), bytes(event.payload)),
        subject.fields if subject else None,
        batch.project,
        [rule.source for rule in batch.candidates(event)],
    )


async def _decide(
    asked: Calls,
    pool: asyncpg.Pool,
    project_id: UUID,
    env: Env,
    batch: Batch,
    outcomes: dict[str, list[RuleOutcome]],
) -> list[_Decided]:
    matched = {
        rule.id: rule
        for event in batch.events
        for rule, outcome in zip(batch.candidates(event), outcomes.get(str(event.id), ()), strict=False)
        if outcome.matched
    }
    subjects = [subject.id for subject in batch.subjects.values()] if matched else []
    people = await people_for(asked, project_id, env, list(matched.values()), subjects)
    told_by: dict[tuple[UUID, UUID | ClockRun | None], dict[UUID, str]] = {}
    named = await _destinations(pool, project_id, env, list(matched.values()), people, subjects)
    decided = []
    for event in batch.events:
        trace: list[dict[str, Any]] = []
        made: list[NewNotification] = []
        subject, run = batch.subject(event), batch.run(event)
        for rule, outcome in zip(batch.candidates(event), outcomes.get(str(event.id), ()), strict=False):
            told: dict[str, Any] = {
                "ruleId": str(rule.id),
                "ruleName": rule.name,
                "ruleVersion": rule.version,
                "matched": outcome.matched,
                "reason": outcome.reason,
            }
            trace.append(told)
            if outcome.matched and rule.id in batch.idle:
                told.update(matched=False, reason=batch.idle[rule.id])
                continue
            if outcome.error:
                told["error"] = outcome.error
            if not outcome.matched or outcome.error:
                continue
            who = rule.id, run or (subject.id if subject else None)
            recipients = told_by.get(who)
            if recipients is None:
                recipients = people.recipients(rule, subject.id if subject else None)
                if run:
                    now_theirs = await whose_time(pool, project_id, env, run, recipients)
                    recipients = {user: reason for user, reason in recipients.items() if user in now_theirs}
                told_by[who] = recipients
            meant = named.meant(rule.target_destinations, recipients)
            told["reason"] = "; ".join([outcome.reason, *meant.remarks])
            notification = _notification(event, rule, outcome, recipients, meant.places)
            if notification is None:
                told["reason"] += ", but it reaches nobody: no active person in its targets"
                continue
            if len(recipients) > MAX_RECIPIENTS:
                told["reason"] += f"; of {len(recipients):,} people only {MAX_RECIPIENTS:,} are told"
            told["notificationId"] = str(notification.id)
            made.append(notification)
        decided.append(_Decided(event, _outcome(trace, made), trace, made))
    return decided


def _in_ways(decided: _Decided, ways: Mapping[UUID, InWays]) -> _Decided:
    """With what was printed among the translations, and in the trace what was not."""
    trace = [_noted(told, ways) for told in decided.trace]
    return replace(decided, trace=trace, made=[_translated(n, ways.get(n.id)) for n in decided.made])


def _noted(told: dict[str, Any], ways: Mapping[UUID, InWays]) -> dict[str, Any]:
    said = ways.get(UUID(told["notificationId"])) if "notificationId" in told else None
    if said is None or not said.failed:
        return told
    return {**told, "reason": f"{told['reason']}; {said.remark}", "error": "render_error"}


def _translated(notification: NewNotification, said: InWays | None) -> NewNotification:
    if said is None or not said.translations:
        return notification
    return replace(notification, translations={**(notification.translations or {}), **said.translations})


async def _destinations(
    pool: asyncpg.Pool, project_id: UUID, env: Env, rules: list[Rule], people: People, subjects: list[UUID]
) -> Destinations:
    """What the rules that matched name, for everybody whom they may mean."""
    naming = [rule for rule in rules if rule.target_destinations]
    names = {name for rule in naming for name in rule.target_destinations}
    meant = {user for rule in naming for user in people.recipients(rule, None)}
    if any(rule.target_payload_user for rule in naming):
        meant.update(subjects)
    return await destinations_for(pool, project_id, env, names, meant)


def _notification(
    event: Claimed, rule: Rule, outcome: RuleOutcome, recipients: dict[UUID, str], places: list[Destination]
) -> NewNotification | None:
    if not recipients and not places and not any(kinds()[channel].reaches == "project" for channel in rule.channels):
        return None
    action = None
    if url := outcome.rendered.get(ACTION_URL):
        action = {"url": url, "label": outcome.rendered.get(ACTION_LABEL)}
    sound = rule.sound_at_once
    return NewNotification(
        event_id=event.id,
        event_type=event.type,
        client_event_id=event.client_event_id,
        rule_id=rule.id,
        rule_version=rule.version,
        title=outcome.rendered["title"],
        message=outcome.rendered["message"],
        action=action,
        translations=printed(outcome.rendered),
        sound=sound,
        sound_digest=digest_of(sound, rule.sound_digest) if sound else None,
        priority=rule.priority,
        require_ack=rule.require_ack,
        topic=rule.topic,
        channels=rule.channels,
        recipients=dict(islice(recipients.items(), MAX_RECIPIENTS)) if len(recipients) > MAX_RECIPIENTS else recipients,
        destinations=places,
        internal=event.internal and not rule.runs_by_clock,
        insist=_insist(rule),
        after_seconds=None if rule.digest else _after_seconds(rule),
        gather=_gather(rule),
    )


def _after_seconds(rule: Rule) -> int | None:
    return rule.channel_order["after_seconds"] if rule.channel_order else None


def _gather(rule: Rule) -> Gather | None:
    if not rule.digest:
        return None
    return Gather(
        rule_name=rule.name,
        window_seconds=rule.digest["window_seconds"],
        most_items=rule.digest["max_items"],
        leading=rule.digest["leading"],
        sound=rule.sound,
        after_seconds=_after_seconds(rule),
    )


def _insist(rule: Rule) -> Insist | None:
    if not (rule.require_ack and (rule.repeat or rule.escalation)):
        return None
    return Insist(rule.repeat, rule.escalation or [], rule.escalation_loops)


def _outcome(trace: list[dict[str, Any]], made: list[NewNotification]) -> str:
    if made:
        return "notified"
    if not trace:
        return "no_rule"
    if any(told.get("error") for told in trace):
        return "rule_error"
    return "nobody" if any(told["matched"] for told in trace) else "no_match"


def _portions(decided: Sequence[_Decided]) -> Iterator[list[_Decided]]:
    """Neighbours whose recipients are few enough to be written together; one portion at least."""
    portion: list[_Decided] = []
    recipients = 0
    for each in decided:
        more = sum(len(notification.recipients) for notification in each.made)
        if portion and recipients + more > TOLD_TOGETHER:
            yield portion
            portion, recipients = [], 0
        portion.append(each)
        recipients += more
    yield portion


async def _write_matched(
    writing: Calls,
    project_id: UUID,
    env: Env,
    token: UUID,
    decided: list[_Decided],
    made: list[NewNotification],
    handed: Handed,
) -> set[UUID]:
    """Write all of it, or what belongs to the events whose lease is still ours; those events. Deliveries are leased
    if there is room for all of them, and their project allows it."""
    outcomes = [
        {"id": each.event.id, "outcome": each.outcome, "trace": each.trace, "faults": each.faults} for each in decided
    ]
    texts = json_text(outcomes), rows(made)
    crash.soon("match.under_way")
    weight = len(decided) + sum(len(n.recipients) * len(n.channels) + len(n.devices) for n in made)
    (row,) = await writing.call(project_id, env, token, *texts, handed.token, handed.lease_seconds, weight=weight)
    handed.ids = row[2]
    return set(row[1])


async def _still_held(
    connection: asyncpg.Connection, project_id: UUID, token: UUID, decided: list[_Decided]
) -> set[UUID]:
    """The events whose lease is ours until the transaction ends."""
    ids = [each.event.id for each in decided]
    return {row["id"] for row in await connection.fetch(_HOLD, project_id, ids, token)}
