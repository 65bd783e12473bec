"""From a notification in Discord to its acknowledgement by the button below it (R3)."""

from typing import Any

import pytest
from nacl.signing import SigningKey

from tests.client import Project
from tests.connections.build import created
from tests.inbound.chats.chat import CHANNEL, Chat, Town, discord_chat, new_application, vouched
from tests.inbound.chats.presses import PING, discord_press
from tests.people import join
from tests.pipeline import ended, make_rule, send_event, until


@pytest.fixture(scope="module")
async def chat(town: Town, shop: Project) -> Chat:
    return await discord_chat(town, shop)


async def test_discord_finds_somebody_at_the_address_and_nothing_is_kept_of_that(chat: Chat) -> None:
    async def steps() -> list[Any]:
        setup = (await chat.caller.get(f"/connections/{chat.connection['id']}/setup")).json
        return [step["done"] for step in setup["steps"]]

    assert await steps() == [True, True, True, False]
    reply = await chat.discord(PING)
    assert (reply.status, reply.json) == (200, {"type": 1})
    assert await steps() == [True] * 4 and await chat.kept() == []


async def test_a_press_is_answered_at_once_and_the_message_says_who_and_when(chat: Chat) -> None:
    notification, post = await chat.told(action={"url": "https://shop.example/ovens", "label": "Look"})
    assert post["allowed_mentions"] == {"parse": []} and "fields" not in post["embeds"][0]
    before = len(chat.town.far.asked)
    reply = await chat.discord(discord_press(post))
    assert (reply.status, reply.json) == (200, {"type": 6})
    [by] = await chat.acknowledged(notification)
    assert (by["userId"], by["via"], by["name"]) == (None, "discord", "Mason *M* Jar")
    asked = await chat.changed(before)
    assert chat.application is not None
    where = f"/webhooks/{chat.application.id}/unique_interaction_token/messages/@original"
    assert (asked.method, asked.path) == ("PATCH", where)
    assert asked.json["content"].startswith("Acknowledged by Mason \\*M\\* Jar., <t:")
    assert asked.json["allowed_mentions"] == {"parse": []}
    [row] = asked.json["components"]
    assert [each["label"] for each in row["components"]] == ["Look"]


async def test_acknowledged_elsewhere_the_message_says_so_and_loses_its_button(chat: Chat, shop: Project) -> None:
    ann = await shop.add_user(name="Ann *M*")
    action = {"url": "https://shop.example/ovens", "label": "Look"}
    notification, _ = await chat.told(action=action, targetUsers=[ann["id"]])
    done = await chat.town.sql.fetchval(
        "SELECT provider_message_id FROM tocsin.deliveries WHERE notification_id = $1", notification["id"]
    )
    before = len(chat.town.far.asked)
    reply = await shop.key.put(f"/notifications/{notification['id']}/acknowledge", {"userId": ann["id"]})
    assert reply.status == 200, reply.json

    async def changed() -> Any:
        return [each for each in chat.town.far.asked[before:] if each.path.endswith(f"/messages/{done}")]

    [asked] = await until(changed)
    assert (asked.method, asked.path) == ("PATCH", f"/channels/{CHANNEL}/messages/{done}")
    assert chat.application is not None and asked.headers["Authorization"] == f"Bot {chat.application.token}"
    assert asked.json["content"].startswith("Acknowledged by Ann \\*M\\*., <t:")
    assert (asked.json["components"], asked.json["allowed_mentions"]) == ([], {"parse": []})


async def test_whoever_has_that_address_acknowledges_as_themselves(chat: Chat, shop: Project) -> None:
    ann = await shop.add_user(name="Ann")
    await vouched(shop, ann, "discord", "80351110224678912")
    notification, post = await chat.told()
    await chat.discord(discord_press(post, by="80351110224678912"))
    [by] = await chat.acknowledged(notification)
    assert (by["userId"], by["via"]) == (ann["id"], "discord")


async def test_nobody_puts_a_press_on_another_by_entering_their_address(chat: Chat, shop: Project) -> None:
    """Bob enters Ann's; first she has none of her own, then one that the project vouches for."""
    ann, bob = await shop.add_user(name="Ann"), await join(chat.town.api, shop, name="Bob")
    for number, vouch in (("80351110224678111", False), ("80351110224678222", True)):
        said = {"channel": "discord", "value": number}
        assert (await bob.client.post(f"/users/{bob.id}/addresses", said)).status == 201
        assert (await bob.client.post(f"/users/{bob.id}/addresses", {**said, "verified": True})).status == 403
        if vouch:
            await vouched(shop, ann, "discord", number)
        notification, post = await chat.told()
        await chat.discord(discord_press(post, by=number, nick="Annie"))
        [by] = await chat.acknowledged(notification)
        assert (by["userId"], by["name"]) == ((ann["id"], "Ann") if vouch else (None, "Annie"))
        [entry] = (await shop.owner.get("/audit", resourceId=notification["id"])).json["items"]
        assert entry["actorId"] == (ann["id"] if vouch else None)


async def test_an_address_of_two_is_nobodys(chat: Chat, shop: Project) -> None:
    for _ in range(2):
        await vouched(shop, await shop.add_user(), "discord", "80351110224678000")
    notification, post = await chat.told()
    await chat.discord(discord_press(post, by="80351110224678000", nick="Joe"))
    [by] = await chat.acknowledged(notification)
    assert (by["userId"], by["name"]) == (None, "Joe")


@pytest.mark.parametrize("shown", ["", "00" * 64, "é", "zz" * 64])
async def test_what_discord_did_not_sign_is_refused(chat: Chat, shown: str) -> None:
    """So does Discord, before it takes an address: it calls with a wrong signature, too."""
    _, post = await chat.told()
    for payload in (PING, discord_press(post)):
        assert (await chat.discord(payload, **{"X-Signature-Ed25519": shown})).status == 401
        assert (await chat.discord(payload, SigningKey.generate())).status == 401


async def test_a_press_that_is_told_again_is_kept_once(chat: Chat) -> None:
    notification, post = await chat.told()
    press = discord_press(post)
    assert [(await chat.discord(press)).status for _ in range(3)] == [200] * 3
    await chat.acknowledged(notification)
    assert [row["event_id"] for row in await chat.kept()].count(press["id"]) == 1


async def test_a_press_of_another_project_acknowledges_nothing_here(chat: Chat, town: Town, mill: Project) -> None:
    notification, post = await chat.told()
    other = await discord_chat(town, mill)
    press = discord_press(post)
    before = len(town.far.asked)
    assert (await other.discord(press)).status == 200
    assert (await other.changed(before)).json["content"] == "This notification is not there any more."
    assert (await chat.caller.get(f"/notifications/{notification['id']}")).json["acknowledgedBy"] == []


async def test_another_channel_is_a_destination(chat: Chat, shop: Project) -> None:
    path = f"/connections/{chat.connection['id']}/destinations"
    assert (await chat.caller.post(path, {"name": "bakers", "address": "#bakers"})).code == "invalid"
    created(await chat.caller.post(path, {"name": "bakers", "address": "345626669114982111"}))
    await make_rule(shop, eventTypes=["flour.low"], targetDestinations=["bakers"])
    before = len(chat.town.far.asked)
    done = await ended(shop.key, await send_event(shop.key, "flour.low"), "discord")
    assert done["state"] == "delivered"
    [asked] = [each for each in chat.town.far.asked[before:] if each.method == "POST"]  # others are changed meanwhile
    assert asked.path == "/channels/345626669114982111/messages" and "components" not in asked.json


async def test_the_key_of_another_application_is_found_out(town: Town, shop: Project) -> None:
    credentials = {"botToken": new_application().token, "publicKey": new_application().public_key}
    body = {"provider": "discord_bot", "name": "wrong", "settings": {"channelId": CHANNEL}, "credentials": credentials}
    made = created(await shop.key.post("/connections", body))
    refused = await shop.key.post(f"/connections/{made['id']}/verify")
    assert refused.status == 422 and "public key" in str(refused.json)


async def test_in_the_sandbox_a_press_changes_nothing_at_discord(town: Town, shop: Project) -> None:
    """Nothing was sent from there, so nobody can press: but whoever has the key can say so."""
    chat = await discord_chat(town, shop, shop.test_key)
    before = len(town.far.asked)
    anything = chat.connection["id"]
    press = discord_press({"components": [{"components": [{"custom_id": f"ack:{anything}"}]}], "embeds": []})
    assert (await chat.discord(press)).status == 200
    assert (await chat.worked_on(press["id"]))["state"] == "processed"
    assert town.far.asked[before:] == []
