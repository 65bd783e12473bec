"""Where people are signed in: shown, and ended by themselves or by an admin (A1, A4)."""

from typing import Any

import asyncpg
import pytest

from tests.client import PASSWORD, Client, Project, Reply, sign_up
from tests.people import join

ABSENT = "00000000-0000-7000-8000-000000000002"


@pytest.fixture
async def project(api: Client) -> Project:
    return await sign_up(api, "Sessions")


async def signed_in(api: Client, project: Project, agent: str = "a browser") -> Client:
    body = {"email": project.email, "password": PASSWORD}
    reply = await api.with_headers(User_Agent=agent).post("/auth/login", body)
    assert reply.status == 200
    return api.with_token(reply.json["tokens"]["accessToken"])


async def ids(caller: Client, path: str = "/auth/sessions") -> list[str]:
    reply = await caller.get(path)
    assert reply.status == 200, reply.json
    return [each["id"] for each in reply.json["items"]]


def said(reply: Reply) -> dict[str, Any]:
    return {**reply.json, "requestId": None}


async def test_one_sees_where_one_is_signed_in(api: Client, project: Project) -> None:
    laptop = await signed_in(api, project, "a laptop")
    newest, first = (await laptop.get("/auth/sessions")).json["items"]
    assert newest["current"] is True and first["current"] is False
    assert newest["userAgent"] == "a laptop" and newest["ipAddress"] == "127.0.0.1"
    assert set(newest) == {"id", "current", "ipAddress", "userAgent", "createdAt", "lastUsedAt", "expiresAt"}
    assert newest["createdAt"] <= newest["lastUsedAt"] < newest["expiresAt"]
    assert [each["current"] for each in (await project.owner.get("/auth/sessions")).json["items"]] == [False, True]


async def test_sessions_come_in_pages(api: Client, project: Project) -> None:
    for _ in range(3):
        await signed_in(api, project)
    one = await project.owner.get("/auth/sessions", limit=3)
    rest = await project.owner.get("/auth/sessions", limit=3, cursor=one.json["nextCursor"])
    assert len(one.json["items"]) == 3 and len(rest.json["items"]) == 1 and rest.json["nextCursor"] is None


async def test_a_page_of_somebodys_sessions_is_no_page_of_anybody_elses(api: Client, project: Project) -> None:
    ann, ben = await join(api, project), project.signed_up["user"]["id"]
    await signed_in(api, project)
    cursor = (await project.owner.get(f"/users/{ben}/sessions", limit=1)).json["nextCursor"]
    assert cursor
    for asked in (f"/users/{ann.id}/sessions", "/auth/sessions"):
        refused = await project.owner.get(asked, limit=1, cursor=cursor)
        assert (refused.status, refused.code) == (400, "invalid_cursor")
    assert (await project.owner.get(f"/users/{ben}/sessions", limit=0)).pointers == ["/query/limit"]


async def test_a_renewed_session_was_used_later(project: Project, api: Client) -> None:
    (before,) = (await project.owner.get("/auth/sessions")).json["items"]
    refresh = {"refreshToken": project.signed_up["tokens"]["refreshToken"]}
    renewed = (await api.post("/auth/refresh", refresh)).json["tokens"]
    (after,) = (await api.with_token(renewed["accessToken"]).get("/auth/sessions")).json["items"]
    assert after["id"] == before["id"] and after["lastUsedAt"] > before["lastUsedAt"]


async def test_ended_and_expired_sessions_are_not_shown(api: Client, project: Project, sql: asyncpg.Connection) -> None:
    gone, expired = await signed_in(api, project), await signed_in(api, project)
    (expired_id,) = [each["id"] for each in (await expired.get("/auth/sessions")).json["items"] if each["current"]]
    assert (await gone.post("/auth/logout")).status == 204
    await sql.execute("UPDATE tocsin.sessions SET expires_at = now() WHERE id = $1::text::uuid", expired_id)
    assert len(await ids(project.owner)) == 1
    assert (await project.owner.delete(f"/auth/sessions/{expired_id}")).status == 404


async def test_one_session_is_ended_and_the_others_live(api: Client, project: Project) -> None:
    lost, kept = await signed_in(api, project), await signed_in(api, project)
    (lost_id,) = [each["id"] for each in (await lost.get("/auth/sessions")).json["items"] if each["current"]]
    assert (await project.owner.delete(f"/auth/sessions/{lost_id}")).status == 204
    assert (await lost.get("/auth/me")).status == 401
    assert (await kept.get("/auth/me")).status == 200
    again = await project.owner.delete(f"/auth/sessions/{lost_id}")
    assert again.status == 404
    assert said(again) == said(await project.owner.delete(f"/auth/sessions/{ABSENT}"))


async def test_all_sessions_but_ones_own_are_ended(api: Client, project: Project) -> None:
    others = [await signed_in(api, project) for _ in range(2)]
    mine = await signed_in(api, project)
    assert (await mine.delete("/auth/sessions")).status == 204
    assert (await mine.get("/auth/me")).status == 200
    for other in (*others, project.owner):
        assert (await other.get("/auth/me")).status == 401
    assert len(await ids(mine)) == 1


async def test_nobody_ends_or_sees_sessions_of_somebody_else(api: Client, project: Project, rival: Project) -> None:
    """Of the same project or another: what is not one's own does not exist."""
    ann = await join(api, project)
    (owners,) = await ids(project.owner)
    absent = said(await ann.client.delete(f"/auth/sessions/{ABSENT}"))
    for stranger in (ann.client, rival.owner):
        refused = await stranger.delete(f"/auth/sessions/{owners}")
        assert refused.status == 404 and said(refused) == absent
        assert owners not in await ids(stranger)
    assert (await project.owner.get("/auth/me")).status == 200


async def test_a_key_has_no_sessions(acme: Project) -> None:
    for method, path in (
        ("GET", "/auth/sessions"),
        ("DELETE", "/auth/sessions"),
        ("DELETE", f"/auth/sessions/{ABSENT}"),
    ):
        assert (await acme.key.send(method, path)).status == 403


async def test_an_admin_sees_and_ends_the_sessions_of_people(api: Client, project: Project) -> None:
    ann, ben = await join(api, project), await join(api, project)
    (shown,) = (await project.key.get(f"/users/{ann.id}/sessions")).json["items"]
    assert shown["current"] is False
    assert (await project.key.delete(f"/users/{ann.id}/sessions/{shown['id']}")).status == 204
    assert (await ann.client.get("/auth/me")).status == 401
    assert (await ben.client.get("/auth/me")).status == 200
    assert (await project.owner.delete(f"/users/{ben.id}/sessions")).status == 204
    assert (await ben.client.get("/auth/me")).status == 401
    assert await ids(project.key, f"/users/{ben.id}/sessions") == []


async def test_a_session_is_ended_under_its_own_user_only(api: Client, project: Project) -> None:
    ann, ben = await join(api, project), await join(api, project)
    (anns,) = await ids(project.key, f"/users/{ann.id}/sessions")
    assert (await project.key.delete(f"/users/{ben.id}/sessions/{anns}")).status == 404
    assert (await ann.client.get("/auth/me")).status == 200


async def test_an_admin_reaches_nobody_of_another_project(api: Client, project: Project, rival: Project) -> None:
    ann = await join(api, project)
    (anns,) = await ids(project.key, f"/users/{ann.id}/sessions")
    for method, path in (
        ("GET", "/users/{}/sessions"),
        ("DELETE", "/users/{}/sessions"),
        ("DELETE", f"/users/{{}}/sessions/{anns}"),
    ):
        for caller in (rival.key, rival.owner):
            foreign, absent = [await caller.send(method, path.format(id_)) for id_ in (ann.id, ABSENT)]
            assert foreign.status == absent.status == 404 and said(foreign) == said(absent), path
    assert (await ann.client.get("/auth/me")).status == 200


async def test_ordinary_people_manage_nobodys_sessions(api: Client, project: Project) -> None:
    ann = await join(api, project)
    owner = project.signed_up["user"]["id"]
    for method, path in (("GET", f"/users/{owner}/sessions"), ("DELETE", f"/users/{owner}/sessions")):
        refused = await ann.client.send(method, path)
        assert (refused.status, refused.code) == (403, "permission_missing")


async def test_nobody_signs_out_somebody_who_may_more(project: Project) -> None:
    _, weak = await project.new_key("users:manage")
    owner = project.signed_up["user"]["id"]
    refused = await weak.delete(f"/users/{owner}/sessions")
    assert (refused.status, refused.code) == (403, "role_not_allowed")
    assert (await project.owner.get("/auth/me")).status == 200


async def test_a_test_caller_ends_no_live_session(api: Client, project: Project) -> None:
    ann = await join(api, project)
    refused = await project.test_key.delete(f"/users/{ann.id}/sessions")
    assert (refused.status, refused.code) == (403, "live_object")
    assert (await ann.client.get("/auth/me")).status == 200


async def test_ended_sessions_are_on_the_record(api: Client, project: Project, sql: asyncpg.Connection) -> None:
    ann = await join(api, project)
    await project.owner.delete(f"/users/{ann.id}/sessions")
    await signed_in(api, project)
    await project.owner.delete("/auth/sessions")
    query = "SELECT action FROM tocsin.audit_log WHERE project_id = $1::text::uuid AND action LIKE 'session.%'"
    assert [row["action"] for row in await sql.fetch(f"{query} ORDER BY at", project.id)] == [
        "session.all_ended",
        "session.others_ended",
    ]
