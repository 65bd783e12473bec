"""People who come through an app that holds only the public key (A5)."""

import asyncio
import time
import uuid
from typing import Any

import asyncpg
import jwt
import pytest

from tests.client import Client, Project, Reply


def identity(project: Project, env: str = "live", secret: str | None = None, **claims: Any) -> str:
    """An identity token as a project's backend makes it; a claim of None is left out."""
    full = {
        "sub": f"person-{uuid.uuid4()}",
        "aud": project.id,
        "exp": time.time() + 300,
        "jti": str(uuid.uuid4()),
        **claims,
    }
    secret = secret if secret is not None else project.signed_up["identitySecrets"][env]
    return jwt.encode({name: value for name, value in full.items() if value is not None}, secret, algorithm="HS256")


async def show(app: Client, token: str) -> Reply:
    return await app.post("/users/register", {"identityToken": token})


async def test_who_registers_alone_is_pending_and_claims_tokens_after_approval(acme: Project) -> None:
    reply = await acme.app.post(
        "/users/register", {"email": "new@person.example", "externalUserId": "new-1", "roles": ["viewer", "user"]}
    )
    assert (reply.status, reply.json["user"]) == (201, {"id": None, "status": "pending"})
    assert reply.json["tokens"] is None
    claim = {"claimToken": reply.json["claimToken"]}
    assert (await acme.app.post("/users/register/claim", claim)).code == "not_approved"
    (user,) = (await acme.key.get("/users", externalUserId="new-1")).json["items"]
    assert (user["status"], user["roles"]) == ("pending", [])
    approved = await acme.key.post(f"/users/{user['id']}/approve")
    assert (approved.json["status"], approved.json["roles"]) == ("active", ["user"])
    assert (await acme.key.post(f"/users/{user['id']}/approve")).code == "not_pending"
    tokens = await acme.app.post("/users/register/claim", claim)
    assert tokens.status == 200
    person = acme.key.with_token(tokens.json["tokens"]["accessToken"])
    assert (await person.get("/auth/me")).json["user"]["id"] == user["id"]
    assert jwt.decode(tokens.json["tokens"]["accessToken"], options={"verify_signature": False})["type"] == "user"
    assert (await acme.app.post("/users/register/claim", claim)).status == 401


async def test_registering_tells_nobody_which_emails_are_known(acme: Project) -> None:
    known = (await acme.app.post("/users/register", {"email": acme.email})).json
    new = (await acme.app.post("/users/register", {"email": "unknown@person.example"})).json
    again = (await acme.app.post("/users/register", {"email": "unknown@person.example"})).json
    shapes = [{**answer, "claimToken": len(answer["claimToken"])} for answer in (known, new, again)]
    assert shapes == [shapes[0]] * 3
    for answer in (known, again):
        reply = await acme.app.post("/users/register/claim", {"claimToken": answer["claimToken"]})
        assert reply.code == "not_approved"


async def test_a_self_assignable_role_is_granted_at_once_and_no_other(acme: Project) -> None:
    await acme.key.post("/roles", {"name": "guest", "permissions": ["own:manage"], "selfAssignable": True})
    await acme.owner.post("/roles", {"name": "trap", "permissions": ["users:read"], "selfAssignable": True})
    at_once = await acme.app.post("/users/register", {"externalUserId": "guest-1", "roles": ["guest"]})
    assert at_once.json["user"]["status"] == "active"
    (user,) = (await acme.key.get("/users", externalUserId="guest-1")).json["items"]
    assert (user["status"], user["roles"]) == ("active", ["guest"])
    for roles in (["guest", "viewer"], ["trap"], ["owner"], []):
        reply = await acme.app.post("/users/register", {"externalUserId": f"wish-{roles}", "roles": roles})
        assert reply.json["user"]["status"] == "pending", roles
    (wished,) = (await acme.key.get("/users", externalUserId="wish-['owner']")).json["items"]
    assert (await acme.key.post(f"/users/{wished['id']}/approve")).json["roles"] == ["user"]


async def test_a_claim_token_serves_its_own_project_and_environment(two_projects: tuple[Project, Project]) -> None:
    acme, rival = two_projects
    claim = (await acme.app.post("/users/register", {"email": "claims@person.example"})).json["claimToken"]
    for app in (rival.app, acme.test_app):
        assert (await app.post("/users/register/claim", {"claimToken": claim})).status == 401
    access = acme.signed_up["tokens"]["accessToken"]
    assert (await acme.app.post("/users/register/claim", {"claimToken": access})).status == 401


async def test_a_claim_token_works_once_even_when_used_at_once(acme: Project) -> None:
    reply = await acme.app.post("/users/register", {"externalUserId": "claim-race"})
    (user,) = (await acme.key.get("/users", externalUserId="claim-race")).json["items"]
    await acme.key.post(f"/users/{user['id']}/approve")
    claim = {"claimToken": reply.json["claimToken"]}
    replies = await asyncio.gather(*(acme.app.post("/users/register/claim", claim) for _ in range(8)))
    assert sorted(reply.status for reply in replies) == [200] + [401] * 7


async def test_an_identity_token_makes_a_person_and_updates_them(acme: Project) -> None:
    token = identity(acme, sub="vouched-1", email="Vouched@Person.Example", name="V", roles=["user"])
    first = await show(acme.app, token)
    assert first.status == 201
    assert first.json["user"]["status"] == "active"
    assert jwt.decode(first.json["tokens"]["accessToken"], options={"verify_signature": False})["type"] == "user"
    again = await show(acme.app, identity(acme, sub="vouched-1", name="Renamed"))
    assert again.json["user"]["id"] == first.json["user"]["id"]
    user = (await acme.key.get(f"/users/{first.json['user']['id']}")).json
    assert (user["name"], user["email"], user["roles"]) == ("Renamed", "vouched@person.example", ["user"])


async def test_a_vouched_person_reaches_own_things_alone(acme: Project) -> None:
    reply = await show(acme.app, identity(acme, roles=["user"]))
    person = acme.key.with_token(reply.json["tokens"]["accessToken"])
    me, other = reply.json["user"]["id"], await acme.add_user()
    assert (await person.get(f"/users/{me}")).status == 200
    assert (await person.put(f"/users/{me}", {"name": "Me", "addresses": {"telegram": "1"}})).json["name"] == "Me"
    for body in ({"roles": ["owner"]}, {"email": "me@x.example"}, {"status": "active"}, {"externalUserId": "x"}):
        assert (await person.put(f"/users/{me}", body)).status == 403, body
    for method, path in (("GET", f"/users/{other['id']}"), ("PUT", f"/users/{other['id']}")):
        assert (await person.send(method, path, {} if method == "PUT" else None)).status == 404
    for path in ("/users", "/roles", "/projects/me", "/projects/me/api-keys"):
        assert (await person.get(path)).status == 403, path
    assert (await person.post("/events", {"type": "a.b", "payload": {}})).status == 403


async def test_an_identity_token_is_used_once(acme: Project) -> None:
    token = identity(acme)
    replies = await asyncio.gather(*(show(acme.app, token) for _ in range(6)))
    assert sorted(reply.status for reply in replies) == [201] + [401] * 5
    assert (await show(acme.app, identity(acme, jti="the-same"))).status == 201
    assert (await show(acme.app, identity(acme, jti="the-same"))).status == 401


@pytest.mark.parametrize(
    "change",
    [
        {"aud": None},
        {"aud": "elsewhere"},
        {"aud": "0199a000-0000-7000-8000-00000000dead"},
        {"exp": None},
        {"exp": 1},
        {"exp": "never"},
        {"exp": 1e308},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 201},
        {"jti": "a\0b"},
        {"jti": 5},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"sub": "x" * 201},
        {"email": "nobody"},
        {"email": 5},
        {"name": ["x"]},
        {"roles": "user"},
        {"roles": [5]},
        {"secret": "is_live_" + "x" * 49},
    ],
    ids=str,
)
async def test_an_identity_token_with_a_fault_is_refused(acme: Project, change: dict[str, Any]) -> None:
    reply = await show(acme.app, identity(acme, **change))
    assert (reply.status, reply.code) == (401, "invalid_identity_token"), reply.json


async def test_an_identity_token_that_lives_too_long_is_refused(acme: Project) -> None:
    assert (await show(acme.app, identity(acme, exp=time.time() + 590))).status == 201
    reply = await show(acme.app, identity(acme, exp=time.time() + 700))
    assert (reply.status, reply.code) == (401, "invalid_identity_token")


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
async def test_an_identity_token_of_another_algorithm_is_refused(acme: Project, algorithm: str) -> None:
    claims = jwt.decode(identity(acme), options={"verify_signature": False})
    secret = None if algorithm == "none" else acme.signed_up["identitySecrets"]["live"] * 2
    token = jwt.encode(claims, secret, algorithm=algorithm)
    assert (await show(acme.app, token)).status == 401


async def test_a_secret_of_another_project_or_environment_vouches_for_nobody(
    two_projects: tuple[Project, Project],
) -> None:
    acme, rival = two_projects
    for app, token in (
        (acme.app, identity(rival)),
        (acme.app, identity(rival, aud=acme.id)),
        (acme.app, identity(acme, env="test")),
        (acme.test_app, identity(acme)),
        (rival.app, identity(acme)),
    ):
        assert (await show(app, token)).status == 401


@pytest.mark.parametrize("roles", [["owner"], ["viewer"], ["user", "agent"], ["no-such-role"]], ids=str)
async def test_an_identity_token_gives_no_panel_role(acme: Project, roles: list[str]) -> None:
    reply = await show(acme.app, identity(acme, roles=roles))
    assert (reply.status, reply.code) == (403, "role_not_allowed")


async def test_an_identity_token_takes_over_no_account(acme: Project) -> None:
    reply = await show(acme.app, identity(acme, email=acme.email))
    assert (reply.status, reply.code) == (409, "email_taken")
    member = await acme.add_user(externalUserId="panel-member", roles=["viewer"])
    assert (await show(acme.app, identity(acme, sub="panel-member"))).code == "role_not_allowed"
    blocked = await acme.add_user(externalUserId="blocked", status="disabled")
    assert (await show(acme.app, identity(acme, sub="blocked"))).code == "user_disabled"
    for user in (member, blocked):
        assert (await acme.key.get(f"/users/{user['id']}")).json == user


async def test_a_vouched_persons_changed_email_must_be_free(acme: Project) -> None:
    await show(acme.app, identity(acme, sub="mover", email="mover@person.example"))
    other = await acme.add_user()
    assert (await show(acme.app, identity(acme, sub="mover", email=other["email"]))).code == "email_taken"
    moved = await show(acme.app, identity(acme, sub="mover", email="moved@person.example"))
    assert moved.status == 201


async def test_in_the_sandbox_a_token_makes_a_test_person(acme: Project) -> None:
    reply = await show(acme.test_app, identity(acme, env="test", sub="sand"))
    assert reply.status == 201
    assert (await acme.key.get("/users", externalUserId="sand")).json["items"] == []
    (user,) = (await acme.test_key.get("/users", externalUserId="sand")).json["items"]
    assert user["env"] == "test"
    await acme.add_user(externalUserId="live-sand")
    assert (await show(acme.test_app, identity(acme, env="test", sub="live-sand"))).code == "live_object"


async def test_only_a_public_key_may_register(acme: Project, api: Client) -> None:
    body = {"email": "x@person.example"}
    assert (await api.post("/users/register", body)).status == 401
    assert (await acme.owner.post("/users/register", body)).status == 401
    secret = {"X-API-Key": acme.key.headers["X-API-Secret"]}
    assert (await api.send("POST", "/users/register", body, headers=secret)).status == 401
    assert (await acme.app.post("/users/register", {"name": "nobody"})).status == 422


async def test_a_registered_person_belongs_to_one_project(
    two_projects: tuple[Project, Project], sql: asyncpg.Connection
) -> None:
    acme, rival = two_projects
    await acme.app.post("/users/register", {"externalUserId": "only-acme"})
    found = await sql.fetch("SELECT project_id::text FROM tocsin.users WHERE external_user_id = 'only-acme'")
    assert [row[0] for row in found] == [acme.id]
    assert (await rival.key.get("/users", externalUserId="only-acme")).json["items"] == []
