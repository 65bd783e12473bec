"""Forged, damaged and borrowed access tokens are refused (A1; row 88 of the list of bad inputs)."""

import base64
import hmac
import json
import zlib
from typing import Any

import jwt
import pytest

from tests.client import Client, Project, sign_up
from tests.running import Site


def claims_of(project: Project) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        project.signed_up["tokens"]["accessToken"], options={"verify_signature": False}, audience="tocsin"
    )
    return claims


def signed(site: Site, claims: dict[str, Any], **headers: Any) -> str:
    return jwt.encode(claims, site.master.derive("access-token"), algorithm="HS256", headers=headers or None)


def segment(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def test_a_token_carries_the_promised_claims_and_fifteen_minutes(acme: Project) -> None:
    claims = claims_of(acme)
    assert {"sub", "projectId", "roles", "type", "iat", "exp", "jti"} <= set(claims)
    assert claims["projectId"] == acme.id
    assert claims["type"] == "project_admin"
    assert claims["exp"] - claims["iat"] == 15 * 60


async def test_a_token_signed_here_with_these_claims_would_be_taken(site: Site, acme: Project, api: Client) -> None:
    """Without this, the refusals below would prove nothing."""
    assert (await api.with_token(signed(site, claims_of(acme))).get("/auth/me")).status == 200


@pytest.mark.parametrize(
    "change",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "never"},
        {"exp": 1e308},
        {"exp": -1},
        {"exp": [9_999_999_999]},
        {"exp": "9999999999"},
        {"exp": 10**400},
        {"exp": 253_402_300_800},
        {"iat": None},
        {"iat": "now"},
        {"nbf": 9_999_999_999},
        {"iat": 4_102_444_800},
        {"aud": None},
        {"aud": "elsewhere"},
        {"aud": "tocsin:claim"},
        {"aud": ["tocsin", 5]},
        {"sub": None},
        {"sub": 5},
        {"sub": "../1"},
        {"sub": "0199a000-0000-7000-8000-00000000dead"},
        {"projectId": None},
        {"projectId": "x"},
        {"projectId": "0199a000-0000-7000-8000-00000000dead"},
        {"sid": None},
        {"sid": "0199a000-0000-7000-8000-00000000dead"},
        {"jti": None},
        {"type": "platform_admin"},
        {"type": "claim"},
        {"type": ["user"]},
    ],
    ids=str,
)
async def test_a_token_with_other_claims_is_refused(
    site: Site, acme: Project, api: Client, change: dict[str, Any]
) -> None:
    claims = {name: value for name, value in {**claims_of(acme), **change}.items() if value is not None}
    payload = json.dumps(claims).encode()
    token = jwt.api_jws.encode(payload, site.master.derive("access-token"), algorithm="HS256")
    reply = await api.with_token(token).get("/auth/me")
    assert reply.status == 401, reply.json


async def test_a_token_of_one_project_is_worthless_in_another(
    site: Site, two_projects: tuple[Project, Project], api: Client
) -> None:
    acme, rival = two_projects
    for change in ({"projectId": rival.id}, {"sub": rival.signed_up["user"]["id"]}, {"sid": claims_of(rival)["sid"]}):
        reply = await api.with_token(signed(site, {**claims_of(acme), **change})).get("/auth/me")
        assert reply.status == 401, change


@pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "HS512", "RS256"])
async def test_another_algorithm_is_refused(site: Site, acme: Project, api: Client, algorithm: str) -> None:
    if algorithm.startswith("HS"):
        token = jwt.encode(claims_of(acme), site.master.derive("access-token"), algorithm=algorithm)
    else:
        token = f"{segment({'alg': algorithm, 'typ': 'JWT'})}.{segment(claims_of(acme))}."
    assert (await api.with_token(token).get("/auth/me")).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"kid": "../../dev/null"},
        {"jku": "http://127.0.0.1:1/keys"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"x5u": "http://127.0.0.1:1/"},
    ],
    ids=str,
)
async def test_a_key_that_the_token_brings_along_is_not_looked_at(
    acme: Project, api: Client, headers: dict[str, Any]
) -> None:
    token = jwt.encode(claims_of(acme), b"\0" * 32, algorithm="HS256", headers=headers)
    assert (await api.with_token(token).get("/auth/me")).status == 401


async def test_a_public_key_is_no_secret_to_sign_with(acme: Project, api: Client) -> None:
    """HS256 with what an attacker knows: keys, ids, nothing."""
    jwk = json.dumps({"kty": "oct", "k": ""})
    for known in (acme.signed_up["apiKeys"]["live"]["key"], acme.id, "tocsin", " " * 32, jwk):
        signed_part = f"{segment({'alg': 'HS256', 'typ': 'JWT'})}.{segment(claims_of(acme))}"
        signature = hmac.digest(known.encode(), signed_part.encode(), "sha256")
        token = f"{signed_part}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
        assert (await api.with_token(token).get("/auth/me")).status == 401


async def test_an_encrypted_token_is_not_unpacked(api: Client) -> None:
    """Row 88: a JWE whose content would be a hundred megabytes."""
    bomb = zlib.compress(b"\0" * 100_000_000, 9)[:5_000]
    head = segment({"alg": "dir", "enc": "A256GCM", "zip": "DEF"})
    token = f"{head}..{segment({})}.{base64.urlsafe_b64encode(bomb).decode().rstrip('=')}.AAAA"
    assert (await api.with_token(token).get("/auth/me")).status == 401


async def test_a_token_of_an_ended_user_or_session_is_refused_by_every_door(api: Client) -> None:
    project = await sign_up(api)
    assert (await project.owner.post("/auth/logout")).status == 204
    event = {"type": "a.b", "payload": {}}
    socket = {"socket_id": "1.2", "channel_name": "private-room-1"}
    for method, path, body in (
        ("GET", "/projects/me", None),
        ("POST", "/events", event),
        ("POST", "/events/batch", {"events": [event]}),
        ("POST", "/realtime/auth", socket),
        ("POST", "/auth/2fa/enrol", None),
        ("DELETE", "/auth/sessions", None),
    ):
        reply = await project.owner.send(method, path, body)
        assert (reply.status, reply.code) == (401, "invalid_token"), path


async def test_a_critical_header_nobody_knows_is_refused(site: Site, acme: Project, api: Client) -> None:
    token = signed(site, claims_of(acme), crit=["exp-strict"], **{"exp-strict": True})
    assert (await api.with_token(token).get("/auth/me")).status == 401


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c.d.e", "....", "é.é.é", "Bearer", "e30.e30.e30"])
async def test_what_is_no_token_is_refused(api: Client, token: str) -> None:
    reply = await api.send("GET", "/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == "Bearer"


async def test_every_single_changed_character_is_noticed(acme: Project, api: Client) -> None:
    token = acme.signed_up["tokens"]["accessToken"]
    head, body, signature = token.split(".")
    for part, position in ((head, 5), (body, 20), (body, len(body) // 2), (signature, 3), (signature, 20)):
        swapped = part[:position] + ("A" if part[position] != "A" else "B") + part[position + 1 :]
        forged = ".".join(swapped if piece == part else piece for piece in (head, body, signature))
        assert (await api.with_token(forged).get("/auth/me")).status == 401


async def test_other_kinds_of_tokens_are_no_access_tokens(api: Client, acme: Project) -> None:
    claim = (await acme.app.post("/users/register", {"email": "claim@acme.example"})).json["claimToken"]
    for token in (acme.signed_up["tokens"]["refreshToken"], claim, acme.signed_up["identitySecrets"]["live"]):
        assert (await api.with_token(token).get("/auth/me")).status == 401


@pytest.mark.parametrize("path", ["/projects/me", "/users", "/roles", "/auth/me", "/projects/me/api-keys"])
async def test_without_a_credential_nothing_is_shown(api: Client, path: str) -> None:
    assert (await api.get(path)).status == 401


async def test_the_named_tenant_must_agree_with_the_credential(two_projects: tuple[Project, Project]) -> None:
    acme, rival = two_projects
    for caller in (acme.key, acme.owner):
        for own in (acme.id, acme.slug):
            assert (await caller.with_headers(X_Tenant_Id=own).get("/projects/me")).status == 200
        for other in (rival.id, rival.slug, "nobody"):
            reply = await caller.with_headers(X_Tenant_Id=other).get("/projects/me")
            assert (reply.status, reply.code) == (403, "tenant_mismatch")
            event = {"type": "a.b", "payload": {}}
            assert (await caller.with_headers(X_Tenant_Id=other).post("/events", event)).code == "tenant_mismatch"


async def test_an_environment_nobody_knows_is_refused(acme: Project) -> None:
    for path, method in (("/projects/me", "GET"), ("/events", "POST")):
        reply = await acme.owner.with_headers(X_Tocsin_Env="staging").send(
            method, path, {} if method == "POST" else None
        )
        assert (reply.status, reply.code) == (400, "invalid_env")
