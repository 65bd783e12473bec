"""When each key was used last: noted in memory, written once a minute in one statement, never by a request."""

import time
from datetime import UTC, datetime
from uuid import UUID

from tocsin.kit.db import Database

FLUSH_SECONDS = 60.0
_MOST = 50_000
_WRITE = "SELECT tocsin.note_keys_used($1, $2, $3)"


class LastUsed:
    """The uses of this process that are not in the database yet, the last one of each key."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._moments: dict[tuple[UUID, UUID], float] = {}

    def note(self, project_id: UUID, key_id: UUID) -> None:
        if len(self._moments) < _MOST:
            self._moments[project_id, key_id] = time.time()

    async def flush(self) -> None:
        """Write what was noted; on failure it is kept unless the key was used again meanwhile."""
        taken, self._moments = self._moments, {}
        if not taken:
            return
        try:
            projects, keys = zip(*taken, strict=True)
            moments = [datetime.fromtimestamp(at, UTC) for at in taken.values()]
            await self._db.hot.execute(_WRITE, list(projects), list(keys), moments)
        except BaseException:
            self._moments = {**taken, **self._moments}
            raise
