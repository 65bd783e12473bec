"""A project whose work is not worked off in time is told to slow down, and nobody else is (P10, P11)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.pipeline import Working, until
from tests.running import Site, running_api
from tocsin.kit.ids import first_id_at

EVENT = {"type": "order.created", "payload": {}}

_WAITING_EVENT = "INSERT INTO tocsin.events (project_id, id, env, type, payload) VALUES ($1, $2, 'live', 'a.b', '{}')"
_WAITING_DELIVERY = """
INSERT INTO tocsin.deliveries (project_id, env, id, notification_id, channel, rank, state)
VALUES ($1, 'live', $2, $2, 'webhook', $3, 'queued')
"""


@pytest.fixture(scope="module")
async def unattended(database: str, home: Path, http: aiohttp.ClientSession) -> AsyncIterator[Working]:
    """An API without a worker: what waits goes on waiting."""
    root = await asyncpg.connect(database)
    with running_api(site := Site(database, home)) as process:
        yield Working(site, process, Client(http, process.url), root)
    await root.close()


@pytest.fixture
async def two(unattended: Working) -> tuple[Project, Project]:
    return await sign_up(unattended.api, "Slow"), await sign_up(unattended.api, "Brisk")


def made(minutes_ago: float) -> UUID:
    return first_id_at(datetime.now(UTC) - timedelta(minutes=minutes_ago))


async def refused(project: Project) -> None:
    async def full() -> bool:
        reply = await project.key.post("/events", EVENT)
        assert reply.status == 202 or (reply.status, reply.code) == (429, "backlog_full")
        assert reply.status == 202 or 5 <= int(reply.headers["Retry-After"]) <= 15
        return reply.status == 429

    await until(full)


async def test_a_project_whose_oldest_event_waits_too_long_is_refused_alone(
    unattended: Working, two: tuple[Project, Project]
) -> None:
    slow, brisk = two
    await unattended.sql.execute(_WAITING_EVENT, slow.id, made(minutes_ago=6))
    await refused(slow)
    assert (await slow.key.post("/events/batch", {"events": [EVENT]})).code == "backlog_full"
    assert (await slow.key.get("/users")).status == 200
    assert (await brisk.key.post("/events", EVENT)).status == 202


async def test_a_first_attempt_that_waits_too_long_counts_as_well(
    unattended: Working, two: tuple[Project, Project]
) -> None:
    slow, brisk = two
    await unattended.sql.execute(_WAITING_DELIVERY, slow.id, made(minutes_ago=6), 2)
    await refused(slow)
    assert (await brisk.key.post("/events", EVENT)).status == 202


async def test_a_retry_may_wait_as_long_as_it_likes(unattended: Working, two: tuple[Project, Project]) -> None:
    slow, brisk = two
    await unattended.sql.execute(_WAITING_DELIVERY, brisk.id, made(minutes_ago=60), 6)
    await unattended.sql.execute(_WAITING_EVENT, slow.id, made(minutes_ago=6))
    await brisk.key.post("/events", EVENT)
    await refused(slow)
    assert (await brisk.key.post("/events", EVENT)).status == 202


async def test_work_younger_than_the_bound_refuses_nobody(unattended: Working, two: tuple[Project, Project]) -> None:
    slow, brisk = two
    await unattended.sql.execute(_WAITING_EVENT, brisk.id, made(minutes_ago=4))
    await brisk.key.post("/events", EVENT)
    await unattended.sql.execute(_WAITING_EVENT, slow.id, made(minutes_ago=6))
    await refused(slow)
    assert (await brisk.key.post("/events", EVENT)).status == 202


async def test_events_are_taken_again_when_the_backlog_is_worked_off(
    unattended: Working, two: tuple[Project, Project]
) -> None:
    slow, _ = two
    await unattended.sql.execute(_WAITING_EVENT, slow.id, made(minutes_ago=6))
    await refused(slow)
    await unattended.sql.execute("UPDATE tocsin.events SET state = 'processed' WHERE project_id = $1", slow.id)

    async def taken() -> bool:
        return (await slow.key.post("/events", EVENT)).status == 202

    await until(taken)
