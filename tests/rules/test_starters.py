"""Starter rules: what there is, installed in one call, once (R5)."""

from typing import Any

import pytest

from tests.client import Project, sign_up
from tests.clocks.conftest import yesterday
from tests.clocks.test_rules import runs
from tests.pipeline import Working, notified, send_event, story
from tests.plans.build import put_on
from tocsin.rules.starters import STARTERS


@pytest.fixture
async def shop(working: Working) -> Project:
    return await sign_up(working.api, "Shop")


@pytest.fixture
async def other(working: Working) -> Project:
    return await sign_up(working.api, "Other")


async def install(project: Project, *names: str, **fields: Any) -> dict[str, Any]:
    reply = await project.owner.post("/starter-rules", {"names": list(names), **fields})
    assert reply.status == 200, reply.json
    return {each["name"]: each for each in reply.json["results"]}


async def test_the_catalogue_says_what_each_is_for_and_needs(shop: Project) -> None:
    reply = await shop.owner.get("/starter-rules")
    assert [each["name"] for each in reply.json] == list(STARTERS)
    assert all(each["description"] for each in reply.json)
    assert {each["name"] for each in reply.json if each["needs"] is None} == {
        *("daily-summary", "personal-summary", "trouble"),
    }
    assert [each["name"] for each in reply.json if each["ruleId"]] == ["trouble"]


async def test_the_plan_bounds_them_but_for_the_first(working: Working, shop: Project) -> None:
    await put_on(working.sql, shop, "free")
    wanted = [name for name in STARTERS if name != "trouble"]
    results = await install(shop, *wanted[:5])
    assert {each["status"] for each in results.values()} == {"installed"}
    full = await shop.owner.post("/starter-rules", {"names": wanted[5:]})
    assert (full.status, full.code) == (403, "limit_reached"), "the plan has room for five of one's own"


async def test_installing_twice_says_so_and_doubles_nothing(shop: Project) -> None:
    first = await install(shop, "orders")
    again = await install(shop, "orders", "low-stock", channels=["email"])
    assert {name: each["status"] for name, each in again.items()} == {"orders": "present", "low-stock": "installed"}
    assert again["orders"]["rule"] == first["orders"]["rule"]
    await shop.owner.delete(f"/rules/{first['orders']['rule']['id']}")
    assert (await install(shop, "orders"))["orders"]["status"] == "installed"


async def test_another_project_has_its_own(shop: Project, other: Project) -> None:
    mine = await install(shop, "orders")
    listed = {each["name"]: each["ruleId"] for each in (await other.owner.get("/starter-rules")).json}
    assert listed["orders"] is None
    theirs = await install(other, "orders")
    assert theirs["orders"]["status"] == "installed"
    assert theirs["orders"]["rule"]["id"] != mine["orders"]["rule"]["id"]


async def test_who_is_told_how_and_when_can_be_chosen(shop: Project) -> None:
    chosen = {
        "targetRoles": ["viewer"],
        "channels": ["realtime", "email"],
        "time": "07:00",
        "timezone": "Europe/Vienna",
    }
    rules = {name: each["rule"] for name, each in (await install(shop, "orders", "daily-summary", **chosen)).items()}
    assert [rule["targetRoles"] for rule in rules.values()] == [["viewer"]] * 2
    assert [rule["channels"] for rule in rules.values()] == [["realtime", "email"]] * 2
    clock = rules["daily-summary"]["clock"]
    assert (clock["time"], clock["timezone"]) == ("07:00", "Europe/Vienna")
    assert rules["orders"]["clock"] is None


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"names": []}, "/names"),
        ({"names": ["orders", "nothing"]}, "/names/1"),
        ({"names": ["orders"], "targetRoles": ["nobody"]}, "/targetRoles/0"),
        ({"names": ["orders"], "channels": ["smoke"]}, "/channels/0"),
        ({"names": ["daily-summary"], "time": "25:00"}, "/time"),
        ({"names": ["daily-summary"], "timezone": "Europe/Atlantis"}, "/timezone"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_place(shop: Project, fields: Any, pointer: str) -> None:
    reply = await shop.owner.post("/starter-rules", fields)
    assert (reply.status, [each["pointer"] for each in reply.json["errors"]]) == (422, [pointer])


@pytest.mark.parametrize("name", [name for name, starter in STARTERS.items() if starter.needs])
async def test_it_tells_of_the_event_that_it_needs(shop: Project, name: str) -> None:
    await install(shop, name)
    needs = STARTERS[name].needs
    notification = await notified(shop.key, await send_event(shop.key, needs["type"], **needs["payload"]))
    assert notification["title"].strip() and "{{" not in notification["title"]
    told = await story(shop.key, notification["eventId"])
    assert [each.get("error") for each in told["trace"]] == [None]


async def test_stock_that_lasts_is_not_told_of(shop: Project) -> None:
    await install(shop, "low-stock")
    event = await send_event(shop.key, "stock.changed", name="Kettle", quantity=6, reorderAt=5)
    assert (await story(shop.key, event))["outcome"] == "no_match"


async def test_the_daily_summary_tells_the_counts_of_the_last_day(working: Working, shop: Project) -> None:
    rule = (await install(shop, "daily-summary"))["daily-summary"]["rule"]
    await yesterday(working.sql, rule["id"])
    [run] = await runs(shop, rule)
    notification = await notified(shop.key, run["id"])
    assert notification["message"].startswith("0 events, 0 notifications")
    assert [each["userId"] for each in notification["recipients"]] == [shop.signed_up["user"]["id"]]
