"""Keeping what a provider told, each item once, before anything is made of it."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.channels.contract import Item
from tocsin.kit.db import Env, json_text
from tocsin.kit.ids import new_id

LONGEST_EVENT_ID = 200


class Place(NamedTuple):
    """The connection through which something came in."""

    project_id: UUID
    env: Env
    connection_id: UUID


async def store(session: AsyncSession, place: Place, items: Sequence[Item]) -> int:
    """How many of the items are new; the transaction is the caller's, in the scope of the place.

    Written in the order of their names, so that two calls never stand crosswise; worked on in the order of their ids.
    """
    rows = sorted((item.event_id[:LONGEST_EVENT_ID], new_id(), json_text(item.payload)) for item in items)
    if not rows:
        return 0
    values = {
        "project": place.project_id,
        "env": place.env,
        "connection": place.connection_id,
        "names": [name for name, _, _ in rows],
        "ids": [id_ for _, id_, _ in rows],
        "payloads": [payload for _, _, payload in rows],
    }
    new = (await session.execute(_STORE, values)).all()
    await session.execute(_NOTE, {"connection": place.connection_id})
    return len(new)


_STORE = text("""
INSERT INTO tocsin.inbound_raw (project_id, id, env, connection_id, event_id, payload)
SELECT :project, n.id, :env, :connection, n.name, n.payload::json
FROM unnest(CAST(:names AS text[]), CAST(:ids AS uuid[]), CAST(:payloads AS text[])) AS n (name, id, payload)
ON CONFLICT DO NOTHING RETURNING id
""")
# Once a minute, so that calls at the same time do not wait for each other.
_NOTE = text("""
UPDATE tocsin.hooks SET last_received_at = now()
WHERE connection_id = :connection AND (last_received_at IS NULL OR last_received_at < now() - interval '1 minute')
""")
