"""Groups and channels as destinations, each project's and each person's own (C7, C12)."""

from typing import Any

import pytest

from tests.client import Project
from tests.connections.build import created
from tests.inbound.telegram.town import Bot, Town, verified_bot
from tests.pipeline import ended, make_rule, send_event


async def named(bot: Bot, name: str, chat: int | str) -> Any:
    body = {"name": name, "address": str(chat)}
    return created(await bot.project.key.post(f"/connections/{bot.id}/destinations", body))


async def test_a_named_group_hears_what_its_project_sends_there(town: Town, shop: Project, mill: Project) -> None:
    """And not what another project sends to a place of the same name."""
    ours, theirs = await verified_bot(town, shop), await verified_bot(town, mill)
    await named(ours, "orders", -1001)
    await named(theirs, "orders", -2001)
    for project in (shop, mill):
        await make_rule(project, "telegram", targetRoles=[], targetDestinations=["orders"], eventTypes=["stock.low"])
    for project, bot, chat in ((shop, ours, -1001), (mill, theirs, -2001)):
        done = await ended(project.key, await send_event(project.key, "stock.low"), "telegram")
        assert done["state"] == "sent", done
        assert [said["chat_id"] for said in bot.known.of("sendMessage")] == [chat]


async def test_a_topic_of_a_group_is_a_place_too(town: Town, shop: Project) -> None:
    bot = await verified_bot(town, shop)
    await named(bot, "deploys", "-1005:7")
    await make_rule(shop, "telegram", targetRoles=[], targetDestinations=["deploys"], eventTypes=["deploy.done"])
    done = await ended(shop.key, await send_event(shop.key, "deploy.done"), "telegram")
    assert done["state"] == "sent", done
    [said] = bot.known.of("sendMessage")
    assert (said["chat_id"], said["message_thread_id"]) == (-1005, 7)


@pytest.mark.parametrize("address", ["", "orders", "12 34", "1" * 30, "-1001:x"])
async def test_what_is_no_chat_is_refused_as_a_place(town: Town, shop: Project, address: str) -> None:
    bot = await verified_bot(town, shop)
    reply = await shop.key.post(f"/connections/{bot.id}/destinations", {"name": "odd", "address": address})
    assert reply.status == 422
    assert [each["pointer"] for each in reply.json["errors"]] == ["/address"]
