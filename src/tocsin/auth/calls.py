"""How many calls each project makes a day: counted in memory, added to ``api_calls`` every two seconds.

The day is that of the addition, in UTC. A process that is killed loses what it counted since the last one. An error
is an answer of 400 or more. Only calls of known callers count: what carries no valid credential belongs to nobody.
"""

from uuid import UUID

from tocsin.kit.db import Database

FLUSH_SECONDS = 2.0
_ADD = "SELECT tocsin.count_api_calls($1, $2, $3)"


class CallCounter:
    """The calls of this process that are not in the database yet."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._counts: dict[UUID, list[int]] = {}

    def note(self, project_id: UUID, status: int) -> None:
        counts = self._counts.get(project_id)
        if counts is None:
            counts = self._counts[project_id] = [0, 0]
        counts[0] += 1
        if status >= 400:
            counts[1] += 1

    async def flush(self) -> None:
        """Add what was counted, in one statement; on failure it is kept for the next time."""
        taken, self._counts = self._counts, {}
        if not taken:
            return
        try:
            calls, errors = zip(*taken.values(), strict=True)
            await self._db.hot.execute(_ADD, list(taken), list(calls), list(errors))
        except BaseException:
            self._put_back(taken)
            raise

    def _put_back(self, taken: dict[UUID, list[int]]) -> None:
        for project_id, (calls, errors) in taken.items():
            counts = self._counts.setdefault(project_id, [0, 0])
            counts[0] += calls
            counts[1] += errors
