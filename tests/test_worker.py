"""The worker survives what happens around it, shows that it is alive, and ends in order."""

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.endpoint import Answer, Endpoint, endpoint
from tests.engines import free_port
from tests.pipeline import ended, make_rule, send_event, story, until
from tests.running import Process, Site, running, running_api

METRICS_PORT = free_port()
STAGES = {
    "match",
    "send",
    "clock",
    "clocks",
    "insist",
    "order",
    "digest",
    "forgot",
    "mail",
    "tidy",
    "purge",
    "months",
    "quotas",
    "usage",
    "sandbox",
    "expire",
    "seal",
    "anchor",
    "domains",
    "pulse",
    "checks",
    "outages",
    "opened",
    "endpoints",
    "inbound",
    "poll",
    "hosted",
    "webhooks",
    "amend",
}
PARTED = ("events", "notifications", "notification_recipients", "deliveries", "attempts")


@pytest.fixture(scope="module")
def here(database: str, home: Path) -> Site:
    return Site(database, home, settings={"TOCSIN_METRICS_PORT": str(METRICS_PORT), "TOCSIN_LOG_FORMAT": "json"})


@pytest.fixture(scope="module")
async def root(here: Site) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(here.installer_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def shop(here: Site, http: aiohttp.ClientSession) -> AsyncIterator[Project]:
    """A project of an installation whose workers each test starts itself."""
    with running_api(here) as process:
        yield await sign_up(Client(http, process.url), "Shop")


@pytest.fixture(scope="module")
async def served(shop: Project) -> AsyncIterator[Endpoint]:
    async with endpoint() as served:
        await served.connect(shop)
        await make_rule(shop, "webhook")
        yield served


async def heartbeats(http: aiohttp.ClientSession) -> dict[str, float]:
    """Unix time of each stage's last look; empty while the worker is starting."""
    try:
        async with http.get(f"http://127.0.0.1:{METRICS_PORT}/metrics") as answer:
            lines = (await answer.text()).splitlines()
    except aiohttp.ClientConnectionError:
        return {}
    prefix = 'tocsin_stage_heartbeat_seconds{stage="'
    return {
        line.removeprefix(prefix).partition('"')[0]: float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith(prefix)
    }


async def test_its_stages_show_that_they_are_alive(here: Site, shop: Project, http: aiohttp.ClientSession) -> None:
    with running(here, "worker"):

        async def all_beat() -> dict[str, float]:
            found = await heartbeats(http)
            return found if set(found) == STAGES else {}

        first = await until(all_beat)

        async def moved() -> bool:
            now = await heartbeats(http)
            return all(now[stage] > first[stage] for stage in ("match", "send", "clock"))

        await until(moved)
    assert all(abs(time.time() - at) < 60 for at in first.values())


async def test_it_goes_on_after_all_its_database_connections_were_ended(
    here: Site, root: asyncpg.Connection, shop: Project, served: Endpoint, http: aiohttp.ClientSession
) -> None:
    with running(here, "worker") as worker:
        await ended(shop.key, await send_event(shop.key, order="before"))
        for _ in range(3):
            await root.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'tocsin_app' AND datname = current_database()"
            )
            await asyncio.sleep(0.1)
        event_id = await until(lambda: accepted(shop))
        assert (await ended(shop.key, event_id, seconds=30))["state"] == "delivered"
        assert worker.popen.poll() is None


async def accepted(shop: Project) -> str | None:
    """An event's id, once the API has its own connections back."""
    reply = await shop.key.post("/events", {"type": "order.created", "payload": {}})
    return str(reply.json["id"]) if reply.status == 202 else None


async def test_a_stage_outlives_its_failures(
    here: Site, root: asyncpg.Connection, shop: Project, served: Endpoint
) -> None:
    with running(here, "worker") as worker:
        async with forbidden(root, "tocsin.claim_idle_events, tocsin.claim_deliveries, tocsin.ready_due_deliveries"):
            event_id = await send_event(shop.key, order="meanwhile")
            await until(lambda: failing(worker, "match", "send", "clock"))
            assert (await shop.key.get(f"/events/{event_id}")).json["status"] == "received"
        assert (await ended(shop.key, event_id, seconds=30))["state"] == "delivered"


@contextlib.asynccontextmanager
async def forbidden(root: asyncpg.Connection, functions: str) -> AsyncIterator[None]:
    """Take functions away from the worker for a while."""
    await root.execute(f"REVOKE EXECUTE ON FUNCTION {functions} FROM tocsin_app")
    try:
        yield
    finally:
        await root.execute(f"GRANT EXECUTE ON FUNCTION {functions} TO tocsin_app")


async def failing(worker: Process, *stages: str) -> bool:
    """Whether the worker has logged that each of these stages failed."""
    lines = [json.loads(line) for line in worker.log.read_text().splitlines() if line.endswith("}")]
    return set(stages) <= {line.get("stage") for line in lines if line["event"] == "stage failed"}


async def test_what_is_being_sent_when_it_is_told_to_end_comes_to_its_end(
    here: Site, shop: Project, served: Endpoint
) -> None:
    served.answers = [Answer(after=1.5)]
    before = len(served.calls)
    with running(here, "worker") as worker:
        event_id = await send_event(shop.key, order="last")

        async def under_way() -> bool:
            return served.inside == 1

        await until(under_way)
        worker.popen.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.popen.wait, 15) == 0
    done = await ended(shop.key, event_id, seconds=1)
    assert (done["state"], len(done["attempts"]), len(served.calls) - before) == ("delivered", 1, 1)


async def test_what_comes_while_no_worker_runs_is_done_by_the_next(here: Site, shop: Project, served: Endpoint) -> None:
    event_id = await send_event(shop.key, order="waiting")
    assert (await shop.key.get(f"/events/{event_id}")).json["outcome"] is None
    with running(here, "worker"):
        assert (await story(shop.key, event_id))["outcome"] == "notified"
        assert (await ended(shop.key, event_id))["state"] == "delivered"


async def test_old_keys_are_forgotten_and_new_months_made(here: Site, root: asyncpg.Connection, shop: Project) -> None:
    for key in ("old", "new"):
        reply = await shop.key.post("/events", {"type": "a.b", "payload": {}, "clientEventId": key})
        assert reply.status == 202, reply.json
    await root.execute(
        "UPDATE tocsin.event_keys SET created_at = now() - interval '31 days' WHERE client_event_id = 'old'"
    )
    wanted = {f"{table}_{month}" for table in PARTED for month in coming_months(4)}
    for name in sorted(wanted):
        if not name.endswith(coming_months(1)[0]):
            await root.execute(f"DROP TABLE tocsin.{name}")
    with running(here, "worker"):

        async def tidied() -> bool:
            keys = await root.fetch("SELECT client_event_id FROM tocsin.event_keys WHERE project_id = $1", shop.id)
            return {row["client_event_id"] for row in keys} == {"new"}

        async def made() -> bool:
            names = await root.fetch("SELECT relname FROM pg_class WHERE relnamespace = 'tocsin'::regnamespace")
            return wanted <= {row["relname"] for row in names}

        await until(tidied)
        await until(made)


def coming_months(count: int) -> list[str]:
    now = datetime.now(UTC)
    months = [(now.year * 12 + now.month - 1 + ahead) for ahead in range(count)]
    return [f"{month // 12}_{month % 12 + 1:02}" for month in months]
