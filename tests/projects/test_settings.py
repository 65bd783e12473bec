"""A project's settings, and the addresses it may be used from (A3)."""

import asyncio
import secrets
import time
from typing import Any
from uuid import UUID

import asyncpg
import jwt
import msgspec
import pytest

from tests.client import PASSWORD, Client, Project, sign_up
from tests.sources import come_from

EVENT = {"type": "a.b", "payload": {}}
DEFAULTS = {
    "timezone": "UTC",
    "language": "en",
    "currency": "USD",
    "quietHours": None,
    "optInTopics": [],
    "billingEmail": None,
    "security": {"require2fa": False, "requireSso": False, "ipAllowList": []},
    "connections": {
        "usePlatform": True,
        "ownPerProvider": 1,
        "requireVerifiedAddresses": False,
        "phoneCodesPerDay": 100,
    },
}


async def allow(project: Project, *networks: str, at: Client | None = None) -> None:
    owner = project.owner if at is None else project.owner.at(at)
    reply = await owner.put("/projects/me/settings", {"security": {"ipAllowList": list(networks)}})
    assert reply.status == 200, reply.json


async def test_a_new_project_has_the_defaults(acme: Project) -> None:
    assert (await acme.key.get("/projects/me/settings")).json == DEFAULTS


async def test_what_is_left_out_stays_also_inside_of_a_part(api: Client) -> None:
    project, other = await sign_up(api), await sign_up(api)
    changes = (
        {"timezone": "Europe/Vienna", "language": "de-AT", "currency": "EUR"},
        {"security": {"requireSso": True}},
        {"security": {"ipAllowList": ["127.0.0.1", "10.0.0.1/8"]}},
        {"connections": {"usePlatform": False}},
        {"connections": {"ownPerProvider": 3}},
        {"connections": {"requireVerifiedAddresses": True}},
        {"connections": {"phoneCodesPerDay": 0}},
        {"optInTopics": ["news", "news"]},
        {"currency": "CHF"},
        {"billingEmail": " Money@Shop.example"},
        {},
    )
    for change in changes:
        reply = await project.owner.put("/projects/me/settings", change)
        assert reply.status == 200
    wanted = {
        "timezone": "Europe/Vienna",
        "language": "de-AT",
        "currency": "CHF",
        "quietHours": None,
        "optInTopics": ["news"],
        "billingEmail": "money@shop.example",
        "security": {"require2fa": False, "requireSso": True, "ipAllowList": ["127.0.0.1/32", "10.0.0.0/8"]},
        "connections": {
            "usePlatform": False,
            "ownPerProvider": 3,
            "requireVerifiedAddresses": True,
            "phoneCodesPerDay": 0,
        },
    }
    assert reply.json == wanted
    assert (await project.owner.get("/projects/me/settings")).json == wanted
    assert (await other.owner.get("/projects/me/settings")).json == DEFAULTS


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"timezone": "Vienna"}, "/timezone"),
        ({"timezone": "europe/vienna"}, "/timezone"),
        ({"timezone": "../../etc/passwd"}, "/timezone"),
        ({"timezone": None}, "/timezone"),
        ({"language": "German"}, "/language"),
        ({"currency": "EURO"}, "/currency"),
        ({"currency": "ABC"}, "/currency"),
        ({"security": {"require2fa": "yes"}}, "/security/require2fa"),
        ({"security": {"ipAllowList": ["10.0.0.0/33"]}}, "/security/ipAllowList"),
        ({"security": {"ipAllowList": ["127.0.0.1"] * 101}}, "/security/ipAllowList"),
        ({"security": {"ipAllowlist": []}}, "/security/ipAllowlist"),
        ({"security": None}, "/security"),
        ({"billingEmail": "money"}, "/billingEmail"),
        ({"color": "red"}, "/color"),
    ],
)
async def test_what_a_setting_cannot_be_is_named_by_its_place(acme: Project, fields: Any, pointer: str) -> None:
    reply = await acme.owner.put("/projects/me/settings", fields)
    assert (reply.status, reply.pointers) == (422, [pointer])


async def test_settings_are_for_those_who_may_see_and_change_the_project(acme: Project) -> None:
    _, reader = await acme.new_key("project:read")
    _, stranger = await acme.new_key("users:read")
    assert (await reader.get("/projects/me/settings")).status == 200
    assert (await reader.put("/projects/me/settings", {})).code == "permission_missing"
    assert (await stranger.get("/projects/me/settings")).code == "permission_missing"


async def test_a_change_is_recorded_as_it_was_and_as_it_is(api: Client, sql: asyncpg.Connection) -> None:
    project = await sign_up(api)
    await project.owner.put("/projects/me/settings", {"timezone": "Europe/Vienna"})
    query = "SELECT metadata FROM tocsin.audit_log WHERE action = 'settings.updated' AND project_id = $1"
    metadata = msgspec.json.decode(await sql.fetchval(query, UUID(project.id)))
    assert (metadata["before"]["timezone"], metadata["after"]["timezone"]) == ("UTC", "Europe/Vienna")


async def test_nobody_locks_themselves_out(api: Client, behind: Client) -> None:
    project = await sign_up(api)
    body = {"security": {"ipAllowList": ["192.0.2.0/24"]}}
    for caller in (project.owner, project.key):
        reply = await caller.put("/projects/me/settings", body)
        assert (reply.status, reply.pointers) == (422, ["/security/ipAllowList"])
        assert reply.json["errors"][0]["code"] == "locks_you_out"
    assert (await project.owner.get("/projects/me/settings")).json == DEFAULTS
    elsewhere = come_from(project.owner, "192.0.2.9", behind)
    assert (await elsewhere.put("/projects/me/settings", body)).status == 200


async def test_the_list_binds_every_door(api: Client, behind: Client) -> None:
    project, other = await sign_up(api), await sign_up(api)
    login = {"email": project.email, "password": PASSWORD}
    claims = {"aud": project.id, "exp": int(time.time()) + 300}
    inside, outside = "127.0.0.1", "203.0.113.5"
    await allow(project, "127.0.0.0/8")
    refresh = project.signed_up["tokens"]["refreshToken"]
    for address, refused in ((outside, True), (inside, False)):
        token = jwt.encode(
            {**claims, "sub": secrets.token_hex(4), "jti": secrets.token_hex(8)},
            project.signed_up["identitySecrets"]["live"],
            algorithm="HS256",
        )
        channel = {"socket_id": "1.2", "channel_name": f"private-project-{project.id}"}
        key, owner, app = (come_from(caller, address, behind) for caller in (project.key, project.owner, project.app))
        nobody = come_from(behind, address, behind)
        replies = [
            await key.get("/projects/me"),
            await key.post("/events", EVENT),
            await key.post("/events/batch", {"events": [EVENT]}),
            await come_from(project.test_key, address, behind).get("/projects/me"),
            await owner.get("/projects/me"),
            await owner.post("/events", EVENT),
            await owner.post("/realtime/auth", channel),
            await app.post("/users/register", {"identityToken": token}),
            await nobody.post("/auth/login", login),
            await nobody.post("/auth/refresh", {"refreshToken": refresh}),
        ]
        if refused:
            assert {(reply.status, reply.code) for reply in replies} == {(403, "ip_not_allowed")}
        else:
            assert {reply.status for reply in replies} <= {200, 201, 202}
    assert (await come_from(other.key, outside, behind).get("/projects/me")).status == 200


async def test_a_wrong_password_learns_nothing_of_the_list(api: Client, behind: Client) -> None:
    project = await sign_up(api)
    await allow(project, "127.0.0.0/8")
    stranger = come_from(behind, "203.0.113.5", behind)
    reply = await stranger.post("/auth/login", {"email": project.email, "password": "not the password"})
    assert (reply.status, reply.code) == (401, "invalid_login")


async def test_the_list_counts_on_every_process_within_a_second(api: Client, behind: Client) -> None:
    project = await sign_up(api)
    there = come_from(project.key, "203.0.113.5", behind)
    assert (await there.post("/events", EVENT)).status == 202
    await allow(project, "127.0.0.0/8")
    listed, last_success = time.monotonic(), 0.0
    while time.monotonic() < listed + 1.5:
        asked = time.monotonic()
        if (await there.post("/events", EVENT)).status == 202:
            last_success = asked - listed
        await asyncio.sleep(0.02)
    assert last_success < 1
    assert (await there.post("/events", EVENT)).code == "ip_not_allowed"
    await allow(project)
    await asyncio.sleep(1)
    assert (await there.post("/events", EVENT)).status == 202


async def test_a_keys_own_list_and_the_projects_must_both_hold_the_address(api: Client, behind: Client) -> None:
    project = await sign_up(api)
    _, caller = await project.new_key("project:read", allowedIps=["198.51.100.0/24", "203.0.113.0/24"])
    await allow(project, "127.0.0.0/8", "203.0.113.0/25")
    for address, status in (("203.0.113.5", 200), ("203.0.113.200", 403), ("198.51.100.1", 403), ("127.0.0.1", 403)):
        assert (await come_from(caller, address, behind).get("/projects/me")).status == status
