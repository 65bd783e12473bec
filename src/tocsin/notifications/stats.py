"""What became of the notifications of the last hours, in all and by day of UTC."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from pydantic import Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.schema import Answer


class Wait(Answer):
    """Seconds from a notification to its first acknowledgement, of those that have one."""

    median_seconds: int
    p95_seconds: int


class DayStats(Answer):
    """Of one day of UTC; the first one begins where the hours do."""

    date: date
    notifications: int
    acknowledged: int = Field(description="Of those made on this day, whenever it was.")
    time_to_acknowledge: Wait | None
    channels: dict[str, dict[str, int]] = Field(description="Deliveries of each channel by state.")


class Stats(Answer):
    """Counts of the last `hours` hours."""

    hours: int
    notifications: int
    acknowledged: int
    awaiting_acknowledgement: int
    time_to_acknowledge: Wait | None
    deliveries: dict[str, int] = Field(description="By state.")
    deliveries_by_channel: dict[str, int]
    days: list[DayStats] = Field(description="Days in which anything happened, oldest first.")


async def counted(session: AsyncSession, hours: int) -> Stats:
    """The counts of the scope's project and environment."""
    [whole, *made] = (await session.execute(_COUNTS, {"hours": hours})).all()
    deliveries = (await session.execute(_STATES, {"hours": hours})).all()
    by_day = {row.date: row for row in made}
    return Stats(
        hours=hours,
        notifications=whole.made,
        acknowledged=whole.acknowledged,
        awaiting_acknowledgement=whole.awaiting,
        time_to_acknowledge=_wait(whole.waited),
        deliveries=_sums((row.state, row.n) for row in deliveries),
        deliveries_by_channel=_sums((row.channel, row.n) for row in deliveries),
        days=[
            _day(day, by_day.get(day), [row for row in deliveries if row.date == day])
            for day in sorted({*by_day, *(row.date for row in deliveries)})
        ],
    )


def _day(day: date, made: Any, deliveries: list[Any]) -> DayStats:
    channels: dict[str, dict[str, int]] = {}
    for row in deliveries:
        channels.setdefault(row.channel, {})[row.state] = row.n
    return DayStats(
        date=day,
        notifications=made.made if made else 0,
        acknowledged=made.acknowledged if made else 0,
        time_to_acknowledge=_wait(made.waited) if made else None,
        channels=channels,
    )


def _wait(waited: list[float] | None) -> Wait | None:
    return Wait(median_seconds=round(waited[0]), p95_seconds=round(waited[1])) if waited else None


def _sums(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, count in counts:
        sums[name] = sums.get(name, 0) + count
    return sums


# The first row is that of all days together. Ids carry the time: no day is looked up in another column.
_COUNTS = text("""
SELECT day AS date, count(*) AS made, count(acked_at) AS acknowledged,
    count(*) FILTER (WHERE require_ack AND acked_at IS NULL) AS awaiting,
    percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM acked_at - made_at)::float8) AS waited
FROM (
    SELECT require_ack, acked_at, tocsin.id_time(id) AS made_at, (tocsin.id_time(id) AT TIME ZONE 'UTC')::date AS day
    FROM tocsin.notifications WHERE id >= tocsin.first_id_at(now() - make_interval(hours => :hours))
) n GROUP BY GROUPING SETS ((), (day)) ORDER BY day NULLS FIRST
""")
_STATES = text("""
SELECT (tocsin.id_time(id) AT TIME ZONE 'UTC')::date AS date, channel,
    CASE WHEN state = 'leased' THEN 'queued' ELSE state END AS state, count(*) AS n
FROM tocsin.deliveries WHERE id >= tocsin.first_id_at(now() - make_interval(hours => :hours))
GROUP BY 1, 2, 3
""")
