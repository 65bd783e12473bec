"""A worker that is stopped beyond its lease wakes up and may change nothing: others have done its work."""

import asyncio
import os
import signal
from uuid import UUID

import aiohttp

from tests.crash.checker import read_tables, violations
from tests.crash.installation import Installation, Member, installed
from tests.crash.ledger import Entry, Ledger
from tests.crash.project import EVENT_TYPE, MIDDLING, Arranged, arranged
from tests.crash.sink import Sink, listening

HELD = 5
LIMIT = 90.0

# Between the claim and the transaction that writes, a worker has nothing but its lease.
_HOLD_EVALUATION = """
import asyncio, pathlib
from tocsin.rules.evaluator import Evaluator
unheld = Evaluator.evaluate
async def evaluate(self, jobs):
    while not pathlib.Path("go").exists():
        await asyncio.sleep(0.02)
    return await unheld(self, jobs)
Evaluator.evaluate = evaluate
"""


async def run(*, lease_seconds: int = 3, sabotage: str = "") -> list[str]:
    """What a worker broke that was stopped while it matched, and again while it sent; its work is done by another."""
    async with (
        listening(0) as sink,
        installed(lease_seconds=lease_seconds, workers=1, sabotage={"worker": _HOLD_EVALUATION + sabotage}) as here,
        aiohttp.ClientSession() as http,
    ):
        stage = _Stage(here, sink, await arranged(here, sink, http))
        await stage.stop_while_matching()
        await stage.stop_while_sending()
        async with here.sql() as connection:
            tables = await read_tables(connection, UUID(stage.scene.project.id))
        return violations(tables, stage.ledger, sink, stage.scene, most_duplicates=0)


class _Stage:
    """The sleeper is the first worker; the other one lives only while the sleeper sleeps."""

    def __init__(self, here: Installation, sink: Sink, scene: Arranged) -> None:
        self.here, self.sink, self.scene = here, sink, scene
        self.ledger = Ledger()
        self.sleeper = here.workers[0]
        self.other: Member | None = None
        self._held: set[str] = set()
        self._let_go = asyncio.Event()
        sink.answer = self._answer

    async def stop_while_matching(self) -> None:
        await self._send_events("matched", HELD)
        await self._until("SELECT count(*) FROM tocsin.events WHERE state = 'leased'", HELD)
        await self._sleep_while_the_other_works(HELD)
        (self.here.folder / "go").touch()
        await self._wake_and_work(HELD + 1)

    async def stop_while_sending(self) -> None:
        before = len(self.ledger.entries)
        self._held = {f"held-{number}" for number in range(HELD)}
        await self._send_events("held", HELD)
        async with asyncio.timeout(LIMIT):
            while self._held:
                await asyncio.sleep(0.05)
        await self._sleep_while_the_other_works(before + HELD)
        self._let_go.set()
        await self._wake_and_work(before + HELD + 1)

    async def _answer(self, client_event_id: str) -> int:
        """The first call for each of the held ones waits, and is refused when the sleeper cannot hear it any more."""
        if client_event_id not in self._held:
            return 204
        self._held.remove(client_event_id)
        await self._let_go.wait()
        return 503

    async def _sleep_while_the_other_works(self, delivered: int) -> None:
        os.kill(self.sleeper.pid, signal.SIGSTOP)
        if self.other is None:
            self.other = await self.here.add("worker")
        self.other.kept = True
        await self._until_delivered(delivered)

    async def _wake_and_work(self, delivered: int) -> None:
        """That it did one more event, and all of it, shows that it is through with what it held."""
        assert self.other
        self.other.kept = False
        await self.here.kill(self.other)
        os.kill(self.sleeper.pid, signal.SIGCONT)
        await self._send_events(f"after-{delivered}", 1)
        await self._until_delivered(delivered)

    async def _send_events(self, name: str, count: int) -> None:
        """In one batch, so that they are claimed together."""
        entries = [_entry(f"{name}-{number}") for number in range(count)]
        self.ledger.entries.update({entry.client_event_id: entry for entry in entries})
        reply = await self.scene.project.key.post("/events/batch", {"events": [entry.body for entry in entries]})
        for entry, result in zip(entries, reply.json["results"], strict=True):
            self.ledger.acknowledge(entry, result["id"])

    async def _until_delivered(self, count: int) -> None:
        await self._until(
            "SELECT count(DISTINCT event_id) FROM tocsin.notifications n JOIN tocsin.deliveries d"
            " ON d.notification_id = n.id WHERE d.channel = 'webhook' AND d.state = 'delivered'",
            count,
        )

    async def _until(self, query: str, count: int) -> None:
        async with asyncio.timeout(LIMIT), self.here.sql() as connection:
            while await connection.fetchval(query) != count:
                await asyncio.sleep(0.05)


def _entry(key: str) -> Entry:
    return Entry(key, {"type": EVENT_TYPE, "clientEventId": key, "payload": {"order": 0, "amount": MIDDLING}})
