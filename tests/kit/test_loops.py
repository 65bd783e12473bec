"""A loop that serves everybody outlives whatever one look runs into."""

import asyncio
from contextlib import suppress

import asyncpg
import pytest

from tocsin.kit import loops
from tocsin.kit.flush import flushed
from tocsin.kit.loops import again_and_again, ended

FAILURES = [
    asyncpg.InternalClientError("cannot switch to state 12"),
    asyncpg.PostgresError("gone"),
    TimeoutError(),
    KeyError("a mistake of ours"),
]


async def test_no_failure_ends_it() -> None:
    left, done = list(FAILURES), asyncio.Event()

    async def look() -> None:
        if left:
            raise left.pop()
        done.set()

    loop = asyncio.create_task(again_and_again(0.001, look))
    async with asyncio.timeout(5):
        await done.wait()
    loop.cancel()
    with suppress(asyncio.CancelledError):
        await loop


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_what_is_gathered_is_written_at_the_end_though_it_failed_before(failure: Exception) -> None:
    calls = 0

    async def flush() -> None:
        nonlocal calls
        calls += 1
        raise failure

    async with flushed(0.001, flush):
        while calls < 3:
            await asyncio.sleep(0.001)
    before = calls
    await asyncio.sleep(0.01)
    assert calls == before, "and no more after it"


async def test_a_task_that_loses_a_cancellation_is_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "CANCEL_AGAIN_SECONDS", 0.01)
    lost = 0

    async def goes_on() -> None:
        nonlocal lost
        while lost < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
        raise ConnectionError("and what it raises at its end is nobody's")

    begun = asyncio.create_task(goes_on())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await ended(begun, asyncio.create_task(asyncio.sleep(60)))
    assert begun.done()
    assert lost == 2
