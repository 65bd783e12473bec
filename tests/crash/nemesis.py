"""Who kills: faults drawn from a seeded deck, the deadly ones twice as often as the others."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import asyncpg
import psutil
import redis.asyncio as aioredis

from tests.crash.installation import START_LIMIT, Installation
from tests.crash.sink import MOODS, MOODY, Sink
from tocsin.kit import postgres

IMPATIENT = 0.25
"""Share of the faults that come while the last one is still being mended."""
CALM = (0.4, 1.2)
MOOD_SECONDS = 2.0
POSTGRES_FROZEN_SECONDS = 4.0
"""Longer than a group of events may hang before the API turns others away."""
REDIS_AWAY_SECONDS = 10.0
REDIS_FROZEN_SECONDS = 6.5
"""Longer than the broker takes a silent link for a living one."""
REDIS_FULL_SECONDS = 3.0

FAR_END = "the far end"
MOODS_A_DECK = 5
"""So many moods of the far end, drawn anew, to a deck: all of them would leave few cards that kill."""


@dataclass(frozen=True)
class Fault:
    """What was done, whether it killed a process, the seconds until everything was ready again, and when it was begun
    and left behind."""

    kind: str
    deadly: bool
    seconds: float | None
    began: float = 0.0
    over: float = 0.0


class Nemesis:
    def __init__(self, installation: Installation, sink: Sink, seed: int, only: Collection[str] = ()) -> None:
        """``only`` these kinds of faults, or all."""
        self._here = installation
        self._sink = sink
        self._rng = random.Random(seed)
        self._deck: list[str] = []
        self._only = only
        self.faults: list[Fault] = []
        self._deadly: dict[str, Callable[[], Awaitable[bool]]] = {
            "kill api": self._kill_api,
            "kill worker": self._kill_worker,
            "kill evaluator": self._kill_evaluator,
            "kill postgres": self._kill_postgres,
            "shut postgres down at once": self._shut_postgres_down,
            "kill all, and postgres again while it recovers": self._kill_all,
        }
        self._harsh: dict[str, Callable[[], Awaitable[None]]] = {
            "stop worker beyond its lease": self._stop_worker,
            "end all sessions": self._end_sessions,
            "freeze postgres": self._freeze_postgres,
            "cut the broker": self._cut_redis if installation.redis else self._cut_listeners,
        }
        self._moods = {f"{FAR_END} {mood}": self._far_end(mood) for mood in (*MOODS, MOODY)}
        if installation.redis:
            self._deadly["kill redis"] = self._kill_redis
            self._harsh["redis away"] = self._take_redis_away
            self._harsh["redis frozen"] = self._freeze_redis
            self._harsh["redis full"] = self._fill_redis
            self._harsh["empty redis"] = self._empty_redis

    @property
    def kills(self) -> int:
        return sum(fault.deadly for fault in self.faults)

    async def strike(self, limit: float = START_LIMIT) -> Fault:
        """One fault. Then wait until all is well and a moment longer, or not at all."""
        kind = self._next_kind()
        began = time.monotonic()
        deadly = await self._deadly[kind]() if kind in self._deadly else False
        if harsh := self._harsh.get(kind) or self._moods.get(kind):
            await harsh()
        seconds = None
        if self._rng.random() >= IMPATIENT:
            await self._here.whole(limit)
            seconds = time.monotonic() - began
            await asyncio.sleep(self._rng.uniform(*CALM))
        fault = Fault(kind, deadly, seconds, began, time.monotonic())
        self.faults.append(fault)
        return fault

    def _next_kind(self) -> str:
        if not self._deck:
            moods = self._rng.sample([*self._moods], MOODS_A_DECK)
            self._deck = [*self._only] or [*self._deadly, *self._deadly, *self._harsh, *moods]
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

    async def _kill_postgres(self) -> bool:
        await self._here.end_postgres(signal.SIGKILL)
        await self._here.start_postgres()
        return True

    async def _shut_postgres_down(self) -> bool:
        """What ``pg_ctl stop -m immediate`` does: no checkpoint, so the next start recovers."""
        await self._here.end_postgres(signal.SIGQUIT)
        await self._here.start_postgres()
        return True

    async def _kill_all(self) -> bool:
        await self._here.end_postgres(signal.SIGKILL)
        for member in self._here.members:
            await self._here.kill(member)
        coming = asyncio.create_task(self._here.start_postgres())
        wait_seconds = self._rng.uniform(0.0, 0.1)
        while not coming.done():
            if pid := postgres.server_pid(self._here.cluster.data):
                await asyncio.sleep(wait_seconds)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                break
            await asyncio.sleep(0.01)
        await coming
        if postgres.server_pid(self._here.cluster.data) is None:  # it had come up before it was killed
            await self._here.start_postgres()
        return True

    async def _stop_worker(self) -> None:
        """It wakes with leases that others have taken over meanwhile."""
        worker = self._rng.choice(self._here.workers)
        if worker.running:
            await self._freeze([worker.pid], self._here.lease_seconds * 1.5)

    async def _freeze(self, pids: Sequence[int], seconds: float) -> None:
        try:
            _signal(pids, signal.SIGSTOP)
            await asyncio.sleep(seconds)
        finally:
            _signal(pids, signal.SIGCONT)

    async def _freeze_postgres(self) -> None:
        """As a machine that swaps or a disk that does not answer: sessions stay, and nothing comes."""
        if (pid := postgres.server_pid(self._here.cluster.data)) is not None:
            backends = psutil.Process(pid).children()
            await self._freeze([pid, *(each.pid for each in backends)], POSTGRES_FROZEN_SECONDS)

    async def _end_sessions(self) -> None:
        await self._terminate("true")

    async def _cut_listeners(self) -> None:
        await self._terminate("application_name = 'tocsin broker'")

    async def _terminate(self, which: str) -> None:
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            async with self._here.sql() as connection:
                await connection.execute(
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    f" WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND {which}"
                )

    def _far_end(self, mood: str) -> Callable[[], Awaitable[None]]:
        async def be_in_it() -> None:
            self._sink.mood = mood
            await asyncio.sleep(MOOD_SECONDS)
            self._sink.mood = ""

        return be_in_it

    async def _kill_redis(self) -> bool:
        await self._here.end_redis()
        await self._here.start_redis()
        return True

    async def _take_redis_away(self) -> None:
        await self._here.end_redis()
        await asyncio.sleep(REDIS_AWAY_SECONDS)
        await self._here.start_redis()

    async def _freeze_redis(self) -> None:
        assert self._here.redis and self._here.redis.process
        await self._freeze([self._here.redis.process.pid], REDIS_FROZEN_SECONDS)

    async def _fill_redis(self) -> None:
        """Refuse whatever would need memory, as a server does that may evict nothing."""
        await self._tell_redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await self._tell_redis("CONFIG", "SET", "maxmemory", "1")
        await asyncio.sleep(REDIS_FULL_SECONDS)
        await self._tell_redis("CONFIG", "SET", "maxmemory", "0")

    async def _empty_redis(self) -> None:
        await self._tell_redis("FLUSHALL")

    async def _cut_redis(self) -> None:
        await self._tell_redis("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "pubsub")
        await self._tell_redis("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal")

    async def _tell_redis(self, *command: str) -> None:
        assert self._here.redis
        client = aioredis.from_url(self._here.redis.url)
        async with contextlib.aclosing(client):
            await client.execute_command(*command)


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
