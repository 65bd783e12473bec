"""Platform admins inside projects: announced, limited in time and rights, over at once (T4)."""

import json
from typing import Any

import asyncpg
import jwt
import pytest

from tests.client import Client, Project, sign_up
from tests.operators import Operator, operator
from tests.running import Site
from tocsin.kit.ids import PLATFORM_ID

REASON = "Ticket 4711: deliveries fail"


@pytest.fixture
async def boss(api: Client, site: Site) -> Operator:
    return await operator(api, site)


@pytest.fixture
async def supporter(api: Client, site: Site) -> Operator:
    return await operator(api, site, "support")


async def enter(admin: Operator, project: Project, **fields: Any) -> Any:
    """A visit, as the API shows it."""
    reply = await admin.client.post(f"/platform/projects/{project.id}/login-as", {"reason": REASON, **fields})
    assert reply.status == 201, reply.json
    return reply.json


async def audited(sql: asyncpg.Connection, project_id: Any, action: str) -> list[dict[str, Any]]:
    rows = await sql.fetch(
        "SELECT * FROM tocsin.audit_log WHERE project_id = $1 AND action = $2 ORDER BY id", project_id, action
    )
    return [{**row, "metadata": json.loads(row["metadata"] or "null")} for row in rows]


async def test_a_token_of_the_platform_says_so(boss: Operator) -> None:
    me = await boss.client.get("/auth/me")
    assert (me.json["project"]["id"], me.json["user"]["roles"]) == (str(PLATFORM_ID), ["super_admin"])
    token = boss.client.headers["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False}, audience="tocsin")
    assert claims["type"] == "platform_admin"


async def test_without_a_visit_an_admin_is_nobody_in_a_project(boss: Operator, acme: Project) -> None:
    for wanted in (acme.slug, acme.id, "no-such-project", str(PLATFORM_ID)[:-1] + "1"):
        for method, path, body in (("GET", "/users", None), ("POST", "/events", {"type": "a", "payload": {}})):
            reply = await boss.inside(wanted).send(method, path, body)
            assert (reply.status, reply.code) == (403, "login_as_required"), wanted
    assert (await boss.client.get("/users")).code == "permission_missing"


async def test_a_visit_lets_the_admin_act_where_they_name_the_project(boss: Operator, acme: Project) -> None:
    await enter(boss, acme)
    for caller in (boss.inside(acme.slug), boss.inside(acme.id)):
        assert (await caller.get("/projects/me")).json["id"] == acme.id
        assert (await caller.post("/events", {"type": "a", "payload": {}})).status == 202
        assert (await caller.post("/roles", {"name": f"made-{caller.headers['X-Tenant-Id']}"})).status == 201
    assert (await boss.client.get("/projects/me", tenant=acme.slug)).json["id"] == acme.id
    assert (await boss.inside("platform").get("/auth/me")).json["user"]["id"] == boss.id


async def test_a_visit_says_what_its_admin_may_inside(boss: Operator, supporter: Operator, acme: Project) -> None:
    writing, reading = await enter(boss, acme), await enter(supporter, acme)
    mine = (await boss.client.get(f"/platform/visits/{writing['id']}")).json
    assert {name: mine[name] for name in writing} == writing
    assert {"rules:manage", "keys:manage"} < set(mine["permissions"])
    helping = (await supporter.client.get(f"/platform/visits/{reading['id']}")).json
    assert helping["permissions"] and all(name.endswith(":read") for name in helping["permissions"])


async def test_a_visit_of_anothers_or_one_that_is_over_allows_nothing(
    boss: Operator, supporter: Operator, acme: Project
) -> None:
    visit = await enter(boss, acme)
    path = f"/platform/visits/{visit['id']}"
    assert (await supporter.client.get(path)).json["permissions"] == []
    await boss.client.delete(path)
    over = (await boss.client.get(path)).json
    assert (over["permissions"], over["endedAt"] is not None) == ([], True)
    assert (await boss.client.get(f"/platform/visits/{acme.id}")).status == 404
    assert (await acme.owner.get(path)).code == "permission_missing"


async def test_a_visit_opens_one_project_and_no_other(boss: Operator, acme: Project, rival: Project) -> None:
    await enter(boss, acme)
    assert (await boss.inside(rival.slug).get("/users")).code == "login_as_required"
    both = boss.inside(acme.slug)
    reply = await both.get("/users", tenant=rival.slug)
    assert (reply.status, reply.code) == (403, "tenant_mismatch")


async def test_the_visit_of_one_admin_is_not_anothers(boss: Operator, supporter: Operator, acme: Project) -> None:
    await enter(boss, acme)
    assert (await supporter.inside(acme.slug).get("/users")).code == "login_as_required"


async def test_only_who_may_enter_begins_a_visit(api: Client, site: Site, acme: Project) -> None:
    billing = await operator(api, site, "billing")
    for caller in (billing.client, acme.owner, acme.key):
        reply = await caller.post(f"/platform/projects/{acme.id}/login-as", {"reason": REASON})
        assert (reply.status, reply.code) == (403, "permission_missing")
    assert (await acme.owner.get("/platform/visits")).code == "permission_missing"


async def test_a_visit_is_announced_in_the_projects_audit_log(
    api: Client, sql: asyncpg.Connection, boss: Operator
) -> None:
    project = await sign_up(api, "Visited")
    visit = await enter(boss, project, minutes=5)
    [row] = await audited(sql, project.id, "platform.entered")
    assert (row["actor_type"], row["actor_id"], row["resource_id"]) == ("platform_admin", boss.id, visit["id"])
    assert row["metadata"] == {
        "reason": REASON,
        "until": visit["expiresAt"],
        "write": True,
        "admin": {"id": boss.id, "name": boss.name},
    }
    noted = [row["metadata"]["after"] for row in await audited(sql, PLATFORM_ID, "platform.entered")]
    assert visit["id"] in [each["visit"] for each in noted]


async def test_every_change_of_a_visit_carries_the_admin(api: Client, sql: asyncpg.Connection, boss: Operator) -> None:
    project = await sign_up(api, "Visited")
    await enter(boss, project)
    await boss.inside(project.slug).post("/users", {"name": "Made on a visit"})
    await boss.inside(project.slug).put("/projects/me", {"name": "Renamed"})
    for action in ("user.created", "project.updated"):
        [row] = await audited(sql, project.id, action)
        assert (row["actor_type"], row["actor_id"]) == ("platform_admin", boss.id)


async def test_a_visit_is_over_when_its_time_is(sql: asyncpg.Connection, boss: Operator, acme: Project) -> None:
    visit = await enter(boss, acme, minutes=1)
    assert (await boss.inside(acme.slug).get("/users")).status == 200
    await sql.execute("UPDATE tocsin.visits SET expires_at = now() WHERE id = $1", visit["id"])
    for path, body in (("/users", {"name": "Late"}), ("/events", {"type": "a", "payload": {}})):
        assert (await boss.inside(acme.slug).post(path, body)).code == "login_as_required"


async def test_a_visit_that_is_ended_is_over_at_once(sql: asyncpg.Connection, boss: Operator, acme: Project) -> None:
    visit = await enter(boss, acme)
    for _ in range(2):
        assert (await boss.client.delete(f"/platform/visits/{visit['id']}")).status == 204
    assert (await boss.inside(acme.slug).get("/users")).code == "login_as_required"
    left = [row for row in await audited(sql, acme.id, "platform.left") if row["resource_id"] == visit["id"]]
    assert [(row["actor_type"], row["actor_id"]) for row in left] == [("platform_admin", boss.id)]


async def test_a_new_visit_takes_the_place_of_the_last_one(
    sql: asyncpg.Connection, boss: Operator, acme: Project
) -> None:
    first = await enter(boss, acme, write=True)
    await enter(boss, acme, write=False)
    assert (await boss.inside(acme.slug).post("/users", {"name": "A"})).code == "permission_missing"
    assert await sql.fetchval("SELECT ended_at IS NOT NULL FROM tocsin.visits WHERE id = $1", first["id"])


async def test_who_runs_projects_may_on_a_visit_what_a_projects_admin_may(boss: Operator, acme: Project) -> None:
    await enter(boss, acme)
    inside = boss.inside(acme.slug)
    key = await inside.post("/projects/me/api-keys", {"name": "k", "permissions": ["events:write"]})
    assert key.status == 201
    assert (await inside.post("/projects/me/api-keys", {"name": "k", "permissions": ["project:delete"]})).status == 403
    assert (await inside.get("/projects/me/visits")).status == 200
    assert (await inside.get("/auth/me")).code == "permission_missing"
    assert (await inside.get("/platform/visits")).code == "permission_missing"


async def test_support_reads_unless_it_says_that_it_writes(supporter: Operator, acme: Project) -> None:
    assert (await enter(supporter, acme))["write"] is False
    inside = supporter.inside(acme.slug)
    assert (await inside.get("/users")).status == 200
    for path, body in (("/users", {"name": "A"}), ("/events", {"type": "a", "payload": {}})):
        assert (await inside.post(path, body)).code == "permission_missing"
    assert (await enter(supporter, acme, write=True))["write"] is True
    assert (await inside.post("/users", {"name": "A"})).status == 201


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/projects/me/api-keys", {"name": "left behind", "permissions": []}, "permission_missing"),
        ("/roles", {"name": "left-behind"}, "permission_missing"),
        ("/users", {"name": "Left behind", "roles": ["admin"]}, "role_not_allowed"),
    ],
)
async def test_support_leaves_no_credential_and_no_right_behind(
    supporter: Operator, acme: Project, path: str, body: Any, code: str
) -> None:
    await enter(supporter, acme, write=True)
    reply = await supporter.inside(acme.slug).post(path, body)
    assert (reply.status, reply.code) == (403, code)


async def test_an_admin_who_is_taken_the_right_or_blocked_is_out_at_once(
    api: Client, site: Site, root: Operator, acme: Project
) -> None:
    one, two, three = [await operator(api, site) for _ in range(3)]
    for admin in (one, two, three):
        await enter(admin, acme)
    await root.client.put(f"/platform/admins/{one.id}", {"role": "billing"})
    assert (await one.inside(acme.slug).get("/users")).code == "login_as_required"
    await root.client.put(f"/platform/admins/{two.id}", {"status": "disabled"})
    assert (await two.inside(acme.slug).get("/users")).code == "invalid_token"
    await three.client.post("/auth/logout")
    assert (await three.inside(acme.slug).get("/users")).code == "invalid_token"


async def test_who_is_made_support_during_a_visit_is_held_to_that(
    root: Operator, boss: Operator, acme: Project
) -> None:
    await enter(boss, acme)
    await root.client.put(f"/platform/admins/{boss.id}", {"role": "support"})
    reply = await boss.inside(acme.slug).post("/projects/me/api-keys", {"name": "k", "permissions": []})
    assert reply.code == "permission_missing"


async def test_the_project_sees_its_visits_and_no_others(
    api: Client, boss: Operator, acme: Project, rival: Project
) -> None:
    mine = [(await enter(boss, acme))["id"] for _ in range(2)]
    theirs = (await enter(boss, rival))["id"]
    shown = (await acme.owner.get("/projects/me/visits", limit=200)).json["items"]
    ids = [visit["id"] for visit in shown]
    assert set(mine) <= set(ids) and theirs not in ids
    assert shown[0]["admin"] == {"id": boss.id, "name": boss.name}
    assert boss.email not in str(shown)


async def test_the_platform_lists_all_visits_in_pages(boss: Operator, acme: Project, rival: Project) -> None:
    made = [(await enter(boss, project))["id"] for project in (acme, rival, acme)]
    first = (await boss.client.get("/platform/visits", limit=2)).json
    assert [visit["id"] for visit in first["items"]] == [made[2], made[1]]
    assert first["items"][0]["project"]["slug"] == acme.slug
    more = (await boss.client.get("/platform/visits", limit=1, cursor=first["nextCursor"])).json
    assert [visit["id"] for visit in more["items"]] == [made[0]]
    oldest = (await boss.client.get("/platform/visits", limit=200, sort="createdAt")).json["items"]
    assert [visit["id"] for visit in oldest] == sorted(visit["id"] for visit in oldest)


async def test_an_admin_ends_their_own_visits_and_a_super_admin_anybodys(
    boss: Operator, supporter: Operator, acme: Project
) -> None:
    of_boss, of_supporter = await enter(boss, acme), await enter(supporter, acme)
    assert (await supporter.client.delete(f"/platform/visits/{of_boss['id']}")).code == "permission_missing"
    assert (await boss.inside(acme.slug).get("/users")).status == 200
    assert (await boss.client.delete(f"/platform/visits/{of_supporter['id']}")).status == 204
    assert (await supporter.inside(acme.slug).get("/users")).code == "login_as_required"


async def test_a_visit_or_project_that_is_none_is_absent(boss: Operator) -> None:
    nobody = "00000000-0000-7000-8000-00000000dead"
    assert (await boss.client.delete(f"/platform/visits/{nobody}")).status == 404
    assert (await boss.client.post(f"/platform/projects/{nobody}/login-as", {"reason": REASON})).status == 404
    reply = await boss.client.post(f"/platform/projects/{PLATFORM_ID}/login-as", {"reason": REASON})
    assert (reply.status, reply.code) == (409, "platform_itself")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"minutes": 0}, "/minutes"),
        ({"minutes": 61}, "/minutes"),
        ({"reason": ""}, "/reason"),
        ({"reason": "   "}, "/reason"),
        ({"reason": "a" * 501}, "/reason"),
        ({"reason": None}, "/reason"),
        ({"write": "yes"}, "/write"),
        ({"role": "owner"}, "/role"),
    ],
)
async def test_a_visit_asked_for_wrongly_does_not_begin(
    sql: asyncpg.Connection, boss: Operator, acme: Project, change: Any, pointer: str
) -> None:
    reply = await boss.client.post(f"/platform/projects/{acme.id}/login-as", {"reason": REASON, **change})
    assert (reply.status, reply.pointers) == (422, [pointer])
    assert not await sql.fetchval("SELECT count(*) FROM tocsin.visits WHERE admin_id = $1", boss.id)


async def test_a_repeated_beginning_is_one_visit(sql: asyncpg.Connection, boss: Operator, acme: Project) -> None:
    path, body = f"/platform/projects/{acme.id}/login-as", {"reason": REASON}
    replies = [await boss.client.post(path, body, Idempotency_Key="begin") for _ in range(2)]
    assert replies[0].json == replies[1].json
    assert await sql.fetchval("SELECT count(*) FROM tocsin.visits WHERE admin_id = $1", boss.id) == 1


async def test_a_suspended_project_is_read_on_a_visit_and_not_changed(
    api: Client, sql: asyncpg.Connection, boss: Operator
) -> None:
    halted = await sign_up(api, "Halted")
    await sql.execute("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1", halted.id)
    await enter(boss, halted)
    assert (await boss.inside(halted.slug).get("/users")).status == 200
    assert (await boss.inside(halted.slug).post("/users", {"name": "A"})).code == "project_suspended"


async def test_a_project_cannot_make_itself_a_visitor_of_another(acme: Project, rival: Project) -> None:
    """Only tokens of the platform's own project choose; roles elsewhere cannot carry its permissions."""
    reply = await acme.owner.post("/roles", {"name": "super_admin", "permissions": ["platform:enter"]})
    assert reply.status == 422
    assert (await acme.owner.with_headers(X_Tenant_Id=rival.slug).get("/users")).code == "tenant_mismatch"


async def test_in_the_sandbox_a_visit_writes_test_rows_only(boss: Operator, api: Client) -> None:
    project = await sign_up(api, "Sandboxed")
    await enter(boss, project)
    inside = boss.inside(project.slug).with_headers(X_Tocsin_Env="test")
    made = (await inside.post("/users", {"name": "Only a test"})).json
    assert (await project.key.get(f"/users/{made['id']}")).status == 404
    assert (await project.test_key.get(f"/users/{made['id']}")).status == 200
