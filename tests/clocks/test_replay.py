"""A rule with a clock is replayed over the runs of its own clock (R6, D6)."""

from typing import Any

from tests.client import Project
from tests.clocks.conftest import yesterday
from tests.clocks.test_rules import make_clock, runs
from tests.people import Person, join
from tests.pipeline import Working, story

LONG_AGO = "2026-01-01T00:00:00Z"


async def replayed(project: Project, rule: Any, **fields: Any) -> Any:
    names = ("name", "eventTypes", "clock", "condition", "targetRoles", "targetUsers", "channels", "title")
    draft = {**{name: rule[name] for name in names}, **fields}
    reply = await project.key.post(f"/rules/{rule['id']}/replay", {"from": LONG_AGO, "rule": draft})
    assert reply.status == 200, reply.json
    return reply.json


async def run_once(working: Working, project: Project, rule: Any, count: int = 1) -> list[str]:
    await yesterday(working.sql, rule["id"])
    events = [each["id"] for each in await runs(project, rule, count)]
    for event in events:
        await story(project.key, event)
    return events


async def test_what_a_draft_would_have_made_of_the_runs_of_its_own_clock(
    working: Working, shop: Project, other: Project
) -> None:
    rule, second, theirs = await make_clock(shop), await make_clock(shop), await make_clock(other)
    [event] = await run_once(working, shop, rule)
    for project, each in ((shop, second), (other, theirs)):
        await run_once(working, project, each)
    same = await replayed(shop, rule)
    assert (same["counts"]["events"], same["counts"]["matchedNow"], same["examples"]) == (1, 1, [])
    quiet = await replayed(shop, rule, condition="payload.counts.events.total > 1000")
    assert [(each["eventId"], each["changes"]) for each in quiet["examples"]] == [(event, ["no_longer_matching"])]
    events = await replayed(shop, rule, clock=None, eventTypes=["*"])
    assert [(each["eventId"], each["changes"]) for each in events["examples"]] == [(event, ["no_longer_matching"])]


async def test_each_run_tells_those_whose_time_it_was(working: Working, shop: Project, ann: Person) -> None:
    bob = await join(working.api, shop, name="Bob")
    assert (await bob.client.put(f"/users/{bob.id}", {"timezone": "Asia/Tokyo"})).status == 200
    people = {"targetRoles": [], "targetUsers": [ann.id, bob.id]}
    rule = await make_clock(shop, clock={"time": "08:00", "timezone": "recipient"}, **people)
    await run_once(working, shop, rule, 2)
    same = await replayed(shop, rule)
    assert (same["counts"]["events"], same["counts"]["matchedNow"], same["examples"]) == (2, 2, [])
    fewer = await replayed(shop, rule, targetUsers=[ann.id])
    assert [each["lost"] for each in fewer["examples"]] == [[bob.id]]
