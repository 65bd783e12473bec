"""Rules over HTTP: what is saved, refused with its position, found again, and who may see it (R1-R3, E5, E6)."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import psutil
import pytest

from tests.client import Client, Project, Reply, sign_up
from tests.running import Site, running_api
from tocsin.kit.db import Database
from tocsin.kit.errors import Unavailable
from tocsin.rules.evaluator import Evaluator
from tocsin.rules.schemas import TestEvent
from tocsin.rules.show import find_rule
from tocsin.rules.targets import Targets
from tocsin.rules.trial import try_rule

_numbers = itertools.count(1)


def body(**fields: Any) -> dict[str, Any]:
    """A rule that can be saved, of a type of its own."""
    number = next(_numbers)
    return {"name": f"Rule {number}", "eventTypes": [f"made.n{number}"], "title": "Hello", **fields}


async def made(project: Project, **fields: Any) -> Any:
    reply = await project.key.post("/rules", body(**fields))
    assert reply.status == 201, reply.json
    return reply.json


@pytest.fixture
async def fresh(api: Client) -> AsyncIterator[Project]:
    """A project without any rule."""
    project = await sign_up(api, "Fresh")
    for first in (await project.owner.get("/rules")).json["items"]:
        await project.owner.delete(f"/rules/{first['id']}")
    yield project


def errors(reply: Reply) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in reply.json["errors"]]


async def test_a_rule_is_answered_as_it_was_sent(acme: Project) -> None:
    person = await acme.add_user(externalUserId="customer-1")
    other = await acme.add_user()
    sent = {
        "name": "Large orders",
        "description": "Somebody should call them.",
        "eventTypes": ["order.created", "order.item.*"],
        "condition": "payload.amount > 1000",
        "targetRoles": ["admin", "owner"],
        "targetUsers": ["customer-1", other["id"]],
        "targetPayloadUser": True,
        "channels": ["realtime", "email"],
        "title": "Order {{ payload.orderId }}",
        "message": "{{ payload.amount }} from {{ user.name }}",
        "action": {"url": "https://shop.example/{{ payload.orderId }}", "label": "Open"},
        "sound": "bell",
        "priority": "high",
        "requireAck": True,
        "repeat": {"everySeconds": 60, "maxTimes": 5},
        "escalation": [{"afterSeconds": 300, "roles": ["owner"], "users": [other["id"]]}],
        "escalationLoops": 3,
        "active": True,
        "topic": "orders",
    }
    reply = await acme.key.post("/rules", sent)
    assert reply.status == 201, reply.json
    answer = reply.json
    assert {name: answer[name] for name in sent if name != "targetUsers"} == {
        name: value for name, value in sent.items() if name != "targetUsers"
    }
    assert answer["targetUsers"] == [person["id"], other["id"]]
    assert (answer["version"], answer["env"], answer["suspendedReason"]) == (1, "live", None)
    assert (await acme.key.get(f"/rules/{answer['id']}")).json == answer


async def test_what_is_left_out_has_a_default(acme: Project) -> None:
    rule = await made(acme)
    assert rule["channels"] == ["realtime"]
    assert (rule["priority"], rule["active"], rule["requireAck"]) == ("normal", True, False)
    assert (rule["message"], rule["condition"], rule["action"]) == ("", None, None)
    assert (rule["targetRoles"], rule["targetUsers"], rule["targetPayloadUser"]) == ([], [], False)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"name": ""}, "/name"),
        ({"eventTypes": []}, "/eventTypes"),
        ({"eventTypes": ["order.created", "order..created"]}, "/eventTypes/1"),
        ({"eventTypes": ["*.created"]}, "/eventTypes/0"),
        ({"eventTypes": ["order*"]}, "/eventTypes/0"),
        ({"eventTypes": [f"a.b{n}" for n in range(51)]}, "/eventTypes"),
        ({"channels": []}, "/channels"),
        ({"channels": ["realtime", "pigeon"]}, "/channels/1"),
        ({"channels": ["realtime", "realtime"]}, "/channels"),
        ({"targetRoles": ["owner", "owner", "ghosts"]}, "/targetRoles/2"),
        ({"targetUsers": ["nobody"]}, "/targetUsers/0"),
        ({"targetUsers": ["00000000-0000-7000-8000-000000000001"]}, "/targetUsers/0"),
        ({"escalation": [{"afterSeconds": 10, "roles": ["owner", "ghosts"]}]}, "/escalation/0/roles/1"),
        ({"escalation": [{"afterSeconds": 9, "roles": ["owner"]}]}, "/escalation/0/afterSeconds"),
        ({"escalation": [{"afterSeconds": 10, "users": ["nobody"]}]}, "/escalation/0/users/0"),
        ({"escalation": [{"afterSeconds": 10}]}, "/escalation/0"),
        ({"escalationLoops": 11}, "/escalationLoops"),
        ({"repeat": {"everySeconds": 10, "maxTimes": 1}}, "/requireAck"),
        ({"escalation": [{"afterSeconds": 10, "roles": ["owner"]}], "requireAck": False}, "/requireAck"),
        ({"repeat": {"everySeconds": 10, "maxTimes": 101}}, "/repeat/maxTimes"),
        ({"repeat": {"everySeconds": 10}}, "/repeat/maxTimes"),
        ({"priority": "urgent"}, "/priority"),
        ({"title": ""}, "/title"),
        ({"title": None}, "/title"),
        ({"active": "yes"}, "/active"),
        ({"conditions": "true"}, "/conditions"),
        ({"action": {"label": "Open"}}, "/action/url"),
        ({"condition": "x" * 1_001}, "/condition"),
        ({"condition": "'a' + 'b'"}, "/condition"),
        ({"condition": "secrets.key == 'a'"}, "/condition"),
        ({"condition": "payload.text.matches('(a{1000}){1000}')"}, "/condition"),
        ({"condition": "(" * 900}, "/condition"),
        ({"message": "{% include '/etc/passwd' %}"}, "/message"),
        ({"message": "{{ payload.a | nope }}"}, "/message"),
        ({"title": "{{ ''.__class__.__mro__ }}"}, "/title"),
        ({"action": {"url": "{{ nobody.url }}"}}, "/action/url"),
        ({"action": {"url": "https://x", "label": "{% if %}"}}, "/action/label"),
    ],
)
async def test_a_mistake_is_refused_at_its_place(acme: Project, fields: dict[str, Any], place: str) -> None:
    reply = await acme.key.post("/rules", body(**fields))
    assert reply.status == 422, reply.json
    assert place in reply.pointers


async def test_mistakes_in_texts_come_all_at_once_with_line_and_column(acme: Project) -> None:
    fields = {
        "condition": "payload.a > 1 &&\n  payload.b >",
        "message": "one\n{{ payload.a | nope }}",
        "targetRoles": ["x"],
    }
    reply = await acme.key.post("/rules", body(**fields))
    assert reply.status == 422
    places = {error["pointer"]: (error.get("line"), error.get("column")) for error in reply.json["errors"]}
    assert set(places) == {"/condition", "/message", "/targetRoles/0"}
    assert places["/condition"][0] == 2
    assert places["/message"][0] == 2
    assert places["/targetRoles/0"] == (None, None)


async def test_a_change_touches_only_what_is_sent_and_makes_a_version(acme: Project) -> None:
    rule = await made(
        acme,
        targetRoles=["owner"],
        condition="payload.a == 1",
        requireAck=True,
        repeat={"everySeconds": 10, "maxTimes": 1},
        escalation=[{"afterSeconds": 60, "roles": ["owner"]}],
    )
    reply = await acme.owner.put(f"/rules/{rule['id']}", {"title": "Bye", "condition": None, "targetRoles": ["admin"]})
    assert reply.status == 200, reply.json
    changed = {**rule, "title": "Bye", "condition": None, "targetRoles": ["admin"], "version": 2}
    assert {**reply.json, "updatedAt": None} == {**changed, "updatedAt": None}
    assert reply.json["updatedAt"] > rule["updatedAt"]
    versions = (await acme.key.get(f"/rules/{rule['id']}/versions")).json
    assert [(each["version"], each["rule"]["title"], each["createdBy"].split(":")[0]) for each in versions] == [
        (2, "Bye", "user"),
        (1, "Hello", "key"),
    ]
    assert versions[1]["rule"] == rule


async def test_a_change_that_changes_nothing_makes_no_version(acme: Project) -> None:
    rule = await made(acme, targetRoles=["owner", "admin"])
    sent = {name: rule[name] for name in ("title", "targetRoles", "eventTypes", "active")}
    assert (await acme.key.put(f"/rules/{rule['id']}", sent)).json == rule
    assert (await acme.key.put(f"/rules/{rule['id']}", {})).json == rule


@pytest.mark.parametrize("name", ["name", "eventTypes", "title", "channels", "active", "targetRoles", "priority"])
async def test_what_a_rule_always_has_cannot_be_nulled(acme: Project, name: str) -> None:
    rule = await made(acme)
    reply = await acme.key.put(f"/rules/{rule['id']}", {name: None})
    assert (reply.status, reply.pointers) == (422, [f"/{name}"])


async def test_changes_are_audited_with_before_and_after(acme: Project, sql: asyncpg.Connection) -> None:
    rule = await made(acme)
    await acme.key.put(f"/rules/{rule['id']}", {"name": "Other"})
    await acme.key.delete(f"/rules/{rule['id']}")
    rows = await sql.fetch(
        "SELECT action, metadata->'before'->>'name' AS before, metadata->'after'->>'name' AS after"
        " FROM tocsin.audit_log WHERE resource_id = $1 ORDER BY id",
        rule["id"],
    )
    assert [tuple(row) for row in rows] == [
        ("rule.created", None, rule["name"]),
        ("rule.updated", rule["name"], "Other"),
        ("rule.deleted", "Other", None),
    ]


async def test_a_deleted_rule_is_gone_with_all_that_belongs_to_it(acme: Project, sql: asyncpg.Connection) -> None:
    rule = await made(acme, targetRoles=["owner"])
    assert (await acme.key.delete(f"/rules/{rule['id']}")).status == 204
    assert (await acme.key.get(f"/rules/{rule['id']}")).status == 404
    assert (await acme.key.delete(f"/rules/{rule['id']}")).status == 404
    for table in ("rule_patterns", "rule_targets", "rule_versions"):
        assert await sql.fetchval(f"SELECT count(*) FROM tocsin.{table} WHERE rule_id = $1", rule["id"]) == 0


async def test_only_an_active_rule_can_be_met(acme: Project, sql: asyncpg.Connection) -> None:
    rule = await made(acme, eventTypes=["onoff.a", "onoff.b.*", "onoff.b.c", "onoff.b.d.*"])
    query = "SELECT array_agg(pattern ORDER BY pattern) FROM tocsin.rule_patterns WHERE rule_id = $1"
    assert await sql.fetchval(query, rule["id"]) == ["onoff.a", "onoff.b.*"]
    await acme.key.put(f"/rules/{rule['id']}", {"active": False})
    assert await sql.fetchval(query, rule["id"]) is None
    await acme.key.put(f"/rules/{rule['id']}", {"active": True, "eventTypes": ["onoff.b"]})
    assert await sql.fetchval(query, rule["id"]) == ["onoff.b"]


async def test_a_change_clears_the_reason_of_a_suspension(acme: Project, sql: asyncpg.Connection) -> None:
    rule = await made(acme)
    await sql.execute("UPDATE tocsin.rules SET active = false, suspended_reason = 'stopped' WHERE id = $1", rule["id"])
    assert (await acme.key.get(f"/rules/{rule['id']}")).json["suspendedReason"] == "stopped"
    reply = await acme.key.put(f"/rules/{rule['id']}", {"active": True})
    assert (reply.json["active"], reply.json["suspendedReason"]) == (True, None)


async def test_a_person_deleted_meanwhile_is_a_conflict(acme: Project, site: Site, sql: asyncpg.Connection) -> None:
    person = await acme.add_user()
    other = await asyncpg.connect(site.installer_url)
    try:
        async with other.transaction():
            await other.execute("DELETE FROM tocsin.users WHERE id = $1", person["id"])
            saving = asyncio.create_task(acme.key.post("/rules", body(targetUsers=[person["id"]])))
            for _ in range(150):
                if await sql.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                    break
                await asyncio.sleep(0.01)
        reply = await saving
    finally:
        await other.close()
    assert (reply.status, reply.code) == (409, "target_deleted")


async def test_lists_filter_and_page(fresh: Project) -> None:
    first = await made(fresh, name="100% of orders", eventTypes=["order.created"])
    second = await made(fresh, name="All orders", eventTypes=["order.*", "stock.low"], targetRoles=["owner"])
    third = await made(fresh, name="Anything", eventTypes=["*"], active=False)

    async def names(**filters: Any) -> list[str]:
        return [item["name"] for item in (await fresh.key.get("/rules", sort="createdAt", **filters)).json["items"]]

    assert await names() == [first["name"], second["name"], third["name"]]
    assert await names(active="true") == [first["name"], second["name"]]
    assert await names(eventType="order.created") == [first["name"], second["name"], third["name"]]
    assert await names(eventType="order") == [third["name"]]
    assert await names(search="ORDERS") == [first["name"], second["name"]]
    assert await names(search="0%") == [first["name"]]
    assert await names(search="_") == []
    page = (await fresh.key.get("/rules", limit=2)).json
    assert [item["id"] for item in page["items"]] == [third["id"], second["id"]]
    assert page["items"][1] == second
    rest = (await fresh.key.get("/rules", limit=2, cursor=page["nextCursor"])).json
    assert (rest["items"], rest["nextCursor"]) == ([first], None)
    assert (await fresh.key.get("/rules", eventType="a..b")).status == 422


async def test_another_projects_rules_people_and_roles_look_like_nobodys(acme: Project, rival: Project) -> None:
    rule = await made(rival, name="Secret of the rival")
    person = await rival.add_user(externalUserId="rivals-customer")
    await rival.key.post("/roles", {"name": "rivals-role"})
    absent = "00000000-0000-7000-8000-000000000002"
    event = {"event": {"type": "a.b", "payload": {}}}
    for method, path, sent in (
        ("GET", "/rules/{}", None),
        ("PUT", "/rules/{}", {"name": "x"}),
        ("DELETE", "/rules/{}", None),
        ("GET", "/rules/{}/versions", None),
        ("POST", "/rules/{}/test", event),
    ):
        foreign = await acme.key.send(method, path.format(rule["id"]), sent)
        nobodys = await acme.key.send(method, path.format(absent), sent)
        malformed = await acme.key.send(method, path.format("not-an-id"), sent)
        for reply in (foreign, nobodys, malformed):
            assert (reply.status, {**reply.json, "requestId": ""}) == (404, {**nobodys.json, "requestId": ""})
    listed = (await acme.key.get("/rules", limit=200)).json["items"]
    assert rule["id"] not in {item["id"] for item in listed}
    targets = {"targetUsers": [person["id"], "rivals-customer"], "targetRoles": ["rivals-role"]}
    refused = await acme.key.post("/rules", body(**targets))
    assert errors(refused) == [
        ("/targetRoles/0", "unknown_role"),
        ("/targetUsers/0", "unknown_user"),
        ("/targetUsers/1", "unknown_user"),
    ]
    assert (await rival.key.get(f"/rules/{rule['id']}")).json == rule


async def test_the_sandbox_reads_live_rules_and_changes_only_its_own(acme: Project) -> None:
    live = await made(acme)
    person = await acme.add_user(externalUserId="live-person")
    assert (await acme.test_key.get(f"/rules/{live['id']}")).json == live
    refused = await acme.test_key.put(f"/rules/{live['id']}", {"name": "x"})
    assert (refused.status, refused.code) == (403, "live_object")
    assert (await acme.test_key.delete(f"/rules/{live['id']}")).code == "live_object"
    own = await acme.test_key.post("/rules", body(targetUsers=["live-person"], targetRoles=["owner"]))
    assert own.status == 201, own.json
    assert (own.json["env"], own.json["targetUsers"]) == ("test", [person["id"]])
    assert (await acme.key.get(f"/rules/{own.json['id']}")).status == 404
    tests_own = await acme.add_user(env="test", externalUserId="live-person")
    again = await acme.test_key.put(f"/rules/{own.json['id']}", {"targetUsers": ["live-person"]})
    assert again.json["targetUsers"] == [tests_own["id"]]


async def test_a_caller_needs_the_permission(acme: Project) -> None:
    rule = await made(acme)
    _, reader = await acme.new_key("rules:read")
    assert (await reader.get(f"/rules/{rule['id']}")).status == 200
    for reply in (
        await reader.post("/rules", body()),
        await reader.put(f"/rules/{rule['id']}", {"name": "x"}),
        await reader.delete(f"/rules/{rule['id']}"),
        await reader.post(f"/rules/{rule['id']}/test", {"event": {"type": "a", "payload": {}}}),
    ):
        assert (reply.status, reply.code) == (403, "permission_missing")
    _, stranger = await acme.new_key("events:read")
    assert (await stranger.get("/rules")).status == 403


async def fill(sql: asyncpg.Connection, project: Project, pattern: str, count: int) -> None:
    """Active rules of one pattern, written as saving writes them but in one go."""
    await sql.execute(
        "WITH made AS (INSERT INTO tocsin.rules (project_id, id, env, name, event_types, channels, title)"
        " SELECT $1, gen_random_uuid(), 'live', $2, ARRAY[$2], '{realtime}', 't' FROM generate_series(1, $3)"
        " RETURNING project_id, id) INSERT INTO tocsin.rule_patterns (project_id, pattern, rule_id, env)"
        " SELECT project_id, $2, id, 'live' FROM made",
        project.id,
        pattern,
        count,
    )


async def test_no_type_is_met_by_more_than_200_rules(fresh: Project, rival: Project, sql: asyncpg.Connection) -> None:
    await fill(sql, rival, "order.created", 200)
    await fill(sql, fresh, "order.created", 100)
    await fill(sql, fresh, "order.*", 60)
    await fill(sql, fresh, "*", 39)
    await fill(sql, fresh, "stock.low", 150)
    last = await made(fresh, eventTypes=["order.created", "order.*", "*"])
    for patterns, crowded in (
        (["a.b", "order.created"], "/eventTypes/1"),
        (["order.*"], "/eventTypes/0"),
        (["*"], "/eventTypes/0"),
    ):
        refused = await fresh.key.post("/rules", body(eventTypes=patterns))
        assert (refused.status, refused.code) == (409, "too_many_rules")
        assert refused.pointers == [crowded]
        assert "'order.created'" in refused.json["detail"]
    assert (await fresh.key.post("/rules", body(eventTypes=["order.paid"]))).status == 201
    assert (await fresh.key.post("/rules", body(eventTypes=["order.created.late"]))).status == 201
    inactive = await made(fresh, eventTypes=["order.created"], active=False)
    assert (await fresh.key.put(f"/rules/{inactive['id']}", {"active": True})).code == "too_many_rules"
    assert (await fresh.key.put(f"/rules/{last['id']}", {"name": "Still one of 200"})).status == 200
    assert (await fresh.key.delete(f"/rules/{last['id']}")).status == 204
    assert (await fresh.key.put(f"/rules/{inactive['id']}", {"active": True})).status == 200


async def test_a_rule_counts_once_however_many_of_its_patterns_meet_a_type(
    fresh: Project, sql: asyncpg.Connection
) -> None:
    await fill(sql, fresh, "order.created", 190)
    for _ in range(9):
        await made(fresh, eventTypes=["order.created", "order.*", "*"])
    assert (await fresh.key.post("/rules", body(eventTypes=["order.created"]))).status == 201
    assert (await fresh.key.post("/rules", body(eventTypes=["order.created"]))).code == "too_many_rules"
    assert (await fresh.key.post("/rules", body(eventTypes=["order.paid"]))).status == 201


async def test_the_limit_of_a_type_that_only_prefixes_know(fresh: Project, sql: asyncpg.Connection) -> None:
    await fill(sql, fresh, "a.b.*", 120)
    await fill(sql, fresh, "a.*", 80)
    refused = await fresh.key.post("/rules", body(eventTypes=["a.b.c.d"]))
    assert (refused.code, refused.pointers) == ("too_many_rules", ["/eventTypes/0"])
    refused = await fresh.key.post("/rules", body(eventTypes=["*"]))
    assert "'a.b.*'" in refused.json["detail"]
    assert (await fresh.key.post("/rules", body(eventTypes=["a.c"]))).status == 201


async def test_rules_saved_at_once_keep_to_the_limit(fresh: Project, sql: asyncpg.Connection) -> None:
    await fill(sql, fresh, "rush", 195)
    replies = await asyncio.gather(*(fresh.key.post("/rules", body(eventTypes=["rush"])) for _ in range(10)))
    assert sorted(reply.status for reply in replies) == [201] * 5 + [409] * 5


async def test_changes_at_once_each_make_a_version(acme: Project) -> None:
    rule = await made(acme)
    replies = await asyncio.gather(*(acme.key.put(f"/rules/{rule['id']}", {"name": f"n{n}"}) for n in range(6)))
    assert sorted(reply.json["version"] for reply in replies) == [2, 3, 4, 5, 6, 7]


async def tried(project: Project, rule: dict[str, Any], type_: str, payload: dict[str, Any]) -> Any:
    event = {"type": type_, "payload": payload}
    saved = await project.key.post(f"/rules/{(await made(project, **rule))['id']}/test", {"event": event})
    draft = await project.key.post("/rules/test", {"rule": body(**rule), "event": event})
    assert (saved.status, draft.status) == (200, 200), (saved.json, draft.json)
    assert saved.json == draft.json
    return saved.json


async def test_a_try_tells_what_the_rule_would_do(acme: Project) -> None:
    await acme.key.post("/roles", {"name": "finance"})
    in_role = await acme.add_user(roles=["finance"])
    about = await acme.add_user(externalUserId="about", name="Ada", metadata={"tier": "gold"})
    await acme.add_user(roles=["finance"], status="disabled")
    rule = {
        "eventTypes": ["order.*"],
        "condition": "payload.amount > 1000 && user.name == 'Ada'",
        "targetRoles": ["finance"],
        "targetUsers": ["about", in_role["id"]],
        "targetPayloadUser": True,
        "channels": ["realtime", "email", "webhook"],
        "title": "Order {{ payload.id }} of {{ user.name }}",
        "message": "{{ project.name }} {{ user.metadata.tier }} {{ payload.nothing }}",
        "action": {"url": "https://x.example/{{ payload.id }}"},
    }
    answer = await tried(acme, rule, "order.created", {"amount": 1001, "id": 7, "userId": "about"})
    assert answer == {
        "matched": True,
        "reason": "condition is true",
        "error": None,
        "recipients": [
            {"userId": about["id"], "channels": ["realtime", "email"]},
            {"userId": in_role["id"], "channels": ["realtime", "email"]},
        ],
        "recipientsTotal": 2,
        "projectChannels": ["webhook"],
        "destinations": [],
        "rendered": {
            "title": "Order 7 of Ada",
            "message": "Acme gold ",
            "actionUrl": "https://x.example/7",
            "actionLabel": None,
            "translations": {},
        },
        "missing": ["payload.nothing"],
    }
    missed = await tried(acme, rule, "order.created", {"amount": 1000, "userId": "about"})
    assert (missed["matched"], missed["recipients"], missed["rendered"]) == (False, [], None)
    assert missed["reason"]
    elsewhere = await tried(acme, rule, "stock.low", {"amount": 1001})
    assert elsewhere["matched"] is False
    assert "stock.low" in elsewhere["reason"]


async def test_a_try_tells_what_goes_wrong(acme: Project) -> None:
    wrong = await tried(acme, {"eventTypes": ["a"], "condition": "payload.a / payload.b == 1"}, "a", {"a": 1, "b": 0})
    assert (wrong["matched"], wrong["error"], wrong["rendered"]) == (False, "condition_error", None)
    long = await tried(acme, {"eventTypes": ["a"], "title": "{{ payload.text }}"}, "a", {"text": "x" * 2_000})
    assert (long["matched"], long["error"], long["recipients"]) == (True, "render_error", [])
    hanging = {"eventTypes": ["a"], "title": "{% if (1..9000000000) contains 'x' %}{% endif %}"}
    assert (await tried(acme, hanging, "a", {}))["error"] == "render_error"


async def test_a_try_of_an_inactive_rule_and_in_the_sandbox(acme: Project) -> None:
    person = await acme.add_user(externalUserId="both")
    rule = await made(acme, eventTypes=["a"], active=False, targetPayloadUser=True)
    event = {"event": {"type": "a", "payload": {"userId": "both"}}}
    assert (await acme.key.post(f"/rules/{rule['id']}/test", event)).json["recipients"][0]["userId"] == person["id"]
    shadow = await acme.add_user(env="test", externalUserId="both")
    sandboxed = await acme.test_key.post(f"/rules/{rule['id']}/test", event)
    assert sandboxed.json["recipients"][0]["userId"] == shadow["id"]


async def test_a_try_is_checked_like_what_it_tries(acme: Project) -> None:
    event = {"type": "a", "payload": {}}
    draft = await acme.key.post("/rules/test", {"rule": body(condition="payload.", targetRoles=["x"]), "event": event})
    assert errors(draft)[-1] == ("/rule/targetRoles/0", "unknown_role")
    assert "/rule/condition" in draft.pointers
    rule = await made(acme)
    for sent, place in (
        ({"type": "a..b", "payload": {}}, "/event/type"),
        ({"type": "a.*", "payload": {}}, "/event/type"),
        ({"type": "a", "payload": []}, "/event/payload"),
        ({"type": "a"}, "/event/payload"),
        ({"type": "a", "payload": {}, "id": 1}, "/event/id"),
        ({"type": "a", "payload": {"text": "x" * 262_144}}, "/event/payload"),
    ):
        refused = await acme.key.post(f"/rules/{rule['id']}/test", {"event": sent})
        assert (refused.status, refused.pointers) == (422, [place])


async def test_a_try_leaves_nothing_behind(fresh: Project, sql: asyncpg.Connection) -> None:
    draft = {"rule": body(eventTypes=["a"], targetRoles=["owner"]), "event": {"type": "a", "payload": {}}}
    reply = await fresh.key.post("/rules/test", draft)
    assert reply.json["recipientsTotal"] == 1
    for table in ("rules", "events", "notifications", "deliveries"):
        assert await sql.fetchval(f"SELECT count(*) FROM tocsin.{table} WHERE project_id = $1", fresh.id) == 0


async def test_tries_go_on_after_their_child_has_died_and_end_with_the_api(
    acme: Project, site: Site, http: aiohttp.ClientSession
) -> None:
    draft = {"rule": body(eventTypes=["a"]), "event": {"type": "a", "payload": {}}}
    with running_api(replace(site, settings={"TOCSIN_REALTIME": "0"})) as process:
        caller = acme.key.at(Client(http, process.url))
        assert (await caller.post("/rules/test", draft)).json["matched"] is True
        (first,) = evaluation_children(process.popen.pid)
        first.kill()
        assert (await caller.post("/rules/test", draft)).json["matched"] is True
        (second,) = evaluation_children(process.popen.pid)
        process.stop()
        assert not second.is_running()


def evaluation_children(pid: int) -> list[psutil.Process]:
    children = psutil.Process(pid).children()
    return [child for child in children if child.is_running() and "tocsin.rules.child" in child.cmdline()]


async def test_without_an_evaluator_a_try_asks_to_come_back(acme: Project, site: Site) -> None:
    rule = await made(acme, eventTypes=["a"])
    db = Database(site.app_url, ordinary=1, hot=0, statement_seconds=5)
    evaluator = Evaluator()
    await evaluator.close()
    async with db.scope(UUID(acme.id), "live") as session:
        saved = await find_rule(session, UUID(rule["id"]))
        with pytest.raises(Unavailable) as caught:
            await try_rule(session, "live", evaluator, saved, Targets(), TestEvent(type="a", payload={}))
    await db.close()
    assert caught.value.code == "evaluator_unavailable"
