"""Who has written to a connection, which person of the project that is, and until when free words may answer (W1).

Known by the provider's own name for somebody: a channel's ``known_as`` says which names an address may have. The
window is of one connection: what a person wrote to one number opens nothing at another.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

OPEN_FOR = timedelta(hours=24)


async def wrote(
    connection: asyncpg.Connection,
    project_id: UUID,
    connection_id: UUID,
    names: Sequence[str],
    user_id: UUID | None,
    at: datetime,
) -> None:
    """Somebody wrote at that time, and is known by each of these names. An older message shortens no window."""
    await connection.execute(_WROTE, project_id, connection_id, names, user_id, at, at + OPEN_FOR)


# What claims to come from the future opens no window that is longer than one that begins now.
_WROTE = """
INSERT INTO tocsin.correspondents AS c
    (project_id, connection_id, known_as, env, user_id, last_wrote_at, window_expires_at)
SELECT $1, $2, name, tocsin.current_env(), $4, least($5::timestamptz, now()),
    least($6::timestamptz, now() + ($6::timestamptz - $5::timestamptz))
FROM unnest($3::text[]) AS name ORDER BY name
ON CONFLICT (project_id, connection_id, known_as) DO UPDATE
SET user_id = coalesce(excluded.user_id, c.user_id), last_wrote_at = greatest(c.last_wrote_at, excluded.last_wrote_at),
    window_expires_at = greatest(c.window_expires_at, excluded.window_expires_at)
"""


async def window(
    connection: asyncpg.Connection, project_id: UUID, connection_id: UUID, names: Sequence[str]
) -> datetime | None:
    """Until when the person of any of these names may be answered freely, past or not; None: they never wrote."""
    expires_at: datetime | None = await connection.fetchval(_WINDOW, project_id, connection_id, names)
    return expires_at


_WINDOW = """
SELECT max(window_expires_at) FROM tocsin.correspondents
WHERE project_id = $1 AND connection_id = $2 AND known_as = ANY ($3)
"""


async def close_window(
    connection: asyncpg.Connection, project_id: UUID, connection_id: UUID, names: Sequence[str]
) -> None:
    """The provider says that its window is closed already: its clock counts."""
    await connection.execute(_CLOSE, project_id, connection_id, names)


_CLOSE = """
UPDATE tocsin.correspondents SET window_expires_at = least(window_expires_at, now())
WHERE project_id = $1 AND connection_id = $2 AND known_as = ANY ($3)
"""
