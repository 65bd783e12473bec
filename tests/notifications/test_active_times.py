"""Outside of its active times a rule matches nothing, or what it sends waits for them (R4)."""

from typing import Any

import pytest

from tests.client import Project
from tests.mail.posted import Posted
from tests.notifications.silence import becomes, fall_due, hours, settled
from tests.pipeline import make_rule, send_event, story


@pytest.fixture
async def shop(posted: Posted) -> Project:
    return await posted.sign_up("Shop")


@pytest.fixture
async def ann(shop: Project) -> Any:
    return await shop.add_user(name="Ann")


async def test_outside_of_them_it_does_not_match_and_the_trace_says_why(shop: Project, ann: Any) -> None:
    zone = "Asia/Kolkata"
    times = hours(2, 3, zone, timezone=zone)
    made = await make_rule(shop, "email", targetUsers=[ann["id"]], activeTimes=times)
    assert made["activeTimes"] == {**times, "outside": "skip"}
    told = await story(shop.key, await send_event(shop.key))
    assert (told["outcome"], told["notifications"]) == ("no_match", [])
    [rule] = told["trace"]
    assert (rule["matched"], rule["notificationId"]) == (False, None)
    assert rule["reason"].startswith("outside of its active times, which begin again ")
    assert rule["reason"].endswith(f"{times['from']} {zone}")


async def test_a_condition_that_does_not_match_is_the_reason_before_the_time(shop: Project, ann: Any) -> None:
    await make_rule(shop, "email", targetUsers=[ann["id"]], activeTimes=hours(2, 3), condition="payload.n > 1")
    [rule] = (await story(shop.key, await send_event(shop.key, n=0)))["trace"]
    assert (rule["matched"], "active times" in rule["reason"]) == (False, False)


async def test_a_trial_outside_of_them_says_so_and_shows_the_words(shop: Project, ann: Any) -> None:
    rule = await make_rule(shop, "email", targetUsers=[ann["id"]], activeTimes=hours(2, 3))
    event = {"event": {"type": "a", "payload": {"order": 7}}}
    told = (await shop.key.post(f"/rules/{rule['id']}/test", event)).json
    assert (told["matched"], told["error"], told["recipientsTotal"]) == (False, None, 0)
    assert told["reason"].startswith("outside of its active times, which begin again ")
    assert told["rendered"]["title"] == "Order 7"


async def test_a_mistake_is_told_in_a_trial_at_any_hour(shop: Project, ann: Any) -> None:
    title = "{{ payload.order | divided_by: 0 }}"
    rule = await make_rule(shop, "email", targetUsers=[ann["id"]], activeTimes=hours(2, 3), title=title)
    event = {"event": {"type": "a", "payload": {"order": 7}}}
    assert (await shop.key.post(f"/rules/{rule['id']}/test", event)).json["error"] == "render_error"


async def test_within_them_it_is_at_work(shop: Project, ann: Any) -> None:
    for outside in ("skip", "hold"):
        times = {**hours(-1, 1), "outside": outside}
        await make_rule(shop, "email", targetUsers=[ann["id"]], activeTimes=times, eventTypes=[outside])
        assert (await settled(shop, await send_event(shop.key, outside)))["state"] == "sent"


async def test_what_it_sends_may_wait_for_them(posted: Posted, shop: Project, ann: Any) -> None:
    times = {**hours(2, 3), "outside": "hold"}
    made = await make_rule(shop, "email", targetUsers=[ann["id"]], activeTimes=times)
    held = await settled(shop, await send_event(shop.key))
    assert (held["state"], held["lastError"]) == ("held", f"active times from {times['from']} UTC")
    assert held["dueAt"][11:16] == times["from"]
    reply = await shop.owner.put(f"/rules/{made['id']}", {"activeTimes": None})
    assert (reply.status, reply.json["activeTimes"]) == (200, None)
    await fall_due(posted.sql, held)
    await becomes(shop, held, "sent")


async def test_what_goes_to_no_person_waits_as_well(shop: Project) -> None:
    await shop.owner.post(
        "/connections", {"provider": "webhook", "name": "w", "settings": {"url": "https://a.example"}}
    )
    await make_rule(shop, "webhook", activeTimes={**hours(2, 3), "outside": "hold"})
    assert (await settled(shop, await send_event(shop.key), "webhook"))["state"] == "held"


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"activeTimes": {"from": "8:00", "to": "18:00"}}, "string_pattern_mismatch", "/activeTimes/from"),
        ({"activeTimes": {"from": "08:00"}}, "required", "/activeTimes/to"),
        ({"activeTimes": {"from": "08:00", "to": "08:00"}}, "endless", "/activeTimes"),
        ({"activeTimes": {**hours(1, 2), "timezone": "Mars/Olympus"}}, None, "/activeTimes/timezone"),
        ({"activeTimes": {**hours(1, 2), "days": []}}, None, "/activeTimes/days"),
        ({"activeTimes": {**hours(1, 2), "until": "x"}}, None, "/activeTimes/until"),
        (
            {"activeTimes": {**hours(1, 2), "outside": "hold"}, "priority": "critical"},
            "critical_waits",
            "/activeTimes/outside",
        ),
        ({"throttle": {"max": 0, "perSeconds": 60}}, None, "/throttle/max"),
        ({"throttle": {"max": 1, "perSeconds": 5}}, None, "/throttle/perSeconds"),
    ],
)
async def test_what_makes_no_sense_is_refused_at_its_place(
    shop: Project, fields: Any, code: str | None, pointer: str
) -> None:
    reply = await shop.owner.post("/rules", {"name": "a", "eventTypes": ["*"], "title": "a", **fields})
    assert reply.status == 422
    [error] = reply.json["errors"]
    assert error["pointer"] == pointer and code in (None, error["code"])
