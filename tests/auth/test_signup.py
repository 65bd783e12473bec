"""Sign-up: a project with everything its first minute needs (A1, A2, A3, W1)."""

import re
from typing import Any

import asyncpg
import pytest

from tests.client import PASSWORD, Client, Project


async def test_signup_answers_in_the_shape_that_first_clients_rely_on(api: Client) -> None:
    body = {"email": "Ada@First.Example", "password": PASSWORD, "projectName": "Köche & Söhne"}
    reply = await api.post("/signup", body)
    assert reply.status == 201
    answer = reply.json
    assert set(answer) == {"project", "user", "tokens", "apiKeys", "identitySecrets", "realtime"}
    assert answer["project"]["name"] == "Köche & Söhne"
    assert answer["project"]["slug"] == "koche-sohne"
    assert (answer["project"]["status"], answer["project"]["plan"]) == ("active", "enterprise")
    assert answer["user"]["email"] == "ada@first.example"
    assert answer["user"]["roles"] == ["owner"]
    assert answer["tokens"]["tokenType"] == "Bearer"
    assert answer["tokens"]["expiresIn"] == 900
    for env in ("live", "test"):
        pair = answer["apiKeys"][env]
        assert set(pair) == {"id", "key", "secret"}
        assert re.fullmatch(rf"pk_{env}_[0-9A-Za-z]{{30}}", pair["key"])
        assert re.fullmatch(rf"sk_{env}_[0-9A-Za-z]{{49}}", pair["secret"])
        assert answer["identitySecrets"][env].startswith(f"is_{env}_")
        app = answer["realtime"][env]
        assert app["appId"].isdigit()
        assert app["key"] == pair["key"]
        assert app["secret"]
    assert answer["realtime"]["live"]["appId"] != answer["realtime"]["test"]["appId"]


async def test_its_keys_and_tokens_work_at_once(acme: Project) -> None:
    assert (await acme.key.get("/projects/me")).json["id"] == acme.id
    assert (await acme.test_key.get("/projects/me")).json["id"] == acme.id
    me = (await acme.owner.get("/auth/me")).json
    assert me["user"]["email"] == acme.email
    assert me["project"]["slug"] == acme.slug
    assert "project:delete" in me["permissions"]


async def test_no_secret_of_a_signup_stands_in_the_database(acme: Project, sql: asyncpg.Connection) -> None:
    secrets = [
        acme.signed_up["tokens"]["refreshToken"],
        *(pair["secret"] for pair in acme.signed_up["apiKeys"].values()),
        *acme.signed_up["identitySecrets"].values(),
        *(app["secret"] for app in acme.signed_up["realtime"].values()),
        PASSWORD,
    ]
    tables = [row[0] for row in await sql.fetch("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'")]
    kept = ""
    for table in tables:
        if table.startswith("tocsin."):
            kept += str(await sql.fetchval(f"SELECT string_agg(t::text, '') FROM {table} t"))
    assert acme.id in kept
    for secret in secrets:
        assert secret not in kept


async def test_a_taken_slug_is_named_and_a_taken_name_gets_another_slug(api: Client, acme: Project) -> None:
    body = {"email": "x@x.example", "password": PASSWORD, "projectName": "Acme"}
    reply = await api.post("/signup", {**body, "slug": acme.slug})
    assert (reply.status, reply.code, reply.pointers) == (409, "slug_taken", ["/slug"])
    first = await api.post("/signup", {**body, "projectName": "Twice Named"})
    second = await api.post("/signup", {**body, "projectName": "Twice Named"})
    assert first.json["project"]["slug"] == "twice-named"
    assert second.json["project"]["slug"].startswith("twice-named-")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "nobody"}, "/email"),
        ({"email": "a@localhost"}, "/email"),
        ({"email": "a@[127.0.0.1]"}, "/email"),
        ({"password": ""}, "/password"),
        ({"password": "1234567"}, "/password"),
        ({"password": "x" * 257}, "/password"),
        ({"projectName": " "}, "/projectName"),
        ({"projectName": None}, "/projectName"),
        ({"slug": "No Slug"}, "/slug"),
        ({"isAdmin": True}, "/isAdmin"),
        ({"projectId": "00000000-0000-7000-8000-000000000000"}, "/projectId"),
    ],
)
async def test_what_cannot_be_signed_up_is_named_by_its_place(
    api: Client, change: dict[str, Any], pointer: str
) -> None:
    body = {"email": "x@x.example", "password": PASSWORD, "projectName": "Fine", **change}
    reply = await api.post("/signup", body)
    assert reply.status == 422
    assert reply.pointers == [pointer]
    assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("slug", ["platform", "www", "api"])
async def test_slugs_of_the_platform_are_not_given_away(api: Client, slug: str) -> None:
    body = {"email": "x@x.example", "password": PASSWORD, "projectName": "X", "slug": slug}
    assert (await api.post("/signup", body)).code == "slug_taken"
