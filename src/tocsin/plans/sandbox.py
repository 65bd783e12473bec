"""An end to what the sandbox keeps: traffic of the test environment goes after seven days (A2)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from tocsin.kit.db import Database
from tocsin.kit.ids import first_id_at

KEPT = timedelta(days=7)
MOST_AT_ONCE = 2_000

# What hangs on a row goes before it. No env stands here: the walls of the sandbox let nothing else be seen.
_REMOVALS = (
    "DELETE FROM tocsin.attempts WHERE (project_id, delivery_id, number) IN (SELECT project_id, delivery_id, number"
    " FROM tocsin.attempts WHERE project_id = $1 AND env = 'test' AND delivery_id < $2 LIMIT $3)",
    "DELETE FROM tocsin.deliveries WHERE (project_id, id) IN (SELECT project_id, id"
    " FROM tocsin.deliveries WHERE project_id = $1 AND env = 'test' AND id < $2 LIMIT $3)",
    "DELETE FROM tocsin.notification_recipients WHERE (project_id, notification_id, user_id) IN (SELECT project_id,"
    " notification_id, user_id FROM tocsin.notification_recipients"
    " WHERE project_id = $1 AND env = 'test' AND notification_id < $2 LIMIT $3)",
    "DELETE FROM tocsin.notifications WHERE (project_id, id) IN (SELECT project_id, id"
    " FROM tocsin.notifications WHERE project_id = $1 AND env = 'test' AND id < $2 LIMIT $3)",
    "DELETE FROM tocsin.events WHERE (project_id, id) IN (SELECT project_id, id"
    " FROM tocsin.events WHERE project_id = $1 AND env = 'test' AND id < $2 LIMIT $3)",
)


class SandboxStage:
    """Removes old rows project by project, a bounded number at a time."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def run_once(self) -> bool:
        """True when there may be more."""
        before = datetime.now(UTC) - KEPT
        projects = await self._db.hot.fetch("SELECT tocsin.full_sandboxes($1, $2)", before, MOST_AT_ONCE)
        for (project_id,) in projects:
            await self._empty(project_id, first_id_at(before))
        return bool(projects)

    async def _empty(self, project_id: UUID, before: UUID) -> None:
        for removal in _REMOVALS:
            removed = f"DELETE {MOST_AT_ONCE}"
            while removed == f"DELETE {MOST_AT_ONCE}":
                async with self._db.unit(project_id, "test") as connection:
                    removed = await connection.execute(removal, project_id, before, MOST_AT_ONCE)
