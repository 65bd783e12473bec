"""Totals and features: 403 that names the limit and the plan, exact when many add at once (Q2, Q6)."""

import asyncio

import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.connections.build import make_hook, make_mail
from tests.pipeline import make_rule
from tests.plans.build import put_on

RULE = {"eventTypes": ["*"], "title": "x", "name": "rule"}


@pytest.fixture
async def shop(api: Client) -> Project:
    return await sign_up(api, "Shop")


async def test_a_rule_too_many_is_refused_with_limit_and_plan(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "free", quotas={"rules": 1})
    await make_rule(shop)
    refused = await shop.owner.post("/rules", RULE)
    assert (refused.status, refused.code) == (403, "limit_reached")
    assert refused.json["detail"] == "The plan Free allows 1 rules, and the project has them all."
    assert (refused.json["quota"], refused.json["limit"]) == ("rules", 1)


async def test_many_at_once_make_no_more_rules_than_there_is_room_for(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "free", quotas={"rules": 3})
    replies = await asyncio.gather(*(shop.owner.post("/rules", RULE) for _ in range(12)))
    assert sorted(reply.status for reply in replies) == [201] * 3 + [403] * 9


async def test_many_at_once_make_no_more_users_than_there_is_room_for(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "free", quotas={"users": 5})

    async def one(number: int) -> int:
        return (await shop.key.post("/users", {"email": f"{number}@shop.example"})).status

    async def synced(number: int) -> int:
        body = {"users": [{"externalUserId": f"s{number}"}]}
        return (await shop.key.post("/users/sync", body)).status

    async def registered(number: int) -> int:
        return (await shop.app.post("/users/register", {"externalUserId": f"r{number}"})).status

    statuses = await asyncio.gather(*(each(number) for number in range(4) for each in (one, synced, registered)))
    assert sum(status in (200, 201) for status in statuses) == 4  # the owner is the fifth
    assert await sql.fetchval("SELECT count(*) FROM tocsin.users WHERE project_id = $1", shop.id) == 5


async def test_a_sync_over_the_limit_makes_nobody(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "free", quotas={"users": 3})
    refused = await shop.key.post("/users/sync", {"users": [{"externalUserId": str(n)} for n in range(3)]})
    assert refused.code == "limit_reached"
    assert await sql.fetchval("SELECT count(*) FROM tocsin.users WHERE project_id = $1", shop.id) == 1


async def test_registering_alone_is_refused_alike_for_known_and_unknown(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "free", quotas={"users": 1})
    known, unknown = [
        await shop.app.post("/users/register", {"email": email}) for email in (shop.email, "nobody@shop.example")
    ]
    assert (known.status, known.code) == (unknown.status, unknown.code) == (403, "limit_reached")


async def test_team_members_are_those_whose_roles_open_the_panel(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "free", quotas={"teamMembers": 2})
    await shop.add_user(roles=["agent"])
    plain = await shop.add_user(roles=["user"])
    added = await shop.owner.post("/users", {"email": "more@shop.example", "roles": ["viewer"]})
    promoted = await shop.owner.put(f"/users/{plain['id']}", {"roles": ["viewer"]})
    assert (added.code, promoted.code) == ("limit_reached", "limit_reached")
    assert (await shop.owner.get(f"/users/{plain['id']}")).json["roles"] == ["user"]


async def test_a_role_that_would_open_the_panel_to_too_many_stays_as_it_is(
    shop: Project, sql: asyncpg.Connection
) -> None:
    await put_on(sql, shop, "free", quotas={"teamMembers": 2})
    role = (await shop.owner.post("/roles", {"name": "courier", "permissions": []})).json
    for _ in range(2):
        await shop.add_user(roles=["courier"])
    refused = await shop.owner.put(f"/roles/{role['id']}", {"permissions": ["events:read"]})
    assert refused.code == "limit_reached"
    assert (await shop.owner.get(f"/roles/{role['id']}")).json["permissions"] == []


async def test_webhooks_are_counted_apart_and_mail_accounts_not_at_all(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "starter", quotas={"webhooks": 1, "bots": 0})
    await make_hook(shop.owner)
    await make_mail(shop.owner)
    body = {"provider": "webhook", "name": "second", "settings": {"url": "http://127.0.0.1:8700/hook"}}
    refused = await shop.owner.post("/connections", body)
    assert refused.code == "limit_reached"
    assert "1 webhooks" in refused.json["detail"]


async def test_a_feature_the_plan_does_not_have_names_the_cheapest_that_has_it(
    shop: Project, sql: asyncpg.Connection
) -> None:
    await put_on(sql, shop, "free")
    body = {"provider": "webhook", "name": "first", "settings": {"url": "http://127.0.0.1:8700/hook"}}
    refused = await shop.owner.post("/connections", body)
    assert (refused.status, refused.code) == (403, "feature_not_in_plan")
    assert refused.json["detail"] == "The plan Free does not have the feature webhooks; the plan Starter has it."


async def test_lists_of_addresses_for_keys_are_a_feature_and_those_there_are_stay(
    shop: Project, sql: asyncpg.Connection
) -> None:
    addresses = {"allowedIps": ["127.0.0.0/8"]}
    listed, _ = await shop.new_key("events:write", **addresses)
    plain, _ = await shop.new_key("events:write")
    await put_on(sql, shop, "professional")
    keys = "/projects/me/api-keys"
    made = await shop.owner.post(keys, {"name": "one more", "permissions": ["events:write"], **addresses})
    given = await shop.owner.put(f"{keys}/{plain['id']}", addresses)
    widened = await shop.owner.put(f"{keys}/{listed['id']}", {"allowedIps": ["127.0.0.0/8", "10.0.0.0/8"]})
    assert {made.code, given.code, widened.code} == {"feature_not_in_plan"}
    assert (await shop.owner.put(f"{keys}/{listed['id']}", {"name": "renamed", **addresses})).status == 200
    assert (await shop.owner.put(f"{keys}/{listed['id']}", {"allowedIps": []})).status == 200


async def test_a_project_may_have_a_feature_its_plan_has_not(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "free", features={"webhooks": True}, quotas={"webhooks": 1})
    await make_hook(shop.owner)


async def test_a_feature_may_be_taken_from_a_project(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "professional", features={"webhooks": False})
    body = {"provider": "webhook", "name": "first", "settings": {"url": "http://127.0.0.1:8700/hook"}}
    assert (await shop.owner.post("/connections", body)).code == "feature_not_in_plan"


async def test_after_a_downgrade_what_is_there_stays_and_can_be_changed(shop: Project, sql: asyncpg.Connection) -> None:
    rules = [await make_rule(shop) for _ in range(2)]
    people = [await shop.add_user(roles=["viewer"]) for _ in range(2)]
    await put_on(sql, shop, "free", quotas={"rules": 1, "users": 1, "teamMembers": 1})
    assert len((await shop.owner.get("/rules")).json["items"]) == 3  # with the one that every project begins with
    assert (await shop.owner.put(f"/rules/{rules[0]['id']}", {"title": "y"})).status == 200
    assert (await shop.owner.put(f"/users/{people[0]['id']}", {"roles": ["agent"]})).status == 200
    assert (await shop.owner.post("/rules", RULE)).code == "limit_reached"
    assert (await shop.owner.delete(f"/rules/{rules[0]['id']}")).status == 204


async def test_the_sandbox_is_not_limited(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "free", quotas={"rules": 0, "users": 0})
    assert (await shop.test_key.post("/rules", RULE)).status == 201
    await shop.add_user(env="test")


async def test_another_projects_things_take_no_room(api: Client, shop: Project, sql: asyncpg.Connection) -> None:
    rival = await sign_up(api, "Rival")
    for project in (shop, rival):
        await put_on(sql, project, "free", quotas={"rules": 1})
        await make_rule(project)


async def test_the_calls_an_hour_of_a_plan_are_its_quota(shop: Project, sql: asyncpg.Connection) -> None:
    of_project = "SELECT tocsin.calls_per_hour($1)"
    assert await sql.fetchval(of_project, shop.id) is None
    await put_on(sql, shop, "starter")
    assert await sql.fetchval(of_project, shop.id) == 10_000
    await put_on(sql, shop, "starter", quotas={"apiCallsPerHour": 7})
    assert await sql.fetchval(of_project, shop.id) == 7


async def test_a_change_of_plan_makes_every_process_read_the_rates_again(
    shop: Project, sql: asyncpg.Connection
) -> None:
    await put_on(sql, shop, "starter")
    kinds = await sql.fetch("SELECT kind FROM tocsin.revocations WHERE project_id = $1", shop.id)
    assert "project" in {kind for (kind,) in kinds}
