"""What is gathered in memory, written at intervals and once more at the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg
import structlog

log = structlog.get_logger(__name__)


@asynccontextmanager
async def flushed(seconds: float, flush: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Call ``flush`` every so many seconds while inside and once when leaving; a database that is away is logged."""
    task = asyncio.create_task(_repeat(seconds, flush), name=f"flush {flush.__qualname__}")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await _tried(flush)


async def _repeat(seconds: float, flush: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await _tried(flush)


async def _tried(flush: Callable[[], Awaitable[None]]) -> None:
    try:
        await flush()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        log.warning("not written, will be tried again", what=flush.__qualname__, error=str(error)[:200])
