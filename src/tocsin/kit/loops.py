"""A loop of a process that nothing ends but the process itself, and how that ends it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import structlog

from tocsin.kit.away import is_away

log = structlog.get_logger(__name__)

CANCEL_AGAIN_SECONDS = 2.0
"""Long enough for what a task gives back at its end."""


async def again_and_again(seconds: float, look: Callable[[], Awaitable[object]]) -> NoReturn:
    """Look, and look again after so many seconds, until cancelled. A look that fails is logged and survived."""
    while True:
        await tried(look)
        await asyncio.sleep(seconds)


async def tried(look: Callable[[], Awaitable[object]]) -> None:
    """One look, whatever comes of it: with its traceback in the log, unless the database was away."""
    try:
        await look()
    except Exception as error:
        if is_away(error):
            log.warning("not done, will be tried again", what=look.__qualname__, error=str(error)[:200])
        else:
            log.exception("failed, will be tried again", what=look.__qualname__)


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until they have ended. What they raise is nobody's any more.

    Once is not enough: where something else fails in the same moment, a task group raises that instead, and so does a
    driver; then whatever survives every exception goes on for ever.
    """
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=CANCEL_AGAIN_SECONDS)
    for task in tasks:
        if not task.cancelled():
            task.exception()
