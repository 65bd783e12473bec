"""Putting deliveries into the queue, and the order they leave it in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from tocsin.kit.ids import new_id

# First attempts of any priority go before retries: a failing endpoint must not hold up fresh alerts.
RANKS = {"critical": 0, "high": 1, "normal": 2, "low": 3}
RETRY_RANK = 4


@dataclass(frozen=True, slots=True)
class NewDelivery:
    notification_id: UUID
    user_id: UUID | None
    channel: str
    priority: str
    instant: bool
    dropped: str | None = None
    """Why it is not to be sent at all, though it is kept."""
    id: UUID = field(default_factory=new_id)


_ENQUEUE = """
INSERT INTO tocsin.deliveries
    (project_id, env, id, notification_id, user_id, channel, rank, state, last_error, sent_at, finished_at)
SELECT $1, $2, d.id, d.notification_id, d.user_id, d.channel, d.rank,
    CASE WHEN d.dropped IS NOT NULL THEN 'dropped' WHEN d.instant THEN 'sent' ELSE 'queued' END, d.dropped,
    CASE WHEN d.instant AND d.dropped IS NULL THEN now() END,
    CASE WHEN d.instant OR d.dropped IS NOT NULL THEN now() END
FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::smallint[], $8::bool[], $9::text[])
    AS d (id, notification_id, user_id, channel, rank, instant, dropped)
"""


async def enqueue(
    connection: asyncpg.Connection, project_id: UUID, env: str, deliveries: Sequence[NewDelivery]
) -> None:
    """Insert deliveries in the caller's transaction. Instant ones (realtime) are recorded as sent at once."""
    if not deliveries:
        return
    await connection.execute(
        _ENQUEUE,
        project_id,
        env,
        [d.id for d in deliveries],
        [d.notification_id for d in deliveries],
        [d.user_id for d in deliveries],
        [d.channel for d in deliveries],
        [RANKS[d.priority] for d in deliveries],
        [d.instant for d in deliveries],
        [d.dropped for d in deliveries],
    )
