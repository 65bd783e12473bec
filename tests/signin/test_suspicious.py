"""Sign-ins that look like somebody else's become events of the project that its rules can use (R7)."""

import asyncpg

from tests.client import PASSWORD, Client, Project, sign_up
from tests.signin.authenticator import Protected, login
from tests.signin.conftest import From


async def suspected(sql: asyncpg.Connection, project: Project) -> list[str]:
    rows = await sql.fetch(
        "SELECT payload->>'reason' AS reason, payload->>'name' AS name, env, internal FROM tocsin.events"
        " WHERE project_id = $1 AND type = 'tocsin.login.suspicious' ORDER BY id",
        project.id,
    )
    assert all((row["name"], row["env"], row["internal"]) == (project.email, "live", True) for row in rows)
    return [row["reason"] for row in rows]


async def test_a_spent_refresh_token_is_told_of(api: Client, sql: asyncpg.Connection) -> None:
    project, other = await sign_up(api, "Shop"), await sign_up(api, "Other")
    first = {"refreshToken": project.signed_up["tokens"]["refreshToken"]}
    assert (await api.post("/auth/refresh", first)).status == 200
    assert await suspected(sql, project) == []
    await sql.execute(
        "UPDATE tocsin.sessions SET rotated_at = now() - interval '1 minute' WHERE project_id = $1", project.id
    )
    assert (await api.post("/auth/refresh", first)).status == 401
    assert await suspected(sql, project) == ["spent_token"]
    assert await suspected(sql, other) == []


async def test_a_new_browser_in_a_new_network_is_told_of(
    api: Client, caller_from: From, network: str, sql: asyncpg.Connection
) -> None:
    project = await sign_up(api, "Shop")
    body = {"email": project.email, "password": PASSWORD}
    elsewhere = caller_from(f"{network}.1")
    assert (await elsewhere.post("/auth/login", body)).status == 200
    assert await suspected(sql, project) == ["new_place"]
    assert (await elsewhere.post("/auth/login", body)).status == 200
    assert (await api.post("/auth/login", body)).status == 200
    assert await suspected(sql, project) == ["new_place"], "both places are known now"


async def test_a_browser_that_is_known_may_travel(
    api: Client, caller_from: From, network: str, sql: asyncpg.Connection
) -> None:
    project = await sign_up(api, "Shop")
    body = {"email": project.email, "password": PASSWORD}
    reply = await api.post("/auth/login", body)
    cookie = reply.headers["Set-Cookie"].partition(";")[0]
    travelling = caller_from(f"{network}.1").with_headers(Cookie=cookie)
    assert (await travelling.post("/auth/login", body)).status == 200
    assert await suspected(sql, project) == []


async def test_guessed_codes_after_the_right_password_are_told_of_once(
    protected: Protected, api: Client, sql: asyncpg.Connection
) -> None:
    replies = [await login(api, protected.project, code="000000") for _ in range(8)]
    assert {reply.status for reply in replies} == {401, 429}
    assert await suspected(sql, protected.project) == ["wrong_codes"]
