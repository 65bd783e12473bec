"""The door that providers come through: who may, what is kept of it, and what is not."""

import asyncio
import secrets
from typing import Any

import asyncpg
import pytest

from tests.client import Client, Project, Reply
from tests.inbound.bots import Bot, make_bot
from tests.running import Site

LETTERS = "abcdefghij" * 100
LINES = 16
"""That Telegram calls on at once; by itself it uses up to 40. A crowd of strangers is sent away by the edge."""


@pytest.fixture(scope="module")
async def bot(acme: Project, site: Site, sql: asyncpg.Connection) -> Bot:
    return await make_bot(acme.key, site, sql)


@pytest.fixture(scope="module")
async def rivals_bot(rival: Project, site: Site, sql: asyncpg.Connection) -> Bot:
    return await make_bot(rival.key, site, sql)


async def kept(sql: asyncpg.Connection, bot: Bot) -> list[Any]:
    return list(
        await sql.fetch(
            "SELECT event_id, state, env, project_id::text, payload::text FROM tocsin.inbound_raw"
            " WHERE connection_id = $1 ORDER BY id",
            bot.connection["id"],
        )
    )


def update(number: int, **fields: Any) -> dict[str, Any]:
    return {"update_id": number, **fields}


async def test_a_genuine_call_is_kept_as_it_came(bot: Bot, acme: Project, sql: asyncpg.Connection) -> None:
    reply = await bot.update(update(1, message={"text": "héllo \U0001f600"}))
    assert (reply.status, reply.json) == (200, None)
    [row] = [each for each in await kept(sql, bot) if each["event_id"] == "1"]
    assert (row["project_id"], row["env"]) == (acme.id, "live") and "héllo \U0001f600" in row["payload"]


async def test_the_same_update_a_thousand_times_is_kept_once(bot: Bot, sql: asyncpg.Connection) -> None:
    lines = asyncio.Semaphore(LINES)

    async def call() -> Reply:
        async with lines:
            return await bot.update(update(2))

    replies = await asyncio.gather(*(call() for _ in range(1_000)))
    assert {reply.status for reply in replies} == {200}
    assert [row["event_id"] for row in await kept(sql, bot)].count("2") == 1


async def test_two_bots_may_count_alike(bot: Bot, rivals_bot: Bot, sql: asyncpg.Connection) -> None:
    for each in (bot, rivals_bot):
        assert (await each.update(update(3))).status == 200
        assert "3" in [row["event_id"] for row in await kept(sql, each)]


@pytest.mark.parametrize("secret", ["", "wrong", "é", "x" * 5_000], ids=["none", "wrong", "not ASCII", "long"])
async def test_a_wrong_secret_looks_like_an_unknown_address(bot: Bot, secret: str, sql: asyncpg.Connection) -> None:
    before = len(await kept(sql, bot))
    forged = await bot.update(update(4), secret=secret)
    unknown = await Client(bot.api.http, bot.api.base).post(f"/hooks/telegram/{secrets.token_urlsafe(24)}", update(4))
    assert forged.status == unknown.status == 401
    assert without_id(forged.json) == without_id(unknown.json)
    assert len(await kept(sql, bot)) == before


async def test_the_secret_of_another_project_opens_nothing(bot: Bot, rivals_bot: Bot, sql: asyncpg.Connection) -> None:
    assert (await bot.update(update(5), secret=rivals_bot.secret)).status == 401
    assert "5" not in [row["event_id"] for each in (bot, rivals_bot) for row in await kept(sql, each)]


@pytest.mark.parametrize("provider", ["whatsapp", "slack", "nobody"])
async def test_the_address_of_a_bot_is_of_no_other_provider(bot: Bot, provider: str) -> None:
    elsewhere = Bot(bot.connection, bot.api, bot.path.replace("/telegram/", f"/{provider}/"), bot.secret)
    assert (await elsewhere.update(update(6))).status == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b'{"update_id": 7', 400),
        (b"[" * 500 + b"]" * 500, 400),
        (b'{"update_id": "7"}', 400),
        (b"[]", 400),
        (b'{"update_id": true}', 400),
        (b"\xff\xfe", 400),
        (b'{"update_id": 7, "x": "' + LETTERS.encode() * 1_100 + b'"}', 413),
    ],
    ids=["empty", "half", "deep", "no number", "a list", "a truth", "no text", "huge"],
)
async def test_what_is_no_update_is_refused_and_not_kept(
    bot: Bot, body: bytes, status: int, sql: asyncpg.Connection
) -> None:
    assert (await bot.update(body)).status == status
    assert "7" not in [row["event_id"] for row in await kept(sql, bot)]


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=utf-16", "multipart/form-data"])
async def test_only_json_is_read(bot: Bot, kind: str) -> None:
    assert (await bot.update(update(8), Content_Type=kind)).status == 415


async def test_a_forged_call_is_refused_before_it_is_read(bot: Bot) -> None:
    assert (await bot.update(b"no json at all", secret="wrong")).status == 401


async def test_a_text_with_nul_is_kept_without_it(bot: Bot, sql: asyncpg.Connection) -> None:
    assert (await bot.update(b'{"update_id": 9, "x": "a\\u0000b"}')).status == 200
    [row] = [each for each in await kept(sql, bot) if each["event_id"] == "9"]
    assert "a\\ufffdb" in row["payload"] or "a�b" in row["payload"]


async def test_what_comes_to_a_bot_of_the_sandbox_stays_there(
    acme: Project, site: Site, sql: asyncpg.Connection
) -> None:
    bot = await make_bot(acme.test_key, site, sql)
    assert (await bot.update(update(10))).status == 200
    assert [row["env"] for row in await kept(sql, bot)] == ["test"]


async def test_a_suspended_project_loses_nothing(acme: Project, bot: Bot, sql: asyncpg.Connection) -> None:
    await sql.execute("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1", acme.id)
    try:
        assert (await bot.update(update(11))).status == 200
    finally:
        await sql.execute("UPDATE tocsin.projects SET status = 'active' WHERE id = $1", acme.id)
    assert "11" in [row["event_id"] for row in await kept(sql, bot)]


async def test_who_guesses_at_addresses_is_told_to_wait_and_the_provider_is_not(behind: Client, bot: Bot) -> None:
    """From one network: the bot's own calls come from there as well."""
    nearby = {"X-Forwarded-For": "203.0.113.77"}
    caller = Client(behind.http, behind.base, nearby)
    statuses = [(await caller.post(f"/hooks/telegram/{secrets.token_urlsafe(24)}", {})).status for _ in range(22)]
    assert statuses == [401] * 20 + [429] * 2
    assert (await Bot(bot.connection, behind, bot.path, bot.secret).update(update(12), **nearby)).status == 200
    elsewhere = Client(behind.http, behind.base, {"X-Forwarded-For": "198.51.100.7"})
    assert (await elsewhere.post("/hooks/telegram/x", {})).status == 401


async def test_an_address_that_exists_refuses_what_is_not_genuine_and_never_says_to_wait(
    behind: Client, bot: Bot
) -> None:
    """Discord calls with wrong signatures now and then, and gives up an address that answers otherwise."""
    caller = Client(behind.http, behind.base, {"X-Forwarded-For": "203.0.114.77"})
    assert {(await caller.post(bot.path, update(13))).status for _ in range(25)} == {401}
    assert {(await caller.get(bot.path)).status for _ in range(25)} == {403}


async def test_the_address_goes_with_its_connection(acme: Project, site: Site, sql: asyncpg.Connection) -> None:
    bot = await make_bot(acme.key, site, sql)
    assert (await acme.key.delete(f"/connections/{bot.connection['id']}")).status == 204
    assert (await bot.update(update(13))).status == 401


async def test_a_bot_is_asked_for_no_handshake(bot: Bot) -> None:
    reply = await Client(bot.api.http, bot.api.base).get(bot.path, **{"hub.challenge": "1"})
    unknown = await Client(bot.api.http, bot.api.base).get("/hooks/telegram/x", **{"hub.challenge": "1"})
    assert reply.status == unknown.status == 403 and without_id(reply.json) == without_id(unknown.json)


def without_id(problem: Any) -> Any:
    return {name: value for name, value in problem.items() if name != "requestId"}
