"""Projects that send more than is worked off for them: each is told to slow down, and nobody else (P10, P11).

Once a second this process asks how old the oldest waiting work is of the projects that sent to it since the last
time; a request only looks at the result.
"""

import random
import time
from uuid import UUID

import structlog

from tocsin.kit.crowd import turned_away
from tocsin.kit.db import Database
from tocsin.kit.errors import TooManyRequests
from tocsin.kit.ids import id_time
from tocsin.kit.loops import again_and_again

EVERY_SECONDS = 1.0
MOST_AT_ONCE = 500
"""Projects of one look; with more senders each is looked at in turn."""
COME_BACK_SECONDS = (5, 15)

_OLDEST = "SELECT project_id, oldest FROM tocsin.oldest_waiting($1)"

log = structlog.get_logger(__name__)


class Backlog:
    """What this process knows of the backlogs of those who send to it."""

    def __init__(self, db: Database, most_seconds: float) -> None:
        self._db = db
        self._most_seconds = most_seconds
        self._senders: dict[UUID, None] = {}
        self._full: set[UUID] = set()

    def check(self, project_id: UUID) -> None:
        """Raises TooManyRequests for a project whose oldest event or first attempt has waited for too long."""
        self._senders[project_id] = None
        if self._full and project_id in self._full:
            raise turned_away("events", _backlog_full())

    async def run(self) -> None:
        """Look every second, until cancelled. While the database is away, what was known goes on to count."""
        await again_and_again(EVERY_SECONDS, self.look)

    async def look(self) -> None:
        """One read, of the next senders in turn and of all that were too slow."""
        asked = [*self._full, *list(self._senders)[:MOST_AT_ONCE]]
        if not asked:
            return
        rows = await self._db.hot.fetch(_OLDEST, asked, timeout=5)
        for project_id in asked:
            self._senders.pop(project_id, None)
        self._tell({row["project_id"] for row in rows if _age(row["oldest"]) > self._most_seconds})

    def _tell(self, full: set[UUID]) -> None:
        for project_id in full - self._full:
            log.warning("a project's backlog is full", project=str(project_id))
        self._full = full


def _age(oldest: UUID) -> float:
    """Seconds since a row was made. Its id is of the clock of a process like this one."""
    return time.time() - id_time(oldest).timestamp()


def _backlog_full() -> TooManyRequests:
    detail = "What this project sent has been waiting for too long; send more when it is worked off."
    return TooManyRequests("backlog_full", detail, headers={"Retry-After": str(random.randint(*COME_BACK_SECONDS))})
