"""Beyond what fits a caller is told to come back, and what is urgent still gets through (P11)."""

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project
from tests.overload.crowding import Told, get_at_once, send_at_once
from tests.pipeline import Working, make_rule, notified, send_event, until

CALLERS = 150
EACH = 8


async def stored_keys(root: asyncpg.Connection, project: Project) -> set[str]:
    rows = await root.fetch(
        "SELECT client_event_id FROM tocsin.events WHERE project_id = $1 AND client_event_id IS NOT NULL", project.id
    )
    return {row["client_event_id"] for row in rows}


async def test_events_beyond_the_queue_are_refused_and_those_accepted_are_all_there(
    small: Working, crowded: Project
) -> None:
    told = Told()
    await send_at_once(crowded.key, CALLERS, EACH, told, note="x" * 200)
    assert told.answers.keys() == {(202, None), (503, "overloaded")}, told.answers
    assert not told.unhelpful
    assert told.accepted == await stored_keys(small.sql, crowded)


async def test_after_a_crowd_the_next_event_is_taken_at_once(small: Working, crowded: Project) -> None:
    await send_at_once(crowded.key, CALLERS, 2, Told())
    for order in range(20):
        await send_event(crowded.key, order=order)


async def test_health_is_answered_while_events_are_refused(small: Working, crowded: Project) -> None:
    crowd = asyncio.create_task(send_at_once(crowded.key, CALLERS, EACH, Told()))
    replies = []
    while not crowd.done():
        replies += [(await small.api.get(path)).status for path in ("/health/live", "/health/ready", "/metrics")]
    await crowd
    assert set(replies) == {200}


@pytest.fixture
async def rules_locked(small: Working) -> AsyncIterator[asyncpg.Connection]:
    """Whoever reads rules waits for the database."""
    connection = await asyncpg.connect(small.site.installer_url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("LOCK TABLE tocsin.rules IN ACCESS EXCLUSIVE MODE")
    yield connection
    await transaction.rollback()
    await connection.close()


async def in_work(small: Working) -> int:
    lines = str((await small.api.get("/metrics")).json).splitlines()
    [line] = [line for line in lines if line.startswith("tocsin_requests_in_work ")]
    return round(float(line.rpartition(" ")[2]))


@pytest.fixture
async def full(small: Working, crowded: Project, rules_locked: asyncpg.Connection) -> AsyncIterator[asyncio.Task[None]]:
    """Reads that wait for the database hold every place that reads may have."""
    holding = asyncio.create_task(get_at_once(crowded.key, "/rules", 6, Told()))

    async def held() -> bool:
        return await in_work(small) == 6

    await until(held)
    yield holding
    await holding


async def test_reads_beyond_the_places_are_refused_before_those_that_hold_them_are_done(
    crowded: Project, full: asyncio.Task[None]
) -> None:
    told = Told()
    await get_at_once(crowded.key, "/users", 30, told)
    assert not full.done()
    assert told.answers == {(503, "overloaded"): 30}
    assert not told.unhelpful
    await full
    assert (await crowded.key.get("/users")).status == 200


@pytest.fixture
async def alarm(quiet: Project) -> tuple[str, str]:
    """A notification that waits for somebody, and who."""
    person = await quiet.add_user()
    await make_rule(quiet, targetUsers=[person["id"]], title="Wake up", requireAck=True)
    notification = await notified(quiet.key, await send_event(quiet.key, order=1))
    return notification["id"], person["id"]


async def test_an_acknowledgement_finds_a_place_where_a_read_finds_none(
    crowded: Project, quiet: Project, alarm: tuple[str, str], full: asyncio.Task[None]
) -> None:
    notification, person = alarm
    assert (await crowded.key.get("/users")).code == "overloaded"
    reply = await quiet.key.put(f"/notifications/{notification}/acknowledge", {"userId": person})
    assert reply.status == 200, reply.json


async def test_a_browser_may_read_why_it_was_refused(crowded: Project, full: asyncio.Task[None]) -> None:
    reply = await crowded.key.with_headers(Origin="https://app.example").get("/users")
    assert reply.status == 503
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


async def test_whoever_sends_a_body_slowly_keeps_nobody_out(small: Working, crowded: Project) -> None:
    dawdlers = []
    try:
        for _ in range(40):
            dawdler = socket.create_connection(("127.0.0.1", small.process.port))
            dawdlers.append(dawdler)
            dawdler.sendall(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        for _ in range(5):
            assert (await crowded.key.get("/users")).status == 200
    finally:
        for dawdler in dawdlers:
            dawdler.close()


async def test_a_caller_who_goes_away_while_waiting_leaves_no_place_behind(
    small: Working, crowded: Project, http: aiohttp.ClientSession
) -> None:
    impatient = Client(http, crowded.key.base, crowded.key.headers)
    calls = [asyncio.create_task(impatient.get("/users")) for _ in range(100)]
    await asyncio.sleep(0.02)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)

    async def empty() -> bool:
        return await in_work(small) == 0

    await until(empty)
