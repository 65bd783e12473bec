"""A stage of the worker: clocks that are due make their events (R6).

A clock is looked at in a transaction of its project's: events and the time of the next run, or nothing. Any number of
workers may run; a clock is in one hand at a time. After an outage a clock runs once, for the whole time.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
import structlog

from tocsin.clocks import CLOCK_TYPE, Audience
from tocsin.clocks.counts import counts
from tocsin.clocks.keep import zone_of
from tocsin.clocks.schedule import Clock, last_run, next_run, zone_named
from tocsin.kit.away import is_away
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database, Env, as_json
from tocsin.kit.ids import new_id
from tocsin.kit.schema import iso

MOST_AT_ONCE = 200
SIDE_BY_SIDE = 2
"""Clocks looked at together: each holds a connection, of which matching and sending need some too."""
PEOPLE_AGAIN = timedelta(hours=1)
"""Between two looks at whose time it is, should somebody come or move unnoticed."""
LONGEST_PERIOD = timedelta(days=92)

log = structlog.get_logger(__name__)


class Group(NamedTuple):
    """Whose time it is: everybody's, that of people in a ``zone``, or of those of them who ``chose`` a daily summary
    at this time."""

    audience: Audience
    zone: str
    chosen: str | None = None


class Run(NamedTuple):
    """A run of a clock that is to be made: for whom, when it was due, what it tells about from when on."""

    group: Group
    due: datetime
    since: datetime


class ClocksStage:
    def __init__(self, db: Database, broker: Broker) -> None:
        self._db = db
        self._broker = broker
        self._room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def run_once(self) -> bool:
        """Everything that is due, as far as it goes at once; True when there may be more."""
        due = await self._db.hot.fetch("SELECT project_id, env, rule_id FROM tocsin.due_clocks($1)", MOST_AT_ONCE)
        made = await asyncio.gather(*[self._run_safely(*each) for each in due])
        if any(made):
            self._broker.wake("events")
        return len(due) == MOST_AT_ONCE

    async def _run_safely(self, project_id: UUID, env: Env, rule_id: UUID) -> int:
        """How many events it made. A clock that fails is tried again a minute later, and holds up no other."""
        async with self._room:
            try:
                async with self._db.unit(project_id, env) as connection:
                    return await run_clock(connection, project_id, env, rule_id)
            except Exception as error:
                if is_away(error):
                    raise
                log.exception("clock did not run", project=str(project_id), rule=str(rule_id))
                async with self._db.unit(project_id, env) as connection:
                    await connection.execute(_PUT_OFF, project_id, rule_id)
                return 0


async def run_clock(
    connection: asyncpg.Connection, project_id: UUID, env: str, rule_id: UUID, now: datetime | None = None
) -> int:
    """Make the events of a clock that is due, in the caller's transaction; how many. ``now`` is the database's."""
    row = await connection.fetchrow(_TAKE, project_id, rule_id, now)
    if row is None:
        return 0
    if not row["active"]:
        await connection.execute(_STOP, project_id, rule_id)
        return 0
    clock = msgspec.json.decode(row["clock"], type=Clock)
    groups = await _groups(connection, project_id, env, rule_id, clock, row["zone"])
    runs, following = await asyncio.to_thread(look, clock, groups, row["last_at"], row["now"])
    counted: dict[tuple[datetime, datetime], dict[str, Any]] = {}  # zones have days in common
    for run in runs:
        period = run.since, run.due
        if period not in counted:
            counted[period] = await counts(connection, project_id, *period)
        told = _told(rule_id, row["name"], run, counted[period])
        await connection.execute(
            _MAKE, project_id, env, new_id(), _own_id(rule_id, run), run.due, CLOCK_TYPE, as_json(told)
        )
    await connection.execute(_MOVE, project_id, rule_id, row["now"], following)
    return len(runs)


async def _groups(
    connection: asyncpg.Connection, project_id: UUID, env: str, rule_id: UUID, clock: Clock, own_zone: str
) -> list[Group]:
    if not clock.by_person:
        return [Group("everybody", zone_of(clock, own_zone).key)]
    audience: Audience = "summary" if clock.daily_summary else "zone"
    rows = await connection.fetch(_GROUPS, project_id, env, rule_id, clock.daily_summary)
    return [Group(audience, row["zone"], row["chosen"]) for row in rows]


def look(clock: Clock, groups: Iterable[Group], last: datetime, now: datetime) -> tuple[list[Run], datetime]:
    """What has become due since the last look, and when to look again."""
    runs = []
    times = [now + PEOPLE_AGAIN] if clock.by_person else []
    for group in groups:
        line, zone = clock.line(group.chosen), zone_named(group.zone)
        due = last_run(line, zone, now)
        if due is not None and due > last:
            since = last_run(line, zone, last) or last
            runs.append(Run(group, due, max(since, due - LONGEST_PERIOD)))
        if following := next_run(line, zone, now):
            times.append(following)
    return runs, min(times, default=now + timedelta(days=365))


def _told(rule_id: UUID, rule_name: str, run: Run, counted: dict[str, Any]) -> dict[str, Any]:
    """The payload of the event that tells a rule of its run."""
    zone = run.group.zone
    return {
        "ruleId": str(rule_id),
        "ruleName": rule_name,
        "timezone": zone,
        "localTime": f"{run.due.astimezone(zone_named(zone)):%Y-%m-%d %H:%M}",
        "audience": run.group.audience,
        "chosenTime": run.group.chosen,
        "period": {"start": iso(run.since), "end": iso(run.due)},
        "counts": counted,
    }


def _own_id(rule_id: UUID, run: Run) -> str:
    """What tells a run from all others: a second event of the same changes nothing."""
    return f"clock:{rule_id}:{run.group.zone}:{run.group.chosen or ''}:{iso(run.due)}"


_TAKE = """
SELECT c.clock, c.last_at, coalesce($3, now()) AS now, r.active, r.name,
    coalesce(p.settings->>'timezone', 'UTC') AS zone
FROM tocsin.clocks c JOIN tocsin.rules r ON r.project_id = c.project_id AND r.id = c.rule_id
JOIN tocsin.projects p ON p.id = c.project_id
WHERE c.project_id = $1 AND c.rule_id = $2 AND c.next_at <= coalesce($3, now()) FOR UPDATE OF c SKIP LOCKED
"""
_STOP = "DELETE FROM tocsin.clocks WHERE project_id = $1 AND rule_id = $2"
_GROUPS = "SELECT zone, chosen FROM tocsin.clock_groups($1, $2, $3, $4)"
_MOVE = "UPDATE tocsin.clocks SET last_at = $3, next_at = $4 WHERE project_id = $1 AND rule_id = $2"
_PUT_OFF = """
UPDATE tocsin.clocks SET next_at = now() + interval '1 minute' WHERE project_id = $1 AND rule_id = $2
"""
_MAKE = """
WITH known AS (
    INSERT INTO tocsin.event_keys (project_id, env, client_event_id, event_id, body_hash)
    VALUES ($1, $2, $4, $3, '') ON CONFLICT DO NOTHING RETURNING 1
)
INSERT INTO tocsin.events (project_id, id, env, type, payload, source, client_event_id, client_timestamp, internal)
SELECT $1, $3, $2, $6, $7, 'tocsin', $4, $5, true WHERE EXISTS (SELECT FROM known)
"""
