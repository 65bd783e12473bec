"""API keys: made, limited, checked, revoked on every process (A3)."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tocsin.auth.keys import key_env, new_identity_secret, new_key, new_secret


async def test_a_key_is_shown_with_its_secret_once(acme: Project) -> None:
    made, caller = await acme.new_key("users:read", "users:manage")
    assert made["permissions"] == ["users:manage", "users:read"]
    assert made["env"] == "live"
    assert (await caller.get("/users")).status == 200
    listed = (await acme.owner.get("/projects/me/api-keys", limit=200)).json["items"]
    (shown,) = [key for key in listed if key["id"] == made["id"]]
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert made["secret"] not in str(listed)


async def test_a_secret_is_kept_as_two_hashes_alone(acme: Project, sql: asyncpg.Connection) -> None:
    made, _ = await acme.new_key("users:read")
    row = await sql.fetchrow("SELECT * FROM tocsin.api_keys WHERE id = $1", made["id"])
    assert row["secret_hash"].startswith("$2b$")
    assert len(row["secret_mac"]) == 4 + 32
    assert made["secret"] not in str(dict(row))


async def test_wrong_secrets_and_unknown_keys_are_answered_alike(api: Client, acme: Project, rival: Project) -> None:
    key, secret = acme.key.headers["X-API-Key"], acme.key.headers["X-API-Secret"]
    replies = [
        await api.with_key(key, new_secret("live")).get("/projects/me"),
        await api.with_key(new_key("live"), secret).get("/projects/me"),
        await api.with_key(key, rival.key.headers["X-API-Secret"]).get("/projects/me"),
        await api.with_key(key, acme.test_key.headers["X-API-Secret"]).get("/projects/me"),
        await api.with_key(key, secret[:-1] + ("a" if secret[-1] != "a" else "b")).get("/projects/me"),
        await api.with_key(key, "").get("/projects/me"),
        await api.with_public_key(key).get("/projects/me"),
        await api.with_key("", secret).get("/projects/me"),
        await api.with_key(secret, key).get("/projects/me"),
        await api.with_key(key.replace("live", "test"), secret).get("/projects/me"),
        await api.with_key(key, secret + "\u00e9").get("/projects/me"),
    ]
    assert {reply.status for reply in replies} == {401}
    assert len({str({**reply.json, "requestId": None}) for reply in replies}) == 1


@pytest.mark.parametrize(
    "made",
    [new_key("live"), new_key("test"), new_secret("live"), new_identity_secret("test")],
    ids=["live key", "test key", "secret", "identity secret"],
)
def test_every_typo_is_noticed_without_a_look_up(made: str) -> None:
    assert key_env(made) == ("test" if "_test_" in made else "live")
    for position in range(8, len(made)):
        typo = made[:position] + ("x" if made[position] != "x" else "y") + made[position + 1 :]
        assert key_env(typo) is None
        twisted = made[: position - 1] + made[position] + made[position - 1] + made[position + 1 :]
        assert twisted == made or key_env(twisted) is None
    assert key_env(made[:-1]) is None
    assert key_env(made + "0") is None


async def test_a_key_may_only_what_it_was_given(acme: Project) -> None:
    _, caller = await acme.new_key("users:read")
    assert (await caller.get("/users")).status == 200
    assert (await caller.post("/users", {"name": "x"})).code == "permission_missing"


async def test_an_expired_key_is_refused(acme: Project) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    _, caller = await acme.new_key("users:read", expiresAt=soon.isoformat())
    assert (await caller.get("/users")).status == 200
    await asyncio.sleep(1.6)
    assert (await caller.get("/users")).status == 401


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"expiresAt": "2027-01-01T00:00:00"}, "/expiresAt"),
        ({"expiresAt": "tomorrow"}, "/expiresAt"),
        ({"allowedIps": ["10.0.0.0/33"]}, "/allowedIps"),
        ({"allowedIps": ["example.com"]}, "/allowedIps"),
        ({"env": "staging"}, "/env"),
        ({"name": ""}, "/name"),
        ({"name": "a\0b"}, "/name"),
        ({"permissions": ["x"]}, "/permissions"),
        ({"status": "revoked"}, "/status"),
    ],
)
async def test_what_a_key_cannot_be_is_named_by_its_place(acme: Project, change: dict[str, Any], pointer: str) -> None:
    reply = await acme.owner.post("/projects/me/api-keys", {"name": "n", "permissions": [], **change})
    assert (reply.status, reply.pointers) == (422, [pointer])


async def test_a_key_is_bound_to_its_addresses(acme: Project) -> None:
    made, inside = await acme.new_key("users:read", allowedIps=["10.0.0.0/8", "127.0.0.1/8"])
    assert made["allowedIps"] == ["10.0.0.0/8", "127.0.0.0/8"]
    _, outside = await acme.new_key("users:read", "events:write", allowedIps=["192.0.2.7", "2001:db8::/32"])
    assert (await inside.get("/users")).status == 200
    for _ in range(2):  # the second time from memory
        assert (await outside.get("/users")).code == "ip_not_allowed"
        assert (await outside.post("/events", {"type": "a.b", "payload": {}})).code == "ip_not_allowed"


async def test_a_revoked_key_is_refused_at_once(acme: Project) -> None:
    made, caller = await acme.new_key("users:read", "events:write")
    assert (await caller.get("/users")).status == 200
    assert (await acme.owner.delete(f"/projects/me/api-keys/{made['id']}")).status == 204
    assert (await caller.get("/users")).status == 401
    assert (await caller.post("/events", {"type": "a.b", "payload": {}})).status == 401
    app = acme.app.with_public_key(made["key"])
    assert (await app.post("/users/register", {"email": "late@acme.example"})).status == 401


async def test_a_revoked_key_is_refused_by_another_process_within_a_second(pair: tuple[Client, Client]) -> None:
    one, other = pair
    project = await sign_up(one)
    for _ in range(3):
        made, caller = await project.new_key("users:read", "events:write")
        there = caller.at(other)
        event = {"type": "a.b", "payload": {}}
        assert (await there.post("/events", event)).status == 202
        assert (await project.owner.delete(f"/projects/me/api-keys/{made['id']}")).status == 204
        revoked = time.monotonic()
        last_success = revoked
        while time.monotonic() < revoked + 2:
            asked = time.monotonic()
            if (await there.post("/events", event)).status == 202:
                last_success = asked
            await asyncio.sleep(0.02)
        assert last_success - revoked < 1


async def test_a_key_of_another_project_is_as_absent_as_one_that_never_was(
    two_projects: tuple[Project, Project],
) -> None:
    acme, rival = two_projects
    made, caller = await rival.new_key("users:read")
    strange = ["01890000-0000-7000-8000-000000000000", "x", made["id"].upper(), "../" + made["id"]]
    replies = [await acme.owner.delete(f"/projects/me/api-keys/{id_}") for id_ in [made["id"], *strange[:3]]]
    assert {reply.status for reply in replies} == {404}
    assert len({str({**reply.json, "requestId": None}) for reply in replies}) == 1
    assert (await caller.get("/users")).status == 200
    listed = (await acme.owner.get("/projects/me/api-keys", limit=200)).json["items"]
    assert made["id"] not in {key["id"] for key in listed}


async def test_the_project_is_read_and_changed_by_its_own_callers(two_projects: tuple[Project, Project]) -> None:
    acme, rival = two_projects
    before = (await rival.key.get("/projects/me")).json
    reply = await acme.key.put("/projects/me", {"name": "Acme & Sons", "description": "wakes people"})
    assert (reply.json["name"], reply.json["description"]) == ("Acme & Sons", "wakes people")
    assert (await acme.owner.get("/projects/me")).json["name"] == "Acme & Sons"
    assert (await rival.key.get("/projects/me")).json == before
    assert (await acme.key.put("/projects/me", {"plan": "free"})).pointers == ["/plan"]
    assert (await acme.key.put("/projects/me", {"description": None})).json["description"] is None


@pytest.mark.parametrize("status", ["suspended", "cancelled"])
async def test_a_suspended_project_reads_but_does_not_write(api: Client, sql: asyncpg.Connection, status: str) -> None:
    project = await sign_up(api)
    await sql.execute("UPDATE tocsin.projects SET status = $2 WHERE id = $1", project.id, status)
    for caller in (project.owner, project.key):
        assert (await caller.get("/users")).status == 200
        assert (await caller.post("/users", {"name": "x"})).code == f"project_{status}"
        assert (await caller.post("/events", {"type": "a.b", "payload": {}})).code == f"project_{status}"
    login = {"email": project.email, "password": "correct horse battery"}
    assert (await api.post("/auth/login", login)).status == 200
    assert (await project.owner.post("/auth/logout")).status == 204
