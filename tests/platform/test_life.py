"""Suspended, active again, cancelled, restored, handed over (T5, T7)."""

import asyncio
import time
import uuid
from typing import Any

import asyncpg
import pytest

from tests.client import PASSWORD, Client, Project, Reply, sign_up
from tests.contract.endpoints import NOBODY
from tests.endpoint import Answer, endpoint
from tests.operators import Operator, operator
from tests.people import join
from tests.pipeline import Working, ended, make_rule, notified, send_event, until
from tests.platform.conftest import TwoProcesses
from tests.running import Site
from tocsin.kit.ids import new_id

EVENT = {"type": "order.created", "payload": {}}


async def suspended(root: Operator, project: Project, reason: str = "unpaid") -> None:
    reply = await root.client.post(f"/platform/projects/{project.id}/suspend", {"reason": reason})
    assert (reply.status, reply.json["status"]) == (200, "suspended")


async def activated(root: Operator, project: Project) -> None:
    reply = await root.client.post(f"/platform/projects/{project.id}/activate")
    assert (reply.status, reply.json["status"]) == (200, "active")


async def soon(look: Any, seconds: float = 5) -> None:
    """Until a change has reached this process; how long that may take is measured elsewhere."""
    deadline = time.monotonic() + seconds
    while not await look():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_a_suspended_project_reads_and_does_not_write(root: Operator, shop: Project, rival: Project) -> None:
    await shop.key.post("/events", EVENT)  # so that its key is remembered
    await suspended(root, shop)

    async def refused() -> bool:
        reply = await shop.key.post("/events", EVENT)
        return (reply.status, reply.code) == (403, "project_suspended")

    await soon(refused)
    for caller in (shop.key, shop.owner):
        for path, body in (("/users", {"name": "A"}), ("/roles", {"name": "a"}), ("/events", EVENT)):
            reply = await caller.post(path, body)
            assert (reply.status, reply.code) == (403, "project_suspended")
        assert (await caller.get("/users")).status == 200
    shown = (await shop.owner.get("/projects/me")).json
    assert (shown["status"], shown["suspendedReason"]) == ("suspended", "unpaid")
    assert (await rival.key.post("/events", EVENT)).status == 202


async def test_a_suspension_reaches_a_process_that_remembers_the_key(two_processes: TwoProcesses) -> None:
    admin, elsewhere = two_processes
    shop = await sign_up(elsewhere, "Shop")
    remembering = shop.key.at(elsewhere)
    assert (await remembering.post("/events", EVENT)).status == 202
    await suspended(admin, shop)

    async def refused() -> bool:
        return (await remembering.post("/events", EVENT)).code == "project_suspended"

    await soon(refused)
    await activated(admin, shop)

    async def taken() -> bool:
        return (await remembering.post("/events", EVENT)).status == 202

    await soon(taken)


async def test_a_suspended_project_still_signs_in_and_acknowledges(working: Working, api: Client) -> None:
    root = await operator(working.api, working.site)
    shop = await sign_up(working.api, "Shop")
    await make_rule(shop, "realtime", requireAck=True, targetRoles=["owner"])
    notification = await notified(shop.key, await send_event(shop.key))
    await suspended(root, shop)
    login = {"email": shop.email, "password": PASSWORD, "project": shop.slug}
    signed_in = await working.api.post("/auth/login", login)
    assert (signed_in.status, signed_in.json["project"]["status"]) == (200, "suspended")
    tokens = signed_in.json["tokens"]
    assert (await working.api.post("/auth/refresh", {"refreshToken": tokens["refreshToken"]})).status == 200
    reply = await shop.owner.put(f"/notifications/{notification['id']}/acknowledge")
    assert (reply.status, len(reply.json["acknowledgedBy"])) == (200, 1)
    assert (await shop.owner.post("/auth/logout")).status == 204


async def test_what_waits_goes_out_after_activation_once_each(working: Working) -> None:
    root = await operator(working.api, working.site)
    shop, quiet = await sign_up(working.api, "Shop"), await sign_up(working.api, "Quiet")
    async with endpoint() as served, endpoint() as others:
        await served.connect(shop)
        await others.connect(quiet)
        for project in (shop, quiet):
            await make_rule(project, "webhook")
        await suspended(root, shop)
        # As if they had been accepted a moment before: the door is closed, and the worker has not looked yet.
        events = await _stored(working.sql, shop, 20)
        deliveries = await _queued(working.sql, shop, 20)
        await ended(quiet.key, await send_event(quiet.key))
        await asyncio.sleep(2.5)  # the worker looks every second
        states = "SELECT state, count(*) FROM tocsin.{} WHERE project_id = $1 GROUP BY 1"
        assert dict(await working.sql.fetch(states.format("events"), shop.id)) == {"received": 20}
        assert dict(await working.sql.fetch(states.format("deliveries"), shop.id)) == {"queued": 20}
        assert served.calls == []
        assert len(others.calls) == 1, "nobody else waits"
        await activated(root, shop)

        async def all_arrived() -> bool:
            return len(served.calls) >= 40

        await until(all_arrived, 30)
        for event_id in events:
            await ended(shop.key, event_id)
    sent = [call.data["deliveryId"] for call in served.calls]
    assert len(sent) == len(set(sent)) == 40
    assert set(deliveries) <= set(sent)


async def _stored(sql: asyncpg.Connection, project: Project, count: int) -> list[str]:
    rows = await sql.fetch(
        "INSERT INTO tocsin.events (project_id, id, env, type, payload)"
        " SELECT $1, gen.id, 'live', 'order.created', '{}' FROM ("
        "   SELECT overlay(tocsin.first_id_at(clock_timestamp())::text PLACING lpad(to_hex(n), 12, '0') FROM 25)::uuid"
        "   AS id FROM generate_series(1, $2) AS n) AS gen RETURNING id::text",
        project.id,
        count,
    )
    return [row["id"] for row in rows]


async def _queued(sql: asyncpg.Connection, project: Project, count: int) -> list[str]:
    """Half of them ready, half due only now, so that the clock turns them while the project is halted."""
    rows = await sql.fetch(
        "WITH made AS (SELECT overlay(tocsin.first_id_at(clock_timestamp())::text"
        "   PLACING lpad(to_hex(n + 4096), 12, '0') FROM 25)::uuid AS id, n FROM generate_series(1, $2) AS n),"
        " told AS (INSERT INTO tocsin.notifications (project_id, id, env, title, message, priority, require_ack)"
        "   SELECT $1, id, 'live', 'Waited', '', 'normal', false FROM made)"
        " INSERT INTO tocsin.deliveries (project_id, id, env, notification_id, channel, rank, ready)"
        " SELECT $1, id, 'live', id, 'webhook', 2, n % 2 = 0 FROM made RETURNING id::text",
        project.id,
        count,
    )
    return [row["id"] for row in rows]


async def test_a_delivery_under_way_finishes(working: Working) -> None:
    root = await operator(working.api, working.site)
    shop = await sign_up(working.api, "Shop")
    async with endpoint() as served:
        served.answers = [Answer(after=20)]
        await served.connect(shop)
        await make_rule(shop, "webhook")
        event_id = await send_event(shop.key)

        async def under_way() -> bool:
            return served.inside == 1

        await until(under_way)
        await suspended(root, shop)
        served.let_go()
        delivery = await ended(shop.key, event_id)
    assert delivery["state"] in ("sent", "delivered")
    assert len(served.calls) == 1


async def test_only_the_operator_takes_a_suspension_back(root: Operator, shop: Project) -> None:
    await suspended(root, shop)
    assert (await shop.owner.post("/projects/me/restore")).code == "not_cancelled"
    assert (await shop.owner.delete("/projects/me")).code == "project_suspended"
    await root.client.delete(f"/platform/projects/{shop.id}")
    reply = await shop.owner.post("/projects/me/restore")
    assert (reply.status, reply.json["status"]) == (200, "suspended")
    await activated(root, shop)


async def test_a_cancelled_project_reads_exports_and_comes_back(shop: Project, rival: Project) -> None:
    reply = await shop.owner.delete("/projects/me")
    assert (reply.status, reply.json["status"]) == (200, "cancelled")
    assert reply.json["purgeAt"][:10] > reply.json["cancelledAt"][:10]
    assert (await shop.owner.post("/users", {"name": "A"})).code == "project_cancelled"
    assert (await shop.owner.get("/users")).status == 200
    assert (await shop.owner.get("/projects/me/export")).status == 200
    assert (await rival.owner.post("/users", {"name": "A"})).status == 201
    assert (await shop.owner.delete("/projects/me")).code == "project_cancelled"
    back = await shop.owner.post("/projects/me/restore")
    assert (back.json["status"], back.json["cancelledAt"], back.json["purgeAt"]) == ("active", None, None)
    assert (await shop.owner.post("/users", {"name": "A"})).status == 201


async def test_the_end_and_the_way_back_are_in_both_records(
    root: Operator, shop: Project, sql: asyncpg.Connection
) -> None:
    await shop.owner.delete("/projects/me")
    await shop.owner.post("/projects/me/restore")
    there = await sql.fetch("SELECT action FROM tocsin.audit_log WHERE project_id = $1 ORDER BY id", shop.id)
    assert [row["action"] for row in there][-2:] == ["project.cancelled", "project.restored"]
    here = (await root.client.get("/platform/audit", resourceId=shop.id)).json["items"]
    assert [entry["action"] for entry in here] == ["project.restored", "project.cancelled"]
    assert here[0]["actorId"] == shop.signed_up["user"]["id"]
    assert here[0]["metadata"]["slug"] == shop.slug


async def test_after_thirty_days_nobody_brings_it_back(root: Operator, shop: Project, sql: asyncpg.Connection) -> None:
    await shop.owner.delete("/projects/me")
    await sql.execute("UPDATE tocsin.projects SET cancelled_at = now() - interval '31 days' WHERE id = $1", shop.id)
    assert (await shop.owner.post("/projects/me/restore")).code == "purge_begun"
    assert (await root.client.post(f"/platform/projects/{shop.id}/activate")).code == "purge_begun"
    await sql.execute("UPDATE tocsin.projects SET cancelled_at = now() WHERE id = $1", shop.id)


async def test_only_the_owner_ends_or_gives_away(api: Client, shop: Project) -> None:
    person = await join(api, shop)
    _, key = await shop.new_key("project:manage", "project:read", "users:manage")
    for caller in (person.client, key, shop.key):
        for method, path, body in (
            ("DELETE", "/projects/me", None),
            ("POST", "/projects/me/restore", None),
            ("POST", "/projects/me/transfer", {"userId": person.id}),
            ("GET", "/projects/me/export", None),
        ):
            reply: Reply = await caller.send(method, path, body)
            assert (reply.status, reply.code) == (403, "permission_missing"), path


async def test_a_transfer_moves_the_owners_role(shop: Project) -> None:
    heir = await shop.add_user(roles=["agent"])
    reply = await shop.owner.post("/projects/me/transfer", {"userId": heir["id"]})
    assert (reply.status, reply.json["ownerId"]) == (200, heir["id"])
    roles = {user["id"]: user["roles"] for user in (await shop.key.get("/users")).json["items"]}
    assert roles[heir["id"]] == ["agent", "owner"]
    assert roles[shop.signed_up["user"]["id"]] == ["admin"]
    assert (await shop.owner.delete("/projects/me")).code == "permission_missing"


async def test_a_transfer_to_oneself_changes_nothing(shop: Project) -> None:
    me = shop.signed_up["user"]["id"]
    reply = await shop.owner.post("/projects/me/transfer", {"userId": me})
    assert (reply.status, reply.json["ownerId"]) == (200, me)
    assert (await shop.owner.get("/auth/me")).json["user"]["roles"] == ["owner"]


async def test_a_stranger_inherits_no_more_than_nobody(shop: Project, rival: Project) -> None:
    sandboxed, disabled = await shop.add_user(env="test"), await shop.add_user()
    await shop.owner.put(f"/users/{disabled['id']}", {"status": "disabled"})
    answers = []
    for id_ in (NOBODY, rival.signed_up["user"]["id"], sandboxed["id"], disabled["id"]):
        reply = await shop.owner.post("/projects/me/transfer", {"userId": id_})
        assert (reply.status, reply.pointers) == (422, ["/userId"])
        answers.append({name: value for name, value in reply.json.items() if name != "requestId"})
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("reason", ["", " ", "x" * 501])
async def test_a_suspension_says_why(root: Operator, acme: Project, reason: str) -> None:
    reply = await root.client.post(f"/platform/projects/{acme.id}/suspend", {"reason": reason})
    assert (reply.status, reply.pointers) == (422, ["/reason"])


async def test_halted_projects_take_no_turn_of_a_claim(database: str, home: Any) -> None:
    """Nor do they end it: those behind them have theirs, however few projects a claim may serve."""
    site, sql = Site(database, home), await asyncpg.connect(database)
    app = await asyncpg.connect(site.app_url)
    ids = [new_id() for _ in range(12)]
    for number, project_id in enumerate(ids):
        status = ("suspended", "cancelled")[number % 2] if number < 10 else "active"
        await sql.execute(
            "INSERT INTO tocsin.projects (id, name, slug, plan, status) VALUES ($1, 'x', $2, 'free', $3)",
            project_id,
            f"halted-{number}",
            status,
        )
        for claims in (0, 1):
            await sql.execute(
                "INSERT INTO tocsin.events (project_id, id, env, type, payload, claims)"
                " VALUES ($1, $2, 'live', 'a', '{}', $3)",
                project_id,
                new_id(),
                claims,
            )
        await sql.execute(
            "INSERT INTO tocsin.deliveries (project_id, id, env, channel, rank) VALUES ($1, $2, 'live', 'webhook', 0)",
            project_id,
            new_id(),
        )
    after, token, active = ids[0], uuid.uuid4(), set(ids[10:])
    events = await app.fetch("SELECT * FROM tocsin.claim_events($1, 2, 5, 60, $2)", after, token)
    assert {row["project_id"] for row in events} == active
    suspects = [await app.fetchrow("SELECT * FROM tocsin.claim_suspect_event(60, $1)", token) for _ in range(3)]
    assert {row["project_id"] for row in suspects if row} == active
    assert suspects[2] is None
    claim = "SELECT * FROM tocsin.claim_deliveries($1, 2, 5, 10, 60, $2, '{}', '{}')"
    assert {row["project_id"] for row in await app.fetch(claim, after, token)} == active
    await app.close()
    await sql.close()
