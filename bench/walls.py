"""What the walls cost: knowing a caller again, and being in one project and nowhere else.

A known key is timed as `POST /events` takes the step, in this process, against a real database; calls of a limited
key that reserve a block are among those timed. The scope of a request is the same small transaction with a project
named and row-level security, as the application, and without either, as superuser; the difference is told as a part
of a whole `GET /users/{id}`.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from sqlalchemy import text

from bench.results import Line, middle
from bench.run import Run
from bench.running import Installed, installed
from tocsin.auth.entry import enter
from tocsin.auth.keys import Credentials
from tocsin.auth.rates import Rates
from tocsin.kit.db import Database

CALLS = 90_000
"""Fewer than the limited key may make in a second, however fast they are."""
REQUESTS = 300
ROUNDS = 7
MOST_MICROSECONDS = 20.0
MOST_PERCENT = 5.0
KEYS: dict[str, dict[str, Any]] = {
    "an unlimited key": {},
    "a key bound to a network": {"allowedIps": ["127.0.0.0/8"]},
    "a key limited by second and hour, bound to a network": {
        "rateLimit": {"perSecond": 100_000, "perHour": 1_000_000},
        "allowedIps": ["127.0.0.0/8"],
    },
}


async def measure(run: Run) -> list[Line]:
    """Microseconds a call of a known key, and per cent of a request that its scope takes."""
    async with installed(worker=False) as place:
        app = Database(place.site.app_url, ordinary=1, hot=1, statement_seconds=5)
        strong = Database(place.site.installer_url, ordinary=1, hot=0, statement_seconds=5)
        await app.start()
        try:
            run.tell("known keys")
            lines = [await _key(place, app, name, fields) for name, fields in KEYS.items()]
            run.tell("scope")
            return [*lines, await _scope(place, app, strong)]
        finally:
            await app.close()
            await strong.close()


async def _key(place: Installed, db: Database, name: str, fields: dict[str, Any]) -> Line:
    made, _ = await place.project.new_key("events:write", **fields)
    credentials, rates = Credentials(db, place.site.master), Rates(db)
    await credentials.verify(made["key"], made["secret"], "127.0.0.1")
    scope: dict[str, Any] = {"client": ("127.0.0.1", 4711)}
    began = time.perf_counter()
    for number in range(CALLS):
        if number % 1_000 == 0:
            credentials.trust()
        caller = credentials.remembered(made["key"], made["secret"])
        assert caller is not None
        await enter(caller, rates, scope)
    cost = (time.perf_counter() - began) / CALLS * 1e6
    return Line(name, cost, "µs", bar=MOST_MICROSECONDS, bar_is="most")


_READ = text("SELECT * FROM tocsin.users WHERE project_id = :project AND id = :id")


async def _scope(place: Installed, app: Database, strong: Database) -> Line:
    user = await place.project.add_user()
    values = {"project": place.project_id, "id": UUID(user["id"])}

    async def request() -> None:
        reply = await place.project.key.get(f"/users/{user['id']}")
        assert reply.status == 200, reply.json

    async def scoped() -> None:
        async with app.scope(place.project_id, "live") as session:
            (await session.execute(_READ, values)).one()

    async def bare() -> None:
        async with strong.unscoped() as session:
            (await session.execute(_READ, values)).one()

    rounds = [[await _microseconds(work) for work in (request, scoped, bare)] for _ in range(ROUNDS)]
    whole, inside, outside = (middle(list(costs)) for costs in zip(*rounds, strict=True))
    return Line(
        "the scope of a small request",
        (inside - outside) / whole * 100,
        "% of it",
        bar=MOST_PERCENT,
        bar_is="most",
        details={"µs the request": whole, "µs scoped": inside, "µs without": outside},
    )


async def _microseconds(work: Callable[[], Awaitable[None]]) -> float:
    await work()
    began = time.perf_counter()
    for _ in range(REQUESTS):
        await work()
    return (time.perf_counter() - began) / REQUESTS * 1e6
