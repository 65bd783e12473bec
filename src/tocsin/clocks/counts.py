"""What happened in a project within a period: what a clock's event tells."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

MOST_ROWS = 1_000_000
"""Of each kind that are counted; a period that has more says so."""
MOST_TYPES = 100


async def counts(connection: asyncpg.Connection, project_id: UUID, since: datetime, until: datetime) -> dict[str, Any]:
    """The counts of a period of one environment, in the caller's transaction; Tocsin's own events are not counted."""
    period = project_id, since, until, MOST_ROWS
    types = await connection.fetch(_EVENTS, *period)
    made, acknowledged = await connection.fetchrow(_NOTIFICATIONS, *period)
    states = dict(await connection.fetch(_DELIVERIES, *period))
    events, deliveries = sum(row["n"] for row in types), sum(states.values())
    return {
        "events": {"total": events, "byType": {row["type"]: row["n"] for row in types[:MOST_TYPES]}},
        "notifications": {"made": made, "acknowledged": acknowledged},
        "deliveries": {
            "delivered": sum(states.get(state, 0) for state in ("sent", "delivered", "read", "captured")),
            "failed": sum(states.get(state, 0) for state in ("failed", "suppressed", "dropped")),
            "waiting": sum(states.get(state, 0) for state in ("queued", "leased", "held", "gathered")),
        },
        "complete": max(events, made, deliveries) < MOST_ROWS,
    }


_PERIOD = "project_id = $1 AND id >= tocsin.first_id_at($2) AND id < tocsin.first_id_at($3)"
_EVENTS = f"""
SELECT e.type, count(*) AS n
FROM (SELECT type FROM tocsin.events WHERE {_PERIOD} AND NOT internal LIMIT $4) e
GROUP BY e.type ORDER BY n DESC, e.type
"""  # noqa: S608 - made of constants
_NOTIFICATIONS = f"""
SELECT count(*), count(n.acked_at)
FROM (SELECT acked_at FROM tocsin.notifications WHERE {_PERIOD} AND NOT internal LIMIT $4) n
"""  # noqa: S608 - made of constants
_DELIVERIES = f"""
SELECT d.state, count(*) FROM (SELECT state FROM tocsin.deliveries WHERE {_PERIOD} LIMIT $4) d GROUP BY d.state
"""  # noqa: S608 - made of constants
