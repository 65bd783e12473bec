"""Keys read and changed after they were made (A3)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from tests.client import Client, Project, sign_up

ABSENT = "01890000-0000-7000-8000-000000000000"


async def change(project: Project, made: Any, **fields: Any) -> Any:
    reply = await project.owner.put(f"/projects/me/api-keys/{made['id']}", fields)
    assert reply.status == 200, reply.json
    return reply.json


async def test_a_key_is_read_without_its_secret(acme: Project) -> None:
    made, _ = await acme.new_key("users:read", rateLimit={"perSecond": 5}, autoRevokeAfter=100)
    shown = (await acme.owner.get(f"/projects/me/api-keys/{made['id']}")).json
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert shown["rateLimit"] == {"perSecond": 5, "perHour": None}
    assert shown["autoRevokeAfter"] == 100


async def test_what_is_left_out_stays(acme: Project) -> None:
    made, _ = await acme.new_key("users:read", rateLimit={"perHour": 50}, allowedIps=["127.0.0.1"])
    changed = await change(acme, made, name="renamed")
    shown = {name: value for name, value in made.items() if name != "secret"}
    assert changed == {**shown, "name": "renamed"}
    cleared = await change(acme, made, rateLimit=None, allowedIps=[], expiresAt=None, autoRevokeAfter=None)
    assert cleared == {**shown, "name": "renamed", "rateLimit": None, "allowedIps": []}


async def test_changes_count_on_every_process_within_a_second(pair: tuple[Client, Client]) -> None:
    project = await sign_up(pair[0])
    made, caller = await project.new_key("users:read")
    at_both = [caller.at(process) for process in pair]
    assert [(await each.get("/users")).status for each in at_both] == [200, 200]
    for fields, code in (
        ({"permissions": ["rules:read"]}, "permission_missing"),
        ({"permissions": ["users:read"], "allowedIps": ["192.0.2.0/24"]}, "ip_not_allowed"),
        ({"allowedIps": [], "expiresAt": "2020-01-01T00:00:00Z"}, "invalid_credentials"),
        ({"expiresAt": None}, None),
    ):
        await change(project, made, **fields)
        assert (await at_both[0].get("/users")).code == code
        await asyncio.sleep(1)
        assert (await at_both[1].get("/users")).code == code


async def test_nobody_gives_a_key_what_they_do_not_have(acme: Project) -> None:
    made, _ = await acme.new_key("users:read", "rules:read")
    _, weak = await acme.new_key("keys:manage", "events:read")
    path = f"/projects/me/api-keys/{made['id']}"
    assert (await weak.put(path, {"permissions": ["users:read", "users:manage"]})).code == "permission_missing"
    assert (await acme.owner.get(path)).json["permissions"] == ["rules:read", "users:read"]
    taken = await weak.put(path, {"permissions": ["users:read", "events:read"]})
    assert taken.json["permissions"] == ["events:read", "users:read"]


async def test_a_revoked_key_stays_as_it_is(acme: Project) -> None:
    made, _ = await acme.new_key("users:read")
    await acme.owner.delete(f"/projects/me/api-keys/{made['id']}")
    reply = await acme.owner.put(f"/projects/me/api-keys/{made['id']}", {"name": "again"})
    assert (reply.status, reply.code) == (409, "key_revoked")
    assert (await acme.owner.get(f"/projects/me/api-keys/{made['id']}")).json["status"] == "revoked"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": None}, "/name"),
        ({"name": ""}, "/name"),
        ({"permissions": None}, "/permissions"),
        ({"permissions": ["nothing:read"]}, "/permissions"),
        ({"allowedIps": ["10.0.0.0/33"]}, "/allowedIps"),
        ({"expiresAt": "2027-01-01T00:00:00"}, "/expiresAt"),
        ({"rateLimit": {"perSecond": 0}}, "/rateLimit/perSecond"),
        ({"rateLimit": {"perHour": 1.5}}, "/rateLimit/perHour"),
        ({"rateLimit": {"perDay": 5}}, "/rateLimit/perDay"),
        ({"autoRevokeAfter": 1}, "/autoRevokeAfter"),
        ({"env": "test"}, "/env"),
        ({"status": "active"}, "/status"),
        ({"secret": "sk"}, "/secret"),
    ],
)
async def test_what_a_key_cannot_become_is_named_by_its_place(acme: Project, fields: Any, pointer: str) -> None:
    made, _ = await acme.new_key("users:read")
    reply = await acme.owner.put(f"/projects/me/api-keys/{made['id']}", fields)
    assert (reply.status, reply.pointers) == (422, [pointer])


async def test_a_key_of_another_project_is_as_absent_as_one_that_never_was(
    two_projects: tuple[Project, Project],
) -> None:
    acme, rival = two_projects
    made, _ = await rival.new_key("users:read")
    for send in (
        lambda id_: acme.owner.get(f"/projects/me/api-keys/{id_}"),
        lambda id_: acme.owner.put(f"/projects/me/api-keys/{id_}", {"name": "mine"}),
    ):
        replies = [await send(id_) for id_ in (made["id"], ABSENT, "x")]
        assert {reply.status for reply in replies} == {404}
        assert len({str({**reply.json, "requestId": None}) for reply in replies}) == 1
    assert (await rival.owner.get(f"/projects/me/api-keys/{made['id']}")).json["name"] == "further"


async def test_a_change_is_recorded_as_it_was_and_as_it_is(acme: Project, sql: asyncpg.Connection) -> None:
    made, _ = await acme.new_key("users:read")
    await change(acme, made, name="renamed", allowedIps=["10.0.0.1"])
    query = "SELECT metadata FROM tocsin.audit_log WHERE action = 'key.updated' AND resource_id = $1"
    metadata = msgspec.json.decode(await sql.fetchval(query, made["id"]))
    assert (metadata["before"]["name"], metadata["after"]["name"]) == ("further", "renamed")
    assert (metadata["before"]["allowedIps"], metadata["after"]["allowedIps"]) == ([], ["10.0.0.1/32"])
    assert made["secret"] not in str(metadata)


async def test_an_expired_key_opens_nothing_to_its_public_half_either(acme: Project) -> None:
    made, _ = await acme.new_key("users:read")
    app = acme.app.with_public_key(made["key"])
    assert (await app.post("/users/register", {"email": "early@acme.example"})).status == 201
    await change(acme, made, expiresAt=(datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    assert (await app.post("/users/register", {"email": "late@acme.example"})).status == 401
