"""What was sent over a connection lately, counted from its deliveries by the index that leads to them."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from pydantic import Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

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


class StatsAnswer(Answer):
    """``sent`` counts whatever the provider took; ``delivered`` what of it is known to have arrived."""

    since: Time
    sent: int
    delivered: int
    failed: int = Field(description="Given up, or refused for good.")
    waiting: int = Field(description="Tried at least once, and to be tried again.")
    days: list[Day] = Field(description="By the day of the delivery, in UTC, newest first; days without any left out.")
    latency: Latency | None = Field(description=f"Of the newest {MEASURED_DELIVERIES:,} deliveries at the most.")
    last_error: LastError | None = Field(description="Among the same.")


async def stats_of(session: AsyncSession, project_id: UUID, connection_id: UUID, days: int) -> StatsAnswer:
    """The last ``days`` days, today included."""
    since = datetime.combine(datetime.now(UTC).date() - timedelta(days=days - 1), datetime.min.time(), UTC)
    place = {"project": project_id, "connection": connection_id, "since": since}
    counted = (await session.execute(_DAYS, place)).all()
    measured = (await session.execute(_LATENCY, {**place, "most": MEASURED_DELIVERIES})).one()
    failed = (await session.execute(_LAST_ERROR, {**place, "most": MEASURED_DELIVERIES})).one_or_none()
    return StatsAnswer(
        since=since,
        sent=sum(row.sent for row in counted),
        delivered=sum(row.delivered for row in counted),
        failed=sum(row.failed for row in counted),
        waiting=sum(row.waiting for row in counted),
        days=[Day.model_validate(row) for row in counted],
        latency=Latency.model_validate(measured) if measured.p50_ms is not None else None,
        last_error=LastError.model_validate(failed) if failed else None,
    )


# Ids begin with their time, so a range of them is a range of days.
_THROUGH = """
FROM tocsin.deliveries d
WHERE d.connection_project = :project AND d.connection_id = :connection AND d.project_id = :project
    AND d.id >= tocsin.first_id_at(:since)
"""
_DAYS = text(f"""
SELECT (tocsin.id_time(d.id) AT TIME ZONE 'UTC')::date AS date,
    count(*) FILTER (WHERE d.state IN ('sent', 'delivered', 'read')) AS sent,
    count(*) FILTER (WHERE d.state IN ('delivered', 'read')) AS delivered,
    count(*) FILTER (WHERE d.state = 'failed') AS failed,
    count(*) FILTER (WHERE d.state IN ('queued', 'leased') AND d.attempts > 0) AS waiting
{_THROUGH} GROUP BY 1 ORDER BY 1 DESC
""")
_ATTEMPTS = f"""
FROM (SELECT d.id {_THROUGH} ORDER BY d.id DESC LIMIT :most) n
JOIN tocsin.attempts a ON a.project_id = :project AND a.delivery_id = n.id AND a.connection_id = :connection
"""
_LATENCY = text(f"""
SELECT p[1]::integer AS p50_ms, p[2]::integer AS p95_ms, p[3]::integer AS p99_ms
FROM (SELECT percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY a.duration_ms) AS p {_ATTEMPTS}) m
""")  # noqa: S608 - made of constants
_LAST_ERROR = text(f"""
SELECT a.started_at AS at, a.outcome, a.status, a.error {_ATTEMPTS} WHERE a.error IS NOT NULL
ORDER BY a.started_at DESC LIMIT 1
""")
