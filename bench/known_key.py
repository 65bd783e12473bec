"""What it costs to know a caller again: `python -m bench.known_key` prints microseconds for each call.

The step that `POST /events` takes before it reads a body, in this process, against a real database. The calls of a
limited key that reserve a block are among those timed.
"""

import asyncio
import time
from typing import Any

from bench.running import Installed, installed
from tocsin.auth.entry import enter
from tocsin.auth.keys import Credentials
from tocsin.auth.rates import Rates
from tocsin.kit.db import Database

CALLS = 200_000
KEYS: dict[str, dict[str, Any]] = {
    "unlimited": {},
    "bound to a network": {"allowedIps": ["127.0.0.0/8"]},
    "100,000 calls a second": {"rateLimit": {"perSecond": 100_000}},
    "1,000,000 calls an hour": {"rateLimit": {"perHour": 1_000_000}},
    "both, and a network": {
        "rateLimit": {"perSecond": 100_000, "perHour": 1_000_000},
        "allowedIps": ["127.0.0.0/8"],
    },
}


async def main() -> None:
    async with installed(worker=False) as place:
        db = Database(place.site.app_url, ordinary=1, hot=1, statement_timeout="5s")
        await db.start()
        try:
            for name, fields in KEYS.items():
                made, _ = await place.project.new_key("events:write", **fields)
                print(f"{name:>25} {await microseconds(place, db, made['key'], made['secret']):6.2f} µs")
        finally:
            await db.close()


async def microseconds(place: Installed, db: Database, key: str, secret: str) -> float:
    credentials, rates = Credentials(db, place.site.master), Rates(db)
    await credentials.verify(key, secret, "127.0.0.1")
    scope: dict[str, Any] = {"client": ("127.0.0.1", 4711)}
    began = time.perf_counter()
    for number in range(CALLS):
        if number % 1_000 == 0:
            credentials.trust()
        caller = credentials.remembered(key, secret)
        assert caller is not None
        await enter(caller, rates, scope)
    return (time.perf_counter() - began) / CALLS * 1e6


if __name__ == "__main__":
    asyncio.run(main())
