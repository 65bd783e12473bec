"""Messages with a button, once somebody has acknowledged elsewhere (R3). Two projects."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.client import Project
from tests.inbound.telegram.town import Bot, Town, linked, verified_bot
from tests.notifications.silence import fall_due, hours, prefer
from tests.pipeline import deliveries_of, make_rule, notified, send_event, until
from tocsin.deliveries.amend import MOST_TRIES


@pytest.fixture(scope="module")
async def bot(town: Town, shop: Project) -> Bot:
    return await verified_bot(town, shop)


async def told(bot: Bot, *people: Any, **rule: Any) -> Any:
    """A notification that each of them has been sent."""
    fields = {"requireAck": True, "eventTypes": [f"told.{people[0]['id']}"], **rule}
    await make_rule(bot.project, "telegram", targetUsers=[each["id"] for each in people], **fields)
    notification = await notified(bot.project.key, await send_event(bot.project.key, fields["eventTypes"][0], order=7))

    async def sent() -> bool:
        rows = await bot.town.sql.fetch(
            "SELECT state FROM tocsin.deliveries WHERE notification_id = $1", notification["id"]
        )
        return [row["state"] for row in rows] == ["sent"] * len(people)

    await until(sent)
    return notification


async def acknowledge(bot: Bot, notification: Any, user: Any) -> None:
    reply = await bot.project.key.put(f"/notifications/{notification['id']}/acknowledge", {"userId": user["id"]})
    assert reply.status == 200, reply.json


async def waiting(bot: Bot) -> list[Any]:
    rows = await bot.town.sql.fetch("SELECT * FROM tocsin.amendments WHERE project_id = $1", bot.project.id)
    return list(rows)


async def done(bot: Bot) -> None:
    async def nothing_waits() -> bool:
        return await waiting(bot) == []

    await until(nothing_waits)


def edits(bot: Bot, *chats: int, method: str = "editMessageText") -> list[Any]:
    return [each for each in bot.known.of(method) if each["chat_id"] in chats]


async def test_every_message_says_who_acknowledged_and_when_once(bot: Bot, shop: Project) -> None:
    await shop.owner.put("/projects/me/settings", {"timezone": "Asia/Tokyo"})
    ann, bob = await shop.add_user(name="Ann"), await shop.add_user(name="Bob <b>")
    chats = [await linked(bot, each) for each in (ann, bob)]
    action = {"url": "https://shop.example/orders", "label": "Look"}
    notification = await told(bot, ann, bob, action=action)
    await acknowledge(bot, notification, bob)
    await done(bot)
    changed = edits(bot, *chats)
    assert sorted(each["chat_id"] for each in changed) == sorted(chats)
    for each in changed:
        words, note = each["text"].split("\n\n")
        assert words.strip() == "Order 7" and note.startswith("Acknowledged by Bob <b>. 20") and note.endswith(" JST")
        assert [entity["type"] for entity in each["entities"]] == ["bold"] and "parse_mode" not in each
        [[button]] = each["reply_markup"]["inline_keyboard"]
        assert button == {"text": "Look", "url": action["url"]}
    await acknowledge(bot, notification, ann)
    await done(bot)
    assert len(edits(bot, *chats)) == 2


async def test_what_is_sent_after_somebody_acknowledged_has_no_button(bot: Bot, town: Town, shop: Project) -> None:
    ann, bob = await shop.add_user(name="Ann"), await shop.add_user(name="Bob")
    chat = await linked(bot, ann)
    await shop.owner.put("/projects/me/settings", {"timezone": "UTC"})
    await prefer(shop.key, ann["id"], quietHours=hours(-1, 2))
    await make_rule(shop, "telegram", targetUsers=[ann["id"], bob["id"]], requireAck=True, eventTypes=["held.first"])
    event = await send_event(shop.key, "held.first", order=9)
    notification = await notified(shop.key, event)

    async def held() -> list[Any]:
        return [each for each in await deliveries_of(shop.key, event, "telegram") if each["state"] == "held"]

    waits = await until(held)
    await acknowledge(bot, notification, bob)
    await prefer(shop.key, ann["id"], quietHours=None)
    await fall_due(town.sql, *waits)

    async def sent() -> list[Any]:
        return [each for each in bot.known.of("sendMessage") if each["chat_id"] == chat and "Order 9" in each["text"]]

    [message] = await until(sent)
    assert "Acknowledge" not in json.dumps(message)


async def test_a_message_without_a_button_stays_as_it_is(bot: Bot, shop: Project) -> None:
    ann = await shop.add_user(name="Ann")
    chat = await linked(bot, ann)
    notification = await told(bot, ann, requireAck=False)
    await acknowledge(bot, notification, ann)
    assert await waiting(bot) == [] and edits(bot, chat) == []


async def test_a_text_that_was_not_kept_whole_loses_its_button(bot: Bot, shop: Project) -> None:
    ann = await shop.add_user(name="Ann")
    chat = await linked(bot, ann)
    notification = await told(bot, ann, message="日" * 4_000)
    await acknowledge(bot, notification, ann)
    await done(bot)
    [changed] = edits(bot, chat, method="editMessageReplyMarkup")
    assert changed["reply_markup"] == {"inline_keyboard": []} and edits(bot, chat) == []


async def test_what_telegram_refuses_is_left_and_what_it_puts_off_is_done_later(
    bot: Bot, town: Town, shop: Project
) -> None:
    ann = await shop.add_user(name="Ann")
    chat = await linked(bot, ann)
    town.far.refusals["editMessageText"] = [(400, {"description": "Bad Request: message to edit not found"})]
    await acknowledge(bot, await told(bot, ann), ann)
    await done(bot)
    assert len(edits(bot, chat)) == 1
    town.far.refusals["editMessageText"] = [(429, {"description": "Too many", "parameters": {"retry_after": 300}})]
    notification = await told(bot, ann, eventTypes=["put.off"])
    await acknowledge(bot, notification, ann)

    async def put_off() -> Any:
        return await town.sql.fetchrow(
            "SELECT tries, due_at - now() > interval '200 s' AS later FROM tocsin.amendments WHERE project_id = $1"
            " AND due_at > now() + interval '100 s'",
            shop.id,
        )

    assert tuple(await until(put_off)) == (1, True)
    paused = (await shop.key.get(f"/connections/{bot.id}/health")).json
    assert (paused["status"], paused["pausedUntil"] is not None) == ("rate_limited", True)
    await resume(bot)
    await town.sql.execute("UPDATE tocsin.amendments SET due_at = now() WHERE project_id = $1", shop.id)
    await done(bot)
    assert len(edits(bot, chat)) == 3


async def resume(bot: Bot) -> None:
    await bot.town.sql.execute(
        "UPDATE tocsin.connections SET status = 'active', paused_until = NULL WHERE id = $1", bot.id
    )


async def test_changes_wait_without_a_try_while_the_bot_is_paused(bot: Bot, town: Town, shop: Project) -> None:
    ann, bob = await shop.add_user(name="Ann"), await shop.add_user(name="Bob")
    chats = [await linked(bot, each) for each in (ann, bob)]
    notification = await told(bot, ann, bob)
    await town.sql.execute(
        "UPDATE tocsin.connections SET status = 'rate_limited', paused_until = now() + interval '3 s' WHERE id = $1",
        bot.id,
    )
    began = time.monotonic()
    await acknowledge(bot, notification, ann)

    async def put_off() -> bool:
        return [(row["tries"], row["due_at"] > datetime.now(UTC)) for row in await waiting(bot)] == [(0, True)] * 2

    await until(put_off)
    assert edits(bot, *chats) == []
    await done(bot)
    assert time.monotonic() - began > 2.5 and len(edits(bot, *chats)) == 2
    await resume(bot)


async def test_changes_take_turns_where_the_bot_has_a_limit(bot: Bot, town: Town, shop: Project) -> None:
    people = [await shop.add_user(name=f"Person {number}") for number in range(6)]
    chats = [await linked(bot, each) for each in people]
    notification = await told(bot, *people)
    await town.sql.execute("UPDATE tocsin.connections SET rate_limit_rps = 2 WHERE id = $1", bot.id)
    began = time.monotonic()
    await acknowledge(bot, notification, people[0])
    await done(bot)
    took = time.monotonic() - began
    await town.sql.execute("UPDATE tocsin.connections SET rate_limit_rps = NULL WHERE id = $1", bot.id)
    assert len(edits(bot, *chats)) == 6
    assert took > 2  # five gaps of half a second


async def test_nothing_is_tried_for_ever(bot: Bot, town: Town, shop: Project) -> None:
    ann = await shop.add_user(name="Ann")
    chat = await linked(bot, ann)
    notification = await told(bot, ann)
    town.far.refusals["editMessageText"] = [(503, "<html>")]
    await town.sql.execute(
        "UPDATE tocsin.notifications SET acked_at = now() WHERE id = $1",
        notification["id"],
    )
    await town.sql.execute(
        "INSERT INTO tocsin.amendments (project_id, delivery_id, env, tries) SELECT project_id, id, env, $2"
        " FROM tocsin.deliveries WHERE notification_id = $1",
        notification["id"],
        MOST_TRIES - 1,
    )
    await done(bot)
    assert len(edits(bot, chat)) == 1


async def test_an_acknowledgement_changes_nothing_of_another_project(
    bot: Bot, town: Town, shop: Project, mill: Project
) -> None:
    rival = await verified_bot(town, mill)
    ann, eve = await shop.add_user(name="Ann"), await mill.add_user(name="Eve")
    chats = [await linked(bot, ann), await linked(rival, eve)]
    await told(rival, eve)
    await acknowledge(bot, await told(bot, ann), ann)
    await done(bot)
    assert len(edits(bot, *chats)) == 1 and edits(rival, *chats) == []
    assert await town.sql.fetchval("SELECT count(*) FROM tocsin.amendments WHERE project_id = $1", mill.id) == 0
