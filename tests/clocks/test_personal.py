"""The daily summary of a person: on or off, at their own time in their own zone (R5, R6)."""

from typing import Any

from tests.client import Project
from tests.clocks.conftest import yesterday
from tests.clocks.test_rules import runs
from tests.people import Person, join
from tests.pipeline import Working, notified, until


async def installed(project: Project, name: str = "personal-summary", **fields: Any) -> Any:
    reply = await project.owner.post("/starter-rules", {"names": [name], **fields})
    assert reply.status == 200, reply.json
    return reply.json["results"][0]["rule"]


async def prefer(person: Person, **summary: Any) -> Any:
    reply = await person.client.put(f"/users/{person.id}/preferences", {"dailySummary": summary})
    assert reply.status == 200, reply.json
    return reply.json["dailySummary"]


async def test_a_person_switches_it_on_and_off(shop: Project, ann: Person) -> None:
    assert (await ann.client.get(f"/users/{ann.id}/preferences")).json["dailySummary"] == {
        "enabled": False,
        "time": None,
    }
    assert await prefer(ann, enabled=True, time="07:15") == {"enabled": True, "time": "07:15"}
    assert await prefer(ann, enabled=False) == {"enabled": False, "time": None}
    refused = await ann.client.put(f"/users/{ann.id}/preferences", {"dailySummary": {"enabled": True, "time": "7"}})
    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/dailySummary/time")


async def test_it_reaches_those_who_have_it_on_each_at_their_time(working: Working, shop: Project, ann: Person) -> None:
    bob, eve = [await join(working.api, shop, name=name) for name in ("Bob", "Eve")]
    rule = await installed(shop, targetRoles=["user"])
    await yesterday(working.sql, rule["id"], days=0)
    await prefer(ann, enabled=True, time="06:00")
    await prefer(bob, enabled=True)
    assert (await bob.client.put(f"/users/{bob.id}", {"timezone": "Asia/Tokyo"})).status == 200
    await give_role(shop, ann, bob, eve)
    await yesterday(working.sql, rule["id"])
    told = {run["payload"]["timezone"]: run for run in await runs(shop, rule, 2)}
    assert {zone: run["payload"]["chosenTime"] for zone, run in told.items()} == {"UTC": "06:00", "Asia/Tokyo": None}
    for zone, person, time in (("UTC", ann, "06:00"), ("Asia/Tokyo", bob, "18:00")):
        notification = await notified(shop.key, told[zone]["id"])
        assert [each["userId"] for each in notification["recipients"]] == [person.id]
        assert notification["title"].endswith(time)


async def give_role(project: Project, *people: Person) -> None:
    for person in people:
        reply = await project.owner.put(f"/users/{person.id}", {"roles": ["user"]})
        assert reply.status == 200, reply.json


async def test_a_change_of_mind_or_place_has_the_clock_looked_at(working: Working, shop: Project, ann: Person) -> None:
    rule = await installed(shop, targetRoles=["user"])
    await give_role(shop, ann)

    async def seconds() -> float:
        return float(
            await working.sql.fetchval(
                "SELECT extract(epoch FROM next_at - now()) FROM tocsin.clocks WHERE rule_id = $1", rule["id"]
            )
        )

    async def rests() -> bool:
        return await seconds() > 3_000

    for change in (
        lambda: prefer(ann, enabled=True, time="12:00"),
        lambda: ann.client.put(f"/users/{ann.id}", {"timezone": "Europe/Vienna"}),
        lambda: shop.owner.put("/projects/me/settings", {"timezone": "America/New_York"}),
    ):
        await working.sql.execute(
            "UPDATE tocsin.clocks SET next_at = now() + interval '5 hours' WHERE rule_id = $1", rule["id"]
        )
        await change()
        looked = await seconds()
        assert looked < 3_600.5, "it would have slept on"


async def test_a_change_of_the_projects_zone_moves_its_clocks(working: Working, shop: Project, other: Project) -> None:
    rule, foreign = await installed(shop, "daily-summary"), await installed(other, "daily-summary")
    before = await next_run_of(working, foreign)
    assert (await shop.owner.put("/projects/me/settings", {"timezone": "Asia/Tokyo"})).status == 200

    async def moved() -> bool:
        return (await next_run_of(working, rule)).hour == 9

    await until(moved)
    assert await next_run_of(working, foreign) == before


async def next_run_of(working: Working, rule: Any) -> Any:
    return await working.sql.fetchval("SELECT next_at FROM tocsin.clocks WHERE rule_id = $1", rule["id"])
