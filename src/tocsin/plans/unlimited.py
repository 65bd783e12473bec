"""Which projects were found to have no limit, so that hot paths need not ask again for each group of rows."""

import time
from uuid import UUID

REMEMBERED_SECONDS = 1.0
"""A plan that begins to limit is in force after that."""
MOST_REMEMBERED = 10_000


class Unlimited:
    """The memory of one process, about one quota."""

    def __init__(self) -> None:
        self._until: dict[UUID | str, float] = {}

    def remember(self, project_id: UUID | str) -> None:
        """It has just been looked up and has no limit."""
        if len(self._until) >= MOST_REMEMBERED:
            self._until.clear()
        self._until[project_id] = time.monotonic() + REMEMBERED_SECONDS

    def __contains__(self, project_id: UUID | str) -> bool:
        return self._until.get(project_id, 0.0) >= time.monotonic()
