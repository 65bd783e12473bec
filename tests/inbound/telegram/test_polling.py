"""A bot that is asked, because nobody can call: one worker at a time, nothing lost, nothing twice (C7, T9)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.engines import fresh_database
from tests.inbound.telegram.bot_api import POLL_SECONDS, BotApi
from tests.inbound.telegram.town import Bot, Town, new_bot, new_chat, verified_bot
from tests.pipeline import until
from tests.running import Site, running, running_api, start
from tocsin.kit.postgres import Running


@pytest.fixture(scope="module")
async def inside(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession, far: BotApi
) -> AsyncIterator[Town]:
    """An installation that the world does not reach; workers come and go with the tests."""
    async with fresh_database(cluster, template) as url:
        site = Site(url, home, settings={"TOCSIN_TELEGRAM_API_URL": far.url})
        sql = await asyncpg.connect(url)
        with running_api(site) as process:
            yield Town(site, Client(http, process.url), sql, far)
        await sql.close()


@pytest.fixture(scope="module")
async def village(inside: Town) -> Project:
    return await sign_up(inside.api, "Village")


@pytest.fixture
async def bot(inside: Town, village: Project) -> AsyncIterator[Bot]:
    bot = await verified_bot(inside, village)
    yield bot
    await village.key.delete(f"/connections/{bot.id}")


def says(chat: int, text: str) -> dict[str, Any]:
    return {"message_id": 1, "date": 1, "chat": {"id": chat, "type": "private"}, "text": text}


async def processed(bot: Bot, *numbers: int) -> list[str]:
    """The states of these updates, once all have one."""

    async def look() -> list[str] | None:
        rows = [await bot.ended(number) for number in numbers]
        return [row["state"] for row in rows] if all(rows) else None

    return await until(look, 20)


async def test_a_bot_that_nobody_can_call_is_asked(inside: Town, village: Project, bot: Bot) -> None:
    setup = (await village.key.get(f"/connections/{bot.id}/setup")).json
    assert (setup["mode"], setup["address"]) == ("polling", None) and setup["registeredAt"] is not None
    chat = new_chat()
    with running(inside.site, "worker"):
        numbers = [inside.far.tell(bot.token, message=says(chat, text)) for text in ("/start", "/stop", "/status")]
        assert await processed(bot, *numbers) == ["processed"] * 3
        later = inside.far.tell(bot.token, message=says(chat, "hello"))
        assert await processed(bot, later) == ["ignored"]
    assert await bot.reachable(chat) == "opted_out"
    assert ["From" in words or "open your own link" in words for words in bot.answers(chat)] == [True, False, False]


async def test_two_workers_ask_as_one(inside: Town, bot: Bot) -> None:
    with running(inside.site, "worker"), running(inside.site, "worker"):
        chat = new_chat()
        numbers = [inside.far.tell(bot.token, message=says(chat, "/status")) for _ in range(20)]
        assert await processed(bot, *numbers) == ["processed"] * 20
    assert len(bot.answers(chat)) == 20
    asked = [after for after in bot.known.asked_after if after is not None]
    assert asked == sorted(asked)


async def test_what_a_worker_that_is_killed_was_told_is_neither_lost_nor_doubled(inside: Town, bot: Bot) -> None:
    chat, numbers = new_chat(), list[int]()
    for _ in range(4):
        worker = start(inside.site, "worker")
        try:
            for _ in range(5):
                numbers.append(inside.far.tell(bot.token, message=says(chat, "hello")))
            await until(lambda: bot.town.sql.fetchval(COUNT, bot.id), 20)
        finally:
            worker.kill()
        await bot.town.sql.execute(LEASES_OVER, bot.id)
    with running(inside.site, "worker"):
        assert set(await processed(bot, *numbers)) == {"ignored"}
    assert await bot.town.sql.fetchval(COUNT, bot.id) == len(numbers)


COUNT = "SELECT count(*) FROM tocsin.inbound_raw WHERE connection_id = $1"
GIVEN_BACK = "SELECT poll_token IS NULL AND poll_until > now() FROM tocsin.hooks WHERE connection_id = $1"
LEASES_OVER = (
    "UPDATE tocsin.hooks SET poll_until = now() - interval '1 s', lease_until = now() - interval '1 s'"
    " WHERE connection_id = $1"
)


async def test_somebody_else_who_is_called_for_the_bot_shows_as_its_health(inside: Town, village: Project) -> None:
    bot = await verified_bot(inside, village)
    bot.known.webhook = {"url": "https://other.example/hook"}
    with running(inside.site, "worker"):

        async def degraded() -> Any:
            row = (await village.key.get(f"/connections/{bot.id}")).json
            return row if row["healthStatus"] == "degraded" else None

        row = await until(degraded)
        assert "webhook" in row["statusReason"] and row["status"] == "active"
        bot.known.webhook = {}
        await until(lambda: inside.sql.fetchval(GIVEN_BACK, bot.id))
        await inside.sql.execute(LEASES_OVER, bot.id)

        async def well() -> bool:
            return bool((await village.key.get(f"/connections/{bot.id}")).json["healthStatus"] == "healthy")

        assert await until(well)
    await village.key.delete(f"/connections/{bot.id}")


async def test_somebody_else_who_hears_what_a_bot_is_told_is_told_to_its_owner_once(
    inside: Town, village: Project
) -> None:
    bot = await verified_bot(inside, village)
    with running(inside.site, "worker"):
        await conflicts(bot, 1)
        assert await told_owner(bot) == 0  # it may have been an asking of our own
        await conflicts(bot, 3)
        assert await told_owner(bot) == 1
        row = (await village.key.get(f"/connections/{bot.id}")).json
        assert row["statusReason"].startswith("Somebody else is told") and row["healthStatus"] == "degraded"
        await inside.sql.execute(LEASES_OVER, bot.id)
        await until(lambda: inside.sql.fetchval(WELL, bot.id))
        await conflicts(bot, 2)
        assert await told_owner(bot) == 1  # two who ask in turns are well in between
        await inside.sql.execute("UPDATE tocsin.hooks SET conflict_at = conflict_at - interval '2 hours'")
        await inside.sql.execute(LEASES_OVER, bot.id)
        await until(lambda: inside.sql.fetchval(WELL, bot.id))
        await conflicts(bot, 2)
        assert await told_owner(bot) == 2
    entries = (await village.owner.get("/audit", action="connection.led_away", resourceId=bot.id)).json["items"]
    assert len(entries) == 2
    await village.key.delete(f"/connections/{bot.id}")


WELL = "SELECT health_status = 'healthy' FROM tocsin.connections WHERE id = $1"


async def conflicts(bot: Bot, times: int) -> None:
    """Have the next askings refused: another is answered in their place."""
    refusal = (409, {"description": "Conflict: terminated by other getUpdates request"})
    for _ in range(times):
        bot.town.far.refusals["getUpdates"] = [refusal]
        await bot.town.sql.execute(LEASES_OVER, bot.id)

        async def met() -> bool:
            taken = not bot.town.far.refusals["getUpdates"]
            return taken and bool(await bot.town.sql.fetchval(GIVEN_BACK, bot.id))

        await until(met)


async def told_owner(bot: Bot) -> int:
    told = "SELECT count(*) FROM tocsin.mails WHERE project_id = $1 AND kind = 'connection_led_away'"
    count: int = await bot.town.sql.fetchval(told, UUID(bot.project.id))
    return count


async def test_a_bot_whose_token_died_is_stopped(inside: Town, village: Project) -> None:
    bot = await verified_bot(inside, village)
    del inside.far.bots[bot.token]
    with running(inside.site, "worker"):

        async def stopped() -> Any:
            row = (await village.key.get(f"/connections/{bot.id}")).json
            return row if row["status"] == "error" else None

        assert bot.token not in str(await until(stopped))
    await village.key.delete(f"/connections/{bot.id}")


async def test_another_bot_is_asked_from_its_own_beginning(inside: Town, village: Project) -> None:
    """Bots count their updates each for itself: what one has told by its change would have the next one's forgotten."""
    bot, other = [await verified_bot(inside, village) for _ in range(2)]
    assert (await village.key.delete(f"/connections/{other.id}")).status == 204
    with running(inside.site, "worker"):
        bot.known.updates.append({"update_id": 900_000_000, "message": says(new_chat(), "hello")})
        assert await processed(bot, 900_000_000) == ["ignored"]
        changed = await village.key.put(f"/connections/{bot.id}", {"credentials": {"botToken": other.token}})
        assert changed.json["status"] == "pending"
        number = inside.far.tell(other.token, message=says(new_chat(), "hello"))
        await asyncio.sleep(3 * POLL_SECONDS)
        assert (await bot.verify()).json["status"] == "active"
        assert await processed(bot, number) == ["ignored"]
    assert other.known.asked_after[0] is None
    await village.key.delete(f"/connections/{bot.id}")


async def test_a_foreign_address_is_not_ended_unasked(inside: Town, village: Project) -> None:
    bot = await new_bot(inside, village)
    bot.known.webhook = {"url": "https://other.example/hook"}
    assert (await bot.verify()).code == "webhook_taken"
    assert (await bot.verify(takeOver=True)).json["status"] == "active"
    assert bot.known.webhook == {}
    await village.key.delete(f"/connections/{bot.id}")


async def test_the_owner_may_choose_to_be_asked(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop, settings={"mode": "polling"})
    assert bot.known.webhook == {}
    chat = new_chat()
    number = town.far.tell(bot.token, message=says(chat, "/start"))
    assert await processed(bot, number) == ["processed"]


async def test_a_suspended_bot_is_not_waited_for(inside: Town, village: Project, bot: Bot) -> None:
    """Telegram would answer in twenty seconds; the worker hangs up within a second or so."""
    bot.known.poll_seconds = 20

    async def being_asked() -> bool:
        return bool(bot.known.asked_after)

    async def hung_up() -> bool:
        token = "SELECT poll_token FROM tocsin.hooks WHERE connection_id = $1"
        return await inside.sql.fetchval(token, bot.id) is None

    with running(inside.site, "worker"):
        await until(being_asked)
        assert not await hung_up()
        reply = await village.owner.send("PATCH", f"/connections/{bot.id}/suspend", {"reason": "spam"})
        assert reply.status == 200, reply.json
        await until(hung_up, 10)
        assert len(bot.known.asked_after) == 1


async def test_of_more_bots_than_a_worker_asks_for_at_once_each_has_its_turn(inside: Town, village: Project) -> None:
    """Whoever waited longest comes first. No worker runs."""
    bots = [await verified_bot(inside, village) for _ in range(3)]
    await inside.sql.execute(
        "UPDATE tocsin.hooks SET poll_until = now() + CASE WHEN connection_id = ANY ($1) THEN interval '-1 s'"
        " ELSE interval '1 day' END WHERE polled",
        [bot.id for bot in bots],
    )
    asked = []
    for _ in range(2 * len(bots)):
        token = uuid4()
        [claimed] = await inside.sql.fetch("SELECT connection_id FROM tocsin.claim_polls(1, 90, $1)", token)
        asked.append(str(claimed["connection_id"]))
        await inside.sql.execute(
            "UPDATE tocsin.hooks SET poll_token = NULL, poll_until = clock_timestamp() WHERE connection_id = $1",
            claimed["connection_id"],
        )
    assert sorted(asked[: len(bots)]) == sorted(bot.id for bot in bots)
    assert asked[len(bots) :] == asked[: len(bots)]
    for bot in bots:
        await village.key.delete(f"/connections/{bot.id}")
