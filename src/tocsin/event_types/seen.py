"""Which types each project sends: noted in memory, written every few seconds, of each type once a minute at most.

What a process that is killed had not written is noted again with the next event.
"""

import time
from collections.abc import Iterable
from uuid import UUID

from tocsin.kit.db import Database, Env

FLUSH_SECONDS = 3.0
FRESH_SECONDS = 60.0
MOST_REMEMBERED = 50_000
_WRITE = "SELECT tocsin.note_event_types($1, $2, $3)"

Named = tuple[UUID, Env, str]


class SeenTypes:
    """The types of this process that are not in the database yet, and those that were written lately."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._new: set[Named] = set()
        self._fresh: dict[Named, float] = {}

    def note(self, project_id: UUID, env: Env, types: Iterable[str]) -> None:
        now = time.monotonic()
        for type_ in types:
            named = project_id, env, type_
            if self._fresh.get(named, 0.0) < now and len(self._new) < MOST_REMEMBERED:
                self._new.add(named)

    async def flush(self) -> None:
        """Write what is new. On failure it is kept."""
        taken, self._new = self._new, set()
        if not taken:
            return
        try:
            projects, envs, types = zip(*taken, strict=True)
            await self._db.hot.execute(_WRITE, list(projects), list(envs), list(types))
        except BaseException:
            self._new |= taken
            raise
        if len(self._fresh) + len(taken) > MOST_REMEMBERED:
            self._fresh.clear()
        self._fresh |= dict.fromkeys(taken, time.monotonic() + FRESH_SECONDS)
