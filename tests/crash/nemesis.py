"""Who kills: faults drawn from a seeded deck, each kind as often as the others."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

import asyncpg
import redis.asyncio as aioredis

from tests.crash.installation import START_LIMIT, Installation

IMPATIENT = 0.25
"""Share of the faults that come while the last one is still being mended."""
CALM = (0.4, 1.2)


@dataclass(frozen=True)
class Fault:
    """What was done, whether it killed a process, and the seconds until everything was ready again."""

    kind: str
    deadly: bool
    seconds: float | None


class Nemesis:
    def __init__(self, installation: Installation, seed: int, only: Collection[str] = ()) -> None:
        """``only`` these kinds of faults, or all."""
        self._here = installation
        self._rng = random.Random(seed)
        self._deck: list[str] = []
        self._only = only
        self.faults: list[Fault] = []
        self._deadly: dict[str, Callable[[], Awaitable[bool]]] = {
            "kill api": self._kill_api,
            "kill worker": self._kill_worker,
            "kill evaluator": self._kill_evaluator,
            "kill postgres": installation.kill_postgres,
        }
        self._harsh: dict[str, Callable[[], Awaitable[None]]] = {
            "stop worker beyond its lease": self._stop_worker,
            "end all sessions": self._end_sessions,
            "cut the broker": self._cut_broker,
        }
        if installation.redis:
            self._deadly["kill redis"] = installation.kill_redis
            self._harsh["empty redis"] = self._empty_redis
            del self._harsh["cut the broker"]

    @property
    def kills(self) -> int:
        return sum(fault.deadly for fault in self.faults)

    async def strike(self, limit: float = START_LIMIT) -> Fault:
        """One fault. Then wait until all is well and a moment longer, or not at all."""
        kind = self._next_kind()
        began = time.monotonic()
        deadly = await self._deadly[kind]() if kind in self._deadly else False
        if kind in self._harsh:
            await self._harsh[kind]()
        seconds = None
        if self._rng.random() >= IMPATIENT:
            await self._here.whole(limit)
            seconds = time.monotonic() - began
            await asyncio.sleep(self._rng.uniform(*CALM))
        fault = Fault(kind, deadly, seconds)
        self.faults.append(fault)
        return fault

    def _next_kind(self) -> str:
        if not self._deck:
            self._deck = [*self._only] or [*self._deadly, *self._deadly, *self._harsh]
            self._rng.shuffle(self._deck)
        return self._deck.pop()

    async def _kill_api(self) -> bool:
        return await self._here.kill(self._rng.choice(self._here.apis))

    async def _kill_worker(self) -> bool:
        return await self._here.kill(self._rng.choice(self._here.workers))

    async def _kill_evaluator(self) -> bool:
        pid = self._rng.choice(self._here.workers).evaluator()
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return True

    async def _stop_worker(self) -> None:
        """It wakes with leases that others have taken over meanwhile."""
        worker = self._rng.choice(self._here.workers)
        if not worker.running:
            return
        pid = worker.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(self._here.lease_seconds * 1.5)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def _end_sessions(self) -> None:
        await self._terminate("true")

    async def _cut_broker(self) -> None:
        await self._terminate("application_name = 'tocsin broker'")

    async def _terminate(self, which: str) -> None:
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            async with self._here.sql() as connection:
                await connection.execute(
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    f" WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND {which}"
                )

    async def _empty_redis(self) -> None:
        assert self._here.redis
        client = aioredis.from_url(self._here.redis.url)
        async with contextlib.aclosing(client):
            await client.flushall()
