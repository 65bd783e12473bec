"""Working on what came in: in order, fairly, again when it failed, and not for ever."""

import asyncio
import time
from typing import Any

import asyncpg
import pytest

from tests.client import Project
from tests.inbound.telegram.bot_api import BotApi
from tests.inbound.telegram.town import Bot, Town, new_chat, verified_bot
from tests.pipeline import until
from tocsin.connections.address_pauses import SEVERAL
from tocsin.inbound.stage import RETRY_SECONDS

LAST_TRY = len(RETRY_SECONDS) + 1
TOO_MANY = (429, {"description": "Too Many Requests", "parameters": {"retry_after": 40}})
AWAY = (502, "<html>Bad gateway</html>")


async def item(sql: asyncpg.Connection, bot_id: str, number: int) -> Any:
    return await sql.fetchrow(
        "SELECT *, due_at - now() AS wait FROM tocsin.inbound_raw WHERE connection_id = $1 AND event_id = $2",
        bot_id,
        str(number),
    )


def start(number: int, chat: int, text: str = "/start") -> dict[str, Any]:
    moment = int(time.time())
    message = {"message_id": 1, "date": moment, "chat": {"id": chat, "type": "private"}, "text": text}
    return {"update_id": number, "message": message}


async def test_items_of_a_bot_are_worked_on_in_the_order_in_which_they_came(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    chat = new_chat()
    for text in ("/start", "/stop", "/start", "/stop", "/status"):
        message = {"message_id": 1, "chat": {"id": chat, "type": "private"}, "text": text}
        number = 100 + len(await rows(town.sql, bot.id))
        assert (await bot.told({"update_id": number, "message": message})).status == 200
    await until(lambda: bot.ended(104))
    assert [words.split()[0] for words in bot.answers(chat)] == ["To", "You", "To", "You", "You"]
    assert await bot.reachable(chat) == "opted_out"


async def rows(sql: asyncpg.Connection, bot_id: str) -> list[Any]:
    return list(await sql.fetch("SELECT id FROM tocsin.inbound_raw WHERE connection_id = $1", bot_id))


async def test_an_item_that_fails_waits_while_those_behind_it_go_on(town: Town, shop: Project, far: BotApi) -> None:
    bot = await verified_bot(town, shop)
    first, second = new_chat(), new_chat()
    far.refusals["sendMessage"] = [AWAY]
    await bot.told(start(1, first))
    await until(lambda: tries(town.sql, bot.id, 1))
    await bot.told(start(2, second))
    await until(lambda: bot.ended(2))
    waiting = await item(town.sql, bot.id, 1)
    assert waiting["state"] == "received" and "502" in waiting["last_error"] and bot.token not in waiting["last_error"]
    await town.sql.execute("UPDATE tocsin.inbound_raw SET due_at = now() WHERE id = $1", waiting["id"])
    await until(lambda: bot.ended(1))
    assert len(bot.answers(first)) == 2 and len(bot.answers(second)) == 1


async def test_a_bot_that_is_to_wait_hears_and_says_nothing_until_then(town: Town, shop: Project, far: BotApi) -> None:
    bot = await verified_bot(town, shop)
    several, last = [new_chat() for _ in range(SEVERAL)], new_chat()
    far.refusals["sendMessage"] = SEVERAL * [TOO_MANY]
    for number, chat in enumerate([*several, last], 1):
        await bot.told(start(number, chat))
        await until(lambda number=number: tries(town.sql, bot.id, number))
        assert 30 < (await item(town.sql, bot.id, number))["wait"].total_seconds() <= 40
    assert await bot.reachable(last) == "reachable" and bot.answers(last) == []
    row = (await shop.key.get(f"/connections/{bot.id}")).json
    assert (row["status"], row["statusReason"]) == ("rate_limited", "Telegram answered 429: Too Many Requests")
    await town.sql.execute("UPDATE tocsin.connections SET paused_until = now() WHERE id = $1", bot.id)
    await until(lambda: town.sql.fetchval("SELECT status = 'active' FROM tocsin.connections WHERE id = $1", bot.id))
    await town.sql.execute("UPDATE tocsin.inbound_raw SET due_at = now() WHERE connection_id = $1", bot.id)
    await until(lambda: bot.ended(SEVERAL + 1))
    assert len(bot.answers(last)) == 1


async def test_a_chat_that_hears_too_much_keeps_the_bot_from_nobody_else(
    town: Town, shop: Project, far: BotApi
) -> None:
    """Whoever writes to a bot without end would otherwise silence the alerts of its project (D4)."""
    bot = await verified_bot(town, shop)
    loud, other = new_chat(), new_chat()
    far.refusals["sendMessage"] = [TOO_MANY]
    await bot.told(start(1, loud))
    await until(lambda: tries(town.sql, bot.id, 1))
    await bot.told(start(2, loud))
    waiting = await until(lambda: tries(town.sql, bot.id, 2))
    assert "The chat is paused." in waiting["last_error"] and len(bot.answers(loud)) == 1
    await bot.told(start(3, other))
    await until(lambda: bot.ended(3))
    assert len(bot.answers(other)) == 1
    assert (await shop.key.get(f"/connections/{bot.id}")).json["status"] == "active"


@pytest.mark.parametrize(
    ("before", "after", "state"), [("/start", "/stop", "opted_out"), ("/stop", "/start", "reachable")]
)
async def test_a_word_that_is_worked_on_again_undoes_no_later_one(
    town: Town, shop: Project, far: BotApi, before: str, after: str, state: str
) -> None:
    bot, chat = await verified_bot(town, shop), new_chat()
    far.refusals["sendMessage"] = [AWAY]
    await bot.told(start(1, chat, before))
    await until(lambda: tries(town.sql, bot.id, 1))
    await bot.told(start(2, chat, after))
    await until(lambda: bot.ended(2))
    await town.sql.execute("UPDATE tocsin.inbound_raw SET due_at = now() WHERE state = 'received'")
    assert (await until(lambda: bot.ended(1)))["state"] == "processed"
    assert await bot.reachable(chat) == state
    assert len(bot.answers(chat)) == 2  # what was said to both, and nothing of the first any more


async def tries(sql: asyncpg.Connection, bot_id: str, number: int) -> Any:
    found = await item(sql, bot_id, number)
    return found if found and found["last_error"] else None


async def test_an_item_that_never_succeeds_is_given_up_and_kept(town: Town, shop: Project, far: BotApi) -> None:
    bot = await verified_bot(town, shop)
    far.refusals["sendMessage"] = [AWAY]
    await town.sql.execute(
        "INSERT INTO tocsin.inbound_raw (project_id, id, env, connection_id, event_id, payload, attempts)"
        " VALUES ($1, gen_random_uuid(), 'live', $2, '1', $3, $4)",
        shop.id,
        bot.id,
        '{"update_id": 1, "message": {"message_id": 1, "chat": {"id": 5, "type": "private"}, "text": "/start"}}',
        LAST_TRY - 1,
    )
    await until(lambda: bot.ended(1), 20)
    given_up = await item(town.sql, bot.id, 1)
    assert (given_up["state"], given_up["attempts"]) == ("failed", LAST_TRY) and "502" in given_up["last_error"]


async def test_what_is_not_as_documented_is_ignored_with_a_reason(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    odd = ({"message": []}, {"callback_query": {"id": 7}}, {"message": {"chat": {"id": "x"}}}, {"poll": {"id": "1"}})
    for what in odd:
        number = await bot.hear(**what)
        row = await bot.ended(number)
        assert row["state"] == "ignored" and row["last_error"]


async def test_what_a_suspended_project_hears_waits_while_others_are_worked_on(
    town: Town, shop: Project, mill: Project
) -> None:
    waiting, other = await verified_bot(town, mill), await verified_bot(town, shop)
    await town.sql.execute("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1", mill.id)
    try:
        await waiting.told(start(1, new_chat()))
        await other.hear(message={"message_id": 1, "chat": {"id": new_chat(), "type": "private"}, "text": "hi"})
        await asyncio.sleep(0.3)
        assert (await item(town.sql, waiting.id, 1))["attempts"] == 0
    finally:
        await town.sql.execute("UPDATE tocsin.projects SET status = 'active' WHERE id = $1", mill.id)
    assert (await until(lambda: waiting.ended(1), 20))["state"] == "processed"


async def test_what_a_suspended_connection_hears_is_kept_and_ignored(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    await town.sql.execute("UPDATE tocsin.connections SET status = 'suspended' WHERE id = $1", bot.id)
    number = await bot.hear(message={"message_id": 1, "chat": {"id": 9, "type": "private"}, "text": "/start"})
    assert (await bot.ended(number))["last_error"] == "the connection is suspended"
    assert await bot.reachable(9) is None


async def test_a_connection_that_is_suspended_meanwhile_says_no_more(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    chats = await many_starts(bot)
    reply = await shop.owner.send("PATCH", f"/connections/{bot.id}/suspend", {"reason": "spam"})
    assert reply.status == 200, reply.json
    said = len(bot.known.of("sendMessage"))
    await until(lambda: bot.ended(len(chats)))
    assert said <= len(bot.known.of("sendMessage")) <= said + 1 < len(chats)
    assert (await bot.ended(len(chats)))["last_error"] == "the connection is suspended"


async def test_a_token_that_is_changed_meanwhile_is_used_from_the_next_answer_on(
    town: Town, shop: Project, far: BotApi
) -> None:
    bot = await verified_bot(town, shop)
    token = bot.token.replace("canary", "rotate")
    renewed = far.know(token, bot.known.username)
    chats = await many_starts(bot)
    reply = await shop.key.put(f"/connections/{bot.id}", {"credentials": {"botToken": token}})
    assert reply.status == 200, reply.json
    said = len(bot.known.of("sendMessage"))
    await until(lambda: bot.ended(len(chats)))
    assert said <= len(bot.known.of("sendMessage")) <= said + 1 < len(chats)
    assert len(bot.known.of("sendMessage")) + len(renewed.of("sendMessage")) == len(chats)


async def many_starts(bot: Bot) -> list[int]:
    """People who start a bot that answers slowly; the first of them is answered."""
    bot.known.say_seconds = 0.5
    chats = [new_chat() for _ in range(8)]
    for number, chat in enumerate(chats, 1):
        await bot.told(start(number, chat))

    async def answered() -> bool:
        return bool(bot.known.of("sendMessage"))

    await until(answered)
    return chats


async def test_who_wants_no_more_of_a_suspended_connection_is_heard_and_not_answered(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    stops, blocks, returns = new_chat(), new_chat(), new_chat()
    for chat in (stops, blocks, returns):
        await bot.says(chat, "/start")
    await town.sql.execute("UPDATE tocsin.connections SET status = 'suspended' WHERE id = $1", bot.id)
    await bot.says(stops, "/stop")
    for chat, status in ((blocks, "kicked"), (returns, "kicked"), (returns, "member")):
        where = {"id": chat, "type": "private"}
        await bot.hear(my_chat_member={"chat": where, "new_chat_member": {"status": status}})
    states = [await bot.reachable(chat) for chat in (stops, blocks, returns)]
    assert states == ["opted_out", "blocked", "reachable"]
    assert len(bot.answers(stops)) == 1  # to /start


async def test_what_came_in_is_kept_for_a_week_and_then_removed(town: Town, shop: Project) -> None:
    bot, gone = await verified_bot(town, shop), await verified_bot(town, shop)
    young, old = [await bot.hear(poll={"id": "1"}) for _ in range(2)]
    await gone.hear(poll={"id": "1"})
    await shop.key.delete(f"/connections/{gone.id}")
    await town.sql.execute(
        "UPDATE tocsin.inbound_raw SET received_at = now() - interval '169 hours'"
        " WHERE connection_id = $2 OR (connection_id = $1 AND event_id = $3)",
        bot.id,
        gone.id,
        str(old),
    )
    await town.sql.execute(
        "INSERT INTO tocsin.inbound_raw VALUES ($1, gen_random_uuid(), 'live', $2, 'w', '{}')",
        *(
            shop.id,
            bot.id,
        ),
    )
    await town.sql.execute(
        "UPDATE tocsin.inbound_raw SET received_at = now() - interval '169 hours', due_at = 'infinity'"
        " WHERE event_id = 'w'"
    )
    assert await town.sql.fetchval("SELECT tocsin.tidy_inbound(1)") == 1
    assert await town.sql.fetchval("SELECT tocsin.tidy_inbound(100)") == 1
    left = await town.sql.fetch(
        "SELECT event_id FROM tocsin.inbound_raw WHERE connection_id = ANY($1::uuid[])", [bot.id, gone.id]
    )
    assert {row["event_id"] for row in left} == {str(young), "w"}
