"""Does it cost more when much lies there? The same calls to an installation with a full month and to one with little.

Both run side by side and are asked in turn, so that a busy machine is busy for both; what is held against the bar is
the ratio of the medians. ``--events`` says how full the month is.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from bench.events import PAYLOAD, PAYLOAD_TEXT
from bench.filling import fill
from bench.results import Line, middle
from bench.run import Run
from bench.running import Installed, installed
from tocsin.kit.cursors import Cursors, place_of
from tocsin.kit.ids import first_id_at, new_id

LITTLE, QUICK = 10_000, 100_000
WARMING, CALLS = 10, 60
WARMING_OF_LONG, CALLS_OF_LONG = 1, 9
MOST_RATIO = 1.2
GROUP = 100
NOBODY = UUID(int=0)

Look = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Grown:
    """An installation, a connection as its worker has them, and ids that the looks ask for."""

    place: Installed
    hot: asyncpg.Connection
    owner: UUID
    event: UUID

    def get(self, path: str, **params: Any) -> Look:
        async def look() -> None:
            reply = await self.place.project.key.get(path, **params)
            assert reply.status == 200, reply.json

        return look

    def deep(self, path: str) -> Look:
        """A page from the middle of a list."""
        place = place_of(self.place.project_id, "live", f"/api/v1{path}", ())
        return self.get(path, cursor=Cursors(self.place.site.master).seal(place, self.event))

    def call(self, query: str, *values: Any) -> Look:
        """One of the database's functions, as the worker calls it."""

        async def look() -> None:
            await self.hot.fetch(query, *values)

        return look

    async def store(self) -> None:
        """A group of events as the API stores it."""
        many = [self.place.project_id] * GROUP
        none = [None] * GROUP
        await self.hot.fetch(
            "SELECT * FROM tocsin.ingest_events($1, $2, $3, $4, $5, $6, $7, $8, $9, true, true)",
            *(many, ["live"] * GROUP, [new_id() for _ in many], ["nobody.listens"] * GROUP, [PAYLOAD_TEXT] * GROUP),
            *(none, none, none, none),
        )

    async def match(self) -> None:
        """An event from the call until its rules have run and its notification is there."""
        reply = await self.place.project.key.post("/events", {"type": "bench.matched", "payload": PAYLOAD})
        id_ = UUID(reply.json["id"])
        query = "SELECT state = 'processed' FROM tocsin.events WHERE project_id = $1 AND id = $2"
        async with asyncio.timeout(30):
            while not await self.place.superuser.fetchval(query, self.place.project_id, id_):
                await asyncio.sleep(0.001)


LOOKS: dict[str, Callable[[Grown], Look]] = {
    f"store {GROUP} events": lambda g: g.store,
    "event to notification": lambda g: g.match,
    "claim events, none": lambda g: g.call("SELECT * FROM tocsin.claim_events($1, 16, 200, 60, $2)", NOBODY, uuid4()),
    "claim deliveries, none": lambda g: g.call(
        "SELECT * FROM tocsin.claim_deliveries($1, 16, 16, 64, 60, $2, '{}', '{}')", NOBODY, uuid4()
    ),
    "due deliveries, none": lambda g: g.call("SELECT tocsin.ready_due_deliveries(2000)"),
    "leases that ran out, none": lambda g: g.call("SELECT * FROM tocsin.release_expired(2000, 3, 5)"),
    "tidy, nothing": lambda g: g.call("SELECT tocsin.tidy(5000)"),
    "outlived rows, none": lambda g: g.call("SELECT * FROM tocsin.outlived($1, 500, 60)", NOBODY),
    "GET event": lambda g: g.get(f"/events/{g.event}"),
    "GET events": lambda g: g.get("/events"),
    "GET events, deep": lambda g: g.deep("/events"),
    "GET events, failed, none": lambda g: g.get("/events", status="failed"),
    "GET notifications": lambda g: g.get("/notifications"),
    "GET notifications, deep": lambda g: g.deep("/notifications"),
    "GET notifications of an event": lambda g: g.get("/notifications", eventId=str(g.event)),
    "GET notifications, critical, none": lambda g: g.get("/notifications", priority="critical"),
    "GET notifications missed": lambda g: g.get("/notifications", userId=str(g.owner), sinceSeq=0, limit=50),
    "GET deliveries": lambda g: g.get("/deliveries"),
    "GET deliveries, deep": lambda g: g.deep("/deliveries"),
    "GET deliveries, failed, none": lambda g: g.get("/deliveries", state="failed"),
}
GROW_WITH_TRAFFIC: dict[str, Callable[[Grown], Look]] = {
    "GET a person's notifications": lambda g: g.get("/notifications", userId=str(g.owner)),
    "GET events of a type, none": lambda g: g.get("/events", type="nobody.sends"),
    "GET events that wait, none": lambda g: g.get("/events", status="received"),
    "GET deliveries that wait, none": lambda g: g.get("/deliveries", state="queued"),
    "GET counts of 24 hours": lambda g: g.get("/notifications/stats"),
    "count the usage": lambda g: g.call("SELECT * FROM tocsin.roll_up_usage($1, 200, 48, NULL)", NOBODY),
}
"""Looks that read as much as there is of a project, a person or an hour: told, and held against no bar."""


async def measure(run: Run) -> list[Line]:
    """For each look its median in the full installation over that in the other one; sizes at the end."""
    events = QUICK if run.quick else run.events
    async with AsyncExitStack() as opened:
        little, full = [await opened.enter_async_context(installed(worker=True, broker=run.broker)) for _ in range(2)]
        await fill(little, LITTLE, run.tell)
        await fill(full, events, run.tell)
        pair = [await opened.enter_async_context(_grown(place)) for place in (little, full)]
        lines = []
        for name, look in {**LOOKS, **GROW_WITH_TRAFFIC}.items():
            run.tell(name)
            lines.append(await _compared(name, *(look(one) for one in pair)))
        return [*lines, *await _sizes(full.superuser, events)]


@asynccontextmanager
async def _grown(place: Installed) -> AsyncIterator[Grown]:
    rule = {"name": "Bench", "eventTypes": ["bench.matched"], "targetRoles": ["owner"], "channels": ["realtime"]}
    made = await place.project.key.post("/rules", {**rule, "title": "{{ payload.orderId }}"})
    assert made.status == 201, made.json
    settings = {"plan_cache_mode": "force_generic_plan"}
    hot = await asyncpg.connect(place.site.app_url, server_settings=settings)
    begin = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    middle_of_it = begin + (datetime.now(UTC) - begin) / 2
    event = await place.superuser.fetchval(
        "SELECT id FROM tocsin.events WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT 1",
        place.project_id,
        first_id_at(middle_of_it - timedelta(seconds=1)),
    )
    try:
        yield Grown(place, hot, UUID(place.project.signed_up["user"]["id"]), event)
    finally:
        await hot.close()


async def _compared(name: str, little: Look, full: Look) -> Line:
    """Medians in milliseconds, of calls that alternate."""
    times: tuple[list[float], list[float]] = ([], [])
    warming, calls = (WARMING, CALLS) if name in LOOKS else (WARMING_OF_LONG, CALLS_OF_LONG)
    for number in range(warming + calls):
        for look, kept in zip((little, full), times, strict=True):
            taken = await _milliseconds(look)
            if number >= warming:
                kept.append(taken)
    bar = MOST_RATIO if name in LOOKS else None
    return Line(name, middle(times[1]), "ms", floor=middle(times[0]), bar=bar, bar_is="most")


async def _milliseconds(look: Look) -> float:
    began = time.perf_counter()
    await look()
    return (time.perf_counter() - began) * 1000


_SIZES = """
SELECT p.relname AS name, sum(pg_relation_size(c.oid)) / 1e6 AS rows_mb, sum(pg_indexes_size(c.oid)) / 1e6 AS indexes_mb
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
WHERE p.relkind = 'p' AND p.relnamespace = 'tocsin'::regnamespace GROUP BY 1 ORDER BY 1
"""


async def _sizes(superuser: asyncpg.Connection, events: int) -> list[Line]:
    """Megabytes that a million events and what came of them take."""
    millions = events / 1e6
    lines = []
    for row in await superuser.fetch(_SIZES):
        rows, indexes = (float(row[part]) / millions for part in ("rows_mb", "indexes_mb"))
        details = {"rows": rows, "indexes": indexes}
        lines.append(Line(f"{row['name']}, a million events", rows + indexes, "MB", details=details))
    return lines
