"""The life of a bot's connection: led here, told of a stranger's address, led anew, let go (C5, C7, T9)."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from tests.client import Project, sign_up
from tests.connections.build import created
from tests.inbound.telegram.town import PUBLIC, Bot, Town, new_bot, verified_bot
from tests.operators import operator
from tests.pipeline import checked, until

ELSEWHERE = {"url": "https://other.example/bot/secret-path", "secret_token": "x"}
REASON = {"reason": "Complaints of receivers"}


async def test_verifying_leads_the_bots_updates_here(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    webhook = bot.known.webhook
    assert webhook["url"].startswith(f"{PUBLIC}/api/v1/hooks/telegram/") and bot.id not in webhook["url"]
    assert {"message", "callback_query", "my_chat_member"} <= set(webhook["allowed_updates"])
    assert (await bot.told({"update_id": 1})).status == 200


async def test_a_bot_that_is_heard_elsewhere_is_not_taken_over_unasked(town: Town, shop: Project) -> None:
    bot = await new_bot(town, shop)
    bot.known.webhook = ELSEWHERE
    refused = await bot.verify()
    assert (refused.status, refused.code) == (409, "webhook_taken")
    assert "other.example" in refused.json["detail"] and "secret-path" not in refused.json["detail"]
    assert bot.known.webhook == ELSEWHERE
    assert (await shop.key.get(f"/connections/{bot.id}")).json["status"] == "pending"
    taken = await bot.verify(takeOver=True)
    assert taken.json["status"] == "active" and bot.known.webhook["url"].startswith(PUBLIC)


async def test_a_bot_that_another_connection_hears_is_not_to_be_had(town: Town, shop: Project, mill: Project) -> None:
    """Nor is told whose it is: a project finds out nothing about another one by knowing the token of its bot (T2)."""
    bot = await verified_bot(town, shop)
    before = dict(bot.known.webhook)
    body = {"provider": "telegram", "name": "mine", "credentials": {"botToken": bot.token}}
    refused = []
    for project in (mill, shop):
        made = (await project.key.post("/connections", body)).json
        for wanted in (None, {"takeOver": True}):
            refused.append(await project.key.post(f"/connections/{made['id']}/verify", wanted))
    assert {(reply.status, reply.code, reply.json["detail"]) for reply in refused} == {
        (409, "account_taken", "Another connection here hears this account; an account has one connection.")
    }
    assert bot.known.webhook == before
    assert (await shop.key.delete(f"/connections/{bot.id}")).status == 204
    await until_called(bot, None)
    again = (await mill.key.post("/connections", body)).json
    assert (await mill.key.post(f"/connections/{again['id']}/verify")).json["status"] == "active"


async def test_a_bot_that_another_connection_asks_for_is_not_to_be_had_either(
    town: Town, shop: Project, mill: Project
) -> None:
    """Telegram calls nobody for it, so that only our own claim says that it is somebody's (T2)."""
    bot = await verified_bot(town, shop, settings={"mode": "polling"})
    other = await same_bot(bot, mill)
    refused = await other.verify(takeOver=True)
    assert (refused.status, refused.code) == (409, "account_taken")
    assert shop.id not in str(refused.json) and bot.id not in str(refused.json)
    assert bot.known.webhook == {}
    assert (await mill.key.get(f"/connections/{other.id}")).json["status"] == "pending"


async def test_a_bot_whose_connection_lost_its_token_can_be_proven_by_another(
    town: Town, shop: Project, mill: Project
) -> None:
    """What it was called by is led away from the first, which does not get it back by itself."""
    bot = await verified_bot(town, shop)
    await town.sql.execute("UPDATE tocsin.connections SET status = 'error' WHERE id = $1", bot.id)
    other = await same_bot(bot, mill)
    assert (await other.verify()).json["status"] == "active"
    led = dict(bot.known.webhook)
    for again in (await bot.verify(), await shop.key.post(f"/connections/{bot.id}/webhook/regenerate")):
        assert (again.status, again.code) == (409, "account_taken")
    assert bot.known.webhook == led


async def test_a_bot_that_was_led_elsewhere_is_told_to_its_owner_once(town: Town, shop: Project) -> None:
    """It goes on sending, so it stays active; and is well when it was led here again (C5, T9)."""
    bot = await verified_bot(town, shop)
    bot.known.webhook = ELSEWHERE
    for _ in range(2):
        row = await known_after_check(bot)
        assert (row["status"], row["healthStatus"]) == ("active", "degraded")
        assert "calls other.example for this account" in row["statusReason"]
        assert "secret-path" not in row["statusReason"]
    told = "SELECT count(*) FROM tocsin.mails WHERE project_id = $1 AND kind = 'connection_led_away'"
    assert await town.sql.fetchval(told, UUID(shop.id)) == 1
    assert (await bot.verify(takeOver=True)).status == 200
    row = await known_after_check(bot)
    assert (row["healthStatus"], row["statusReason"]) == ("healthy", None)


async def known_after_check(bot: Bot) -> Any:
    """The connection after one more check of the worker."""
    await checked(bot.town.sql, bot.id)
    return (await bot.project.key.get(f"/connections/{bot.id}")).json


async def test_a_suspended_bot_is_not_had_by_another_connection(town: Town, shop: Project, mill: Project) -> None:
    bot = await verified_bot(town, shop)
    assert (await shop.owner.send("PATCH", f"/connections/{bot.id}/suspend", {"reason": "spam"})).status == 200
    assert (await (await same_bot(bot, mill)).verify()).code == "account_taken"


async def test_a_new_token_lets_the_account_of_before_go(town: Town, shop: Project, mill: Project) -> None:
    bot = await verified_bot(town, shop)
    another = await new_bot(town, mill)
    await shop.key.put(f"/connections/{bot.id}", {"credentials": {"botToken": another.token}})
    assert (await (await same_bot(bot, mill)).verify()).json["status"] == "active"


async def test_of_many_who_prove_one_bot_at_once_one_has_it(town: Town, shop: Project, mill: Project) -> None:
    bot = await new_bot(town, shop)
    bots = [bot, *[await same_bot(bot, project) for project in (mill, shop, mill)]]
    replies = await asyncio.gather(*[each.verify() for each in bots])
    assert sorted(reply.status for reply in replies) == [200, 409, 409, 409]


async def same_bot(bot: Bot, project: Project) -> Bot:
    body = {"provider": "telegram", "name": "mine", "credentials": {"botToken": bot.token}}
    made = created(await project.key.post("/connections", body))
    return replace(bot, project=project, id=made["id"])


async def test_the_setup_says_step_by_step_how_far_a_bot_is(town: Town, shop: Project) -> None:
    bot = await new_bot(town, shop)
    assert await done(bot.id, shop) == [True, True, False, False, False, False]
    await bot.verify()
    assert await done(bot.id, shop) == [True, True, True, False, False, False]
    await bot.says(77, "/start")
    assert await done(bot.id, shop) == [True, True, True, True, True, False]
    await bot.hear(my_chat_member={"chat": {"id": -5, "type": "group"}, "new_chat_member": {"status": "member"}})
    assert await done(bot.id, shop) == [True] * 6


async def done(connection_id: str, project: Project) -> list[bool]:
    reply = await project.key.get(f"/connections/{connection_id}/setup")
    assert reply.status == 200 and reply.json["mode"] == "webhook" and reply.json["verifyToken"] is None
    return [step["done"] for step in reply.json["steps"]]


async def test_a_new_address_is_told_to_telegram_and_the_old_one_is_refused(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    before = dict(bot.known.webhook)
    reply = await shop.key.post(f"/connections/{bot.id}/webhook/regenerate")
    assert reply.status == 200 and reply.json["error"] is None
    assert reply.json["address"] == bot.known.webhook["url"] != before["url"]
    assert before["secret_token"] != bot.known.webhook["secret_token"] and before["secret_token"] not in str(reply.json)
    assert (await bot.told({"update_id": 2})).status == 200
    bot.known.webhook = before
    assert (await bot.told({"update_id": 3})).status == 401


async def test_a_telegram_that_is_away_leaves_a_new_address_untold_and_says_so(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    town.far.refusals["setWebhook"] = [(502, "")]
    reply = await shop.key.post(f"/connections/{bot.id}/webhook/regenerate")
    assert reply.status == 200 and "502" in reply.json["error"] and reply.json["registeredAt"] is None
    assert bot.token not in str(reply.json)


async def test_another_token_ends_what_the_bot_of_before_is_heard_at(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    other = await new_bot(town, shop)
    changed = await shop.key.put(f"/connections/{bot.id}", {"credentials": {"botToken": other.token}})
    assert changed.json["status"] == "pending"
    assert (await bot.told({"update_id": 4})).status == 401
    assert (await bot.verify()).json["status"] == "active"
    assert other.known.webhook["url"].startswith(PUBLIC)


async def test_a_connection_that_is_removed_lets_its_bot_go(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    assert (await shop.key.delete(f"/connections/{bot.id}")).status == 204
    await until_called(bot, None)


async def until_called(bot: Bot, url: str | None, seconds: float = 15) -> None:
    """Until Telegram calls there for the bot; None is nowhere."""

    async def is_called() -> bool:
        return bot.known.webhook.get("url") == url

    await until(is_called, seconds)


async def test_a_bot_that_calls_elsewhere_by_now_is_left_alone_when_its_connection_goes(
    town: Town, shop: Project
) -> None:
    bot = await verified_bot(town, shop)
    bot.known.webhook = ELSEWHERE
    asked = len(bot.known.of("getWebhookInfo"))
    assert (await shop.key.delete(f"/connections/{bot.id}")).status == 204
    other = await verified_bot(town, shop)
    assert (await shop.key.delete(f"/connections/{other.id}")).status == 204
    await until_called(other, None)
    assert len(bot.known.of("getWebhookInfo")) > asked
    assert bot.known.webhook == ELSEWHERE


@pytest.mark.parametrize("method", ["getWebhookInfo", "deleteWebhook"])
async def test_a_telegram_that_is_away_keeps_no_connection_alive(town: Town, shop: Project, method: str) -> None:
    bot = await verified_bot(town, shop)
    town.far.refusals[method] = [(500, "")]
    assert (await shop.key.delete(f"/connections/{bot.id}")).status == 204
    assert (await shop.key.get(f"/connections/{bot.id}")).status == 404
    await until_refused(town, method)


async def test_a_suspended_bot_is_called_by_nobody_until_it_is_activated(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    url = bot.known.webhook["url"]
    where = f"/connections/{bot.id}"
    assert (await shop.owner.send("PATCH", f"{where}/suspend", REASON)).status == 200
    await until_called(bot, None)
    assert (await shop.owner.send("PATCH", f"{where}/activate")).json["status"] == "active"
    await until_called(bot, url)
    assert (await bot.told({"update_id": 6})).status == 200
    assert (await done(bot.id, shop))[2]


async def test_the_operator_lets_a_projects_bot_go_and_come_back(town: Town, shop: Project) -> None:
    bot, untouched = await verified_bot(town, shop), await verified_bot(town, shop)
    url, before = bot.known.webhook["url"], dict(untouched.known.webhook)
    support = await operator(town.api, town.site, "support")
    where = f"/platform/connections/{bot.id}"
    assert (await support.client.send("PATCH", f"{where}/suspend", REASON)).status == 200
    await until_called(bot, None)
    assert (await support.client.send("PATCH", f"{where}/activate")).status == 200
    await until_called(bot, url)
    assert untouched.known.webhook == before


async def test_a_telegram_that_is_away_does_not_keep_a_bot_from_being_suspended(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    town.far.refusals["deleteWebhook"] = [(500, "")]
    stopped = await shop.owner.send("PATCH", f"/connections/{bot.id}/suspend", REASON)
    assert (stopped.status, stopped.json["status"]) == (200, "suspended")
    await until_refused(town, "deleteWebhook")


async def until_refused(town: Town, method: str) -> None:
    async def is_refused() -> bool:
        return not town.far.refusals[method]

    await until(is_refused)


async def test_a_bot_that_could_not_be_led_back_says_so(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    where = f"/connections/{bot.id}"
    await shop.owner.send("PATCH", f"{where}/suspend", REASON)
    await until_called(bot, None)
    town.far.refusals["setWebhook"] = [(502, f"no luck with {bot.token}")]
    assert (await shop.owner.send("PATCH", f"{where}/activate")).status == 200

    async def why() -> Any:
        return (await shop.key.get(where)).json["statusReason"]

    reason = await until(why)
    assert "502" in reason and bot.token not in reason
    assert not (await done(bot.id, shop))[2]
    assert (await bot.verify()).json["status"] == "active"
    assert bot.known.webhook["url"].startswith(PUBLIC)


async def test_a_bot_that_is_suspended_and_activated_at_once_is_called_in_the_end(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    url, where = bot.known.webhook["url"], f"/connections/{bot.id}"
    for path, body in [("suspend", REASON), ("activate", None)] * 3:
        assert (await shop.owner.send("PATCH", f"{where}/{path}", body)).status == 200
    await until_called(bot, url)
    await asyncio.sleep(1)
    assert bot.known.webhook["url"] == url


async def test_the_bot_of_a_token_that_was_replaced_is_let_go(town: Town, shop: Project) -> None:
    bot, other = await verified_bot(town, shop), await new_bot(town, shop)
    changed = await shop.key.put(f"/connections/{bot.id}", {"credentials": {"botToken": other.token}})
    assert changed.status == 200
    await until_called(bot, None)


async def test_the_bots_of_a_project_that_is_over_are_let_go_and_those_of_another_are_not(
    town: Town, mill: Project
) -> None:
    doomed = await sign_up(town.api, "Doomed")
    bot, rivals = await verified_bot(town, doomed), await verified_bot(town, mill)
    before = dict(rivals.known.webhook)
    assert (await doomed.owner.delete("/projects/me")).status == 200
    assert (await bot.told({"update_id": 7})).status == 200, "it may come back, and nothing is lost until then"
    await town.sql.execute(
        "UPDATE tocsin.projects SET cancelled_at = cancelled_at - interval '31 days' WHERE id = $1", doomed.id
    )
    await until_called(bot, None, seconds=60)
    assert rivals.known.webhook == before


async def test_nothing_of_a_sandbox_bot_leaves_the_machine(town: Town, shop: Project) -> None:
    bot = await new_bot(town, shop, caller=shop.test_key)
    assert (await shop.test_key.post(f"/connections/{bot.id}/verify")).json["status"] == "active"
    assert (await shop.test_key.delete(f"/connections/{bot.id}")).status == 204
    assert bot.known.said == []


async def test_what_hears_nothing_has_no_address(shop: Project) -> None:
    body = {"provider": "webhook", "name": "h", "settings": {"url": "https://a.example"}}
    made = (await shop.key.post("/connections", body)).json
    setup = (await shop.key.get(f"/connections/{made['id']}/setup")).json
    assert (setup["mode"], setup["address"]) == ("none", None)
    assert (await shop.key.post(f"/connections/{made['id']}/webhook/regenerate")).code == "no_webhook"


async def test_another_projects_bot_looks_like_none(town: Town, shop: Project, mill: Project) -> None:
    bot = await verified_bot(town, shop)
    before = dict(bot.known.webhook)
    for reply in (
        await mill.key.get(f"/connections/{bot.id}/setup"),
        await mill.key.post(f"/connections/{bot.id}/webhook/regenerate"),
        await mill.key.get(f"/connections/{bot.id}/chats"),
    ):
        assert reply.status == 404
    assert bot.known.webhook == before
