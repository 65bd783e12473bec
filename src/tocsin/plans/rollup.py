"""Counting what was used, hour by hour, from the rows there are (Q4).

An hour is counted anew as long as it can change: the last two at every look, each of the ``SETTLING`` hours before
them once in a round, so that a row that came late, a retry or an acknowledgement is in the figures too. Nothing is
added up, so a step that was cut short or done twice leaves no trace. Which hour has its turn follows from the clock
and not from a memory that a restart would lose; a worker that was away for long catches up from the project's mark.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from tocsin.kit.db import Database

MOST_PROJECTS = 200
MOST_HOURS = 48
SETTLING = timedelta(days=5)
"""After so long an hour stays as it is: longer than webhooks are retried (27 hours), shorter than anything is kept."""
EVERY_SECONDS = 60.0

NOBODY = UUID(int=0)


class RollupStage:
    """One per worker process; where several run, one counts at a time."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._after = NOBODY
        self._behind = False

    async def run_once(self) -> bool:
        """Count for the next projects in turn; False when all of them had theirs."""
        row = await self._db.hot.fetchrow(
            "SELECT * FROM tocsin.roll_up_usage($1, $2, $3, $4)",
            self._after,
            MOST_PROJECTS,
            MOST_HOURS,
            settling_hour(datetime.now(UTC)),
        )
        if row is not None:
            self._after = row["last_project"]
            self._behind = self._behind or row["behind"]
            return True
        behind, self._after, self._behind = self._behind, NOBODY, False
        return behind


def settling_hour(now: datetime) -> datetime:
    """The older hour that is counted again in this minute; in two hours every one of them has had its turn."""
    hours = int(SETTLING.total_seconds() // 3600)
    return now - timedelta(hours=2 + int(now.timestamp() // EVERY_SECONDS) % hours)
