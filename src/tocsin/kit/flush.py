"""What is gathered in memory, written at intervals and once more at the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tocsin.kit.loops import again_and_again, ended, tried


@asynccontextmanager
async def flushed(seconds: float, flush: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Call ``flush`` every so many seconds while inside and once when leaving; whatever it raises is logged."""
    task = asyncio.create_task(again_and_again(seconds, flush), name=f"flush {flush.__qualname__}")
    try:
        yield
    finally:
        await ended(task)
        await tried(flush)
