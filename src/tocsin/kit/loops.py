"""A loop of a process that nothing ends but the process itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from tocsin.kit.away import is_away

log = structlog.get_logger(__name__)


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
