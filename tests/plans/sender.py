"""One process that sends events as an API process would: ``python -m tests.plans.sender '<json>'``.

It is told the database, the projects, how many events to send to each and in which size of groups; a part of them
carries a ``clientEventId`` that other processes send too. It waits for a line on standard input, so that all begin
together, and prints what became of its events: ``{project: {outcome: count}}``.
"""

import asyncio
import json
import random
import sys
from collections import Counter, defaultdict
from typing import Any

from tocsin.events.store import EventStore, Incoming, Stored
from tocsin.kit import broker as brokers
from tocsin.kit.db import Database
from tocsin.kit.errors import Unavailable
from tocsin.kit.ids import new_id

WAITING = 4
"""Groups of callers that wait at once, so that groups of the store mix projects."""
MOST_TRIES = 1_000


async def send(told: dict[str, Any]) -> dict[str, dict[str, int]]:
    db = Database(told["url"], ordinary=0, hot=3, statement_seconds=60)
    await db.start()
    broker = brokers.connect(None, db.url)
    await broker.start()
    store = EventStore(db, broker, most_requests=WAITING)
    turn = random.Random(told["seed"])
    events = [
        event(project, number, told["repeated"]) for project in told["projects"] for number in range(told["each"])
    ]
    turn.shuffle(events)
    print("ready", flush=True)
    sys.stdin.readline()
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    parts = [events[at : at + told["size"]] for at in range(0, len(events), told["size"])]

    async def work() -> None:
        while parts:
            part = parts.pop()
            for sent, stored in zip(part, await taken(store, part), strict=True):
                found[sent.project_id][stored.outcome] += 1

    await asyncio.gather(*(work() for _ in range(WAITING)))
    await broker.close()
    await db.close()
    return {project: dict(counts) for project, counts in found.items()}


async def taken(store: EventStore, part: list[Incoming]) -> list[Stored]:
    """Stored, sooner or later: what waits behind a slow group is told to come again, and was not stored."""
    for _ in range(MOST_TRIES):
        try:
            return await store.store(part)
        except Unavailable:
            await asyncio.sleep(0.05)
    raise TimeoutError


def event(project: str, number: int, repeated: float) -> Incoming:
    """Every so-manieth event is one that the other processes send as well."""
    shared = number * repeated % 1 < repeated
    key, digest = (f"shared-{number}", "\\x01") if shared else (None, None)
    return Incoming(project, "live", str(new_id()), "order.created", "{}", None, key, None, digest)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send(json.loads(sys.argv[1])))), flush=True)
