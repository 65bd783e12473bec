"""How often a caller may call, over all processes (A3, Q2)."""

import asyncio
import re
import time
from collections import Counter
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.client import Client, Project, Reply, sign_up

EVENT = {"type": "a.b", "payload": {}}


@pytest.fixture(autouse=True)
async def far_from_the_end_of_the_hour() -> None:
    """A window that ends in the middle of a test would give it a second quota."""
    left = 3600 - time.time() % 3600
    if left < 20:
        await asyncio.sleep(left + 0.1)


async def limited(project: Project, **rates: Any) -> tuple[Any, Client]:
    return await project.new_key("project:read", "events:write", rateLimit=rates)


async def allow_calls(sql: asyncpg.Connection, project: Project, quota: Any) -> None:
    """What the project's plan allows, before anybody has called."""
    overrides = f'{{"quotas": {{"apiCallsPerHour": {quota}}}}}'
    await sql.execute("UPDATE tocsin.projects SET overrides = $2 WHERE id = $1", UUID(project.id), overrides)


def policies(reply: Reply) -> dict[str, tuple[int, int]]:
    """Quota and seconds of each policy named."""
    found = re.findall(r'"([a-z-]+)";q=(\d+);w=(\d+)', reply.headers.get("RateLimit-Policy", ""))
    return {name: (int(quota), int(seconds)) for name, quota, seconds in found}


def states(reply: Reply) -> dict[str, int]:
    """Calls that are left of each policy named."""
    found = re.findall(r'"([a-z-]+)";r=(\d+);t=(\d+)', reply.headers.get("RateLimit", ""))
    assert all(1 <= int(seconds) <= 3600 for _, _, seconds in found)
    return {name: int(left) for name, left, _ in found}


async def test_a_key_is_stopped_at_its_own_limit_whichever_door_it_takes(acme: Project) -> None:
    _, caller = await limited(acme, perHour=4)
    replies = [
        await caller.get("/projects/me"),
        await caller.post("/events", EVENT),
        await caller.post("/events/batch", {"events": [EVENT, EVENT]}),
        await caller.post("/events", {"type": "not an event type"}),
    ]
    assert [reply.status for reply in replies] == [200, 202, 202, 422]
    assert [states(reply)["key-hour"] for reply in replies] == [3, 2, 1, 0]
    for reply in (await caller.get("/projects/me"), await caller.post("/events", EVENT)):
        assert (reply.status, reply.code) == (429, "rate_limited")
        assert 1 <= int(reply.headers["Retry-After"]) <= 3600
        assert policies(reply) == {"key-hour": (4, 3600)}
        assert states(reply) == {"key-hour": 0}


async def test_who_is_not_limited_is_not_told_of_limits(acme: Project) -> None:
    for caller in (acme.key, acme.owner):
        reply = await caller.get("/projects/me")
        assert "RateLimit" not in reply.headers
        assert "RateLimit-Policy" not in reply.headers


async def test_a_failure_and_a_refusal_say_where_the_caller_stands_as_well(acme: Project) -> None:
    _, caller = await limited(acme, perHour=100)
    assert states(await caller.get("/users/x")) == {"key-hour": 99}
    assert states(await caller.get("/no-such-path")) == {}
    assert states(await caller.get("/projects/me")) == {"key-hour": 98}


async def test_other_keys_and_other_projects_have_limits_of_their_own(acme: Project, rival: Project) -> None:
    _, one = await limited(acme, perHour=1)
    _, two = await limited(acme, perHour=1)
    assert [(await one.get("/projects/me")).status for _ in range(2)] == [200, 429]
    for caller in (two, acme.key, rival.key):
        assert (await caller.get("/projects/me")).status == 200


async def test_calls_a_second_are_bounded_over_both_processes(pair: tuple[Client, Client]) -> None:
    project = await sign_up(pair[0])
    _, caller = await limited(project, perSecond=5)
    at_both = [caller.at(process) for process in pair]
    for each in at_both:
        await each.get("/projects/me")
    began = time.monotonic()
    replies = await asyncio.gather(*[each.get("/projects/me") for _ in range(25) for each in at_both])
    windows = int(time.monotonic() - began) + 2
    counts = Counter([reply.status for reply in replies])
    assert set(counts) == {200, 429}
    assert counts[200] <= 5 * windows
    refused = next(reply for reply in replies if reply.status == 429)
    assert refused.headers["Retry-After"] == "1"
    assert policies(refused) == {"key-second": (5, 1)}
    await asyncio.sleep(1.1)
    assert (await at_both[0].get("/projects/me")).status == 200


async def test_an_hour_is_bounded_over_both_processes(pair: tuple[Client, Client]) -> None:
    project = await sign_up(pair[0])
    _, caller = await limited(project, perHour=60)
    replies = await asyncio.gather(*[caller.at(pair[n % 2]).post("/events", EVENT) for n in range(90)])
    assert Counter([reply.status for reply in replies]) == {202: 60, 429: 30}


async def test_a_large_quota_is_reserved_in_blocks(acme: Project, sql: asyncpg.Connection) -> None:
    made, caller = await limited(acme, perHour=1000)
    for calls, taken in ((1, 5), (4, 5), (1, 10)):
        for _ in range(calls):
            reply = await caller.get("/projects/me")
        query = "SELECT taken FROM tocsin.call_windows WHERE project_id = $1 AND subject = $2"
        assert await sql.fetchval(query, UUID(acme.id), made["id"]) == taken
    assert states(reply) == {"key-hour": 994}


async def test_blocks_of_several_processes_never_add_up_to_more_than_the_quota(pair: tuple[Client, Client]) -> None:
    project = await sign_up(pair[0])
    _, caller = await limited(project, perHour=403)  # blocks of two, the last one cut
    replies = await asyncio.gather(*[caller.at(pair[n % 2]).post("/events", EVENT) for n in range(430)])
    accepted = Counter([reply.status for reply in replies])[202]
    assert 403 - 2 <= accepted <= 403


async def test_the_plan_limits_keys_and_people_of_a_project_together(api: Client, sql: asyncpg.Connection) -> None:
    project, other = await sign_up(api), await sign_up(api)
    await allow_calls(sql, project, 4)
    for number, caller in enumerate((project.key, project.owner, project.key, project.owner)):
        reply = await caller.get("/projects/me")
        assert (reply.status, policies(reply), states(reply)) == (200, {"hour": (4, 3600)}, {"hour": 3 - number})
    for caller in (project.key, project.owner):
        for reply in (await caller.get("/projects/me"), await caller.post("/events", EVENT)):
            assert (reply.status, reply.code) == (429, "rate_limited")
    assert (await other.key.get("/projects/me")).status == 200


async def test_neither_the_sandbox_nor_a_public_key_uses_up_what_live_calls_have(
    api: Client, sql: asyncpg.Connection
) -> None:
    project = await sign_up(api)
    await allow_calls(sql, project, 2)
    for _ in range(2):
        assert (await project.test_key.get("/projects/me")).status == 200
        await project.app.post("/users/register", {"email": "a@b.example"})
    assert (await project.test_key.get("/projects/me")).status == 429
    assert (await project.app.post("/users/register", {"email": "a@b.example"})).status == 429
    assert [(await project.key.get("/projects/me")).status for _ in range(3)] == [200, 200, 429]


async def test_unlimited_is_a_value(api: Client, sql: asyncpg.Connection) -> None:
    project = await sign_up(api)
    await allow_calls(sql, project, "null")
    for caller in (project.key, project.owner):
        reply = await caller.get("/projects/me")
        assert (reply.status, states(reply)) == (200, {})


async def test_the_narrowest_limit_refuses_and_takes_nothing_from_the_wider_ones(
    api: Client, sql: asyncpg.Connection
) -> None:
    project = await sign_up(api)
    await allow_calls(sql, project, 100)
    _, caller = await limited(project, perHour=2, perSecond=1000)
    first = await caller.get("/projects/me")
    assert set(policies(first)) == {"key-second", "key-hour", "hour"}
    for _ in range(3):
        last = await caller.get("/projects/me")
    assert last.status == 429
    owner = await project.owner.get("/projects/me")
    # Creating the key, two calls with it that counted, and this one.
    assert states(owner) == {"hour": 96}


async def test_a_limit_that_is_changed_counts_on_every_process_within_a_second(pair: tuple[Client, Client]) -> None:
    project = await sign_up(pair[0])
    made, caller = await limited(project, perHour=1)
    at_both = [caller.at(process) for process in pair]
    assert [(await each.get("/projects/me")).status for each in at_both] == [200, 429]
    path = f"/projects/me/api-keys/{made['id']}"
    assert (await project.owner.put(path, {"rateLimit": {"perHour": 1000}})).status == 200
    await asyncio.sleep(1)
    assert [(await each.get("/projects/me")).status for each in at_both] == [200, 200]
    assert (await project.owner.put(path, {"rateLimit": None})).json["rateLimit"] is None
    await asyncio.sleep(1)
    assert [states(await each.get("/projects/me")) for each in at_both] == [{}, {}]


async def test_many_calls_at_once_reserve_one_block(acme: Project, sql: asyncpg.Connection) -> None:
    made, caller = await limited(acme, perHour=10_000)
    await asyncio.gather(*[caller.get("/projects/me") for _ in range(40)])
    query = "SELECT taken FROM tocsin.call_windows WHERE project_id = $1 AND subject = $2"
    assert await sql.fetchval(query, UUID(acme.id), made["id"]) == 50
