"""What a provider's answer to one message says of the connection as a whole, written down for all processes."""

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from tocsin.audit.occurrence import occur

PAUSE_SECONDS = (1.0, 3_600.0)
"""The shortest and the longest pause, whatever a provider asks for."""
LONG_PAUSE = timedelta(minutes=1)
"""From here on rules hear of a pause; a shorter one is how a provider sets the pace."""

_ERROR = """
UPDATE tocsin.connections
SET status = 'error', status_reason = $4, health_status = 'failing', last_health_check = now(), next_check_at = now(),
    updated_at = now()
WHERE project_id = $1 AND id = $2 AND status IN ('active', 'rate_limited') AND updated_at = $3
"""
_PAUSE = """
UPDATE tocsin.connections
SET status = 'rate_limited', status_reason = $3, paused_until = GREATEST(paused_until, now() + $4)
WHERE project_id = $1 AND id = $2 AND status IN ('active', 'rate_limited')
RETURNING (SELECT status FROM tocsin.connections WHERE project_id = $1 AND id = $2) = 'active' AS began,
    env, provider, channel, owner, name
"""


async def mark_error(
    connection: asyncpg.Connection, project_id: UUID, connection_id: UUID, version: datetime | None, reason: str
) -> None:
    """Stop using a connection whose credentials do not work, until its owner mends it.

    One that was changed since ``version`` stays as it is: what failed were its credentials of before.
    """
    await connection.execute(_ERROR, project_id, connection_id, version, reason[:500])


def pause_of(seconds: float | None) -> timedelta:
    """How long to wait where a provider asks for so many seconds, or names none."""
    shortest, longest = PAUSE_SECONDS
    return timedelta(seconds=min(max(seconds or shortest, shortest), longest))


async def mark_paused(
    connection: asyncpg.Connection, project_id: UUID, connection_id: UUID, pause: timedelta, reason: str
) -> bool:
    """Send nothing over a connection for a while (D4); whether that is news to its owner.

    Rules hear of a long pause (R7), of one connection once an hour: what they hear of is the same each time.
    """
    row = await connection.fetchrow(_PAUSE, project_id, connection_id, reason[:500], pause)
    if row is None:
        return False
    began, env, *which = row
    if pause >= LONG_PAUSE:
        told = dict(zip(("provider", "channel", "owner", "name"), which, strict=True))
        await occur(
            connection, project_id, env, "tocsin.connection.paused", {"connectionId": str(connection_id), **told}
        )
    return bool(began)
