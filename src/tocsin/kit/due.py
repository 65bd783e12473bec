"""Work by the clock: rows with a due time, acted upon in groups, and the next look when the next one is due.

Times are the database's. Between two looks lies a moment at least, so that many that fall due one after the other are
acted upon together; further ahead the pulse looks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar
from uuid import UUID

import structlog

from tocsin.kit.away import is_away
from tocsin.kit.broker import Waiter
from tocsin.kit.db import Database, Env

T = TypeVar("T")

SOON_SECONDS = 2.0
REST_SECONDS = 0.1

log = structlog.get_logger(__name__)


class Done(NamedTuple):
    """What came of one look: rows that were due, what was made of them, and whether something failed."""

    due: int
    made: int
    failed: bool


Act = Callable[[UUID, Env, list[T]], Awaitable[int]]
"""Acts on rows of one project in one transaction; how much it made of them."""


async def act_on(
    due: Sequence[tuple[UUID, Env, list[T]]], most_each: int, act: Act[T], *, unless: type[Exception] | None = None
) -> Done:
    """Act on all that is due, so many of a project at a time. What fails stays due, and holds up nothing else.

    Raises what says that the database is away, and ``unless``: that is nobody's own fault.
    """
    portions = [
        (project_id, env, rows[start : start + most_each])
        for project_id, env, rows in due
        for start in range(0, len(rows), most_each)
    ]
    made = await asyncio.gather(*[_safely(act, unless, *portion) for portion in portions])
    counts = [count for count in made if count is not None]
    return Done(sum(len(rows) for _, _, rows in due), sum(counts), len(counts) < len(made))


async def _safely(act: Act[T], unless: type[Exception] | None, project_id: UUID, env: Env, rows: list[T]) -> int | None:
    """None where something failed, even if row by row most went well."""
    try:
        return await act(project_id, env, rows)
    except Exception as error:
        if is_away(error) or (unless and isinstance(error, unless)):
            raise
        if len(rows) > 1:
            for row in rows:
                await _safely(act, unless, project_id, env, [row])
        else:
            log.exception("due and not done", project=str(project_id), row=str(rows[0]))
        return None


class NextLook:
    """Wakes a stage when its next row is due. ``question`` asks in how many seconds that is, null for none."""

    def __init__(self, db: Database, ear: Waiter, question: str) -> None:
        self._db = db
        self._ear = ear
        self._question = question
        self._timer: asyncio.TimerHandle | None = None

    async def after(self, done: Done, most: int) -> bool:
        """Whether to look again at once; else when the next row is due, if that is before the pulse would say so.

        What failed is due still, and the pulse says so once a second.
        """
        if done.failed or done.due >= most:
            return not done.failed
        if self._timer is not None:
            self._timer.cancel()
        seconds: float | None = await self._db.hot.fetchval(self._question)
        if seconds is not None and seconds < SOON_SECONDS:
            self._timer = asyncio.get_running_loop().call_later(max(seconds, REST_SECONDS), self._ear.wake)
        return False
