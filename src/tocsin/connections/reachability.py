"""Whom each connection reaches: what is known of an address at one account of a provider (C4, T12).

``reachable``: the person spoke to this account, or it reached them. ``blocked``: the provider says that they shut it
out. ``opted_out``: they said so to us. Nothing known is no row; a channel that is ``known_only`` sends only where a row
says ``reachable``. A block or an opt-out also ends the search for another connection: nobody is reached around it.

``project_id`` is the project whose person it is, even where the connection is the platform's.
"""

from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.db import driver
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.vault import Scoped

State = Literal["reachable", "blocked", "opted_out"]

REASON_KEPT = 500


async def mark_reachable(scoped: Scoped, project_id: UUID, connection_id: UUID, address: str, reason: str) -> None:
    """The person wants to be reached: they wrote, pressed Start, took a block back. Ends a block and an opt-out."""
    await _mark(scoped, project_id, connection_id, address, "reachable", reason)


async def mark_blocked(scoped: Scoped, project_id: UUID, connection_id: UUID, address: str, reason: str) -> None:
    """The provider says that this person shut this account out. An opt-out stays one."""
    await _mark(scoped, project_id, connection_id, address, "blocked", reason)


async def mark_opted_out(scoped: Scoped, project_id: UUID, connection_id: UUID, address: str, reason: str) -> None:
    """The person told us to stop."""
    await _mark(scoped, project_id, connection_id, address, "opted_out", reason)


async def _mark(scoped: Scoped, project_id: UUID, connection_id: UUID, address: str, state: State, reason: str) -> None:
    """In the scope of the project. What is repeated changes nothing: ``since`` is when the state began."""
    connection = await driver(scoped) if isinstance(scoped, AsyncSession) else scoped
    await connection.execute(_MARK, project_id, connection_id, address, state, reason[:REASON_KEPT], PLATFORM_ID)


# A connection that this project does not see can only be the platform's; the foreign key says whether it exists.
_MARK = """
INSERT INTO tocsin.reachability AS r (project_id, connection_id, address_hash, state, reason, connection_project, env)
VALUES ($1, $2, sha256(convert_to($3::text, 'UTF8')), $4, $5,
    CASE WHEN EXISTS (SELECT FROM tocsin.connections c WHERE c.project_id = $1 AND c.id = $2) THEN $1 ELSE $6 END,
    tocsin.current_env())
ON CONFLICT (project_id, connection_id, address_hash) DO UPDATE
SET state = excluded.state, reason = excluded.reason, since = now()
WHERE r.state <> excluded.state AND NOT (r.state = 'opted_out' AND excluded.state = 'blocked')
"""
