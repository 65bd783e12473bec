"""Credentials that are none, or stand where none belongs (bad inputs 21, 31 to 33, 35 and 41)."""

from typing import Any

import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.contract.conftest import Refused
from tests.contract.endpoints import ALL, Operation

GUARDED = [operation for operation in ALL if operation.caller != "nobody"]


@pytest.mark.parametrize("operation", GUARDED, ids=str)
async def test_without_a_credential_nothing_is_done(refused: Refused, api: Client, operation: Operation) -> None:
    body: Any = {} if operation.needs_body else None
    kind = {}
    if operation.takes_files:
        body, kind = b"--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}
    await refused.send(api, operation.method, operation.path, {401}, body, **kind)


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("", ""),
        ("pk_live_", "sk_live_"),
        ("pk_live_" + "0" * 30, "sk_live_" + "0" * 49),
        ("pk_live_" + "ä" * 30, "sk_live_" + "0" * 49),
        ("a" * 8_000, "b" * 8_000),
        ("' OR 1=1 --", "' OR 1=1 --"),
    ],
)
@pytest.mark.parametrize("path", ["/users", "/events"])
async def test_a_malformed_key_is_refused(refused: Refused, api: Client, path: str, key: str, secret: str) -> None:
    await refused.send(api.with_key(key, secret), "POST", path, {401}, {"type": "a", "payload": {}})


def _misspelt(key: str) -> str:
    return key[:-1] + ("x" if key[-1] != "x" else "y")


async def test_every_part_of_a_key_counts(refused: Refused, acme: Project, rival: Project, api: Client) -> None:
    mine, others = acme.key.headers, rival.key.headers
    test = acme.test_key.headers
    pairs = [
        (_misspelt(mine["X-API-Key"]), mine["X-API-Secret"]),
        (mine["X-API-Key"], _misspelt(mine["X-API-Secret"])),
        (mine["X-API-Key"], ""),
        (mine["X-API-Key"], others["X-API-Secret"]),
        (mine["X-API-Key"], test["X-API-Secret"]),
        (test["X-API-Key"], mine["X-API-Secret"]),
        (mine["X-API-Secret"], mine["X-API-Secret"]),
        (mine["X-API-Key"], mine["X-API-Key"]),
    ]
    answers = set()
    for key, secret in pairs:
        reply = await refused.send(api.with_key(key, secret), "GET", "/projects/me", {401})
        answers.add((reply.code, reply.json["detail"]))
    assert len(answers) == 1, "which part is wrong is nobody's business"


async def test_a_revoked_an_expired_and_a_powerless_key(
    refused: Refused, acme: Project, sql: asyncpg.Connection
) -> None:
    event = {"type": "a", "payload": {}}
    shown, revoked = await acme.new_key("events:write")
    assert (await revoked.post("/events", event)).status == 202
    assert (await acme.owner.delete(f"/projects/me/api-keys/{shown['id']}")).status == 204
    await refused.send(revoked, "POST", "/events", {401}, event)
    _, expired = await acme.new_key("events:write", expiresAt="2020-01-01T00:00:00Z")
    await refused.send(expired, "POST", "/events", {401}, event)
    _, powerless = await acme.new_key("users:read")
    reply = await refused.send(powerless, "POST", "/events", {403}, event)
    assert reply.code == "permission_missing"
    assert await sql.fetchval("SELECT count(*) FROM tocsin.events WHERE project_id = $1", acme.id) == 1


async def test_a_key_beside_a_token_is_refused(refused: Refused, acme: Project) -> None:
    both = acme.key.with_headers(Authorization=acme.owner.headers["Authorization"])
    for path in ("/users", "/events"):
        reply = await refused.send(both, "POST", path, {401}, {"type": "a", "payload": {}})
        assert reply.code == "two_credentials"


@pytest.mark.parametrize("name", ["api_key", "secret", "access_token", "X-API-Secret", "anything"])
@pytest.mark.parametrize("path", ["/users", "/events", "/no/such/path"])
async def test_a_secret_in_a_url_is_refused(refused: Refused, acme: Project, name: str, path: str) -> None:
    token = acme.owner.headers["Authorization"].removeprefix("Bearer ")
    for secret in (acme.key.headers["X-API-Secret"], token, acme.signed_up["identitySecrets"]["test"]):
        reply = await refused.send(acme.key, "GET", path, {400, 405}, params={name: secret})
        assert reply.code in ("secret_in_url", "method_not_allowed")


async def test_secrets_in_wrong_places_come_back_from_nowhere(refused: Refused, acme: Project, api: Client) -> None:
    """In paths, names of fields and headers they are refused like anything else; logs are checked at the end."""
    for secret in refused.secrets:
        await refused.send(acme.key, "GET", f"/users/{secret}", {404})
        await refused.send(acme.key, "GET", f"/{secret}", {404})
        await refused.send(api.with_token(secret + "x"), "GET", "/users", {401})
        await refused.send(api.with_key(acme.key.headers["X-API-Key"], secret + "x"), "GET", "/users", {401})
        await refused.send(acme.key, "POST", "/auth/login", {422}, {"email": secret, "password": secret, "code": 1})


@pytest.mark.parametrize("key", ["", " ", "a" * 256, "ä"])
@pytest.mark.parametrize("path", ["/users", "/events"])
async def test_what_is_no_idempotency_key_is_refused(refused: Refused, acme: Project, path: str, key: str) -> None:
    body = {"type": "a", "payload": {}} if path == "/events" else {"name": "No key"}
    caller = acme.key.with_headers(Idempotency_Key=key)
    reply = await refused.send(caller, "POST", path, {400}, body)
    assert reply.code == "invalid_idempotency_key"


@pytest.mark.parametrize("env", ["", "LIVE", "prod", "live,test"])
@pytest.mark.parametrize("path", ["/users", "/events"])
async def test_an_environment_that_is_none_is_refused(refused: Refused, acme: Project, path: str, env: str) -> None:
    for caller in (acme.key, acme.owner):
        await refused.send(caller, "POST", path, {400}, {"type": "a", "payload": {}}, X_Tocsin_Env=env)


async def test_a_suspended_project_reads_and_does_not_write(
    refused: Refused, api: Client, sql: asyncpg.Connection
) -> None:
    halted = await sign_up(api, "Halted")
    await sql.execute("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1", halted.id)
    for path, body in (("/users", {"name": "A"}), ("/events", {"type": "a", "payload": {}})):
        for caller in (halted.key, halted.owner):
            reply = await refused.send(caller, "POST", path, {403}, body)
            assert reply.code == "project_suspended"
    assert (await halted.key.get("/users")).status == 200
    assert not await sql.fetchval("SELECT count(*) FROM tocsin.events WHERE project_id = $1", halted.id)


@pytest.mark.parametrize("password", ["", "a" * 7, "a" * 100_000, "\0" * 20])
async def test_a_password_that_is_none_is_named(refused: Refused, api: Client, password: str) -> None:
    body = {"email": "a@b.example", "password": password, "projectName": "P"}
    reply = await refused.send(api, "POST", "/signup", {422}, body)
    assert reply.pointers == ["/password"]
