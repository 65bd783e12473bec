"""From a notification in a chat to its acknowledgement by the button below it (R3, C7)."""

from typing import Any

import pytest

from tests.client import Project
from tests.inbound.telegram.bot_api import Known
from tests.inbound.telegram.town import Bot, Town, linked, new_chat, verified_bot
from tests.pipeline import ended, make_rule, notified, send_event


@pytest.fixture(scope="module")
async def bot(town: Town, shop: Project) -> Bot:
    return await verified_bot(town, shop)


@pytest.fixture(scope="module")
async def ann(shop: Project) -> Any:
    return await shop.add_user(name="Ann")


@pytest.fixture(scope="module")
async def chat(bot: Bot, ann: Any) -> int:
    return await linked(bot, ann)


@pytest.fixture(scope="module", autouse=True)
async def rule(bot: Bot, ann: Any, chat: int, shop: Project) -> Any:
    action = {"url": "https://shop.example/orders", "label": "Look"}
    return await make_rule(
        shop, "telegram", targetUsers=[ann["id"]], requireAck=True, action=action, eventTypes=["order.created"]
    )


async def told(bot: Bot, chat: int, type_: str = "order.created") -> tuple[Any, dict[str, Any]]:
    """A notification, and the message that told of it."""
    event = await send_event(bot.project.key, type_, order=7)
    done = await ended(bot.project.key, event, "telegram")
    assert done["state"] == "sent", done
    said = bot.known.of("sendMessage")[-1]
    assert said["chat_id"] == chat
    message = {
        "message_id": int(done["providerMessageId"]),
        "chat": {"id": chat, "type": "private"},
        "reply_markup": said["reply_markup"],
    }
    return await notified(bot.project.key, event), message


def press(message: dict[str, Any], by: int, id_: str = "q1") -> dict[str, Any]:
    data = message["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    return {"id": id_, "from": {"id": by, "is_bot": False, "first_name": "A"}, "message": message, "data": data}


def last(known: Known, method: str) -> Any:
    return known.of(method)[-1]


async def read(project: Project, notification: Any) -> Any:
    return (await project.key.get(f"/notifications/{notification['id']}")).json


async def test_the_button_acknowledges_as_the_person_of_the_chat(bot: Bot, ann: Any, chat: int, shop: Project) -> None:
    notification, message = await told(bot, chat)
    await bot.hear(callback_query=press(message, chat))
    [by] = (await read(shop, notification))["acknowledgedBy"]
    assert (by["userId"], by["via"]) == (ann["id"], "telegram")
    assert last(bot.known, "answerCallbackQuery") == {"callback_query_id": "q1", "text": "Acknowledged."}
    left = last(bot.known, "editMessageReplyMarkup")
    assert (left["chat_id"], left["message_id"]) == (chat, message["message_id"])
    assert [[each["text"] for each in row] for row in left["reply_markup"]["inline_keyboard"]] == [["Look"]]
    where = {"action": "notification.acknowledged", "resourceId": notification["id"]}
    [entry] = (await shop.owner.get("/audit", **where)).json["items"]
    assert (entry["actorId"], entry["metadata"]["via"]) == (ann["id"], "telegram")


async def test_pressed_again_it_changes_nothing(bot: Bot, chat: int, shop: Project) -> None:
    notification, message = await told(bot, chat)
    await bot.hear(callback_query=press(message, chat))
    first = await read(shop, notification)
    await bot.hear(callback_query=press(message, chat, "q2"))
    assert (await read(shop, notification))["acknowledgedBy"] == first["acknowledgedBy"]
    assert "already" in last(bot.known, "answerCallbackQuery")["text"]


async def test_somebody_else_acknowledges_nothing(bot: Bot, chat: int, shop: Project) -> None:
    notification, message = await told(bot, chat)
    for stranger in (new_chat(), await linked(bot, await shop.add_user())):
        await bot.hear(callback_query=press(message, stranger))
        assert last(bot.known, "answerCallbackQuery")["text"] == "This notification is not for you."
    assert (await read(shop, notification))["acknowledgedBy"] == []


async def test_a_bot_of_another_project_acknowledges_nothing_here(
    bot: Bot, town: Town, chat: int, shop: Project, mill: Project
) -> None:
    """The same person presses, at a bot of theirs: forged by whoever has that other bot."""
    notification, message = await told(bot, chat)
    other = await verified_bot(town, mill)
    eve = await mill.add_user()
    await other.says(chat, "/start")
    await mill.key.post(f"/users/{eve['id']}/addresses", {"channel": "telegram", "value": str(chat)})
    await other.hear(callback_query=press(message, chat))
    assert (await read(shop, notification))["acknowledgedBy"] == []
    assert "not there" in last(other.known, "answerCallbackQuery")["text"]


async def test_who_was_unlinked_acknowledges_nothing(bot: Bot, shop: Project) -> None:
    bob = await shop.add_user()
    chat = await linked(bot, bob)
    await make_rule(shop, "telegram", targetUsers=[bob["id"]], requireAck=True, eventTypes=["bob.called"])
    notification, message = await told(bot, chat, "bob.called")
    [address] = (await shop.key.get(f"/users/{bob['id']}/addresses")).json
    assert (await shop.key.delete(f"/users/{bob['id']}/addresses/{address['id']}")).status == 204
    await bot.hear(callback_query=press(message, chat))
    assert (await read(shop, notification))["acknowledgedBy"] == []


@pytest.mark.parametrize(
    "data", ["", "ack:", "ack:x", "ack:00000000-0000-7000-8000-00000000dead", "pay:1", "ack:" + "9" * 60]
)
async def test_odd_buttons_do_no_harm(bot: Bot, chat: int, data: str) -> None:
    query = {"id": "q9", "from": {"id": chat, "is_bot": False, "first_name": "A"}, "data": data}
    number = await bot.hear(callback_query=query)
    assert (await bot.ended(number))["state"] in ("processed", "ignored")


async def test_a_press_that_telegram_forgot_still_counts(bot: Bot, town: Town, chat: int, shop: Project) -> None:
    notification, message = await told(bot, chat)
    town.far.refusals["answerCallbackQuery"] = [(400, {"description": "Bad Request: query is too old"})]
    town.far.refusals["editMessageReplyMarkup"] = [(400, {"description": "Bad Request: message can't be edited"})]
    number = await bot.hear(callback_query=press(message, chat))
    assert (await bot.ended(number))["state"] == "processed"
    assert len((await read(shop, notification))["acknowledgedBy"]) == 1


async def test_a_group_that_moved_is_written_to_at_its_new_id_from_then_on(
    bot: Bot, town: Town, ann: Any, chat: int, shop: Project
) -> None:
    """A person whose address is the id of a group of one's own: what moves with it is the address."""
    bob = await shop.add_user(addresses={"telegram": "-880"})
    await bot.hear(my_chat_member={"chat": {"id": -880, "type": "group"}, "new_chat_member": {"status": "member"}})
    await town.sql.execute(
        "INSERT INTO tocsin.reachability (project_id, connection_id, address_hash, connection_project, env, state)"
        " VALUES ($1, $2, sha256('-880'), $1, 'live', 'reachable')",
        shop.id,
        bot.id,
    )
    moved = {"description": "Bad Request: group chat was upgraded", "parameters": {"migrate_to_chat_id": -1000880}}
    town.far.refusals["sendMessage"] = [(400, moved)]
    await make_rule(shop, "telegram", targetUsers=[bob["id"]], eventTypes=["group.moved"])
    for _ in range(2):
        done = await ended(shop.key, await send_event(shop.key, "group.moved", order=1), "telegram")
        assert done["state"] == "sent", done
    [address] = (await shop.key.get(f"/users/{bob['id']}/addresses")).json
    assert address["value"] == "-1000880" and await bot.reachable(-1000880) == "reachable"
    said = [each["chat_id"] for each in bot.known.of("sendMessage") if each["chat_id"] < 0]
    assert said == [-880, -1000880, -1000880]
