"""Sealing: what was written since the last second gets its place in the chain of its project."""

from uuid import UUID

import structlog

from tocsin.kit.db import Database

MOST_PROJECTS = 50
MOST_EACH = 200
_FIRST = UUID(int=0)

log = structlog.get_logger(__name__)


class SealStage:
    """Takes projects in turn, so that a busy one holds up nobody; any number of processes may do so at once."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._after = _FIRST

    async def run_once(self) -> bool:
        """Seal one round; whether there is more."""
        rows = await self._db.hot.fetch(
            "SELECT project, sealed FROM tocsin.seal_audit($1, $2, $3)", self._after, MOST_PROJECTS, MOST_EACH
        )
        for row in rows:
            if row["sealed"] < 0:
                log.error("audit chain is broken; run tocsin audit verify", project_id=str(row["project"]))
        begun_late = self._after != _FIRST
        self._after = rows[-1]["project"] if len(rows) == MOST_PROJECTS else _FIRST
        return begun_late or len(rows) == MOST_PROJECTS or any(row["sealed"] == MOST_EACH for row in rows)
