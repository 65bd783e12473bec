"""An end to what a project keeps (O4): events, notifications and deliveries go after its ``retentionDays``.

A kind for which the project names no days follows the installation's, and without those stays for ever. Whole months
that nobody keeps any more are dropped; younger rows go project by project, a bounded step each in turn, and after each
step the stage rests for as long as it took. What is unfinished stays: events that wait, deliveries that are on their
way, and notifications that wait for either or insist on an acknowledgement. Rows that were not counted yet stay too,
so usage never shrinks. The sandbox has an end of its own (plans/sandbox.py), the audit log has another.
"""

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import prometheus_client
import structlog

from tocsin.kit.db import Database

ROWS_AT_ONCE = 2_000
PROJECTS_AT_ONCE = 500
LONGEST_REST_SECONDS = 1.0

NOBODY = UUID(int=0)

REMOVED = prometheus_client.Counter("tocsin_retention_removed_total", "Rows that were outlived.", ["table"])
MONTHS = prometheus_client.Counter("tocsin_retention_months_total", "Partitions that were dropped whole.", ["table"])

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Sweep:
    """One way through the rows of a table, oldest first.

    ``statement`` looks at up to $3 rows of the project $1 with ids before $2, from behind a place on: a key without the
    project, in parameters from $4. It answers with the place of the last row it saw, or nothing where there was none,
    and with the numbers of rows seen and removed.
    """

    table: str
    kind: str
    start: tuple[UUID, ...]
    statement: str


# A row is judged where it is deleted, so one that is taken up again at this moment stays. Rows are deleted by the range
# that was seen and not by a join with it: planned for any values and before the first ANALYZE, the join could be
# nested loops over whole months. IS TRUE keeps a sub-select a look-up in a hash for the same reason.
_ON_ITS_WAY = "state IN ('queued', 'leased', 'held', 'gathered') AND finished_at IS NULL"
_TO_STAY = f"""(n.require_ack AND n.acked_at IS NULL) OR EXISTS (SELECT FROM tocsin.deliveries d
    WHERE d.project_id = $1 AND d.notification_id = n.id AND d.{_ON_ITS_WAY})"""


def _by_id(table: str, over: str, also: str = "") -> str:
    """A sweep over a table with an id, whose rows go where ``over`` says."""
    return f"""
    WITH seen AS MATERIALIZED (
        SELECT n.id FROM tocsin.{table} n WHERE n.project_id = $1 AND n.id > $4 AND n.id < $2 ORDER BY n.id LIMIT $3
    ), last AS MATERIALIZED (SELECT s.id FROM seen s ORDER BY s.id DESC LIMIT 1), gone AS (
        DELETE FROM tocsin.{table} n
        WHERE n.project_id = $1 AND n.id > $4 AND n.id <= (SELECT l.id FROM last l) AND ({over}) RETURNING n.id
    ){also}
    SELECT ARRAY[l.id] AS place, (SELECT count(*) FROM seen) AS seen, (SELECT count(*) FROM gone) AS removed FROM last l
    """  # noqa: S608 - of constants


_ATTEMPTS = """, tries AS (
    DELETE FROM tocsin.attempts a
    WHERE a.project_id = $1 AND a.delivery_id > $4 AND a.delivery_id <= (SELECT l.id FROM last l)
        AND (a.delivery_id IN (SELECT g.id FROM gone g)) IS TRUE
)"""
_RECIPIENTS = f"""
WITH seen AS MATERIALIZED (
    SELECT r.notification_id AS id, r.user_id FROM tocsin.notification_recipients r
    WHERE r.project_id = $1 AND r.notification_id >= $4 AND r.notification_id < $2
        AND (r.notification_id, r.user_id) > ($4, $5)
    ORDER BY r.notification_id, r.user_id LIMIT $3
), last AS MATERIALIZED (SELECT s.id, s.user_id FROM seen s ORDER BY s.id DESC, s.user_id DESC LIMIT 1),
kept AS MATERIALIZED (
    SELECT n.id FROM tocsin.notifications n
    WHERE n.project_id = $1 AND n.id >= $4 AND n.id <= (SELECT l.id FROM last l) AND ({_TO_STAY})
), gone AS (
    DELETE FROM tocsin.notification_recipients r
    WHERE r.project_id = $1 AND r.notification_id >= $4 AND r.notification_id <= (SELECT l.id FROM last l)
        AND (r.notification_id, r.user_id) > ($4, $5)
        AND (r.notification_id, r.user_id) <= (SELECT l.id, l.user_id FROM last l)
        AND (r.notification_id IN (SELECT k.id FROM kept k)) IS NOT TRUE
    RETURNING 1
)
SELECT ARRAY[l.id, l.user_id] AS place, (SELECT count(*) FROM seen) AS seen, (SELECT count(*) FROM gone) AS removed
FROM last l
"""  # noqa: S608 - of constants
_STANDS_ALONE = """NOT EXISTS (SELECT FROM tocsin.notification_recipients r
    WHERE r.project_id = $1 AND r.notification_id = n.id)"""

# What hangs on a row goes before it or with it.
_SWEEPS = (
    _Sweep("deliveries", "deliveries", (NOBODY,), _by_id("deliveries", f"NOT (n.{_ON_ITS_WAY})", _ATTEMPTS)),
    _Sweep("notification_recipients", "notifications", (NOBODY, NOBODY), _RECIPIENTS),
    _Sweep(
        "notifications",
        "notifications",
        (NOBODY,),
        _by_id("notifications", f"NOT ({_TO_STAY}) AND {_STANDS_ALONE}"),
    ),
    _Sweep("events", "events", (NOBODY,), _by_id("events", "n.state IN ('processed', 'failed')")),
)


@dataclass(slots=True)
class _Pass:
    """One project on its way through the tables: the sweeps that remain, and how far the first of them is."""

    project_id: UUID
    before: dict[str, UUID]
    remaining: deque[_Sweep]
    place: tuple[UUID, ...] | None = None
    removed: Counter[str] = field(default_factory=Counter)


class RetentionStage:
    """Removes what was outlived. As many as like may run: a project is in one hand at a time."""

    def __init__(self, db: Database, days: int | None) -> None:
        self._db = db
        self._days = days
        self._turn: deque[_Pass] = deque()
        self._after = NOBODY

    async def run_once(self) -> bool:
        """A month, or one step of the project whose turn it is; False when there is nothing left for now."""
        if not self._turn:
            if self._after == NOBODY and await self._drop_a_month():
                return True
            return await self._find()
        began = time.monotonic()
        one = self._turn.popleft()
        if await self._step(one):
            self._turn.append(one)
        await asyncio.sleep(min(time.monotonic() - began, LONGEST_REST_SECONDS))
        return bool(self._turn) or self._after != NOBODY

    async def _drop_a_month(self) -> bool:
        """The oldest partition in which nobody keeps a row; not now, where its table is busy for too long."""
        try:
            name = await self._db.hot.fetchval("SELECT tocsin.drop_outlived_month($1)", self._days)
        except asyncpg.LockNotAvailableError:
            log.info("a month that is over could not be dropped yet: its table was in use")
            return False
        if name is None:
            return False
        MONTHS.labels(name[: -len("_2026_01")]).inc()
        log.info("month dropped", partition=name)
        return True

    async def _find(self) -> bool:
        """Projects with outlived rows, the next so many in turn."""
        rows = await self._db.hot.fetch(
            "SELECT * FROM tocsin.outlived($1, $2, $3)", self._after, PROJECTS_AT_ONCE, self._days
        )
        self._after = rows[-1]["project_id"] if len(rows) == PROJECTS_AT_ONCE else NOBODY
        for row in rows:
            before = {kind: row[kind] for kind in ("events", "notifications", "deliveries") if row[kind] is not None}
            if before:
                sweeps = deque(sweep for sweep in _SWEEPS if sweep.kind in before)
                self._turn.append(_Pass(row["project_id"], before, sweeps))
        return bool(self._turn) or self._after != NOBODY

    async def _step(self, one: _Pass) -> bool:
        """True when the project has to have another turn."""
        sweep = one.remaining[0]
        values = one.project_id, one.before[sweep.kind], ROWS_AT_ONCE, *(one.place or sweep.start)
        async with self._db.unit(one.project_id, "live") as connection:
            if not await connection.fetchval(_IN_HAND, f"tocsin retention {one.project_id}"):
                return False
            row = await connection.fetchrow(sweep.statement, *values)
        if row is not None and row["removed"]:
            REMOVED.labels(sweep.table).inc(row["removed"])
            one.removed[sweep.table] += row["removed"]
        if row is not None and row["seen"] == ROWS_AT_ONCE:
            one.place = tuple(row["place"])
            return True
        one.remaining.popleft()
        one.place = None
        if not one.remaining and one.removed:
            log.info("outlived rows removed", project=str(one.project_id), **one.removed)
        return bool(one.remaining)


# Whatever statistics say of how few rows there are, a step walks the index and does not sort what it will not look at.
_IN_HAND = """
SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)), set_config('enable_sort', 'off', true)
"""
