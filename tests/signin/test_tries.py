"""Guessing is slow, and shuts nobody out (A4, P18; rows 90 and 91)."""

import asyncio
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie

import asyncpg
import pytest
from fastapi import Response
from starlette.requests import Request

from tests.client import PASSWORD, Client, Project, Reply, sign_up
from tests.running import Site
from tests.signin.authenticator import login
from tests.signin.conftest import From
from tocsin.auth.devices import LIFETIME_SECONDS, Devices
from tocsin.auth.tries import NETWORK, PASSWORDS, Counter, Tries, network_of
from tocsin.kit.crypto import MasterKey
from tocsin.kit.db import Database
from tocsin.kit.errors import TooManyRequests, Unauthorized
from tocsin.kit.ids import new_id

WRONG = "wrong password"


async def wrong(api: Client, email: str, times: int = 1) -> list[Reply]:
    return [await api.post("/auth/login", {"email": email, "password": WRONG}) for _ in range(times)]


def device_of(reply: Reply) -> str:
    """The cookie that an answer sets, as a browser would send it back."""
    (morsel,) = SimpleCookie(reply.headers["Set-Cookie"]).values()
    return f"{morsel.key}={morsel.value}"


@pytest.fixture
async def project(api: Client) -> Project:
    return await sign_up(api, "Guessed")


@pytest.fixture
async def device(api: Client, project: Project) -> str:
    return device_of(await login(api, project))


async def test_after_ten_wrong_passwords_even_the_right_one_has_to_wait(api: Client, project: Project) -> None:
    assert [reply.status for reply in await wrong(api, project.email, 10)] == [401] * 10
    refused = await login(api, project)
    assert (refused.status, refused.code) == (429, "too_many_tries")
    assert 1 <= int(refused.headers["Retry-After"]) <= 2


async def test_an_unknown_account_is_counted_like_a_known_one(api: Client, project: Project) -> None:
    def told(replies: list[Reply]) -> list[tuple[int, str | None]]:
        return [(reply.status, reply.code) for reply in replies]

    known = await wrong(api, project.email, 12)
    unknown = await wrong(api, f"nobody@{project.slug}.example", 12)
    assert told(known) == told(unknown)
    assert told(known)[-1] == (429, "too_many_tries")


async def test_naming_a_project_or_another_gives_no_further_tries(
    api: Client, project: Project, rival: Project
) -> None:
    for slug in (project.slug, rival.slug, "no-such-project", None, project.slug) * 2:
        assert (await login(api, project, slug=slug, password=WRONG)).status == 401
    for slug in (project.slug, rival.slug, None):
        assert (await login(api, project, slug=slug)).status == 429


async def test_tries_at_once_are_not_more_than_tries_in_turn(api: Client, project: Project) -> None:
    replies = await asyncio.gather(*(login(api, project, password=WRONG) for _ in range(40)))
    statuses = [reply.status for reply in replies]
    assert set(statuses) == {401, 429} and statuses.count(401) <= 11


async def test_many_who_know_the_password_may_come_at_once(api: Client, project: Project) -> None:
    replies = await asyncio.gather(*(login(api, project) for _ in range(20)))
    assert [reply.status for reply in replies] == [200] * 20


async def test_right_passwords_are_not_counted(api: Client, project: Project) -> None:
    for _ in range(12):
        assert (await login(api, project)).status == 200


async def test_tries_on_one_process_count_on_the_other(pair: tuple[Client, Client]) -> None:
    one, other = pair
    project = await sign_up(one)
    assert [r.status for caller in pair for r in await wrong(caller, project.email, 5)] == [401] * 10
    for caller in (one, other):
        assert (await login(caller, project)).status == 429


async def test_strangers_cannot_use_up_the_tries_of_a_device_that_was_here(
    api: Client, project: Project, device: str
) -> None:
    await wrong(api, project.email, 12)
    assert (await login(api, project)).status == 429
    at_home = api.with_headers(Cookie=device)
    assert (await login(at_home, project, password=WRONG)).status == 401
    again = await login(at_home, project)
    assert again.status == 200
    assert (await login(api.with_headers(Cookie=device_of(again)), project)).status == 200


async def test_the_device_that_signed_up_is_known(api: Client) -> None:
    body = {"email": "first@device.example", "password": PASSWORD, "projectName": "First", "slug": "first-device"}
    reply = await api.post("/signup", body)
    await wrong(api, body["email"], 11)
    at_home = api.with_headers(Cookie=device_of(reply))
    signed_in = await at_home.post("/auth/login", {"email": body["email"], "password": PASSWORD})
    assert signed_in.status == 200


async def test_a_known_device_has_no_more_tries_than_anybody(api: Client, project: Project, device: str) -> None:
    """Its own ten, then those of strangers: a stolen cookie does not make guessing fast."""
    thief = api.with_headers(Cookie=device)
    assert [reply.status for reply in await wrong(thief, project.email, 20)] == [401] * 20
    assert (await login(thief, project)).status == 429


async def test_a_device_of_another_account_is_a_strangers(api: Client, project: Project) -> None:
    """Even of the same e-mail: anybody may sign up with it."""
    impostor = await sign_up(api, "Impostor", email=project.email, password="password of the impostor")
    own = await login(api, impostor, slug=impostor.slug, password="password of the impostor")
    assert own.status == 200
    await wrong(api, project.email, 11)
    at_the_impostors = api.with_headers(Cookie=device_of(own))
    assert (await login(at_the_impostors, project, slug=project.slug)).status == 429
    assert (await login(at_the_impostors, project)).status == 401
    theirs = await login(at_the_impostors, impostor, slug=impostor.slug, password="password of the impostor")
    assert theirs.status == 200


async def test_signing_in_to_an_account_of_the_same_e_mail_frees_no_tries(api: Client, project: Project) -> None:
    impostor = await sign_up(api, "Impostor", email=project.email, password="password of the impostor")
    guessed = 0
    for _ in range(14):
        own = await login(api, impostor, slug=impostor.slug, password="password of the impostor")
        guess = await login(api, project, slug=project.slug, password=WRONG)
        guessed += guess.status == 401
        assert own.status in (200, 429)
    assert guessed <= 12


async def test_one_browser_is_known_to_several_accounts(api: Client, project: Project, device: str) -> None:
    second = await sign_up(api, "Second")
    cookie = device_of(await login(api.with_headers(Cookie=device), second))
    for each in (project, second):
        await wrong(api, each.email, 11)
        assert (await login(api, each)).status == 429
        assert (await login(api.with_headers(Cookie=cookie), each)).status == 200


async def test_a_changed_cookie_is_worth_nothing(api: Client, project: Project, device: str) -> None:
    await wrong(api, project.email, 11)
    name, _, value = device.partition("=")
    for at in (3, len(value) // 2, len(value) - 3):
        forged = value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :]
        assert (await login(api.with_headers(Cookie=f"{name}={forged}"), project)).status == 429
    for junk in ("", "x", "%%%", "A" * 5_000, "é"):
        assert (await login(api.with_headers(Cookie=f"{name}={junk}"), project)).status == 429
    assert (await login(api.with_headers(Cookie=device), project)).status == 200


async def test_the_cookie_signs_nobody_in(api: Client, project: Project, device: str) -> None:
    """It chooses a counter and nothing else, so a foreign page that makes a browser send it gains nothing."""
    carried = api.with_headers(Cookie=device)
    for method, path in (("GET", "/auth/me"), ("GET", "/projects/me"), ("DELETE", "/auth/sessions")):
        assert (await carried.send(method, path)).status == 401
    assert (await carried.post("/auth/logout")).status == 401
    assert (await login(carried, project, password=WRONG)).status == 401


def test_by_https_the_cookie_is_bound_to_this_host() -> None:
    devices, answer = Devices(MasterKey(b"k" * 32), secure=True), Response()
    devices.remember(answer, None, new_id(), new_id())
    set_cookie = answer.headers["set-cookie"]
    assert set_cookie.startswith("__Host-tocsin_device=")
    parts = {part.strip().lower() for part in set_cookie.split(";")[1:]}
    assert parts == {"httponly", "secure", "samesite=strict", "path=/", f"max-age={LIFETIME_SECONDS}"}


def test_a_browser_remembers_eight_accounts_and_forgets_the_oldest() -> None:
    devices, project_id, people = Devices(MasterKey(b"k" * 32), secure=False), new_id(), [new_id() for _ in range(9)]
    device = None
    for person in people:
        answer = Response()
        devices.remember(answer, device, project_id, person)
        shown = answer.headers["set-cookie"].partition(";")[0].encode()
        device = devices.of(Request({"type": "http", "headers": [(b"cookie", shown)]}))
    assert [devices.knows(device, project_id, person) for person in people] == [False] + [True] * 8


def test_a_cookie_of_another_installation_is_not_known() -> None:
    answer, person = Response(), new_id()
    Devices(MasterKey(b"k" * 32), secure=False).remember(answer, None, person, person)
    shown = answer.headers["set-cookie"].partition(";")[0].encode()
    other = Devices(MasterKey(b"o" * 32), secure=False)
    assert other.of(Request({"type": "http", "headers": [(b"cookie", shown)]})) is None


async def test_one_network_that_tries_many_accounts_has_to_wait(
    api: Client, caller_from: From, network: str, project: Project, device: str
) -> None:
    here, beside = caller_from(f"{network}.1"), caller_from(f"{network}.2")
    statuses = []
    for batch in range(0, 30, 10):  # fewer than find no place in the process
        tries = (wrong(caller, f"{batch + n}@{network}.example") for n in range(10) for caller in (here, beside))
        statuses += [reply.status for (reply,) in await asyncio.gather(*tries)]
    assert statuses.count(401) == 50 and statuses.count(429) == 10
    refused = await login(here, project)
    assert refused.status == 429 and 600 < int(refused.headers["Retry-After"]) <= 900
    assert (await login(here.with_headers(Cookie=device), project)).status == 200
    assert (await login(api, project)).status == 200


async def test_a_network_that_sends_forged_refresh_tokens_has_to_wait(
    api: Client, caller_from: From, network: str, project: Project
) -> None:
    here = caller_from(f"{network}.1")
    token = project.signed_up["tokens"]["refreshToken"]
    for _ in range(50):
        assert (await here.post("/auth/refresh", {"refreshToken": token[:-4] + "AAAA"})).status == 401
    refused = await here.post("/auth/refresh", {"refreshToken": token})
    assert (refused.status, refused.code) == (429, "too_many_tries")
    assert (await api.post("/auth/refresh", {"refreshToken": token})).status == 200


async def test_a_session_that_refreshes_without_end_has_to_wait_and_lives_on(api: Client, project: Project) -> None:
    body = {"refreshToken": project.signed_up["tokens"]["refreshToken"]}
    for _ in range(120):
        reply = await api.post("/auth/refresh", body)
        assert reply.status == 200
        body = {"refreshToken": reply.json["tokens"]["refreshToken"]}
    assert (await api.post("/auth/refresh", body)).status == 429
    assert (await api.with_token(reply.json["tokens"]["accessToken"]).get("/auth/me")).status == 200


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("127.0.0.2", "127.0.0.0/24"),
        ("127.0.0.1", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        (None, None),
    ],
)
def test_a_network_is_what_one_person_may_have_many_addresses_of(address: str | None, network: str | None) -> None:
    assert [counter.of for counter in network_of(address)] == ([network] if network else [])


@pytest.fixture
async def tries(site: Site, sql: asyncpg.Connection) -> AsyncIterator[Tries]:
    """Counters of the installation, empty."""
    await sql.execute("DELETE FROM tocsin.tries")
    db = Database(site.app_url, ordinary=4, hot=0, statement_seconds=5)
    yield Tries(db, site.master)
    await db.close()


async def guess(tries: Tries, *counters: Counter) -> int:
    """A wrong try; 0, or the seconds to wait."""
    try:
        async with tries.attempt(*counters):
            raise Unauthorized("wrong", "It was wrong.")
    except Unauthorized:
        return 0
    except TooManyRequests as refused:
        return int(refused.headers["Retry-After"])


async def pass_time(sql: asyncpg.Connection, seconds: int) -> None:
    """As if it had passed: what is counted is that much older."""
    earlier = "UPDATE tocsin.tries SET began = began - $1 * interval '1 s', next_at = next_at - $1 * interval '1 s'"
    await sql.execute(earlier, seconds)


async def test_whoever_waits_as_told_guesses_less_than_a_hundred_times_an_hour(
    tries: Tries, sql: asyncpg.Connection
) -> None:
    account = Counter("email", "hour@guesses.example", PASSWORDS)
    passed, made, waits = 0, 0, []
    while passed < 3600:
        wait = await guess(tries, account)
        made += wait == 0
        if wait:
            waits.append(wait)
            await pass_time(sql, wait)
            passed += wait
    assert 20 < made <= 100
    assert waits[:6] == [2, 4, 8, 16, 32, 64]
    assert max(waits) <= 900


async def test_after_a_quiet_quarter_of_an_hour_tries_are_free_again(tries: Tries, sql: asyncpg.Connection) -> None:
    account = Counter("email", "quiet@guesses.example", PASSWORDS)
    assert [await guess(tries, account) for _ in range(11)][-2:] == [0, 2]
    await pass_time(sql, 901)
    assert [await guess(tries, account) for _ in range(10)] == [0] * 10


async def test_who_is_refused_by_one_counter_is_counted_by_none(tries: Tries, sql: asyncpg.Connection) -> None:
    network = Counter("network", "198.51.100.0/24", NETWORK)
    await asyncio.gather(*(guess(tries, network) for _ in range(50)))
    account = Counter("email", "both@guesses.example", PASSWORDS)
    for _ in range(3):
        assert await guess(tries, account, network) > 600
    assert await sql.fetchval("SELECT count(*) FROM tocsin.tries") == 1


async def test_nobody_can_read_from_the_counters_who_was_tried(tries: Tries, sql: asyncpg.Connection) -> None:
    await guess(tries, Counter("email", "secret@guesses.example", PASSWORDS))
    (row,) = await sql.fetch("SELECT project_id::text, name FROM tocsin.tries")
    assert row["project_id"] == "00000000-0000-7000-8000-000000000000"
    assert len(row["name"]) == 32 and b"secret" not in row["name"]


async def test_counters_that_count_no_longer_are_removed(tries: Tries, sql: asyncpg.Connection) -> None:
    for n in range(6):
        await guess(tries, Counter("email", f"{n}@guesses.example", PASSWORDS))
    await pass_time(sql, 3700)
    for n in range(2):
        await guess(tries, Counter("email", f"new-{n}@guesses.example", PASSWORDS))
    assert await sql.fetchval("SELECT count(*) FROM tocsin.tries") == 2
