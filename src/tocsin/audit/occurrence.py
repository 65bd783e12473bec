"""Tocsin's own occurrences as events of the project, so that its rules can tell of them (R7).

They are marked ``internal``: they count towards no quota, neither do the notifications made of them, and both get
through where a quota is used up. Whoever raises one makes sure that what a rule does with it does not raise the next.
Besides, a project is told of the same thing once within an hour, and of one kind so often at most.
"""

from typing import Any
from uuid import UUID

import asyncpg

from tocsin.kit.db import as_json
from tocsin.kit.ids import new_id

MOST_WITHIN_AN_HOUR = 20
"""Of one kind in a project."""

_OCCUR = """
INSERT INTO tocsin.events (project_id, id, env, type, payload, source, internal)
SELECT $1, $2, $3, $4, $5, 'tocsin', true
FROM (
    SELECT count(*) AS times, coalesce(bool_or(e.payload::text = $6), false) AS told
    FROM (SELECT payload FROM tocsin.events WHERE project_id = $1 AND type = $4 AND internal
        AND id >= tocsin.first_id_at(now() - interval '1 hour') LIMIT $7) e
) hour
WHERE hour.times < $7 AND NOT hour.told
"""


async def occur(
    connection: asyncpg.Connection, project_id: UUID, env: str, type_: str, payload: dict[str, Any]
) -> None:
    """Store an event such as ``tocsin.quota.warning`` in the caller's transaction; the caller wakes the broker."""
    told = as_json(payload)
    await connection.execute(_OCCUR, project_id, new_id(), env, type_, told, told, MOST_WITHIN_AN_HOUR)
