"""From a connection of a further provider to its far end, by the API and a worker: two projects, one of which hears
nothing (C2, C4)."""

import json
from typing import Any

from tests.channels.far_end import Asked, FarEnd, answering
from tests.client import Project, sign_up
from tests.pipeline import ENDED, Working, deliveries_of, ended, make_rule, send_event, until

CANARY = "canary0123456789ab"


async def connected(project: Project, provider: str, **body: Any) -> Any:
    """A verified connection of the project's own."""
    made = await project.key.post("/connections", {"provider": provider, "name": provider, **body})
    assert made.status == 201, made.json
    reply = await project.key.post(f"/connections/{made.json['id']}/verify")
    assert reply.status == 200 and reply.json["status"] == "active", reply.json
    return made.json


async def delivered_by(project: Project, channel: str, **rule: Any) -> Any:
    await make_rule(project, channel, **rule)
    return await ended(project.key, await send_event(project.key, order=7), channel)


async def heard(far: FarEnd) -> list[Any]:
    asked, far.asked = far.asked, []
    return asked


async def test_a_chat_tool_posts_for_its_project_alone(working: Working, shop: Project) -> None:
    rival = await sign_up(working.api, "Rival")
    async with answering(200, "ok") as far:
        url = f"{far.url}/services/T1/B1/{CANARY}"
        made = await connected(shop, "slack", credentials={"webhookUrl": url})
        assert CANARY not in str(made)
        await heard(far)
        assert (await delivered_by(rival, "slack"))["lastError"] == "no connection for slack"
        assert await heard(far) == []
        done = await delivered_by(shop, "slack")
    assert (done["state"], done["connectionReason"]) == ("delivered", "the project's")
    [asked] = await heard(far)
    assert asked.path.endswith(CANARY) and asked.json["blocks"][0]["text"]["text"] == "Order 7"
    assert CANARY not in str(done)


async def test_a_text_message_goes_to_the_persons_own_number_else_to_that_of_the_profile(shop: Project) -> None:
    ann = await shop.add_user(phone="+43 660 1234567")
    bob = await shop.add_user(phone="+436607654321", addresses={"phone": "+436600000000"})
    nobody = await shop.add_user()
    answer = '{"sid": "ACx", "friendly_name": "Acme", "status": "active"}'
    async with answering(200, answer) as far:
        settings = {"url": far.url, "accountSid": "ACx", "sender": "+15017122661"}
        await connected(shop, "twilio", settings=settings, credentials={"authToken": CANARY})
        await heard(far)
        await make_rule(shop, "sms", targetUsers=[ann["id"], bob["id"], nobody["id"]])
        event_id = await send_event(shop.key, order=8)
        states = await everybody_ended(shop, event_id)
    assert states == {ann["id"]: "sent", bob["id"]: "sent", nobody["id"]: "suppressed"}
    to = {asked.body.decode().partition("To=%2B")[2][:12] for asked in await heard(far)}
    assert to == {"436601234567", "436600000000"}


async def test_a_call_of_ones_own_design_that_is_refused_stops_the_connection(shop: Project) -> None:
    async with answering(200) as far:
        settings = {"url": f"{far.url}/push?key={{secret}}", "body": '{"text": "{title}"}'}
        made = await connected(shop, "http", settings=settings, credentials={"secret": CANARY})
        await heard(far)
        assert (await delivered_by(shop, "http"))["state"] == "delivered"
        [asked] = await heard(far)
        assert asked.json == {"text": "Order 7"} and asked.query == {"key": CANARY}
        far.status = 401
        await send_event(shop.key, order=9)
        after = await stopped(shop, made["id"])
    assert after["status"] == "error" and CANARY not in str(after)


async def everybody_ended(project: Project, event_id: str) -> dict[str, str]:
    async def look() -> dict[str, str] | None:
        found = {each["userId"]: each["state"] for each in await deliveries_of(project.key, event_id, "sms")}
        return found if all(state in ENDED for state in found.values()) else None

    return await until(look)


async def stopped(project: Project, connection_id: str) -> Any:
    async def look() -> Any:
        reply = await project.key.get(f"/connections/{connection_id}")
        return reply.json if reply.json["status"] != "active" else None

    return await until(look)


async def test_an_app_at_pusher_is_told_of_each_recipient_without_an_address_of_theirs(
    working: Working, shop: Project
) -> None:
    rival = await sign_up(working.api, "Rival")
    people = [await shop.add_user(name=name) for name in ("Ann", "Bob")]
    stranger = await rival.add_user(name="Eve")
    async with answering(200, "{}") as far:
        settings = {"appId": "7", "key": "k", "url": far.url}
        made = await connected(shop, "pusher", settings=settings, credentials={"secret": CANARY})
        assert CANARY not in str(made)
        await heard(far)
        assert (await delivered_by(rival, "pusher", targetUsers=[stranger["id"]]))["state"] == "failed"
        assert await heard(far) == []
        await make_rule(shop, "pusher", targetUsers=[person["id"] for person in people])
        event = await send_event(shop.key, order=7)
        told = await until(lambda: _told(far, len(people)))
    assert {each.json["channels"][0] for each in told} == {f"private-user-{person['id']}" for person in people}
    assert {json.loads(each.json["data"])["event"]["id"] for each in told} == {event}
    assert CANARY not in str(told)


async def test_a_service_of_apprise_is_told_for_its_project_alone(working: Working, shop: Project) -> None:
    rival = await sign_up(working.api, "Rival")
    async with answering(200, "{}") as far:
        url = f"json://{far.url.removeprefix('http://')}/{CANARY}"
        made = await connected(shop, "apprise", credentials={"url": url})
        assert CANARY not in str(made)
        assert (await delivered_by(rival, "apprise"))["lastError"] == "no connection for apprise"
        assert await heard(far) == []
        delivery = await delivered_by(shop, "apprise", message="{{ payload.order }} of them")
        assert delivery["state"] == "sent"
        [asked] = await heard(far)
    assert (asked.json["title"], asked.json["message"]) == ("Order 7", "7 of them")
    assert CANARY not in str(delivery)
    shown = await shop.key.get(f"/connections/{made['id']}")
    assert CANARY not in str(shown.json)


async def _told(far: FarEnd, times: int) -> list[Asked] | None:
    return far.asked if len(far.asked) >= times else None
