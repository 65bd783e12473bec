"""Reading events: lists, and the story of what became of each (D6)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.running import Site
from tocsin.kit import broker as brokers
from tocsin.kit.db import Database
from tocsin.kit.ids import new_id
from tocsin.rules.evaluator import Evaluator
from tocsin.rules.stage import MatchStage

ABSENT = "00000000-0000-7000-8000-000000000002"

Match = Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
async def match(site: Site) -> AsyncIterator[Match]:
    """Let a worker's matching stage process every event that waits."""
    db = Database(site.app_url, ordinary=0, hot=4, statement_seconds=30)
    evaluator = Evaluator()
    await db.start()
    broker = brokers.connect(None, db.url)
    await broker.start()
    stage = MatchStage(db, broker, evaluator, lease_seconds=60, freed=lambda: None)

    async def run() -> None:
        for _ in range(50):
            if not await stage.run_once():
                await stage.drain()
                return
        raise AssertionError("events are still waiting")

    yield run
    await broker.close()
    await evaluator.close()
    await db.close()


@pytest.fixture
async def fresh(api: Client) -> Project:
    """A project without rules and events."""
    return await sign_up(api, "Fresh")


async def sent(caller: Client, type_: str, payload: dict[str, Any] | None = None, **fields: Any) -> str:
    reply = await caller.post("/events", {"type": type_, "payload": payload or {}, **fields})
    assert reply.status == 202, reply.json
    id_: str = reply.json["id"]
    return id_


async def rule(project: Project, **fields: Any) -> Any:
    reply = await project.key.post("/rules", {"name": "R", "eventTypes": ["*"], "title": "T", **fields})
    assert reply.status == 201, reply.json
    return reply.json


async def test_an_event_that_waits(acme: Project) -> None:
    id_ = await sent(
        acme.key,
        "wait.here",
        {"a": [1, {"b": None}], "é": 1e300},
        clientEventId="w-1",
        source="shop",
        timestamp=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.250Z",
    )
    answer = (await acme.key.get(f"/events/{id_}")).json
    received, timestamp = answer.pop("receivedAt"), answer.pop("timestamp")
    assert received.endswith("Z")
    assert timestamp.endswith(".250Z")
    assert answer == {
        "id": id_,
        "env": "live",
        "type": "wait.here",
        "status": "received",
        "outcome": None,
        "processedAt": None,
        "payload": {"a": [1, {"b": None}], "é": 1e300},
        "source": "shop",
        "clientEventId": "w-1",
        "notifications": [],
        "trace": [],
        "faults": [],
    }


async def test_a_leased_event_still_counts_as_received(acme: Project, sql: asyncpg.Connection) -> None:
    id_ = await sent(acme.key, "lease.d")
    await sql.execute(
        "UPDATE tocsin.events SET state = 'leased', lease_until = now() + interval '1 hour' WHERE id = $1", UUID(id_)
    )
    assert (await acme.key.get(f"/events/{id_}")).json["status"] == "received"
    listed = (await acme.key.get("/events", status="received", type="lease.d")).json["items"]
    assert [(item["id"], item["status"]) for item in listed] == [(id_, "received")]


async def test_the_story_names_every_rule_with_its_reason(fresh: Project, match: Match) -> None:
    ada = await fresh.add_user(externalUserId="ada")
    bob = await fresh.add_user(externalUserId="bob", roles=["viewer"])
    tells = await rule(
        fresh,
        name="Tells",
        condition="payload.amount > 10",
        targetPayloadUser=True,
        targetRoles=["viewer"],
        channels=["realtime", "webhook"],
    )
    false = await rule(fresh, name="False", eventTypes=["order.*"], condition="payload.amount < 10")
    breaks = await rule(
        fresh, name="Breaks", eventTypes=["order.created"], title="{{ payload.amount | divided_by: 0 }}"
    )
    nobody = await rule(fresh, name="Nobody", eventTypes=["order.created"])
    await rule(fresh, name="Elsewhere", eventTypes=["stock.*"], targetRoles=["viewer"])
    id_ = await sent(fresh.key, "order.created", {"amount": 11, "userId": "ada"})
    await match()
    answer = (await fresh.key.get(f"/events/{id_}")).json
    assert (answer["status"], answer["outcome"]) == ("processed", "notified")
    assert answer["processedAt"] >= answer["receivedAt"]
    first, second, third, fourth = answer["trace"]
    assert (first["ruleId"], first["ruleName"], first["ruleVersion"]) == (tells["id"], "Tells", 1)
    assert (first["matched"], first["reason"], first["error"]) == (True, "condition is true", None)
    assert answer["notifications"] == [first["notificationId"]]
    assert {each["userId"]: each["reason"] for each in first["recipients"]} == {
        ada["id"]: "user in the payload",
        bob["id"]: "role",
    }
    assert (first["recipientsTotal"], first["deliveriesTotal"]) == (2, 3)
    deliveries = {(each["channel"], each["userId"]): each for each in first["deliveries"]}
    assert set(deliveries) == {("realtime", ada["id"]), ("realtime", bob["id"]), ("webhook", None)}
    assert deliveries["realtime", ada["id"]]["state"] == "sent"
    assert deliveries["realtime", ada["id"]]["dueAt"] is None
    assert deliveries["webhook", None]["state"] == "queued"
    assert deliveries["webhook", None]["dueAt"]
    assert deliveries["webhook", None]["attempts"] == []
    assert (second["ruleId"], second["matched"], second["reason"]) == (false["id"], False, "condition is false")
    assert (second["recipients"], second["deliveries"], second["notificationId"]) == ([], [], None)
    assert (third["ruleId"], third["matched"], third["error"]) == (breaks["id"], True, "render_error")
    assert (fourth["ruleId"], fourth["matched"]) == (nobody["id"], True)
    assert "nobody" in fourth["reason"]


async def test_the_story_tells_each_attempt(fresh: Project, match: Match, sql: asyncpg.Connection) -> None:
    await rule(fresh, channels=["webhook"])
    id_ = await sent(fresh.key, "a.b")
    await match()
    (delivery,) = (await fresh.key.get(f"/events/{id_}")).json["trace"][0]["deliveries"]
    await sql.execute("UPDATE tocsin.deliveries SET last_error = 'HTTP 503' WHERE id = $1", delivery["id"])
    for number, status in ((2, 200), (1, 503)):
        await sql.execute(
            "INSERT INTO tocsin.attempts (project_id, delivery_id, number, env, outcome, status, answer, error,"
            " started_at, duration_ms, next_due_at) VALUES ($1, $2, $3, 'live', 'tried', $4, 'words', NULL,"
            " '2026-05-04T10:00:00Z', 12, NULL)",
            fresh.id,
            delivery["id"],
            number,
            status,
        )
    (told,) = (await fresh.key.get(f"/events/{id_}")).json["trace"][0]["deliveries"]
    assert told["lastError"] == "HTTP 503"
    assert [(each["number"], each["status"]) for each in told["attempts"]] == [(1, 503), (2, 200)]
    assert told["attempts"][0] == {
        "number": 1,
        "startedAt": "2026-05-04T10:00:00.000Z",
        "durationMs": 12,
        "outcome": "tried",
        "status": 503,
        "answer": "words",
        "error": None,
        "nextDueAt": None,
    }


async def test_a_crowd_is_counted_and_the_first_200_shown(
    fresh: Project, match: Match, sql: asyncpg.Connection
) -> None:
    role = (await fresh.key.post("/roles", {"name": "crowd"})).json["id"]
    people = [new_id() for _ in range(450)]
    await sql.execute(
        "INSERT INTO tocsin.users (project_id, id, env, status)"
        " SELECT $1, u, 'live', 'active' FROM unnest($2::uuid[]) u",
        fresh.id,
        people,
    )
    await sql.execute(
        "INSERT INTO tocsin.user_roles (project_id, user_id, role_id, env) SELECT $1, u, $3, 'live'"
        " FROM unnest($2::uuid[]) u",
        fresh.id,
        people,
        role,
    )
    await rule(fresh, targetRoles=["crowd"], channels=["realtime", "email"])
    id_ = await sent(fresh.key, "a.b")
    await match()
    (told,) = (await fresh.key.get(f"/events/{id_}")).json["trace"]
    assert (told["recipientsTotal"], told["deliveriesTotal"]) == (450, 900)
    shown = {each["userId"] for each in told["recipients"]}
    assert len(shown) == 200
    assert {(each["userId"], each["channel"]) for each in told["deliveries"]} == {
        (user_id, channel) for user_id in shown for channel in ("realtime", "email")
    }


async def test_a_rule_that_is_gone_stays_in_the_story(fresh: Project, match: Match) -> None:
    gone = await rule(fresh, name="Gone", targetRoles=["owner"])
    id_ = await sent(fresh.key, "a.b")
    await match()
    assert (await fresh.key.delete(f"/rules/{gone['id']}")).status == 204
    (told,) = (await fresh.key.get(f"/events/{id_}")).json["trace"]
    assert (told["ruleId"], told["ruleName"], told["recipientsTotal"]) == (gone["id"], "Gone", 1)


async def test_lists_filter_and_page(fresh: Project, match: Match, sql: asyncpg.Connection) -> None:
    done = await sent(fresh.key, "order.created", {"n": 1}, clientEventId="c-1")
    poison = await sent(fresh.key, "order.created", {"n": 2})
    await match()
    await sql.execute("UPDATE tocsin.events SET state = 'failed', outcome = 'poison' WHERE id = $1", UUID(poison))
    waits = await sent(fresh.key, "stock.low", clientEventId="c-2")

    async def ids(**filters: Any) -> list[str]:
        return [item["id"] for item in (await fresh.key.get("/events", **filters)).json["items"]]

    assert await ids() == [waits, poison, done]
    assert await ids(sort="createdAt") == [done, poison, waits]
    assert await ids(type="order.created") == [poison, done]
    assert await ids(status="received") == [waits]
    assert await ids(status="processed") == [done]
    assert await ids(status="failed") == [poison]
    assert await ids(clientEventId="c-1") == [done]
    assert await ids(clientEventId="c-1", type="stock.low") == []
    assert await ids(clientEventId="c-3") == []
    page = (await fresh.key.get("/events", limit=2)).json
    rest = (await fresh.key.get("/events", limit=2, cursor=page["nextCursor"])).json
    assert ([item["id"] for item in rest["items"]], rest["nextCursor"]) == ([done], None)
    (item,) = rest["items"]
    whole = (await fresh.key.get(f"/events/{done}")).json
    assert item == {name: value for name, value in whole.items() if name not in ("notifications", "trace", "faults")}
    for wrong in ({"type": "a..b"}, {"status": "leased"}, {"clientEventId": ""}):
        assert (await fresh.key.get("/events", **wrong)).status == 422


async def test_another_projects_events_look_like_nobodys(acme: Project, rival: Project, match: Match) -> None:
    await rule(rival, name="Secret of the rival", targetRoles=["owner"])
    theirs = await sent(rival.key, "rivals.secret", {"canary": 1}, clientEventId="rivals")
    await match()
    foreign, absent, malformed = [await acme.key.get(f"/events/{id_}") for id_ in (theirs, ABSENT, "batches")]
    for reply in (foreign, malformed):
        assert (reply.status, {**reply.json, "requestId": ""}) == (404, {**absent.json, "requestId": ""})
    assert (await acme.key.get("/events", clientEventId="rivals")).json["items"] == []
    assert (await acme.key.get("/events", type="rivals.secret")).json["items"] == []
    own = (await rival.key.get(f"/events/{theirs}")).json
    assert (own["outcome"], own["trace"][0]["recipientsTotal"]) == ("notified", 1)


async def test_the_environments_do_not_see_each_others_events(acme: Project, match: Match) -> None:
    live, sandboxed = await sent(acme.key, "env.here"), await sent(acme.test_key, "env.here")
    await match()
    assert (await acme.key.get(f"/events/{sandboxed}")).status == 404
    assert (await acme.test_key.get(f"/events/{live}")).status == 404
    assert [e["id"] for e in (await acme.key.get("/events", type="env.here")).json["items"]] == [live]
    assert [e["id"] for e in (await acme.test_key.get("/events", type="env.here")).json["items"]] == [sandboxed]


async def test_reading_events_needs_its_permission(acme: Project) -> None:
    id_ = await sent(acme.key, "a.b")
    _, writer = await acme.new_key("events:write")
    for path in ("/events", f"/events/{id_}"):
        reply = await writer.get(path)
        assert (reply.status, reply.code) == (403, "permission_missing")
    _, reader = await acme.new_key("events:read")
    assert (await reader.get(f"/events/{id_}")).status == 200
