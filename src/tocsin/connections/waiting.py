"""Deliveries that wait for a connection to be mended (D2)."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.connections.within import Within

_MOST_AT_ONCE = 5_000
"""The rest comes when it is due: this is part of a request."""

_HASTEN = text("""
UPDATE tocsin.deliveries d SET due_at = now()
FROM (
    SELECT w.id FROM tocsin.deliveries w
    WHERE w.project_id = :project AND w.env = :env AND w.channel = :channel AND w.state = 'queued' AND NOT w.ready
    ORDER BY w.due_at LIMIT :most FOR UPDATE SKIP LOCKED
) waiting
WHERE d.project_id = :project AND d.id = waiting.id
""")


async def hasten_deliveries(within: Within, channel: str) -> None:
    """Try what waits on a channel now, since a connection of it has just become active."""
    await hasten(within.session, within.project_id, within.env, channel)


async def hasten(session: AsyncSession, project_id: UUID, env: str, channel: str) -> None:
    """The same in any transaction of the project."""
    place = {"project": project_id, "env": env, "channel": channel}
    await session.execute(_HASTEN, {**place, "most": _MOST_AT_ONCE})
