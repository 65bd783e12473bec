"""From a notification in Slack to its acknowledgement by the button below it (R3)."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from slack_sdk.models.blocks import Block
from slack_sdk.signature import SignatureVerifier

from tests.client import Client, Project
from tests.inbound.chats.chat import SECRET, Chat, Town, slack_chat, vouched
from tests.inbound.chats.presses import ANN, BOB, slack_press


@pytest.fixture(scope="module")
async def chat(town: Town, shop: Project) -> Chat:
    return await slack_chat(town, shop)


def answer_at(chat: Chat) -> str:
    return f"{chat.town.far.url}/actions/AABA1ABCD/1232321423432/D09sSasdasdAS9091209"


async def test_a_press_acknowledges_and_the_message_says_who_and_when(chat: Chat, shop: Project) -> None:
    notification, post = await chat.told(action={"url": "https://shop.example/ovens", "label": "Look"})
    before = len(chat.town.far.asked)
    reply = await chat.slack(slack_press(post, answer_at(chat)))
    assert (reply.status, reply.json) == (200, None)
    [by] = await chat.acknowledged(notification)
    assert (by["userId"], by["via"], by["name"]) == (None, "slack", "ann")
    asked = await chat.changed(before)
    assert asked.path == "/actions/AABA1ABCD/1232321423432/D09sSasdasdAS9091209" and asked.json["replace_original"]
    for block in asked.json["blocks"]:
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.validate_json()
    actions, context = asked.json["blocks"][-2:]
    assert [each["text"]["text"] for each in actions["elements"]] == ["Look"]
    who, when = context["elements"]
    assert who["text"] == "Acknowledged by ann." and when["text"].startswith("<!date^")
    where = {"action": "notification.acknowledged", "resourceId": notification["id"]}
    [entry] = (await shop.owner.get("/audit", **where)).json["items"]
    assert entry["metadata"] == {"via": "slack", "userId": "None", "name": "ann"}


async def test_whoever_has_that_address_acknowledges_as_themselves(chat: Chat, shop: Project) -> None:
    bob = await shop.add_user(name="Bob Baker")
    await vouched(shop, bob, "slack", BOB[0])
    notification, post = await chat.told(targetUsers=[bob["id"]])
    before = len(chat.town.far.asked)
    await chat.slack(slack_press(post, answer_at(chat), BOB))
    [by] = await chat.acknowledged(notification)
    assert (by["userId"], by["via"], by["name"]) == (bob["id"], "slack", "Bob Baker")
    assert (await chat.changed(before)).json["blocks"][-1]["elements"][0]["text"] == "Acknowledged by Bob Baker."


async def test_the_first_press_counts_and_the_second_hears_of_it(chat: Chat) -> None:
    notification, post = await chat.told()
    for by in (ANN, ("UC", "carl")):
        before = len(chat.town.far.asked)
        await chat.slack(slack_press(post, answer_at(chat), by))
        context = (await chat.changed(before)).json["blocks"][-1]
        assert context["elements"][0]["text"] == "Acknowledged by ann."
    assert [each["name"] for each in await chat.acknowledged(notification)] == ["ann"]


async def test_a_press_that_is_told_again_is_kept_once(chat: Chat) -> None:
    notification, post = await chat.told()
    press = slack_press(post, answer_at(chat))
    assert [(await chat.slack(press)).status for _ in range(3)] == [200] * 3
    await chat.acknowledged(notification)
    assert [row["event_id"] for row in await chat.kept()].count(press["trigger_id"]) == 1


@pytest.mark.parametrize(
    "forged",
    [{"signed_with": "another"}, {"ago": 301}, {"ago": -301}, {"X_Slack_Signature": ""}, {"X_Slack_Signature": "v0=é"}],
    ids=["another app's", "old", "of the future", "not signed", "not ASCII"],
)
async def test_what_slack_did_not_sign_just_now_is_refused(chat: Chat, forged: Any) -> None:
    notification, post = await chat.told()
    press = slack_press(post, answer_at(chat))
    headers = {name.replace("_", "-"): value for name, value in forged.items() if name.startswith("X")}
    how = {name: value for name, value in forged.items() if not name.startswith("X")}
    assert (await chat.slack(press, **how, **headers)).code == "hook_refused"
    assert press["trigger_id"] not in [row["event_id"] for row in await chat.kept()]
    assert (await chat.caller.get(f"/notifications/{notification['id']}")).json["acknowledgedBy"] == []


async def test_no_secret_of_the_app_is_kept_with_a_press(chat: Chat) -> None:
    _, post = await chat.told()
    press = slack_press(post, answer_at(chat))
    await chat.slack(press)
    row = await chat.worked_on(press["trigger_id"])
    assert row["state"] == "processed" and press["token"] not in row["payload"]


async def test_a_press_of_another_project_acknowledges_nothing_here(chat: Chat, town: Town, mill: Project) -> None:
    """Signed as it should be: by whoever has that other app."""
    notification, post = await chat.told()
    other = await slack_chat(town, mill)
    await vouched(mill, await mill.add_user(), "slack", ANN[0])
    press = slack_press(post, answer_at(chat))
    before = len(town.far.asked)
    assert (await other.slack(press)).status == 200
    await other.worked_on(press["trigger_id"])
    note = (await other.changed(before)).json["blocks"][-1]["elements"]
    assert [each["text"] for each in note] == ["This notification is not there any more."]
    assert (await chat.caller.get(f"/notifications/{notification['id']}")).json["acknowledgedBy"] == []


async def test_an_app_tells_of_all_its_webhooks_at_one_address(town: Town, mill: Project) -> None:
    first = await slack_chat(town, mill)
    second = await slack_chat(town, mill)
    notification, post = await second.told()
    assert (await first.slack(slack_press(post, answer_at(first)))).status == 200
    assert [each["via"] for each in await first.acknowledged(notification)] == ["slack"]


async def test_without_the_secret_the_button_is_a_link(town: Town, mill: Project) -> None:
    chat = await slack_chat(town, mill, secret=None)
    notification, post = await chat.told()
    [button] = post["blocks"][-1]["elements"]
    assert "/ack/" in button["url"] and "action_id" not in button
    forged = slack_press({**post, "blocks": [_with_button(notification)]}, answer_at(chat))
    assert (await chat.slack(forged)).status == 401


async def test_whoever_follows_the_link_after_another_is_told_when_that_was(town: Town, mill: Project) -> None:
    """Nobody is named: in a channel the link is of nobody."""
    chat = await slack_chat(town, mill, secret=None)
    _, post = await chat.told()
    path = post["blocks"][-1]["elements"][0]["url"].partition("/api/v1")[2]
    for words in ("Everybody who was told", f"Acknowledged already, {datetime.now(UTC):%Y-%m}"):
        async with town.api.http.post(f"{town.api.base}/api/v1{path}") as page:
            assert (page.status, words in await page.text()) == (200, True)


def _with_button(notification: Any) -> Any:
    return {"type": "actions", "elements": [{"type": "button", "action_id": f"ack:{notification['id']}"}]}


async def test_a_link_that_somebody_opens_is_not_kept(chat: Chat) -> None:
    _, post = await chat.told(action={"url": "https://shop.example/ovens"})
    press = slack_press(post, answer_at(chat))
    press["actions"] = [{"type": "button", "action_id": "Kx3", "url": "https://shop.example/ovens"}]
    assert (await chat.slack(press)).status == 200
    assert press["trigger_id"] not in [row["event_id"] for row in await chat.kept()]


@pytest.mark.parametrize("body", [b"", b"payload=", b"payload=[]", b"payload=%7B", b"payload=1&payload=2", b"\xc3\xa9"])
async def test_what_is_no_interaction_is_refused(chat: Chat, body: bytes) -> None:
    sent_at = str(int(time.time()))
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": sent_at,
        "X-Slack-Signature": SignatureVerifier(SECRET).generate_signature(timestamp=sent_at, body=body) or "",
    }
    api = chat.town.api
    assert (await Client(api.http, api.base).post(chat.path, body, **headers)).status == 400


async def test_the_setup_says_where_slack_is_to_call(chat: Chat) -> None:
    _, post = await chat.told()
    await chat.slack(slack_press(post, answer_at(chat)))
    setup = (await chat.caller.get(f"/connections/{chat.connection['id']}/setup")).json
    assert setup["address"] == f"https://alerts.tocsin.example/api/v1{chat.path}"
    assert [step["done"] for step in setup["steps"]] == [True] * 4
