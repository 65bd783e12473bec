"""All projects, for the operator: list, see, make, change, and nothing of it unrecorded (P2, T4)."""

from typing import Any

import asyncpg
import pytest

from tests.client import PASSWORD, Client, Project, sign_up
from tests.contract.endpoints import NOBODY
from tests.operators import Operator, token_of
from tests.pipeline import send_events
from tocsin.kit.ids import new_id

PLATFORM = "00000000-0000-7000-8000-000000000000"


async def listed(who: Operator, **filters: Any) -> list[str]:
    reply = await who.client.get("/platform/projects", limit=200, **filters)
    assert reply.status == 200, reply.json
    return [project["slug"] for project in reply.json["items"]]


async def test_the_list_shows_every_project_but_the_platforms_own(
    support: Operator, acme: Project, rival: Project
) -> None:
    found = await listed(support)
    assert {acme.slug, rival.slug} <= set(found)
    assert "platform" not in found


async def test_a_search_finds_part_of_name_or_slug_and_is_no_pattern(support: Operator, acme: Project) -> None:
    assert await listed(support, search=acme.slug[:-1]) != []
    assert acme.slug in await listed(support, search="aCMe")
    assert await listed(support, search="%") == []


async def test_filters_by_state_and_plan(root: Operator, support: Operator, shop: Project, acme: Project) -> None:
    await root.client.put(f"/platform/projects/{shop.id}", {"plan": "starter"})
    await root.client.post(f"/platform/projects/{shop.id}/suspend", {"reason": "unpaid"})
    assert await listed(support, plan="starter", search=shop.slug) == [shop.slug]
    assert acme.slug not in await listed(support, plan="starter")
    assert await listed(support, status="suspended", search=shop.slug) == [shop.slug]
    assert await listed(support, status="active", search=shop.slug) == []


async def test_pages_follow_each_other_in_both_orders(support: Operator, acme: Project, rival: Project) -> None:
    for sort in ("createdAt", "-createdAt"):
        everything, cursor = [], None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = (await support.client.get("/platform/projects", limit=2, sort=sort, **more)).json
            everything += [project["id"] for project in page["items"]]
            cursor = page["nextCursor"]
            if cursor is None:
                break
        assert len(set(everything)) == len(everything) >= 2
        assert everything == sorted(everything, reverse=sort.startswith("-"))


async def test_usage_counts_each_projects_own_rows(support: Operator, shop: Project, rival: Project) -> None:
    await send_events(shop.key, *({"n": number} for number in range(3)))
    await send_events(shop.test_key, {"n": 1})
    await shop.add_user()
    shown = (await support.client.get(f"/platform/projects/{shop.id}")).json
    assert shown["usage"] == {"users": 2, "eventsThisMonth": 3, "notificationsThisMonth": 0}
    assert shown["lastEventAt"] is not None
    other = (await support.client.get(f"/platform/projects/{rival.id}")).json
    assert (other["usage"]["eventsThisMonth"], other["lastEventAt"]) == (0, None)


async def test_one_project_shows_its_owner_and_no_secret(support: Operator, acme: Project) -> None:
    reply = await support.client.get(f"/platform/projects/{acme.id}")
    assert reply.json["owner"] == {"id": acme.signed_up["user"]["id"], "email": acme.email, "status": "active"}
    assert "sk_" not in str(reply.json)


@pytest.mark.parametrize("id_", [NOBODY, PLATFORM, "x"])
async def test_what_is_no_project_and_the_platforms_own_are_absent(root: Operator, id_: str) -> None:
    for method, path, body in (
        ("GET", "", None),
        ("PUT", "", {"name": "X"}),
        ("DELETE", "", None),
        ("POST", "/suspend", {"reason": "X"}),
        ("POST", "/activate", None),
        ("GET", "/export", None),
    ):
        reply = await root.client.send(method, f"/platform/projects/{id_}{path}", body)
        assert (reply.status, reply.code) == (404, "not_found"), (method, path)


async def test_a_made_project_works_and_its_owner_comes_by_the_link(api: Client, root: Operator) -> None:
    body = {"name": "Made", "ownerEmail": "owner@made.example", "region": "eu-central"}
    reply = await root.client.post("/platform/projects", body)
    assert reply.status == 201, reply.json
    made = reply.json
    assert (made["project"]["status"], made["project"]["region"]) == ("active", "eu-central")
    assert made["project"]["owner"]["status"] == "pending"
    pair = made["apiKeys"]["live"]
    key = api.with_key(pair["key"], pair["secret"])
    assert (await key.post("/events", {"type": "a.b", "payload": {}})).status == 202
    setup = {"token": token_of(made["setupUrl"]), "password": PASSWORD}
    assert (await api.post("/platform/setup", setup)).json["project"] == made["project"]["slug"]
    assert (await api.post("/platform/setup", setup)).status == 401
    login = {"email": "owner@made.example", "password": PASSWORD, "project": made["project"]["slug"]}
    signed_in = await api.post("/auth/login", login)
    assert signed_in.json["user"]["roles"] == ["owner"]


async def test_a_taken_or_reserved_slug_is_refused_and_leaves_nothing(
    root: Operator, acme: Project, sql: asyncpg.Connection
) -> None:
    before = await sql.fetchval("SELECT count(*) FROM tocsin.projects")
    for slug in (acme.slug, "platform"):
        reply = await root.client.post("/platform/projects", {"name": "X", "slug": slug, "ownerEmail": "a@b.example"})
        assert (reply.status, reply.code) == (409, "slug_taken")
    assert await sql.fetchval("SELECT count(*) FROM tocsin.projects") == before


async def test_making_under_an_idempotency_key_makes_one(root: Operator) -> None:
    body = {"name": "Once", "slug": "made-once", "ownerEmail": "a@once.example"}
    first = await root.client.post("/platform/projects", body, Idempotency_Key="made-once")
    again = await root.client.post("/platform/projects", body, Idempotency_Key="made-once")
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json


async def test_a_change_is_in_the_records_of_both_with_the_admin_as_actor(
    root: Operator, shop: Project, rival: Project, sql: asyncpg.Connection
) -> None:
    reply = await root.client.put(f"/platform/projects/{shop.id}", {"name": "Renamed", "plan": "starter"})
    assert (reply.json["name"], reply.json["plan"]) == ("Renamed", "starter")
    there = await sql.fetchrow(
        "SELECT actor_type, actor_id, metadata FROM tocsin.audit_log"
        " WHERE project_id = $1 AND action = 'project.updated'",
        shop.id,
    )
    assert (there["actor_type"], there["actor_id"]) == ("platform_admin", root.id)
    (here,) = (await root.client.get("/platform/audit", resourceId=shop.id)).json["items"]
    assert here["actorId"] == root.id
    assert (here["metadata"]["before"]["plan"], here["metadata"]["after"]["plan"]) == ("enterprise", "starter")
    count = "SELECT count(*) FROM tocsin.audit_log WHERE project_id = $1 AND action = 'project.updated'"
    assert await sql.fetchval(count, rival.id) == 0
    assert (await shop.owner.get("/projects/me")).json["name"] == "Renamed"


async def test_billing_sets_the_plan_and_nothing_else(billing: Operator, shop: Project) -> None:
    change = {
        "plan": "professional",
        "trialEndsAt": "2099-01-01T00:00:00Z",
        "overrides": {"quotas": {"events": 5_000, "users": None}, "features": {"whiteLabel": True}},
    }
    reply = await billing.client.put(f"/platform/projects/{shop.id}", change)
    assert reply.status == 200, reply.json
    assert (reply.json["plan"], reply.json["status"]) == ("professional", "trial")
    assert reply.json["overrides"] == change["overrides"]
    refused = await billing.client.put(f"/platform/projects/{shop.id}", {"plan": "free", "name": "Ours"})
    assert (refused.status, refused.code) == (403, "permission_missing")
    ended = await billing.client.put(f"/platform/projects/{shop.id}", {"trialEndsAt": None, "overrides": None})
    assert (ended.json["status"], ended.json["overrides"], ended.json["plan"]) == ("active", None, "professional")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"plan": "No Plan"}, "/plan"),
        ({"status": "active"}, "/status"),
        ({"trialEndsAt": "2099-01-01T00:00:00"}, "/trialEndsAt"),
        ({"overrides": {"quotas": {"events": "many"}}}, "/overrides/quotas/events"),
        ({"overrides": {"overage": "yes"}}, "/overrides/overage"),
    ],
)
async def test_a_change_that_makes_no_sense_is_named(root: Operator, acme: Project, body: Any, pointer: str) -> None:
    reply = await root.client.put(f"/platform/projects/{acme.id}", body)
    assert (reply.status, reply.pointers) == (422, [pointer])


async def test_a_refused_change_is_in_no_record(root: Operator, shop: Project, sql: asyncpg.Connection) -> None:
    await root.client.delete(f"/platform/projects/{shop.id}")
    count = "SELECT count(*) FROM tocsin.audit_log WHERE project_id = ANY($1)"
    before = await sql.fetchval(count, [shop.id, PLATFORM])
    reply = await root.client.post(f"/platform/projects/{shop.id}/suspend", {"reason": "late"})
    assert (reply.status, reply.code) == (409, "project_cancelled")
    assert await sql.fetchval(count, [shop.id, PLATFORM]) == before


async def test_the_audit_log_is_filtered_and_paged(root: Operator, support: Operator) -> None:
    made = [await sign_up_by(root) for _ in range(3)]
    query = {"action": "project.created", "actorId": root.id, "resourceType": "project", "sort": "createdAt"}
    found, cursor = [], None
    while True:
        page = (
            await support.client.get("/platform/audit", limit=2, **query, **({"cursor": cursor} if cursor else {}))
        ).json
        found += [entry["resourceId"] for entry in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert found[-3:] == made
    late = await support.client.get("/platform/audit", since="2099-01-01T00:00:00Z")
    early = await support.client.get("/platform/audit", until="2000-01-01T00:00:00Z")
    assert (late.json["items"], early.json["items"]) == ([], [])


async def sign_up_by(root: Operator) -> str:
    reply = await root.client.post("/platform/projects", {"name": "Made", "ownerEmail": "owner@made.example"})
    return str(reply.json["project"]["id"])


async def test_metrics_count_what_there_is(
    api: Client, root: Operator, billing: Operator, sql: asyncpg.Connection
) -> None:
    busy = await sign_up(api, "Busy")
    await send_events(busy.key, *({"n": number} for number in range(7)))
    await sql.execute(
        "UPDATE tocsin.events SET state = 'processed', outcome = 'rule_error', processed_at = now()"
        " WHERE project_id = $1 AND id = (SELECT id FROM tocsin.events WHERE project_id = $1 LIMIT 1)",
        busy.id,
    )
    for state, seconds in (("sent", 1), ("sent", 3), ("delivered", 2), ("failed", None)):
        await sql.execute(
            "INSERT INTO tocsin.deliveries (project_id, id, env, channel, state, rank, created_at, sent_at)"
            " VALUES ($1, $2, 'live', 'webhook', $3, 0, now() - interval '1 hour',"
            " now() - interval '1 hour' + make_interval(secs => $4::float))",
            busy.id,
            new_id(),
            state,
            seconds,
        )
    figures = (await billing.client.get("/platform/metrics", hours=2)).json
    assert {"projectId": busy.id, "slug": busy.slug, "events": 7} in figures["events"]["byProject"]
    assert figures["events"]["byOutcome"]["rule_error"] >= 1
    assert 0 < figures["events"]["failureRate"] <= 1
    states = figures["deliveries"]["byState"]
    assert states["sent"] >= 2 and states["failed"] >= 1
    assert 0 < figures["deliveries"]["deliveryRate"] < 1
    waited = figures["deliveries"]["latencySeconds"]
    assert 1 <= waited["p50"] <= waited["p95"] <= waited["p99"] <= 3
    listed_by_state = await root.client.get("/platform/projects", status="active", limit=1)
    assert figures["projectsByStatus"]["active"] >= len(listed_by_state.json["items"])
    assert "platform" not in {project["slug"] for project in figures["events"]["byProject"]}
