"""People and bots: a link that makes a chat theirs, stopping, blocking, and the groups that a bot is in (C7, C10)."""

import asyncio
from typing import Any

import pytest

from tests.client import Client, Project
from tests.inbound.bots import hooked
from tests.inbound.telegram.town import PUBLIC, Bot, Town, link_of, linked, new_bot, new_chat, verified_bot
from tests.people import join
from tests.pipeline import ended, make_rule, send_event


@pytest.fixture(scope="module")
async def bot(town: Town, shop: Project) -> Bot:
    return await verified_bot(town, shop)


async def chats_of(caller: Client, user: Any) -> list[tuple[str, bool]]:
    rows = (await caller.get(f"/users/{user['id']}/addresses")).json
    return [(row["value"], row["verifiedAt"] is not None) for row in rows if row["channel"] == "telegram"]


async def test_a_link_makes_the_chat_of_whoever_opens_it_a_verified_address(bot: Bot, shop: Project) -> None:
    ann, chat = await shop.add_user(name="Ann"), new_chat()
    reply = await shop.key.post(f"/users/{ann['id']}/addresses/telegram/link", {"connectionId": bot.id})
    assert reply.json["url"].startswith(f"https://t.me/{bot.known.username}?start=")
    payload = reply.json["url"].partition("?start=")[2]
    assert len(payload) <= 64
    await bot.says(chat, f"/start {payload}")
    assert await chats_of(shop.key, ann) == [(str(chat), True)]
    assert await bot.reachable(chat) == "reachable"
    [greeting] = bot.answers(chat)
    assert "Ann" in greeting and "Shop" in greeting
    [entry] = (await shop.owner.get("/audit", action="address.linked", resourceId=ann["id"])).json["items"]
    assert (entry["actorType"], entry["actorId"]) == ("user", ann["id"])


async def test_a_link_is_good_once(bot: Bot, shop: Project) -> None:
    ann, first, second = await shop.add_user(), new_chat(), new_chat()
    payload = await link_of(shop.key, ann, connectionId=bot.id)
    for chat in (first, second, first):
        await bot.says(chat, f"/start {payload}")
    assert await chats_of(shop.key, ann) == [(str(first), True)]
    assert "not valid" in bot.answers(second)[0] and "not valid" not in bot.answers(first)[1]


async def test_a_link_that_is_over_or_replaced_opens_nothing(bot: Bot, town: Town, shop: Project) -> None:
    ann, chat = await shop.add_user(), new_chat()
    replaced = await link_of(shop.key, ann, connectionId=bot.id)
    over = await link_of(shop.key, ann, connectionId=bot.id)
    await town.sql.execute("UPDATE tocsin.address_links SET expires_at = now() WHERE user_id = $1", ann["id"])
    for payload in (replaced, over, "x" * 64, "x" * 5_000, "'; --"):
        await bot.says(chat, f"/start {payload}")
    assert await chats_of(shop.key, ann) == [] and all("not valid" in words for words in bot.answers(chat))


async def test_a_link_of_one_bot_is_nothing_at_another(bot: Bot, town: Town, shop: Project, mill: Project) -> None:
    ann, chat = await shop.add_user(), new_chat()
    payload = await link_of(shop.key, ann, connectionId=bot.id)
    for other in (await verified_bot(town, shop), await verified_bot(town, mill)):
        await other.says(chat, f"/start {payload}")
        assert "not valid" in other.answers(chat)[0]
    assert await chats_of(shop.key, ann) == []


async def test_a_chat_is_of_one_person_of_a_project_and_of_one_of_each(
    bot: Bot, town: Town, shop: Project, mill: Project
) -> None:
    ann, bob, eve = await shop.add_user(), await shop.add_user(), await mill.add_user()
    mills = await verified_bot(town, mill)
    chat = await linked(bot, ann)
    await mills.says(chat, f"/start {await link_of(mill.key, eve, connectionId=mills.id)}")
    await bot.says(chat, f"/start {await link_of(shop.key, bob, connectionId=bot.id)}")
    assert await chats_of(shop.key, ann) == []
    [entry] = (await shop.owner.get("/audit", action="address.linked", resourceId=bob["id"])).json["items"]
    assert entry["metadata"]["takenFrom"] == [ann["id"]]
    assert await chats_of(shop.key, bob) == await chats_of(mill.key, eve) == [(str(chat), True)]


async def test_of_several_chats_the_one_linked_last_is_sent_to(bot: Bot, shop: Project) -> None:
    ann = await shop.add_user()
    first, second = await linked(bot, ann), await linked(bot, ann)
    await make_rule(shop, "telegram", targetUsers=[ann["id"]], eventTypes=["several.chats"])
    assert await sent_to(bot) == second
    await bot.says(first, f"/start {await link_of(shop.key, ann, connectionId=bot.id)}")
    assert await sent_to(bot) == first
    unknown = {"channel": "telegram", "value": str(new_chat()), "verified": True}
    assert (await shop.key.post(f"/users/{ann['id']}/addresses", unknown)).status == 201
    assert await sent_to(bot) == first and len(await chats_of(shop.key, ann)) == 3


async def test_nobody_is_sent_to_an_older_chat_around_a_stop(bot: Bot, shop: Project) -> None:
    ann = await shop.add_user()
    older, newer = await linked(bot, ann), await linked(bot, ann)
    await make_rule(shop, "telegram", targetUsers=[ann["id"]], eventTypes=["several.stopped"])
    await bot.says(newer, "/stop")
    done = await ended(shop.key, await send_event(shop.key, "several.stopped", order=7), "telegram")
    assert done["state"] == "suppressed" and len(bot.answers(older)) == 1


async def sent_to(bot: Bot) -> int:
    """The chat to which the next notification goes."""
    done = await ended(bot.project.key, await send_event(bot.project.key, "several.chats", order=7), "telegram")
    assert done["state"] == "sent", done
    return int(bot.known.of("sendMessage")[-1]["chat_id"])


async def test_start_alone_greets_and_links_nobody(bot: Bot) -> None:
    chat = new_chat()
    await bot.says(chat, "/start")
    assert "open your own link" in bot.answers(chat)[0] and await bot.reachable(chat) == "reachable"


async def test_stop_is_an_opt_out_until_start(bot: Bot, shop: Project) -> None:
    chat = await linked(bot, await shop.add_user())
    await bot.says(chat, "/stop")
    assert await bot.reachable(chat) == "opted_out"
    await bot.says(chat, "/status")
    assert "stopped" in bot.answers(chat)[-1]
    await bot.says(chat, f"/START@{bot.known.username}")
    assert await bot.reachable(chat) == "reachable"


async def test_status_says_who_one_is_here(bot: Bot, shop: Project) -> None:
    chat = await linked(bot, await shop.add_user(name="Ann <b>"))
    await bot.says(chat, "/status")
    assert "as Ann <b>." in bot.answers(chat)[-1]
    stranger = new_chat()
    await bot.says(stranger, "/status")
    assert "Nobody" in bot.answers(stranger)[0]


async def test_a_block_is_known_and_an_unblock_is_no_opt_in(bot: Bot, shop: Project) -> None:
    blocked, stopped = [await linked(bot, await shop.add_user()) for _ in range(2)]
    await bot.says(stopped, "/stop")
    for chat in (blocked, stopped):
        await bot.hear(my_chat_member=standing(chat, "private", "kicked"))
    assert (await bot.reachable(blocked), await bot.reachable(stopped)) == ("blocked", "opted_out")
    for chat in (blocked, stopped):
        await bot.hear(my_chat_member=standing(chat, "private", "member"))
    assert (await bot.reachable(blocked), await bot.reachable(stopped)) == ("reachable", "opted_out")


def standing(chat: int, kind: str, status: str, **more: str) -> dict[str, Any]:
    return {"chat": {"id": chat, "type": kind, **more}, "new_chat_member": {"status": status}}


async def test_groups_and_channels_tell_of_themselves(bot: Bot, shop: Project) -> None:
    await bot.hear(my_chat_member=standing(-1001, "supergroup", "member", title="Orders"))
    await bot.hear(my_chat_member=standing(-1002, "channel", "administrator", title="News"))
    await bot.hear(my_chat_member=standing(-1002, "channel", "left", title="News"))
    group = {"id": -1003, "type": "group", "title": "Old"}
    await bot.hear(message={"message_id": 1, "chat": group, "text": "/stop"})
    await bot.hear(message={"message_id": 2, "chat": group, "migrate_to_chat_id": -1004})
    items = (await shop.key.get(f"/connections/{bot.id}/chats")).json["items"]
    assert {(each["target"], each["title"], each["state"], each["kind"]) for each in items} == {
        ("-1001", "Orders", "open", "supergroup"),
        ("-1002", "News", "closed", "channel"),
        ("-1004", "Old", "open", "supergroup"),
    }
    assert await bot.reachable(-1003) is None


async def test_a_disabled_person_is_linked_to_nothing(bot: Bot, town: Town, shop: Project) -> None:
    ann, chat = await shop.add_user(), new_chat()
    payload = await link_of(shop.key, ann, connectionId=bot.id)
    await town.sql.execute("UPDATE tocsin.users SET status = 'disabled' WHERE id = $1", ann["id"])
    await bot.says(chat, f"/start {payload}")
    assert await chats_of(shop.key, ann) == []


async def test_people_make_links_for_themselves_alone(bot: Bot, town: Town, shop: Project) -> None:
    ann, bob = await join(town.api, shop), await shop.add_user()
    assert (await ann.client.post(f"/users/{ann.id}/addresses/telegram/link")).status == 201
    assert (await ann.client.post(f"/users/{bob['id']}/addresses/telegram/link")).status == 404


async def test_a_bot_of_another_project_looks_like_none_in_a_link(
    bot: Bot, town: Town, shop: Project, mill: Project
) -> None:
    eve = await mill.add_user()
    path = f"/users/{eve['id']}/addresses/telegram/link"
    foreign, unknown = [
        await mill.key.post(path, {"connectionId": id_}) for id_ in (bot.id, "00000000-0000-7000-8000-00000000dead")
    ]
    assert foreign.status == unknown.status == 422 and foreign.json["errors"] == unknown.json["errors"]


async def test_without_a_verified_bot_there_is_no_link(town: Town, shop: Project, mill: Project) -> None:
    ann = await shop.add_user()
    pending = await new_bot(town, shop)
    reply = await shop.key.post(f"/users/{ann['id']}/addresses/telegram/link", {"connectionId": pending.id})
    assert reply.status == 422


async def test_in_the_sandbox_a_person_is_linked_and_nothing_is_said(town: Town, shop: Project) -> None:
    bot = await new_bot(town, shop, caller=shop.test_key)
    assert (await shop.test_key.post(f"/connections/{bot.id}/verify")).status == 200
    ann, chat = await shop.add_user(env="test"), new_chat()
    payload = await link_of(shop.test_key, ann, connectionId=bot.id)
    await into_sandbox(bot, town)
    await bot.says(chat, f"/start {payload}")
    assert await chats_of(shop.test_key, ann) == [(str(chat), True)]
    assert bot.known.said == []


async def into_sandbox(bot: Bot, town: Town) -> None:
    """Telegram was told of nothing: the test calls where it would."""
    seen = await hooked(town.api, town.site, town.sql, {"id": bot.id})
    bot.known.webhook = {"url": f"{PUBLIC}/api/v1{seen.path}", "secret_token": seen.secret}


async def test_one_update_told_twice_at_once_counts_once(bot: Bot, shop: Project) -> None:
    chat = new_chat()
    update = {
        "update_id": 900_000,
        "message": {"message_id": 1, "chat": {"id": chat, "type": "private"}, "text": "/start"},
    }
    await asyncio.gather(*(bot.told(update) for _ in range(10)))
    await bot.says(chat, "/status")
    assert len(bot.answers(chat)) == 2
