"""Clients that choose an API as a load balancer does: by asking each whether it is ready."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg

from tests.client import Client, Project
from tests.pipeline import until
from tests.running import Process

LOOK_SECONDS = 0.2

_UNFINISHED = """
SELECT (SELECT count(*) FROM tocsin.events WHERE state <> 'processed')
    + (SELECT count(*) FROM tocsin.deliveries WHERE state NOT IN ('sent', 'delivered'))
"""


@dataclass
class Balanced:
    """``asked`` counts answers by status and failures by their name; nothing is sent twice."""

    http: aiohttp.ClientSession
    processes: list[Process] = field(default_factory=list)
    ready: list[Process] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)

    async def watch(self) -> None:
        """Ask all of them again and again, until cancelled."""
        while True:
            processes = self.processes  # it may be another list when all have answered
            answers = await asyncio.gather(*(self._is_ready(process) for process in processes))
            self.ready = [process for process, ready in zip(processes, answers, strict=True) if ready]
            await asyncio.sleep(LOOK_SECONDS)

    async def _is_ready(self, process: Process) -> bool:
        try:
            async with self.http.get(f"{process.url}/health/ready", timeout=aiohttp.ClientTimeout(total=5)) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def send(self, project: Project, body: Any, turn: int) -> None:
        process = self.ready[turn % len(self.ready)]
        caller = Client(self.http, process.url, project.key.headers)
        try:
            reply = await caller.post("/events", body)
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            self.asked[type(error).__name__] += 1
            return
        self.asked[str(reply.status)] += 1
        if reply.status == 202:
            self.accepted.append(reply.json["id"])


@contextlib.asynccontextmanager
async def under_load(balanced: Balanced, project: Project, per_second: float) -> AsyncIterator[None]:
    """Events at a constant rate, each at its time whether or not earlier ones were answered; one in ten notifies."""
    stop = asyncio.Event()

    async def send_all() -> None:
        async with asyncio.TaskGroup() as sends:
            began, turn = time.monotonic(), 0
            while not stop.is_set():
                await asyncio.sleep(began + turn / per_second - time.monotonic())
                kind = "order.created" if turn % 10 == 0 else "noise.made"
                sends.create_task(balanced.send(project, {"type": kind, "payload": {"order": turn}}, turn))
                turn += 1

    sending = asyncio.create_task(send_all())
    try:
        yield
    finally:
        stop.set()
        await sending


async def all_done(root: asyncpg.Connection, seconds: float = 60) -> None:
    """Until every event is processed and every delivery has arrived, of all projects."""

    async def none_left() -> bool:
        return await root.fetchval(_UNFINISHED) == 0

    await until(none_left, seconds)
