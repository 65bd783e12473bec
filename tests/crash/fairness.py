"""A project whose endpoint hangs fills its own share of a worker and leaves the others theirs (P9, P10)."""

import asyncio
from uuid import UUID

import aiohttp

from tests.crash.checker import read_tables, violations
from tests.crash.installation import SLOTS, installed, until
from tests.crash.ledger import Entry, Ledger
from tests.crash.project import EVENT_TYPE, MIDDLING, Arranged, arranged
from tests.crash.sink import listening
from tests.crash.trial import drain
from tocsin.deliveries.send import PER_CONNECTION

LEASE_SECONDS = 20
"""A send may take three quarters of it, so the hanging calls outlast the look at the others."""
HANGING = 3 * SLOTS
QUIET = 5
LIMIT = 10.0
DRAIN_LIMIT = 30.0


async def run(*, sabotage: str = "") -> list[str]:
    """What does not hold while all calls for one project hang: a second project's events have to arrive meanwhile."""
    let_go, held = asyncio.Event(), set[str]()

    async def hang(client_event_id: str) -> int:
        held.add(client_event_id)
        await let_go.wait()
        return 204

    async with (
        listening(1) as slow,
        listening(2) as quick,
        installed(lease_seconds=LEASE_SECONDS, workers=1, sabotage={"worker": sabotage}) as here,
        aiohttp.ClientSession() as http,
    ):
        slow.answer, quick.patient = hang, True
        scenes = [(await arranged(here, sink, http), Ledger(), sink) for sink in (slow, quick)]
        await send_events(*scenes[0][:2], HANGING)
        await until(lambda: len(held) >= PER_CONNECTION, DRAIN_LIMIT, "one project fills its share")
        await send_events(*scenes[1][:2], QUIET)
        found = []
        try:
            await until(lambda: len(quick.hits) == QUIET, LIMIT, "a project is served beside a hanging one")
        except TimeoutError as late:
            found.append(str(late))
        let_go.set()
        await drain(here, DRAIN_LIMIT)
        async with here.sql() as connection:
            for scene, ledger, sink in scenes:
                found += violations(await read_tables(connection, UUID(scene.project.id)), ledger, sink, scene, SLOTS)
        return found


async def send_events(scene: Arranged, ledger: Ledger, count: int) -> None:
    bodies = [
        {"type": EVENT_TYPE, "clientEventId": f"order-{n}", "payload": {"amount": MIDDLING}} for n in range(count)
    ]
    ledger.entries.update({body["clientEventId"]: Entry(body["clientEventId"], body) for body in bodies})
    reply = await scene.project.key.post("/events/batch", {"events": bodies})
    for entry, result in zip(ledger.entries.values(), reply.json["results"], strict=True):
        ledger.acknowledge(entry, result["id"])
