"""A person's feed: numbered without gaps, read in order, and nobody else's affair (W2)."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.client import Client, Project
from tests.people import Person, join
from tests.pipeline import Working, make_rule, notified, send_event, send_events, until
from tests.running import running

ABSENT = "00000000-0000-7000-8000-000000000002"


@pytest.fixture
async def ann(working: Working, shop: Project) -> Person:
    return await join(working.api, shop)


async def all_pages(caller: Client, **params: Any) -> list[Any]:
    """Every page of a list, in the order they come."""
    items: list[Any] = []
    cursor: dict[str, str] = {}
    for _ in range(50):
        reply = await caller.get("/notifications", **params, **cursor)
        assert reply.status == 200, reply.json
        items += reply.json["items"]
        if reply.json["nextCursor"] is None:
            return items
        cursor = {"cursor": reply.json["nextCursor"]}
    raise AssertionError("the list has no end")


async def has(working: Working, project: Project, count: int) -> bool:
    made = "SELECT count(*) FROM tocsin.notifications WHERE project_id = $1"
    return bool(await working.sql.fetchval(made, project.id) == count)


async def test_numbers_have_no_gaps_whoever_counts(working: Working, shop: Project) -> None:
    """Two workers, events one by one and in batches, people in changing company."""
    people = [(await shop.add_user(externalUserId=f"p{number}"))["id"] for number in range(4)]
    await make_rule(shop, "realtime", eventTypes=["all.*"], targetUsers=people)
    await make_rule(shop, "realtime", eventTypes=["all.*", "half.*"], targetUsers=people[:2])
    await make_rule(shop, "realtime", targetPayloadUser=True)
    with running(working.site, "worker"):
        for _ in range(4):
            await asyncio.gather(
                *(
                    send_events(shop.key, *({"userId": f"p{n % 4}"} for n in range(20)), type_="all.x")
                    for _ in range(2)
                ),
                *(send_event(shop.key, "half.x", userId=f"p{number % 4}") for number in range(10)),
            )
        await until(lambda: has(working, shop, 4 * (40 * 3 + 10 * 2)), 60)
    for person in people:
        numbers = await seqs(working.sql, person)
        assert numbers == list(range(1, len(numbers) + 1))


async def seqs(sql: asyncpg.Connection, person: str) -> list[int]:
    rows = await sql.fetch("SELECT feed_seq FROM tocsin.notification_recipients WHERE user_id = $1", person)
    return sorted(row["feed_seq"] for row in rows)


async def test_who_was_away_reads_what_was_missed_in_order(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", targetUsers=[ann.id])
    await send_events(shop.key, *({"order": number} for number in range(7)))
    await until(lambda: has(working, shop, 7))
    for caller, whose in ((ann.client, {}), (shop.key, {"userId": ann.id})):
        missed = await all_pages(caller, sinceSeq=2, limit=2, **whose)
        assert [each["seq"] for each in missed] == [3, 4, 5, 6, 7]
    assert await all_pages(ann.client, sinceSeq=7) == []
    everything = await all_pages(ann.client, limit=3)
    assert [each["seq"] for each in everything] == [7, 6, 5, 4, 3, 2, 1]
    since = await all_pages(ann.client, since=everything[-3]["id"], limit=2)
    assert [each["seq"] for each in since] == [4, 5, 6, 7]
    assert [each["title"] for each in since] == [each["title"] for each in everything[:4]][::-1]


async def test_what_became_visible_late_is_not_missed_by_id(working: Working, shop: Project, ann: Person) -> None:
    """Ids are made before their transaction commits: one can be older than what was seen already."""
    await make_rule(shop, "realtime", targetUsers=[ann.id])
    seen = await notified(shop.key, await send_event(shop.key, order="seen"))
    late = await notified(shop.key, await send_event(shop.key, order="late"))
    older = "00000000" + late["id"][8:]
    await working.sql.execute(
        "WITH a AS (UPDATE tocsin.notifications SET id = $2 WHERE id = $1),"
        " b AS (UPDATE tocsin.deliveries SET notification_id = $2 WHERE notification_id = $1)"
        " UPDATE tocsin.notification_recipients SET notification_id = $2 WHERE notification_id = $1",
        late["id"],
        older,
    )
    missed = await all_pages(ann.client, since=seen["id"])
    assert [each["title"] for each in missed] == ["Order late"]


async def test_whose_feed_must_be_said_where_the_caller_is_nobody(shop: Project) -> None:
    reply = await shop.key.get("/notifications", sinceSeq=0)
    assert (reply.status, reply.pointers) == (422, ["/query/userId"])


async def test_a_cursor_of_another_list_is_refused(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", targetUsers=[ann.id])
    await send_events(shop.key, {}, {}, {})
    await until(lambda: has(working, shop, 3))
    cursor = (await ann.client.get("/notifications", limit=1)).json["nextCursor"]
    assert cursor
    reply = await ann.client.get("/notifications", limit=1, sinceSeq=0, cursor=cursor)
    assert (reply.status, reply.code) == (400, "invalid_cursor")


async def test_a_person_sees_only_what_they_received(working: Working, shop: Project, ann: Person) -> None:
    bob = await join(working.api, shop, name="Bob")
    await make_rule(shop, "realtime", "email", targetPayloadUser=True)
    hers = await notified(shop.key, await send_event(shop.key, userId=ann.external_id))
    his = await notified(shop.key, await send_event(shop.key, userId=bob.external_id))
    assert [each["id"] for each in await all_pages(ann.client)] == [hers["id"]]
    assert await all_pages(ann.client, userId=bob.id) == []
    absent = await ann.client.get(f"/notifications/{ABSENT}")
    hidden = await ann.client.get(f"/notifications/{his['id']}")
    assert (absent.status, hidden.status) == (404, 404)
    assert without_ids(absent.json) == without_ids(hidden.json)
    for path in ("/deliveries", "/notifications/stats", "/events"):
        assert (await ann.client.get(path)).status == 403, path


async def test_of_others_a_person_sees_only_who_acknowledged(working: Working, shop: Project, ann: Person) -> None:
    bob, cid = [await join(working.api, shop, name=name) for name in ("Bob", "Cid")]
    await make_rule(shop, "realtime", targetUsers=[ann.id, bob.id, cid.id])
    made = await notified(shop.key, await send_event(shop.key))
    for person in (bob, cid):
        assert (await person.client.put(f"/notifications/{made['id']}/acknowledge")).status == 200
    [seen] = (await ann.client.get("/notifications")).json["items"]
    assert [each["userId"] for each in seen["recipients"]] == [ann.id]
    assert [(each["userId"], each["name"]) for each in seen["acknowledgedBy"]] == [(bob.id, "Bob"), (cid.id, "Cid")]
    assert (seen["recipientsTotal"], seen["seq"]) == (1, 1)


def without_ids(problem: Any) -> Any:
    return {name: value for name, value in problem.items() if name not in ("requestId", "instance")}


async def test_filters_find_what_they_name(working: Working, shop: Project, ann: Person) -> None:
    urgent = await make_rule(shop, "realtime", eventTypes=["u.*"], targetUsers=[ann.id], priority="critical")
    await make_rule(shop, "realtime", eventTypes=["n.*"], targetUsers=[ann.id])
    event_id = await send_event(shop.key, "u.x")
    first = await notified(shop.key, event_id)
    second = await notified(shop.key, await send_event(shop.key, "n.x"))
    assert (await shop.key.put(f"/notifications/{second['id']}/acknowledge")).status == 200
    for filters, wanted in (
        ({"priority": "critical"}, first),
        ({"ruleId": urgent["id"]}, first),
        ({"eventId": event_id}, first),
        ({"acknowledged": "false"}, first),
        ({"acknowledged": "true"}, second),
    ):
        for caller in (shop.key, ann.client):
            assert [each["id"] for each in await all_pages(caller, **filters)] == [wanted["id"]], filters
