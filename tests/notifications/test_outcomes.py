"""What becomes of an event when its rules do not make a notification of it (D6, E5)."""

import pytest

from tests.client import Project
from tests.pipeline import Working, make_rule, send_event, send_events, story, until

HANGS = "{% if (1..9000000000) contains 'x' %}{% endif %}"


async def test_no_rule_for_the_type(shop: Project) -> None:
    await make_rule(shop, "webhook", eventTypes=["invoice.*"])
    told = await story(shop.key, await send_event(shop.key))
    assert (told["outcome"], told["trace"]) == ("no_rule", [])


@pytest.mark.parametrize(
    ("condition", "outcome", "reason"),
    [
        ("payload.amount > 1000", "no_match", "condition is false"),
        ("payload.nope > 1000", "no_match", "payload.nope is missing"),
        ("1 / payload.zero > 1", "rule_error", "division by zero"),
    ],
)
async def test_a_condition_that_does_not_hold(shop: Project, condition: str, outcome: str, reason: str) -> None:
    await make_rule(shop, "webhook", condition=condition)
    told = await story(shop.key, await send_event(shop.key, amount=7, zero=0))
    [rule] = told["trace"]
    assert (told["outcome"], rule["matched"]) == (outcome, False)
    assert reason in rule["reason"]


async def test_a_rule_that_fails_does_not_spoil_its_neighbour(shop: Project) -> None:
    await make_rule(shop, "webhook", condition="1 / payload.zero > 1")
    await make_rule(shop, "webhook")
    told = await story(shop.key, await send_event(shop.key, zero=0))
    assert told["outcome"] == "notified"
    assert [bool(rule["error"]) for rule in told["trace"]] == [True, False]


async def test_a_rule_that_must_be_stopped_again_and_again_is_switched_off_with_the_reason(shop: Project) -> None:
    hostile = await make_rule(shop, "webhook", title=HANGS)
    good = await make_rule(shop, "webhook")
    events = await send_events(shop.key, *({"order": number} for number in range(12)))
    for event_id in events:
        told = await story(shop.key, event_id, seconds=60)
        assert told["outcome"] == "notified"
        by_rule = {rule["ruleId"]: rule for rule in told["trace"]}
        assert by_rule[good["id"]]["notificationId"]
        assert by_rule.get(hostile["id"], {}).get("notificationId") is None

    async def switched_off() -> bool:
        return not (await shop.owner.get(f"/rules/{hostile['id']}")).json["active"]

    await until(switched_off)
    shown = (await shop.owner.get(f"/rules/{hostile['id']}")).json
    assert shown["suspendedReason"].startswith("suspended after 5 evaluations that had to be stopped: ")
    assert "not tried" not in shown["suspendedReason"]
    after = await story(shop.key, await send_event(shop.key))
    assert [rule["ruleId"] for rule in after["trace"]] == [good["id"]]


async def test_a_rule_that_was_switched_off_can_be_mended_and_works(working: Working, shop: Project) -> None:
    hostile = await make_rule(shop, "webhook", title=HANGS)
    await send_events(shop.key, *({} for _ in range(6)))

    async def switched_off() -> bool:
        return not (await shop.owner.get(f"/rules/{hostile['id']}")).json["active"]

    await until(switched_off, 60)
    mended = await shop.owner.put(f"/rules/{hostile['id']}", {"title": "Mended", "active": True})
    assert (mended.status, mended.json["suspendedReason"]) == (200, None), mended.json
    told = await story(shop.key, await send_event(shop.key))
    assert told["outcome"] == "notified"
