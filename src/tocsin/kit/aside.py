"""Work that follows from an answer and that the answer does not wait for; it may get lost."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

from tocsin.kit.loops import ended

MOST = 100
SECONDS = 60.0
"""For one piece of work, whatever it waits for."""
LEAVE_SECONDS = 5.0
"""For what is under way when the process ends."""

log = structlog.get_logger(__name__)


class Aside:
    """At most ``MOST`` pieces at once; what comes on top of that is not done. A failure is logged and ends nothing."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[None]] = set()

    def begin(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Do it from now on, for ``SECONDS`` at the most. ``what`` is how logs call it."""
        if len(self._under_way) >= MOST:
            log.warning("too much is done aside, so this is not", what=what)
            work.close()
            return
        task = asyncio.create_task(_bounded(what, work), name=what)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Let what is under way come to its end, for a moment."""
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way, timeout=LEAVE_SECONDS)
        await ended(*late)


@asynccontextmanager
async def aside() -> AsyncIterator[Aside]:
    opened = Aside()
    try:
        yield opened
    finally:
        await opened.close()


async def _bounded(what: str, work: Coroutine[Any, Any, None]) -> None:
    try:
        async with asyncio.timeout(SECONDS):
            await work
    except Exception as error:  # noqa: BLE001 - the edge of a task that nobody waits for
        log.warning("not done", what=what, error=f"{type(error).__name__}: {error}"[:200])
