"""Calls counted by project and day, and when a key was used last (A3, Q4)."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.running import Process, Site, running_api
from tocsin.auth.keys import new_secret

EVENT = {"type": "a.b", "payload": {}}


@pytest.fixture
def process(site: Site) -> Iterator[Process]:
    """A process of the shared installation that this test may stop."""
    with running_api(replace(site, settings={**site.settings, "TOCSIN_REALTIME": "0"})) as process:
        yield process


async def counted(sql: asyncpg.Connection, project: Project) -> tuple[int, int]:
    query = "SELECT COALESCE(sum(calls), 0), COALESCE(sum(errors), 0) FROM tocsin.api_calls WHERE project_id = $1"
    calls, errors = await sql.fetchrow(query, UUID(project.id))
    return int(calls), int(errors)


async def test_calls_and_errors_are_counted_for_the_project_that_made_them(
    api: Client, process: Process, http: aiohttp.ClientSession, sql: asyncpg.Connection
) -> None:
    project, other = await sign_up(api), await sign_up(api)
    there = Client(http, process.url)
    for caller in (project.key, project.owner, project.test_key, project.app):
        await caller.at(there).get("/projects/me")
    await project.key.at(there).post("/events", EVENT)
    await project.key.at(there).post("/events", {})
    await project.key.at(there).get("/users/none")
    await there.with_key(project.key.headers["X-API-Key"], new_secret("live")).get("/projects/me")
    await other.key.at(there).get("/projects/me")
    process.stop()
    # The app shows a public key alone where a secret is wanted: nobody's call, like the one with a wrong secret.
    assert await counted(sql, project) == (6, 2)
    assert await counted(sql, other) == (1, 0)
    days = await sql.fetch("SELECT DISTINCT day FROM tocsin.api_calls WHERE project_id = $1", UUID(project.id))
    assert {row["day"] for row in days} <= {(datetime.now(UTC) - timedelta(days=n)).date() for n in (0, 1)}


async def test_a_form_counts_like_any_other_call(
    api: Client, process: Process, http: aiohttp.ClientSession, sql: asyncpg.Connection
) -> None:
    project = await sign_up(api)
    caller = project.owner.at(Client(http, process.url))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    channel = f"private-project-{project.id}"
    signed = await caller.send("POST", "/realtime/auth", f"socket_id=1.2&channel_name={channel}".encode(), headers=form)
    assert signed.status == 200
    process.stop()
    assert await counted(sql, project) == (1, 0)


async def test_counts_reach_the_database_while_the_process_goes_on(
    api: Client, acme: Project, sql: asyncpg.Connection
) -> None:
    project = await sign_up(api)
    for _ in range(3):
        await project.key.get("/projects/me")
    async with asyncio.timeout(15):
        while await counted(sql, project) != (3, 0):
            await asyncio.sleep(0.1)


async def test_the_last_use_of_a_key_is_known_a_while_later_and_written_by_no_request(
    api: Client, process: Process, http: aiohttp.ClientSession, sql: asyncpg.Connection
) -> None:
    project, other = await sign_up(api), await sign_up(api)
    made, caller = await project.new_key("project:read", "events:write")
    unused, _ = await project.new_key("project:read")
    there = caller.at(Client(http, process.url))
    before = datetime.now(UTC)
    for _ in range(3):
        assert (await there.get("/projects/me")).status == 200
        assert (await there.post("/events", EVENT)).status == 202
    versions = "SELECT xmin::text FROM tocsin.api_keys WHERE id = $1"
    written = await sql.fetchval(versions, UUID(made["id"]))
    assert (await there.get("/projects/me")).status == 200
    assert await sql.fetchval(versions, UUID(made["id"])) == written
    process.stop()
    listed = {key["id"]: key for key in (await project.owner.get("/projects/me/api-keys", limit=200)).json["items"]}
    used = datetime.fromisoformat(listed[made["id"]]["lastUsedAt"])
    assert before - timedelta(seconds=1) < used <= datetime.now(UTC)
    assert listed[unused["id"]]["lastUsedAt"] is None
    shown = (await other.owner.get("/projects/me/api-keys")).json["items"]
    assert {key["lastUsedAt"] for key in shown} == {None}


async def test_a_public_key_that_an_app_shows_is_a_key_in_use(
    api: Client, process: Process, http: aiohttp.ClientSession, sql: asyncpg.Connection
) -> None:
    project = await sign_up(api)
    await project.app.at(Client(http, process.url)).post("/users/register", {"email": "new@app.example"})
    process.stop()
    query = "SELECT last_used_at FROM tocsin.api_keys WHERE project_id = $1 AND env = 'live'"
    assert await sql.fetchval(query, UUID(project.id)) is not None
