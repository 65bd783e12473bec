"""A worker whose clock is wrong: tries and pauses are due by the database's clock (D1, D2, D4)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.endpoint import Answer, endpoint
from tests.engines import free_port, fresh_database
from tests.forked import Forked, command
from tests.pipeline import Working, make_rule, send_event, until
from tests.running import Process, Site, alive, running_api
from tests.webhooks.build import listen
from tocsin.channels.contract import WEBHOOK_RETRIES
from tocsin.deliveries.record import JITTER, LOOK_AGAIN_SECONDS
from tocsin.kit.postgres import Running

WRONG_BY = 300
"""Seconds."""
OVERHEAD = 30.0
"""Seconds that a slow machine may take from a row to its attempt; far fewer than the clock is wrong by."""
SOONEST, LATEST = WEBHOOK_RETRIES[1] * JITTER[0], WEBHOOK_RETRIES[1] * JITTER[1] + OVERHEAD

# Every module of the product asks this instead; what it answers with are times as they are.
_WRONG = """
import datetime, sys

class _Kind(type):
    def __instancecheck__(cls, value):
        return isinstance(value, datetime.datetime)

class _Wrong(datetime.datetime, metaclass=_Kind):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + datetime.timedelta(seconds={wrong_by})

for _name, _module in list(sys.modules.items()):
    if _name.startswith("tocsin.") and getattr(_module, "datetime", None) is datetime.datetime:
        _module.datetime = _Wrong
"""


@pytest.fixture(scope="module", params=[-WRONG_BY, WRONG_BY], ids=["behind", "ahead"])
async def wrong(
    request: pytest.FixtureRequest, cluster: Running, template: str, home: Path, http: aiohttp.ClientSession
) -> AsyncIterator[Working]:
    """An API, and a worker alone whose clock is wrong."""
    async with fresh_database(cluster, template) as url:
        sql = await asyncpg.connect(url)
        site = Site(url, home, settings={"TOCSIN_SLOTS": "8"})
        with running_api(site) as process, _worker(site, request.param):
            yield Working(site, process, Client(http, process.url), sql)
        await sql.close()


@contextmanager
def _worker(site: Site, wrong_by: int) -> Iterator[None]:
    port = free_port()
    log = site.home / f"worker-{port}.log"
    code = f"import tocsin.worker\n{_WRONG.format(wrong_by=wrong_by)}\n{command(['worker'])}"
    process = Process("worker", port, log, Forked(code, site.environment(port), site.home, log))
    alive.append(process)
    try:
        yield
    finally:
        process.stop()
        alive.remove(process)


@pytest.fixture
async def shop(wrong: Working) -> Project:
    return await sign_up(wrong.api, "Shop")


async def waited(working: Working, query: str, project: Project) -> float:
    """The seconds between two times of the database's clock that a query finds, once it finds them."""

    async def look() -> float | None:
        return cast(float | None, await working.sql.fetchval(query, project.id))

    return cast(float, await until(look))


async def test_a_delivery_is_tried_again_as_planned(wrong: Working, shop: Project) -> None:
    async with endpoint(Answer(500)) as served:
        await served.connect(shop)
        await make_rule(shop, "webhook")
        await send_event(shop.key)
        assert SOONEST <= await waited(wrong, _DELIVERY, shop) <= LATEST


_DELIVERY = """
SELECT extract(epoch FROM a.next_due_at - d.created_at)::float
FROM tocsin.deliveries d JOIN tocsin.attempts a ON a.delivery_id = d.id AND a.number = 1 WHERE d.project_id = $1
"""


async def test_a_message_to_an_endpoint_is_tried_again_as_planned(wrong: Working, shop: Project) -> None:
    async with endpoint(Answer(500)) as served:
        await listen(shop, served, "project.changed")
        assert (await shop.owner.put("/projects/me", {"description": "Other"})).status == 200
        assert SOONEST <= await waited(wrong, _MESSAGE, shop) <= LATEST


_MESSAGE = """
SELECT extract(epoch FROM a.next_due_at - m.created_at)::float
FROM tocsin.webhook_messages m JOIN tocsin.webhook_attempts a ON a.message_id = m.id AND a.number = 1
WHERE m.project_id = $1
"""


async def test_what_meets_a_pause_waits_until_it_ends(wrong: Working, shop: Project) -> None:
    async with endpoint(Answer(429, {"Retry-After": "120"})) as served:
        await served.connect(shop)
        await make_rule(shop, "webhook")
        await send_event(shop.key)
        await waited(wrong, _DELIVERY, shop)
        await send_event(shop.key)
        assert 120 - OVERHEAD <= await waited(wrong, _PUT_OFF, shop) <= 120 + OVERHEAD
        assert len(served.calls) == 1


_PUT_OFF = """
SELECT extract(epoch FROM due_at - created_at)::float FROM tocsin.deliveries
WHERE project_id = $1 AND state = 'queued' AND last_error = 'waits: the provider asked for a pause'
"""


async def test_what_has_no_connection_is_looked_at_again_as_planned(wrong: Working, shop: Project) -> None:
    async with endpoint() as served:
        made = await served.connect(shop)
        await wrong.sql.execute("UPDATE tocsin.connections SET status = 'suspended' WHERE id = $1", made["id"])
        await make_rule(shop, "webhook")
        await send_event(shop.key)
        planned = LOOK_AGAIN_SECONDS[0]
        assert planned * JITTER[0] <= await waited(wrong, _LOOK, shop) <= planned * JITTER[1] + OVERHEAD


_LOOK = """
SELECT extract(epoch FROM due_at - created_at)::float FROM tocsin.deliveries
WHERE project_id = $1 AND state = 'queued' AND last_error = 'no active connection for webhook: suspended'
"""
