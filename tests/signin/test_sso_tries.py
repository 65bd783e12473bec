"""Single sign-on that leads nowhere is slow for its own network, and for nobody else (A4)."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from tests.client import Client, Project, Reply
from tests.contract.endpoints import DOCUMENT
from tests.signin.conftest import From
from tests.signin.providers import APP, Browser, Provider, browser, configure
from tocsin.auth.tries import FLOWS, NETWORK

WRONG = "sc_" + "A" * 60


@pytest.fixture(scope="module")
async def next_door(rival: Project, provider: Provider) -> Project:
    """Rival, at the same provider."""
    await configure(rival, provider.issuer, await provider.register(rival), createUnknown=True)
    return rival


async def begin(caller: Client, project: Project) -> int:
    url = f"{caller.base}/api/v1/auth/sso/{project.slug}/start"
    async with caller.http.get(url, allow_redirects=False) as answer:
        return answer.status


async def many(times: int, ask: Callable[[], Awaitable[object]]) -> list[object]:
    """The answers, asked for five at a time, which is fewer than find no place in the process."""
    answers: list[object] = []
    while len(answers) < times:
        answers += await asyncio.gather(*(ask() for _ in range(5)))
    return answers


async def counted(sql: asyncpg.Connection) -> int:
    return int(await sql.fetchval("SELECT coalesce(sum(tries), 0) FROM tocsin.tries"))


async def test_a_network_that_begins_without_finishing_has_to_wait(
    api: Client, caller_from: From, network: str, linked_up: Project, next_door: Project
) -> None:
    here, beside = caller_from(f"{network}.1"), caller_from(f"{network}.2")
    assert await many(FLOWS.free, lambda: begin(here, linked_up)) == [303] * FLOWS.free
    for caller in (here, beside):
        refused = await caller.get(f"/auth/sso/{linked_up.slug}/start")
        assert (refused.status, refused.code) == (429, "too_many_tries")
        assert 600 < int(refused.headers["Retry-After"]) <= 900
    assert await begin(here, next_door) == 303
    elsewhere = caller_from(f"{network.replace('127.7.', '127.8.')}.1")
    assert await begin(elsewhere, linked_up) == 303


async def test_who_finishes_is_not_counted(
    api: Client, caller_from: From, network: str, linked_up: Project, sql: asyncpg.Connection
) -> None:
    """A whole company may come in from behind one address."""
    async with browser(api, f"{network}.1") as chrome:
        before = await counted(sql)
        for _ in range(3):
            assert "code" in await chrome.arrive(linked_up.slug, "person-20")
        assert await counted(sql) == before
        await chrome.start(linked_up.slug)
        assert await counted(sql) == before + 1


async def test_a_sign_in_that_was_begun_in_time_is_finished_from_a_network_that_has_to_wait(
    api: Client, caller_from: From, network: str, linked_up: Project
) -> None:
    async with browser(api, f"{network}.1") as chrome:
        back = await chrome.sign_in(linked_up.slug, "person-21")
        here = caller_from(f"{network}.1")
        await many(FLOWS.free - 1, lambda: begin(here, linked_up))
        assert await begin(here, linked_up) == 429
        answer = await chrome.get(back)
        assert answer.status == 303 and answer.headers["Location"].startswith(f"{APP}?code=sc_")
    assert await begin(here, linked_up) == 303, "the one that was finished made room"


async def test_a_network_that_comes_back_from_nowhere_has_to_wait(
    api: Client, caller_from: From, network: str, linked_up: Project, next_door: Project
) -> None:
    here = caller_from(f"{network}.1")

    async def come_back(project: Project = linked_up) -> tuple[int, str | None]:
        reply = await here.get(f"/auth/sso/{project.slug}/callback", state="guessed", code="c")
        return reply.status, reply.code

    assert set(await many(FLOWS.free, come_back)) == {(400, "sso_state_invalid")}
    assert await come_back() == (429, "too_many_tries")
    assert await come_back(next_door) == (400, "sso_state_invalid")
    reply = await caller_from("127.8.255.1").get(f"/auth/sso/{linked_up.slug}/callback", state="guessed", code="c")
    assert reply.code == "sso_state_invalid"


async def test_a_network_that_looks_for_projects_has_to_wait(
    caller_from: From, network: str, linked_up: Project
) -> None:
    here = caller_from(f"{network}.1")
    names = iter(range(1_000))

    async def look() -> int:
        return (await here.get(f"/auth/sso/nobody-{next(names)}/start")).status

    assert await many(FLOWS.free, look) == [404] * FLOWS.free
    assert await look() == 429
    assert await begin(here, linked_up) == 303


async def test_a_network_that_guesses_codes_has_to_wait_and_a_right_code_does_not(
    api: Client, caller_from: From, network: str, linked_up: Project, next_door: Project, chrome: Browser
) -> None:
    here = caller_from(f"{network}.1")

    async def guess(code: str = WRONG, caller: Client = here) -> Reply:
        return await caller.post("/auth/sso/exchange", {"code": code})

    replies = await many(NETWORK.free, guess)
    assert {(reply.status, reply.code) for reply in replies if isinstance(reply, Reply)} == {(401, "invalid_sso_code")}
    refused = await guess()
    assert (refused.status, refused.code) == (429, "too_many_tries")
    assert 600 < int(refused.headers["Retry-After"]) <= 900
    assert (await guess(caller=caller_from("127.8.255.2"))).status == 401
    for project in (linked_up, next_door):
        said = await chrome.arrive(project.slug, "person-22")
        assert (await guess(said["code"])).json["project"]["id"] == project.id
        assert (await guess(said["code"])).status == 429, "a code that was used is a wrong one"


async def test_wrong_codes_take_no_tries_of_a_password(
    api: Client, caller_from: From, network: str, linked_up: Project
) -> None:
    here = caller_from(f"{network}.1")
    await many(NETWORK.free, lambda: here.post("/auth/sso/exchange", {"code": WRONG}))
    reply = await here.post("/auth/login", {"email": f"nobody@{network}.example", "password": "wrong password"})
    assert reply.status == 401


def test_the_limits_are_in_the_description() -> None:
    for path, method in (("{slug}/start", "get"), ("{slug}/callback", "get"), ("exchange", "post")):
        assert "429" in DOCUMENT["paths"][f"/api/v1/auth/sso/{path}"][method]["responses"], path
