"""Tocsin's own occurrences as events of the project, so that its rules can tell of them (R7).

They are marked ``internal``: they count towards no quota, neither do the notifications made of them, and both get
through where a quota is used up. Whoever raises one makes sure that what a rule does with it does not raise the next.
"""

from typing import Any
from uuid import UUID

import asyncpg

from tocsin.kit.db import as_json
from tocsin.kit.ids import new_id

_OCCUR = """
INSERT INTO tocsin.events (project_id, id, env, type, payload, source, internal)
VALUES ($1, $2, $3, $4, $5, 'tocsin', true)
"""


async def occur(
    connection: asyncpg.Connection, project_id: UUID, env: str, type_: str, payload: dict[str, Any]
) -> None:
    """Store an event such as ``tocsin.quota.warning`` in the caller's transaction; the caller wakes the broker."""
    await connection.execute(_OCCUR, project_id, new_id(), env, type_, as_json(payload))
