"""What a person told to stop is seen, and lifted by an admin who says why (C4, C10). Two projects."""

from typing import Any

import pytest

from tests.client import Project
from tests.inbound.telegram.town import Bot, Town, linked, verified_bot
from tests.pipeline import deliveries_of, make_rule, send_event, until

WHY = "Asked by telephone on 3 March."


@pytest.fixture(scope="module")
async def bot(town: Town, shop: Project) -> Bot:
    return await verified_bot(town, shop)


async def told(project: Project, user: Any, event_type: str) -> str:
    """What became of a notification to this person."""
    await make_rule(project, "telegram", targetUsers=[user["id"]], eventTypes=[event_type])
    event = await send_event(project.key, event_type)

    async def ended() -> str | None:
        states = [each["state"] for each in await deliveries_of(project.key, event, "telegram")]
        return states[0] if states and states[0] not in ("queued", "leased") else None

    return str(await until(ended))


async def test_who_said_stop_hears_again_once_an_admin_has_lifted_it(bot: Bot, shop: Project) -> None:
    ann = await shop.add_user(name="Ann")
    chat = await linked(bot, ann)
    await bot.says(chat, "/stop")
    assert await told(shop, ann, "ann.first") == "suppressed"
    [listed] = (await shop.owner.get(f"/users/{ann['id']}/opt-outs")).json
    assert (listed["address"], listed["connectionId"], listed["channel"]) == (str(chat), bot.id, "telegram")
    wanted = {"address": str(chat), "connectionId": bot.id, "reason": WHY}
    reply = await shop.owner.post(f"/users/{ann['id']}/opt-outs/lift", wanted)
    assert (reply.status, reply.json) == (200, [])
    assert await told(shop, ann, "ann.second") == "sent"
    again = await shop.owner.post(f"/users/{ann['id']}/opt-outs/lift", wanted)
    assert (again.status, again.json["errors"][0]["code"]) == (422, "not_opted_out")


async def test_the_reason_is_on_record_and_has_to_be_given(bot: Bot, shop: Project) -> None:
    ann = await shop.add_user(name="Ann")
    chat = await linked(bot, ann)
    await bot.says(chat, "/stop")
    where, wanted = f"/users/{ann['id']}/opt-outs/lift", {"address": str(chat), "connectionId": bot.id}
    assert (await shop.owner.post(where, wanted)).status == 422
    assert await bot.reachable(chat) == "opted_out"
    assert (await shop.owner.post(where, {**wanted, "reason": WHY})).status == 200
    entries = (await shop.owner.get("/audit", resourceId=ann["id"])).json["items"]
    [entry] = [each for each in entries if each["action"] == "address.opt_out_lifted"]
    assert entry["metadata"]["reason"] == WHY and entry["metadata"]["before"]["address"] == str(chat)


async def test_a_mailbox_that_was_unsubscribed_is_listed_and_lifted(town: Town, shop: Project) -> None:
    ann = await shop.add_user(name="Ann")
    await town.sql.execute(
        "INSERT INTO tocsin.addresses (project_id, id, env, user_id, channel, value, opted_out_at)"
        " VALUES ($1, gen_random_uuid(), 'live', $2, 'email', 'ann@quay.example', now())",
        shop.id,
        ann["id"],
    )
    [listed] = (await shop.owner.get(f"/users/{ann['id']}/opt-outs")).json
    assert (listed["address"], listed["connectionId"]) == ("ann@quay.example", None)
    reply = await shop.owner.post(f"/users/{ann['id']}/opt-outs/lift", {"address": "ann@quay.example", "reason": WHY})
    assert (reply.status, reply.json) == (200, [])
    [address] = (await shop.owner.get(f"/users/{ann['id']}/addresses")).json
    assert address["optedOutAt"] is None


async def test_a_block_is_no_opt_out(bot: Bot, shop: Project) -> None:
    ann = await shop.add_user(name="Ann")
    chat = await linked(bot, ann)
    await bot.town.sql.execute("UPDATE tocsin.reachability SET state = 'blocked' WHERE connection_id = $1", bot.id)
    assert (await shop.owner.get(f"/users/{ann['id']}/opt-outs")).json == []
    wanted = {"address": str(chat), "connectionId": bot.id, "reason": WHY}
    assert (await shop.owner.post(f"/users/{ann['id']}/opt-outs/lift", wanted)).status == 422
    assert await bot.reachable(chat) == "blocked"


async def test_nobody_lifts_what_another_project_was_told(bot: Bot, shop: Project, mill: Project) -> None:
    ann, theirs = await shop.add_user(name="Ann"), await mill.add_user(name="Ann")
    chat = await linked(bot, ann)
    await mill.owner.post(f"/users/{theirs['id']}/addresses", {"channel": "telegram", "value": str(chat)})
    await bot.says(chat, "/stop")
    assert (await mill.owner.get(f"/users/{ann['id']}/opt-outs")).status == 404
    assert (await mill.owner.get(f"/users/{theirs['id']}/opt-outs")).json == []
    wanted = {"address": str(chat), "connectionId": bot.id, "reason": WHY}
    assert (await mill.owner.post(f"/users/{theirs['id']}/opt-outs/lift", wanted)).status == 422
    assert await bot.reachable(chat) == "opted_out"
