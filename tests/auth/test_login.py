"""Signing in, carrying on, signing out (A1, A4)."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.client import PASSWORD, Client, Project, sign_up


def credentials(of: Project, **change: Any) -> dict[str, Any]:
    return {"email": of.email, "password": PASSWORD, **change}


async def test_login_answers_tokens_user_and_project(api: Client, acme: Project) -> None:
    reply = await api.post("/auth/login", credentials(acme))
    assert reply.status == 200
    assert set(reply.json) == {"tokens", "user", "project"}
    assert reply.json["project"]["id"] == acme.id
    assert reply.json["user"]["roles"] == ["owner"]
    me = await api.with_token(reply.json["tokens"]["accessToken"]).get("/auth/me")
    assert me.json["user"]["email"] == acme.email


async def test_the_letter_case_of_an_email_does_not_matter(api: Client, acme: Project) -> None:
    assert (await api.post("/auth/login", credentials(acme, email=acme.email.upper()))).status == 200


async def test_unknown_email_wrong_password_and_wrong_project_are_answered_alike(
    api: Client, acme: Project, rival: Project
) -> None:
    replies = [
        await api.post("/auth/login", credentials(acme, password="wrong password")),
        await api.post("/auth/login", credentials(acme, email="nobody@acme.example")),
        await api.post("/auth/login", credentials(acme, project=rival.slug)),
        await api.post("/auth/login", credentials(acme, project="no-such-project")),
    ]
    bodies = [{**reply.json, "requestId": None} for reply in replies]
    assert [reply.status for reply in replies] == [401] * 4
    assert bodies == [bodies[0]] * 4
    assert bodies[0]["code"] == "invalid_login"


async def test_several_fitting_projects_are_listed_and_one_is_chosen_by_slug(api: Client) -> None:
    email = "both@projects.example"
    one = await sign_up(api, "First", email=email)
    two = await sign_up(api, "Second", email=email)
    other = await sign_up(api, "Third", email=email, password="another password")
    reply = await api.post("/auth/login", {"email": email, "password": PASSWORD})
    assert (reply.status, reply.code) == (409, "project_required")
    assert one.slug in reply.json["detail"]
    assert two.slug in reply.json["detail"]
    assert other.slug not in reply.json["detail"]
    chosen = await api.post("/auth/login", {"email": email, "password": PASSWORD, "project": two.slug})
    assert chosen.json["project"]["id"] == two.id
    only = await api.post("/auth/login", {"email": email, "password": "another password"})
    assert only.json["project"]["id"] == other.id


async def test_the_same_password_typed_on_another_system_is_the_same(api: Client) -> None:
    project = await sign_up(api, "Composed", password="pässwörter")
    assert (await api.post("/auth/login", credentials(project, password="pa\u0308sswo\u0308rter"))).status == 200


async def test_a_disabled_user_cannot_sign_in_nor_carry_on(api: Client) -> None:
    project = await sign_up(api)
    await project.owner.post("/users", {"email": "second@owner.example", "roles": ["owner"]})
    me = project.signed_up["user"]["id"]
    assert (await project.owner.put(f"/users/{me}", {"status": "disabled"})).status == 200
    assert (await project.owner.get("/auth/me")).status == 401
    assert (await api.post("/auth/login", credentials(project))).code == "invalid_login"
    refresh = {"refreshToken": project.signed_up["tokens"]["refreshToken"]}
    assert (await api.post("/auth/refresh", refresh)).status == 401


async def test_a_refresh_token_gives_a_new_pair(api: Client) -> None:
    project = await sign_up(api)
    reply = await api.post("/auth/refresh", {"refreshToken": project.signed_up["tokens"]["refreshToken"]})
    assert reply.status == 200
    assert reply.json["tokens"]["refreshToken"] != project.signed_up["tokens"]["refreshToken"]
    assert (await api.with_token(reply.json["tokens"]["accessToken"]).get("/auth/me")).status == 200


async def test_a_spent_refresh_token_ends_the_family(api: Client) -> None:
    project = await sign_up(api)
    first = project.signed_up["tokens"]["refreshToken"]
    second = (await api.post("/auth/refresh", {"refreshToken": first})).json["tokens"]
    third = (await api.post("/auth/refresh", {"refreshToken": second["refreshToken"]})).json["tokens"]
    assert (await api.post("/auth/refresh", {"refreshToken": first})).status == 401
    assert (await api.post("/auth/refresh", {"refreshToken": third["refreshToken"]})).status == 401
    assert (await api.with_token(third["accessToken"]).get("/auth/me")).status == 401


async def test_many_uses_at_once_have_one_and_the_same_successor(api: Client, pair: tuple[Client, Client]) -> None:
    """Row 94: twenty tabs at once, on one process and on two."""
    for one, other in ((api, api), pair):
        project = await sign_up(one)
        body = {"refreshToken": project.signed_up["tokens"]["refreshToken"]}
        replies = await asyncio.gather(*((one, other)[n % 2].post("/auth/refresh", body) for n in range(20)))
        assert [reply.status for reply in replies] == [200] * 20
        successors = {reply.json["tokens"]["refreshToken"] for reply in replies}
        assert len(successors) == 1
        assert (await one.post("/auth/refresh", {"refreshToken": successors.pop()})).status == 200


async def test_a_spent_refresh_token_repeats_its_successor_for_ten_seconds_only(
    api: Client, sql: asyncpg.Connection
) -> None:
    project = await sign_up(api)
    body = {"refreshToken": project.signed_up["tokens"]["refreshToken"]}
    first = (await api.post("/auth/refresh", body)).json["tokens"]
    again = (await api.post("/auth/refresh", body)).json["tokens"]
    assert again["refreshToken"] == first["refreshToken"]
    earlier = "UPDATE tocsin.sessions SET rotated_at = rotated_at - interval '11 s' WHERE project_id = $1::text::uuid"
    await sql.execute(earlier, project.id)
    assert (await api.post("/auth/refresh", body)).status == 401
    assert (await api.post("/auth/refresh", {"refreshToken": first["refreshToken"]})).status == 401
    for tokens in (first, again):
        assert (await api.with_token(tokens["accessToken"]).get("/auth/me")).status == 401


async def test_the_end_of_one_session_leaves_the_others(api: Client, acme: Project) -> None:
    one, two = [(await api.post("/auth/login", credentials(acme))).json["tokens"] for _ in range(2)]
    assert (await api.with_token(one["accessToken"]).post("/auth/logout")).status == 204
    assert (await api.with_token(one["accessToken"]).get("/auth/me")).status == 401
    assert (await api.post("/auth/refresh", {"refreshToken": one["refreshToken"]})).status == 401
    assert (await api.with_token(two["accessToken"]).get("/auth/me")).status == 200


async def test_an_api_key_has_no_session_and_is_nobody(acme: Project) -> None:
    for reply in (await acme.key.post("/auth/logout"), await acme.key.get("/auth/me")):
        assert reply.status == 403


@pytest.mark.parametrize("token", ["", "x", "rt_", "rt_" + "A" * 91, "rt_" + "ä" * 91, "eyJhbGciOiJub25lIn0.e30."])
async def test_what_is_no_refresh_token_is_refused(api: Client, token: str) -> None:
    assert (await api.post("/auth/refresh", {"refreshToken": token})).status == 401


async def test_a_changed_refresh_token_is_refused_and_harms_nobody(api: Client) -> None:
    project = await sign_up(api)
    token = project.signed_up["tokens"]["refreshToken"]
    for position in range(3, len(token), 7):
        swapped = "A" if token[position] != "A" else "B"
        forged = token[:position] + swapped + token[position + 1 :]
        assert (await api.post("/auth/refresh", {"refreshToken": forged})).status == 401
    assert (await api.post("/auth/refresh", {"refreshToken": token})).status == 200


async def test_a_demotion_counts_at_once(api: Client, pair: tuple[Client, Client]) -> None:
    for one, other in ((api, api), pair):
        project = await sign_up(one)
        await project.owner.post("/users", {"email": "second@owner.example", "roles": ["owner"]})
        owner_there = project.owner.at(other)
        assert (await owner_there.get("/projects/me/api-keys")).status == 200
        me = project.signed_up["user"]["id"]
        assert (await project.owner.put(f"/users/{me}", {"roles": ["viewer"]})).status == 200
        assert (await owner_there.get("/projects/me/api-keys")).code == "permission_missing"
        assert (await owner_there.get("/projects/me")).status == 200


async def test_signing_in_leaves_a_session_of_that_project_alone(
    api: Client, two_projects: tuple[Project, Project], sql: asyncpg.Connection
) -> None:
    count = "SELECT project_id::text, count(*) FROM tocsin.sessions WHERE project_id = ANY($1) GROUP BY 1"
    ids = [project.id for project in two_projects]
    before = dict(await sql.fetch(count, ids))
    await api.post("/auth/login", credentials(two_projects[0]))
    after = dict(await sql.fetch(count, ids))
    assert after[ids[0]] == before[ids[0]] + 1
    assert after[ids[1]] == before[ids[1]]
