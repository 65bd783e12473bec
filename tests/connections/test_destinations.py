"""Named places of a connection that are no person (C12)."""

from typing import Any

import asyncpg
import msgspec
import pytest

from tests.channels.far_end import FarEnd, answering
from tests.client import Client, Project, sign_up
from tests.connections.build import created, make_hook
from tests.people import join
from tests.pipeline import Working, deliveries_of, ended, make_rule, send_event, story, until
from tocsin.kit.ids import PLATFORM_ID, new_id

PUBLISHED = '{"id": "published"}'


async def make_topic(project: Project, far: FarEnd, topic: str = "alerts", caller: Client | None = None) -> Any:
    settings = {"url": far.url, "topic": topic}
    body = {"provider": "ntfy", "name": f"Topic {topic}", "settings": settings}
    return created(await (caller or project.key).post("/connections", body))


async def name(caller: Client, connection: Any, name: str, address: str, **fields: Any) -> Any:
    body = {"name": name, "address": address, **fields}
    return created(await caller.post(f"/connections/{connection['id']}/destinations", body))


async def active(sql: asyncpg.Connection, *connections: Any) -> None:
    await sql.execute(
        "UPDATE tocsin.connections SET status = 'active', updated_at = now() WHERE id = ANY($1)",
        [each["id"] for each in connections],
    )


async def given_to(sql: asyncpg.Connection, connection: Any, user_id: str) -> None:
    """Make a connection a person's own."""
    await sql.execute(
        "UPDATE tocsin.connections SET owner = 'user', user_id = $2, is_default = false WHERE id = $1",
        connection["id"],
        user_id,
    )


def topics(far: FarEnd) -> list[str]:
    return sorted(each.json["topic"] for each in far.asked if each.method == "POST")


async def heard(far: FarEnd, count: int) -> list[str]:
    async def so_many() -> bool:
        return len(topics(far)) >= count

    await until(so_many)
    return topics(far)


async def test_a_destination_is_named_changed_listed_and_forgotten(acme: Project) -> None:
    async with answering() as far:
        made = await make_topic(acme, far)
    one = await name(acme.key, made, "orders", "shop-orders")
    assert (one["name"], one["address"], one["enabled"], one["env"]) == ("orders", "shop-orders", True, "live")
    where = f"/connections/{made['id']}/destinations/{one['id']}"
    changed = await acme.key.put(where, {"address": "shop-orders-2", "enabled": False})
    assert (changed.json["name"], changed.json["address"], changed.json["enabled"]) == (
        "orders",
        "shop-orders-2",
        False,
    )
    assert (await acme.key.get(where)).json == changed.json
    listed = await acme.key.get(f"/connections/{made['id']}/destinations")
    assert listed.json == {"items": [changed.json], "nextCursor": None}
    assert (await acme.key.delete(where)).status == 204
    assert (await acme.key.get(where)).status == 404


async def test_a_name_is_taken_once_in_a_connection(acme: Project) -> None:
    async with answering() as far:
        made, other = await make_topic(acme, far), await make_topic(acme, far)
    await name(acme.key, made, "orders", "one")
    await name(acme.key, other, "orders", "two")
    again = await acme.key.post(f"/connections/{made['id']}/destinations", {"name": "orders", "address": "three"})
    assert (again.status, again.code) == (409, "name_taken")


async def test_the_channel_judges_the_address(acme: Project) -> None:
    async with answering() as far:
        made = await make_topic(acme, far)
    reply = await acme.key.post(f"/connections/{made['id']}/destinations", {"name": "orders", "address": "no topic"})
    assert (reply.status, reply.pointers) == (422, ["/address"])


async def test_a_channel_that_leads_to_one_place_has_no_others(acme: Project) -> None:
    made = await make_hook(acme.key)
    reply = await acme.key.post(f"/connections/{made['id']}/destinations", {"name": "orders", "address": "x"})
    assert (reply.status, reply.code) == (409, "no_destinations")


async def test_the_sandbox_sees_a_live_destination_and_cannot_change_it(acme: Project) -> None:
    async with answering() as far:
        made = await make_topic(acme, far)
    one = await name(acme.key, made, "orders", "shop-orders")
    where = f"/connections/{made['id']}/destinations/{one['id']}"
    assert (await acme.test_key.get(where)).json == one
    for reply in (await acme.test_key.put(where, {"enabled": False}), await acme.test_key.delete(where)):
        assert (reply.status, reply.code) == (403, "live_object")


@pytest.fixture
async def shop(working: Working) -> Project:
    return await sign_up(working.api, "Shop")


async def test_a_rule_reaches_the_projects_destination_and_no_other_projects(working: Working, shop: Project) -> None:
    rival = await sign_up(working.api, "Rival")
    async with answering(200, PUBLISHED) as far, answering(200, PUBLISHED) as theirs:
        made, foreign = await make_topic(shop, far), await make_topic(rival, theirs)
        await active(working.sql, made, foreign)
        one = await name(shop.key, made, "orders", "shop-orders")
        await name(rival.key, foreign, "orders", "rival-orders")
        await make_rule(shop, targetDestinations=["orders"])
        event_id = await send_event(shop.key, order="A-1")
        done = await ended(shop.key, event_id, "ntfy")
        assert (topics(far), topics(theirs)) == (["shop-orders"], [])
    assert done["state"] == "sent"
    [told] = (await story(shop.key, event_id))["trace"]
    [delivery] = [each for each in told["deliveries"] if each["channel"] == "ntfy"]
    assert delivery["connectionReason"] == "the project's destination orders"
    assert (delivery["destination"], delivery["connectionId"]) == ({"id": one["id"], "name": "orders"}, made["id"])


async def test_each_target_person_has_their_own_or_shares_the_projects(working: Working, shop: Project) -> None:
    ann, bob, cat = [await shop.add_user() for _ in range(3)]
    async with answering(200, PUBLISHED) as far:
        shared, own = await make_topic(shop, far), await make_topic(shop, far)
        await active(working.sql, shared, own)
        await name(shop.key, shared, "orders", "everybodys")
        await name(shop.key, own, "orders", "anns")
        await given_to(working.sql, own, ann["id"])
        people = [each["id"] for each in (ann, bob, cat)]
        await make_rule(shop, eventTypes=["all.*"], targetUsers=people, targetDestinations=["orders"])
        await make_rule(shop, eventTypes=["ann.*"], targetUsers=[ann["id"]], targetDestinations=["orders"])
        await send_event(shop.key, "all.told")
        assert await heard(far, 2) == ["anns", "everybodys"]
        far.asked.clear()
        event_id = await send_event(shop.key, "ann.told")
        await ended(shop.key, event_id, "ntfy")
        assert topics(far) == ["anns"]


async def test_one_that_is_switched_off_gets_nothing_and_no_other_place_instead(
    working: Working, shop: Project
) -> None:
    ann = await shop.add_user()
    async with answering(200, PUBLISHED) as far:
        shared, own = await make_topic(shop, far), await make_topic(shop, far)
        await active(working.sql, shared, own)
        await name(shop.key, shared, "orders", "everybodys")
        await name(shop.key, own, "orders", "anns", enabled=False)
        await given_to(working.sql, own, ann["id"])
        await make_rule(shop, targetUsers=[ann["id"]], targetDestinations=["orders"])
        event_id = await send_event(shop.key)
        told = await story(shop.key, event_id)
        assert [each["channel"] for each in await deliveries_of(shop.key, event_id)] == ["realtime"]
        assert topics(far) == []
    assert told["trace"][0]["reason"].endswith("the destination orders is switched off")


async def test_a_name_that_nobody_has_is_told_in_the_trace(shop: Project) -> None:
    await make_rule(shop, targetDestinations=["nowhere"])
    told = await story(shop.key, await send_event(shop.key))
    assert told["outcome"] == "nobody"
    assert "nobody has a destination nowhere" in told["trace"][0]["reason"]


async def test_what_waits_for_a_place_that_is_forgotten_goes_nowhere_else(working: Working, shop: Project) -> None:
    async with answering(200, PUBLISHED) as far:
        made = await make_topic(shop, far)
        one = await name(shop.key, made, "orders", "shop-orders")
        await make_rule(shop, targetDestinations=["orders"])
        event_id = await send_event(shop.key)

        async def waiting() -> Any:
            [found] = await deliveries_of(shop.key, event_id, "ntfy")
            return found if found["lastError"] else None

        assert (await until(waiting))["lastError"] == "the connection of the destination orders is pending"
        reply = await shop.key.delete(f"/connections/{made['id']}/destinations/{one['id']}")
        assert reply.status == 204
        await active(working.sql, made)
        await working.sql.execute("UPDATE tocsin.deliveries SET due_at = now() WHERE project_id = $1", shop.id)
        done = await ended(shop.key, event_id, "ntfy")
        assert topics(far) == []
    assert (done["state"], done["lastError"]) == ("suppressed", "its destination does not exist any more")


async def test_what_waits_is_sent_to_the_address_as_it_is_then(working: Working, shop: Project) -> None:
    async with answering(200, PUBLISHED) as far:
        made = await make_topic(shop, far)
        one = await name(shop.key, made, "orders", "old-orders")
        await make_rule(shop, targetDestinations=["orders"])
        event_id = await send_event(shop.key)
        await until(lambda: deliveries_of(shop.key, event_id, "ntfy"))
        where = f"/connections/{made['id']}/destinations/{one['id']}"
        assert (await shop.key.put(where, {"address": "new-orders"})).status == 200
        await active(working.sql, made)
        await working.sql.execute("UPDATE tocsin.deliveries SET due_at = now() WHERE project_id = $1", shop.id)
        await ended(shop.key, event_id, "ntfy")
        assert topics(far) == ["new-orders"]


async def test_a_trial_of_a_rule_names_the_places_and_sends_nothing(working: Working, shop: Project) -> None:
    async with answering(200, PUBLISHED) as far:
        made = await make_topic(shop, far)
        await active(working.sql, made)
        await name(shop.key, made, "orders", "shop-orders")
        rule = await make_rule(shop, targetDestinations=["orders", "nowhere"])
        body = {"event": {"type": "order.created", "payload": {}}}
        reply = await shop.owner.post(f"/rules/{rule['id']}/test", body)
        assert topics(far) == []
    assert reply.json["destinations"] == [{"name": "orders", "channel": "ntfy", "address": "shop-orders"}]
    assert "nobody has a destination nowhere" in reply.json["reason"]


async def test_a_destination_of_the_platform_is_nobodys(working: Working, shop: Project) -> None:
    async with answering(200, PUBLISHED) as far:
        connection, place = new_id(), new_id()
        await working.sql.execute(
            """INSERT INTO tocsin.connections
                (project_id, id, env, provider, channel, owner, name, settings, is_default, status)
            VALUES ($1, $2, 'live', 'ntfy', 'ntfy', 'platform', 'Topic', $3, true, 'active')""",
            PLATFORM_ID,
            connection,
            msgspec.json.encode({"url": far.url, "topic": "alerts"}).decode(),
        )
        await working.sql.execute(
            """INSERT INTO tocsin.destinations (project_id, id, env, connection_id, name, target)
            VALUES ($1, $2, 'live', $3, 'orders', 'platforms')""",
            PLATFORM_ID,
            place,
            connection,
        )
        await make_rule(shop, targetDestinations=["orders"])
        told = await story(shop.key, await send_event(shop.key))
        assert topics(far) == []
        await working.sql.execute("DELETE FROM tocsin.connections WHERE id = $1", connection)
    assert told["outcome"] == "nobody"


async def test_people_name_places_of_their_own_connections_and_of_nobody_elses(working: Working, shop: Project) -> None:
    ann, bob = await join(working.api, shop), await join(working.api, shop)
    settings = {"host": "127.0.0.1", "port": 2525, "security": "none", "fromAddress": "ann@example.com"}
    own = created(await ann.client.post("/connections", {"provider": "smtp", "name": "Mine", "settings": settings}))
    one = await name(ann.client, own, "orders", "orders@example.com")
    where = f"/connections/{own['id']}/destinations/{one['id']}"
    assert (await ann.client.put(where, {"enabled": False})).status == 200
    for foreign in (await bob.client.get(where), await bob.client.delete(where)):
        assert foreign.status == 404
    assert (await shop.owner.put(where, {"enabled": True})).status == 403


async def test_a_version_of_a_rule_keeps_its_destinations(shop: Project) -> None:
    rule = await make_rule(shop, targetDestinations=["orders", "orders", "stock"])
    assert rule["targetDestinations"] == ["orders", "stock"]
    reply = await shop.owner.put(f"/rules/{rule['id']}", {"targetDestinations": []})
    assert (reply.json["version"], reply.json["targetDestinations"]) == (2, [])
    versions = (await shop.owner.get(f"/rules/{rule['id']}/versions")).json
    assert [each["rule"]["targetDestinations"] for each in versions] == [[], ["orders", "stock"]]
