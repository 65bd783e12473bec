"""A 429 of Telegram may be one chat's limit: others are told meanwhile, until several have met it (D4)."""

import json
from typing import Any
from uuid import UUID

from tests.client import Project
from tests.inbound.telegram.town import Bot, Town, linked, verified_bot
from tests.pipeline import deliveries_of, make_rule, send_event, until
from tocsin.connections.address_pauses import SEVERAL

TOO_MANY = (429, {"description": "Too Many Requests", "parameters": {"retry_after": 40}})


async def states(bot: Bot, event: str) -> list[Any]:
    return [each["state"] for each in await deliveries_of(bot.project.key, event, "telegram")]


async def status(bot: Bot) -> str:
    return str((await bot.project.key.get(f"/connections/{bot.id}")).json["status"])


async def test_one_chat_waits_alone_and_what_follows_it_there_asks_nothing(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    ann, bob = await shop.add_user(name="Ann"), await shop.add_user(name="Bob")
    chat = await linked(bot, ann)
    await linked(bot, bob)
    before = len(bot.answers(chat))
    await make_rule(shop, "telegram", targetUsers=[ann["id"]], eventTypes=["ann.only"])
    await make_rule(shop, "telegram", targetUsers=[bob["id"]], eventTypes=["bob.only"])
    town.far.refusals["sendMessage"] = [TOO_MANY]
    first = await send_event(shop.key, "ann.only")
    refused = await until(lambda: attempted(bot, first))
    assert [each["status"] for each in refused] == [429]
    second = await send_event(shop.key, "ann.only")
    other = await send_event(shop.key, "bob.only")
    await until(lambda: sent(bot, other))
    await until(lambda: waits(town, second))
    assert await states(bot, first) == await states(bot, second) == ["queued"]
    assert len(bot.answers(chat)) == before + 1 and await status(bot) == "active"


async def test_several_chats_are_the_whole_bot(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    people = [await shop.add_user(name=f"P{number}") for number in range(SEVERAL)]
    for each in people:
        await linked(bot, each)
    await make_rule(shop, "telegram", targetUsers=[each["id"] for each in people], eventTypes=["all.of.them"])
    long = (429, {**TOO_MANY[1], "parameters": {"retry_after": 90}})
    town.far.refusals["sendMessage"] = SEVERAL * [long]
    await send_event(shop.key, "all.of.them")

    async def paused() -> bool:
        return await status(bot) == "rate_limited"

    await until(paused)
    told = await town.sql.fetch("SELECT project_id, payload FROM tocsin.events WHERE type = 'tocsin.connection.paused'")
    of_this_bot = [each["project_id"] for each in told if json.loads(each["payload"])["connectionId"] == bot.id]
    assert of_this_bot == [UUID(shop.id)]


async def attempted(bot: Bot, event: str) -> list[Any]:
    [found] = await deliveries_of(bot.project.key, event, "telegram") or [{"id": None}]
    if found["id"] is None:
        return []
    return list((await bot.project.key.get(f"/deliveries/{found['id']}")).json["attempts"])


async def sent(bot: Bot, event: str) -> bool:
    return await states(bot, event) == ["sent"]


async def waits(town: Town, event: str) -> bool:
    """It is put off, and nothing was attempted."""
    return bool(
        await town.sql.fetchval(
            """SELECT d.due_at > now() + interval '20 s' AND d.last_error LIKE 'waits:%' FROM tocsin.deliveries d
            JOIN tocsin.notifications n ON n.project_id = d.project_id AND n.id = d.notification_id
            WHERE n.event_id = $1::uuid""",
            event,
        )
    )
