"""Whom each connection reaches: what is known of an address at one account of a provider (C4, T12).

``reachable``: the person spoke to this account, or it reached them. ``blocked``: the provider says that they shut it
out. ``opted_out``: they said so to us. Nothing known is no row; a channel that is ``known_only`` sends only where a row
says ``reachable``. A block or an opt-out also ends the search for another connection: nobody is reached around it.

Words come late, in another order, and again: each counts from when it was said, and the last one holds.

``project_id`` is the project whose person it is, even where the connection is the platform's; but what the account of
such a connection was told to stop is kept in the platform's, and holds for all.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.db import driver
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.vault import Scoped

State = Literal["reachable", "blocked", "opted_out"]

REASON_KEPT = 500


async def mark_reachable(
    scoped: Scoped, project_id: UUID, connection_id: UUID, address: str, reason: str, at: datetime | None = None
) -> bool:
    """The person wants to be reached: they wrote, pressed Start, took a block back. Ends a block and an opt-out."""
    return await _mark(scoped, project_id, connection_id, address, "reachable", reason, at)


async def mark_blocked(
    scoped: Scoped, project_id: UUID, connection_id: UUID, address: str, reason: str, at: datetime | None = None
) -> bool:
    """The provider says that this person shut this account out. An opt-out stays one."""
    return await _mark(scoped, project_id, connection_id, address, "blocked", reason, at)


async def mark_opted_out(
    scoped: Scoped, project_id: UUID, connection_id: UUID, address: str, reason: str, at: datetime | None = None
) -> bool:
    """The person told us to stop. A later block does not make that untold."""
    return await _mark(scoped, project_id, connection_id, address, "opted_out", reason, at)


async def _mark(
    scoped: Scoped, project_id: UUID, connection_id: UUID, address: str, state: State, reason: str, at: datetime | None
) -> bool:
    """In the scope of the project; ``at`` is when it was said, now where that is not given.

    False where something else was said later, which stays. What is repeated changes nothing: ``since`` is when the
    state began.
    """
    connection = await driver(scoped) if isinstance(scoped, AsyncSession) else scoped
    where = (project_id, connection_id, address)
    return await connection.fetchval(_MARK, *where, state, reason[:REASON_KEPT], PLATFORM_ID, at) is not None


# A connection that this project does not see can only be the platform's; the foreign key says whether it exists.
_MARK = """
INSERT INTO tocsin.reachability AS r
    (project_id, connection_id, address_hash, state, reason, connection_project, env, since, told_at)
SELECT $1, $2, sha256(convert_to($3::text, 'UTF8')), $4, $5,
    CASE WHEN EXISTS (SELECT FROM tocsin.connections c WHERE c.project_id = $1 AND c.id = $2) THEN $1 ELSE $6 END,
    tocsin.current_env(), said.at, said.at
FROM (SELECT coalesce($7::timestamptz, now()) AS at) said
ON CONFLICT (project_id, connection_id, address_hash) DO UPDATE
SET (state, reason, since) = (
        SELECT excluded.state, excluded.reason, excluded.since
        WHERE r.state <> excluded.state AND NOT (r.state = 'opted_out' AND excluded.state = 'blocked')
        UNION ALL SELECT r.state, r.reason, r.since
        WHERE r.state = excluded.state OR (r.state = 'opted_out' AND excluded.state = 'blocked')),
    told_at = greatest(r.told_at, r.since, excluded.told_at)
WHERE greatest(r.told_at, r.since) <= excluded.told_at OR (r.state = 'blocked' AND excluded.state = 'opted_out')
RETURNING true
"""
