"""Figures of all projects, counted with the login that sees nothing else.

Every count has a bound, so that a project with many millions of rows costs as much as one with a few thousands.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.ids import PLATFORM_ID
from tocsin.platform.schemas import Counted, DeliveryFigures, EventFigures, Metrics, Usage

COUNTED_AT_MOST = 10_000
MEASURED_AT_MOST = 20_000
PROJECTS_NAMED = 50

GOOD = ("sent", "delivered", "read")
ENDED_BADLY = ("failed",)
FAULTS = ("poison", "rule_error")


async def usage_of(across: AsyncSession, ids: Collection[UUID]) -> dict[UUID, tuple[Usage, datetime | None]]:
    """What these projects have and had this month, and when the last event came."""
    rows = await across.execute(_USAGE, {"ids": list(ids), "most": COUNTED_AT_MOST})
    return {row.id: (Usage.model_validate(row), row.last_event_at) for row in rows}


_USAGE = text("""
WITH month AS (
    SELECT tocsin.first_id_at(date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') AS first_id)
SELECT p.id,
    (SELECT count(*) FROM (SELECT FROM tocsin.users u
        WHERE u.project_id = p.id AND u.env = 'live' LIMIT :most) AS c) AS users,
    (SELECT count(*) FROM (SELECT FROM tocsin.events e
        WHERE e.project_id = p.id AND e.env = 'live' AND e.id >= m.first_id LIMIT :most) AS c) AS events_this_month,
    (SELECT count(*) FROM (SELECT FROM tocsin.notifications n
        WHERE n.project_id = p.id AND n.env = 'live' AND n.id >= m.first_id LIMIT :most) AS c)
        AS notifications_this_month,
    (SELECT e.received_at FROM tocsin.events e WHERE e.project_id = p.id ORDER BY e.id DESC LIMIT 1) AS last_event_at
FROM unnest(CAST(:ids AS uuid[])) AS p (id) CROSS JOIN month m
""")


async def measured(across: AsyncSession, hours: int) -> Metrics:
    """The installation over the last hours."""
    bound = {"hours": hours, "most": MEASURED_AT_MOST, "platform": PLATFORM_ID}
    since = await across.scalar(_SINCE, {"hours": hours})
    assert since is not None
    return Metrics(
        since=since,
        projects_by_status=await _counts(across, "status"),
        projects_by_plan=await _counts(across, "plan"),
        events=await _events(across, bound),
        deliveries=await _deliveries(across, bound),
    )


_SINCE = text("SELECT now() - make_interval(hours => :hours)")


async def _counts(across: AsyncSession, by: str) -> dict[str, int]:
    rows = await across.execute(_PROJECTS[by], {"platform": PLATFORM_ID})
    return {name: count for name, count in rows}


_PROJECTS = {
    "status": text("SELECT status, count(*) FROM tocsin.projects WHERE id <> :platform GROUP BY 1 ORDER BY 1"),
    "plan": text("SELECT plan, count(*) FROM tocsin.projects WHERE id <> :platform GROUP BY 1 ORDER BY 1"),
}


async def _events(across: AsyncSession, bound: dict[str, Any]) -> EventFigures:
    busiest = await across.execute(_BUSIEST, {**bound, "named": PROJECTS_NAMED})
    outcomes = {outcome: count for outcome, count in await across.execute(_OUTCOMES, bound)}
    processed = sum(count for outcome, count in outcomes.items() if outcome != "waiting")
    return EventFigures(
        by_project=[Counted.model_validate(row) for row in busiest],
        by_outcome=outcomes,
        failure_rate=_rate(sum(outcomes.get(outcome, 0) for outcome in FAULTS), processed),
    )


_BUSIEST = text("""
SELECT p.id AS project_id, p.slug, c.events FROM tocsin.projects p CROSS JOIN LATERAL (
    SELECT count(*) AS events FROM (SELECT FROM tocsin.events e
        WHERE e.project_id = p.id AND e.env = 'live'
            AND e.id >= tocsin.first_id_at(now() - make_interval(hours => :hours)) LIMIT :most) AS counted) AS c
WHERE p.id <> :platform AND c.events > 0 ORDER BY c.events DESC, p.id LIMIT :named
""")
_OUTCOMES = text("""
SELECT COALESCE(c.outcome, 'waiting'), count(*) FROM tocsin.projects p CROSS JOIN LATERAL (
    SELECT e.outcome FROM tocsin.events e
    WHERE e.project_id = p.id AND e.env = 'live'
        AND e.id >= tocsin.first_id_at(now() - make_interval(hours => :hours)) LIMIT :most) AS c
WHERE p.id <> :platform GROUP BY 1 ORDER BY 1
""")


async def _deliveries(across: AsyncSession, bound: dict[str, Any]) -> DeliveryFigures:
    states: dict[str, int] = {}
    waited: list[float | None] = [None, None, None]
    for row in await across.execute(_STATES, bound):
        if row.state is None:
            waited = row.waited or waited
        else:
            states[row.state] = row.deliveries
    good, bad = (sum(states.get(state, 0) for state in group) for group in (GOOD, ENDED_BADLY))
    return DeliveryFigures(
        by_state=states,
        delivery_rate=_rate(good, good + bad),
        failure_rate=_rate(bad, good + bad),
        latency_seconds={"p50": waited[0], "p95": waited[1], "p99": waited[2]},
    )


_STATES = text("""
SELECT c.state, count(*) AS deliveries, percentile_cont(CAST(ARRAY[0.5, 0.95, 0.99] AS double precision[]))
    WITHIN GROUP (ORDER BY CAST(extract(epoch FROM c.sent_at - c.created_at) AS double precision))
    FILTER (WHERE c.sent_at IS NOT NULL AND c.channel <> 'realtime') AS waited
FROM tocsin.projects p CROSS JOIN LATERAL (
    SELECT CASE d.state WHEN 'leased' THEN 'queued' ELSE d.state END AS state, d.sent_at, d.created_at, d.channel
    FROM tocsin.deliveries d
    WHERE d.project_id = p.id AND d.env = 'live'
        AND d.id >= tocsin.first_id_at(now() - make_interval(hours => :hours)) ORDER BY d.id DESC LIMIT :most) AS c
WHERE p.id <> :platform GROUP BY GROUPING SETS ((c.state), ()) ORDER BY 1
""")


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
