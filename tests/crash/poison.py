"""An event that ends every worker that touches it is set aside after three, and takes nobody along."""

import asyncio
import time
from uuid import UUID

import aiohttp

from tests.crash.checker import read_tables, violations
from tests.crash.installation import SLOTS, installed
from tests.crash.ledger import Entry, Ledger, Load
from tests.crash.project import EVENT_TYPE, MIDDLING, arranged
from tests.crash.sink import listening
from tests.crash.trial import drain

POISON = "poison"
COMPANIONS = 20
CLAIMS = 3
LIMIT = 120.0
DRAIN_LIMIT = 30.0

_SET_ASIDE = "SELECT count(*) FROM tocsin.events WHERE state = 'failed'"
_DIE_OF_IT = """
import os, signal
from tocsin.rules.evaluator import Evaluator
unharmed = Evaluator.evaluate
async def evaluate(self, jobs):
    if any(job.event.type == "order.poison" for job in jobs):
        os.kill(os.getpid(), signal.SIGKILL)
    return await unharmed(self, jobs)
Evaluator.evaluate = evaluate
"""


async def run(
    *, lease_seconds: int = 3, seed: int = 1, sabotage: str = "", limit: float = LIMIT
) -> tuple[list[str], int]:
    """What does not hold, and how many workers it took: a poison in the middle of a batch, and other load around."""
    async with (
        listening(seed) as sink,
        installed(lease_seconds=lease_seconds, sabotage={"worker": sabotage + _DIE_OF_IT}) as here,
        aiohttp.ClientSession() as http,
    ):
        scene = await arranged(here, sink, http)
        ledger = Ledger()
        entries = [_entry(number) for number in range(COMPANIONS)]
        entries.insert(COMPANIONS // 2, Entry(POISON, _body("order.poison", POISON)))
        ledger.entries.update({entry.client_event_id: entry for entry in entries})
        reply = await scene.project.key.post("/events/batch", {"events": [entry.body for entry in entries]})
        for entry, result in zip(entries, reply.json["results"], strict=True):
            ledger.acknowledge(entry, result["id"])
        load = Load(ledger, [scene.project.key], seed)
        deadline = time.monotonic() + limit
        async with here.sql() as connection:
            while not await connection.fetchval(_SET_ASIDE) and time.monotonic() < deadline:
                await asyncio.sleep(0.1)
        await load.stop()
        await drain(here, min(DRAIN_LIMIT, limit))
        deaths = sum(worker.starts - 1 for worker in here.workers)
        async with here.sql() as connection:
            tables = await read_tables(connection, UUID(scene.project.id))
        found = [*violations(tables, ledger, sink, scene, CLAIMS * SLOTS, poison={POISON}), *here.complaints]
        claims = [row["claims"] for row in tables.events if row["client_event_id"] == POISON]
        if claims != [CLAIMS]:
            found.append(f"the poison was claimed {claims} times")
        return found, deaths


def _entry(number: int) -> Entry:
    key = f"companion-{number}"
    return Entry(key, _body(EVENT_TYPE, key))


def _body(type_: str, key: str) -> dict[str, object]:
    return {"type": type_, "clientEventId": key, "payload": {"order": 0, "amount": MIDDLING}}
