"""What was sent over a connection lately, counted from deliveries: of one project, or of all for its owner.

A project sees its own, over connections of its own and over those it is lent. Whoever lends one sees how much was sent
for everybody, and for how many, and nothing of anybody's.
"""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from pydantic import Field
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.errors import NotFound
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.schema import Answer, Time

MEASURED_DELIVERIES = 1_000
"""The newest ones, of which latency and the last error are read."""


class Latency(Answer):
    """Milliseconds from an attempt to the provider's answer."""

    p50_ms: int
    p95_ms: int
    p99_ms: int


class LastError(Answer):
    at: Time
    outcome: str
    status: int | None
    error: str | None


class Day(Answer):
    date: date
    sent: int
    delivered: int
    failed: int


class ConnectionStatsAnswer(Answer):
    """``sent`` counts whatever the provider took; ``delivered`` what of it is known to have arrived."""

    since: Time
    sent: int
    delivered: int
    failed: int = Field(description="Given up, or refused for good.")
    waiting: int = Field(description="Tried at least once, and to be tried again.")
    days: list[Day] = Field(description="By the day of the delivery, in UTC, newest first; days without any left out.")
    latency: Latency | None = Field(description=f"Of the newest {MEASURED_DELIVERIES:,} deliveries at the most.")
    last_error: LastError | None = Field(description="Among the same.")


class UseAnswer(Answer):
    """What was sent over a connection for all projects together; counted as in its statistics."""

    since: Time
    sent: int
    delivered: int
    failed: int
    waiting: int
    projects: int = Field(description="How many of them had deliveries over it.")
    days: list[Day]


async def stats_of(session: AsyncSession, project_id: UUID, connection_id: UUID, days: int) -> ConnectionStatsAnswer:
    """The last ``days`` days, today included, over a connection of the project."""
    return await _stats(session, _OWN, project_id, connection_id, days)


async def lent_stats_of(
    session: AsyncSession, project_id: UUID, connection_id: UUID, days: int
) -> ConnectionStatsAnswer:
    """The same over a connection that the platform lends. Raises NotFound where nothing of the project went over it,
    so that nobody learns what else there is."""
    found = await _stats(session, _LENT, project_id, connection_id, days)
    if not found.days:
        raise NotFound()
    return found


async def use_of(across: AsyncSession, project_id: UUID, connection_id: UUID, days: int) -> UseAnswer:
    """What went over a connection of ``project_id`` for everybody, in the operator's session."""
    since = _since(days)
    rows = (await across.execute(_USE, {"project": project_id, "connection": connection_id, "since": since})).all()
    total = next(row for row in rows if row.day is None)
    each = sorted((row for row in rows if row.day is not None), key=lambda row: row.day, reverse=True)
    return UseAnswer(
        since=since,
        sent=total.sent,
        delivered=total.delivered,
        failed=total.failed,
        waiting=total.waiting,
        projects=total.projects,
        days=[Day(date=row.day, sent=row.sent, delivered=row.delivered, failed=row.failed) for row in each],
    )


# The row without a day is the sum.
_USE = text("""
SELECT c.day, count(*) FILTER (WHERE c.state IN ('sent', 'delivered', 'read')) AS sent,
    count(*) FILTER (WHERE c.state IN ('delivered', 'read')) AS delivered,
    count(*) FILTER (WHERE c.state = 'failed') AS failed,
    count(*) FILTER (WHERE c.state IN ('queued', 'leased') AND c.attempts > 0) AS waiting,
    count(DISTINCT c.project_id) AS projects
FROM (SELECT (tocsin.id_time(d.id) AT TIME ZONE 'UTC')::date AS day, d.state, d.attempts, d.project_id
    FROM tocsin.deliveries d
    WHERE d.connection_project = :project AND d.connection_id = :connection
        AND d.id >= tocsin.first_id_at(:since)) c
GROUP BY GROUPING SETS ((c.day), ())
""")


def _since(days: int) -> datetime:
    return datetime.combine(datetime.now(UTC).date() - timedelta(days=days - 1), datetime.min.time(), UTC)


async def _stats(
    session: AsyncSession, through: "_Queries", project_id: UUID, connection_id: UUID, days: int
) -> ConnectionStatsAnswer:
    since = _since(days)
    place = {"project": project_id, "connection": connection_id, "since": since}
    counted = (await session.execute(through.days, place)).all()
    measured = (await session.execute(through.latency, {**place, "most": MEASURED_DELIVERIES})).one()
    failed = (await session.execute(through.last_error, {**place, "most": MEASURED_DELIVERIES})).one_or_none()
    return ConnectionStatsAnswer(
        since=since,
        sent=sum(row.sent for row in counted),
        delivered=sum(row.delivered for row in counted),
        failed=sum(row.failed for row in counted),
        waiting=sum(row.waiting for row in counted),
        days=[Day.model_validate(row) for row in counted],
        latency=Latency.model_validate(measured) if measured.p50_ms is not None else None,
        last_error=LastError.model_validate(failed) if failed else None,
    )


class _Queries(NamedTuple):
    days: TextClause
    latency: TextClause
    last_error: TextClause


def _queries(through: str) -> _Queries:
    """``through`` are the deliveries that count."""
    attempts = f"""
FROM (SELECT d.id {through} ORDER BY d.id DESC LIMIT :most) n
JOIN tocsin.attempts a ON a.project_id = :project AND a.delivery_id = n.id AND a.connection_id = :connection
"""
    return _Queries(
        text(f"""
SELECT (tocsin.id_time(d.id) AT TIME ZONE 'UTC')::date AS date,
    count(*) FILTER (WHERE d.state IN ('sent', 'delivered', 'read')) AS sent,
    count(*) FILTER (WHERE d.state IN ('delivered', 'read')) AS delivered,
    count(*) FILTER (WHERE d.state = 'failed') AS failed,
    count(*) FILTER (WHERE d.state IN ('queued', 'leased') AND d.attempts > 0) AS waiting
{through} GROUP BY 1 ORDER BY 1 DESC
"""),
        text(f"""
SELECT p[1]::integer AS p50_ms, p[2]::integer AS p95_ms, p[3]::integer AS p99_ms
FROM (SELECT percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY a.duration_ms) AS p {attempts}) m
"""),  # noqa: S608
        text(f"""
SELECT a.started_at AS at, a.outcome, a.status, a.error {attempts} WHERE a.error IS NOT NULL
ORDER BY a.started_at DESC LIMIT 1
"""),
    )


# Ids begin with their time, so a range of them is a range of days.
_OWN = _queries("""
FROM tocsin.deliveries d
WHERE d.connection_project = :project AND d.connection_id = :connection AND d.project_id = :project
    AND d.id >= tocsin.first_id_at(:since)
""")
# Found among the project's own: the index that leads to a connection's deliveries leads to those of everybody.
_LENT = _queries(f"""
FROM tocsin.deliveries d
WHERE d.project_id = :project AND d.id >= tocsin.first_id_at(:since)
    AND d.connection_project IS NOT DISTINCT FROM CAST('{PLATFORM_ID}' AS uuid)
    AND d.connection_id IS NOT DISTINCT FROM CAST(:connection AS uuid)
""")
