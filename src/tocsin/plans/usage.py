"""Reading what was used: hours summed to days or months of UTC, and how the quotas stand (Q4)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.plans.entitlements import entitlements
from tocsin.plans.quotas import SANDBOX_EVENTS, month_of, resets_at
from tocsin.plans.totals import standing

Period: TypeAlias = Literal["daily", "monthly"]

LATENCY_BOUNDS_MS = (100, 500, 1_000, 5_000, 15_000, 60_000, 300_000)
"""Upper bounds, exclusive, of the buckets that ``roll_up_usage`` counts; the last bucket has none."""

BUCKETS = len(LATENCY_BOUNDS_MS) + 1

COUNTED = (
    "events_received",
    "notifications_made",
    "notifications_over_quota",
    "notifications_sent",
    "notifications_delivered",
    "notifications_failed",
    "acknowledged",
    "webhooks_sent",
    "webhooks_succeeded",
    "active_users",
    "api_calls",
    "api_errors",
)

_STEP = {"daily": "day", "monthly": "month"}

_SUMS = text("""
SELECT date_trunc(:step, hour AT TIME ZONE 'UTC')::date AS period, sum(events_received)::bigint AS events_received,
    sum(notifications_made)::bigint AS notifications_made,
    sum(notifications_over_quota)::bigint AS notifications_over_quota,
    sum(notifications_sent)::bigint AS notifications_sent,
    sum(notifications_delivered)::bigint AS notifications_delivered,
    sum(notifications_failed)::bigint AS notifications_failed, sum(acknowledged)::bigint AS acknowledged,
    sum(webhooks_sent)::bigint AS webhooks_sent, sum(webhooks_succeeded)::bigint AS webhooks_succeeded
FROM tocsin.usage_hours WHERE project_id = :project AND env = :env AND hour >= :since AND hour < :until
GROUP BY 1 ORDER BY 1
""")
_LATENCY = text("""
SELECT date_trunc(:step, u.hour AT TIME ZONE 'UTC')::date AS period, b.number, sum(b.count)::bigint AS count
FROM tocsin.usage_hours u, unnest(u.latency) WITH ORDINALITY AS b (count, number)
WHERE u.project_id = :project AND u.env = :env AND u.hour >= :since AND u.hour < :until
GROUP BY 1, 2
""")
_ACTIVE = text("""
SELECT date_trunc(:step, day::timestamp)::date AS period, count(DISTINCT user_id) AS active_users
FROM tocsin.active_users
WHERE project_id = :project AND env = :env AND day >= CAST(CAST(:since AS timestamptz) AT TIME ZONE 'UTC' AS date)
    AND day < CAST(CAST(:until AS timestamptz) AT TIME ZONE 'UTC' AS date)
GROUP BY 1
""")


# Calls have no environment: a project's keys and people share its rates.
_CALLS = text("""
SELECT date_trunc(:step, day::timestamp)::date AS period, sum(calls)::bigint AS api_calls,
    sum(errors)::bigint AS api_errors
FROM tocsin.api_calls
WHERE project_id = :project AND day >= CAST(CAST(:since AS timestamptz) AT TIME ZONE 'UTC' AS date)
    AND day < CAST(CAST(:until AS timestamptz) AT TIME ZONE 'UTC' AS date)
GROUP BY 1
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a quota stands. Without a limit there is no percentage, and a total resets never."""

    quota: str
    used: int
    limit: int | None
    overage: int
    percent: int | None
    resets_at: datetime | None


async def used_by_period(
    session: AsyncSession, project_id: UUID, env: str, period: Period, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """The sums of each day or month that has any, oldest first; ``latency`` as one count per bucket.

    ``since`` and ``until`` are moments at the beginning of a period of UTC; the second one is not included.
    """
    values = {"step": _STEP[period], "project": project_id, "env": env, "since": since, "until": until}
    found: dict[date, dict[str, Any]] = {}
    for query in (_SUMS, _ACTIVE, _CALLS):
        for row in await session.execute(query, values):
            used = found.setdefault(row.period, {**dict.fromkeys(COUNTED, 0), "latency": [0] * BUCKETS})
            used.update(row._asdict())
    for row in await session.execute(_LATENCY, values):
        found[row.period]["latency"][row.number - 1] = row.count
    return [found[start] for start in sorted(found)]


async def standings(session: AsyncSession, project_id: UUID, env: str) -> list[Standing]:
    """Live: the quotas of this month, then the totals. In the sandbox: its quota of today."""
    allowed = await entitlements(session, project_id)
    now = datetime.now(UTC)
    if env == "test":
        used = await _counter(session, project_id, SANDBOX_EVENTS, now.date()) or 0
        return [_stands(SANDBOX_EVENTS, used, allowed.limit(SANDBOX_EVENTS), resets_at(SANDBOX_EVENTS, now))]
    rolled = (await session.execute(_ROLLED, {"project": project_id, "since": _midnight(month_of(now))})).one()
    stands = []
    for quota in ("events", "notifications"):
        # Exact where there is a limit; where there is none, as counted up to a minute ago.
        exact = await _counter(session, project_id, quota, month_of(now)) if allowed.limit(quota) is not None else None
        used = getattr(rolled, quota) if exact is None else exact
        stands.append(_stands(quota, used, allowed.limit(quota), resets_at(quota, now)))
    totals = await standing(session, project_id)
    return stands + [_stands(total, used, allowed.limit(total), None) for total, used in totals.items()]


def _stands(quota: str, used: int, limit: int | None, resets: datetime | None) -> Standing:
    if limit is None:
        return Standing(quota, used, None, 0, None, resets)
    percent = used * 100 // limit if limit else 100
    return Standing(quota, used, limit, max(0, used - limit), percent, resets)


async def _counter(session: AsyncSession, project_id: UUID, quota: str, period: date) -> int | None:
    used: int | None = await session.scalar(_COUNTER, {"project": project_id, "quota": quota, "period": period})
    return used


_COUNTER = text("""
SELECT used FROM tocsin.quota_counters WHERE project_id = :project AND quota = :quota AND period = :period
""")
_ROLLED = text("""
SELECT coalesce(sum(events_received), 0)::bigint AS events,
    coalesce(sum(notifications_made), 0)::bigint AS notifications
FROM tocsin.usage_hours WHERE project_id = :project AND env = 'live' AND hour >= :since
""")


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
