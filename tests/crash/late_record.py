"""Answers that the database was not there to hear of: they are recorded when it is back, and no call is repeated.

Nobody sweeps here, so a delivery whose worker forgot the answer would stay leased for ever.
"""

import asyncio
import signal
from uuid import UUID

import aiohttp

from tests.crash.checker import read_tables, violations
from tests.crash.fairness import send_events
from tests.crash.installation import installed, until
from tests.crash.ledger import Ledger
from tests.crash.project import arranged
from tests.crash.saboteurs import NO_SWEEP
from tests.crash.sink import listening
from tests.crash.trial import drain

LEASE_SECONDS = 4
HELD = 5
LIMIT = 30.0


async def run(*, sabotage: str = "") -> list[str]:
    """What does not hold after providers answered while the database was away for longer than a lease."""
    let_go, held = asyncio.Event(), set[str]()

    async def answer(client_event_id: str) -> int:
        held.add(client_event_id)
        await let_go.wait()
        return 204

    async with (
        listening(1) as sink,
        installed(lease_seconds=LEASE_SECONDS, workers=1, sabotage={"worker": NO_SWEEP + sabotage}) as here,
        aiohttp.ClientSession() as http,
    ):
        sink.answer = answer
        scene, ledger = await arranged(here, sink, http), Ledger()
        await send_events(scene, ledger, HELD)
        await until(lambda: len(held) == HELD, LIMIT, "all calls are under way")
        await here.end_postgres(signal.SIGKILL)
        let_go.set()
        await asyncio.sleep(LEASE_SECONDS + 1)
        await here.start_postgres()
        await here.whole()
        await drain(here, LEASE_SECONDS)
        async with here.sql() as connection:
            tables = await read_tables(connection, UUID(scene.project.id))
        return [*violations(tables, ledger, sink, scene, most_duplicates=0), *here.complaints]
