"""The Idempotency-Key: a POST sent twice acts once (P2, section 6)."""

import asyncio
from typing import Any

import asyncpg

from tests.client import Client, Project, sign_up


async def count_users(project: Project, name: str) -> int:
    found = await project.key.get("/users", search=name, limit=200)
    return len(found.json["items"])


async def test_a_repeat_gets_the_same_answer_and_has_no_effect(acme: Project) -> None:
    body = {"name": "Once Only", "externalUserId": None}
    first = await acme.key.post("/users", body, idempotency_key="once")
    again = await acme.key.post("/users", body, idempotency_key="once")
    assert (first.status, again.status) == (201, 201)
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert await count_users(acme, "Once Only") == 1


async def test_another_body_under_the_same_key_is_refused(acme: Project) -> None:
    await acme.key.post("/users", {"name": "Body One"}, idempotency_key="body")
    reply = await acme.key.post("/users", {"name": "Body Two"}, idempotency_key="body")
    assert (reply.status, reply.code) == (422, "idempotency_key_reused")
    assert await count_users(acme, "Body Two") == 0


async def test_a_key_belongs_to_its_project_caller_environment_and_path(two_projects: tuple[Project, Project]) -> None:
    acme, rival = two_projects
    _, further = await acme.new_key("users:manage", "users:read")
    callers = [acme.key, acme.test_key, acme.owner, further, rival.key]
    replies = [
        await caller.post("/users", {"name": f"Apart {n}"}, idempotency_key="apart") for n, caller in enumerate(callers)
    ]
    assert [reply.status for reply in replies] == [201] * 5
    assert len({reply.json["id"] for reply in replies}) == 5
    assert (await acme.key.post("/roles", {"name": "apart"}, idempotency_key="apart")).status == 201


async def test_a_refused_request_is_not_kept(acme: Project) -> None:
    assert (await acme.key.post("/users", {"email": "wrong"}, idempotency_key="refused")).status == 422
    assert (await acme.key.post("/users", {"email": "right@acme.example"}, idempotency_key="refused")).status == 201


async def test_of_many_at_once_one_acts_and_the_others_wait_or_replay(acme: Project) -> None:
    async def send() -> Any:
        return await acme.key.post("/users", {"name": "Many At Once"}, idempotency_key="many")

    replies = await asyncio.gather(*(send() for _ in range(20)))
    assert {reply.status for reply in replies} <= {201, 409}
    assert len({reply.json["id"] for reply in replies if reply.status == 201}) == 1
    for reply in replies:
        if reply.status == 409:
            assert reply.code == "idempotency_in_progress"
            assert reply.headers["Retry-After"] == "1"
    assert (await send()).headers["Idempotent-Replayed"] == "true"
    assert await count_users(acme, "Many At Once") == 1


async def test_while_the_first_is_running_a_repeat_is_told_to_wait(acme: Project, sql: asyncpg.Connection) -> None:
    async with sql.transaction():
        await sql.execute("LOCK TABLE tocsin.users IN EXCLUSIVE MODE")
        first = asyncio.create_task(acme.key.post("/users", {"name": "Held Up"}, idempotency_key="held"))
        await _until_somebody_waits(sql)
        repeat = await acme.key.post("/users", {"name": "Held Up"}, idempotency_key="held")
        assert (repeat.status, repeat.code) == (409, "idempotency_in_progress")
    assert (await first).status == 201
    assert await count_users(acme, "Held Up") == 1


async def _until_somebody_waits(sql: asyncpg.Connection) -> None:
    for _ in range(500):
        if await sql.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits for the lock")


async def test_across_processes_a_key_acts_once(pair: tuple[Client, Client]) -> None:
    one, other = pair
    project = await sign_up(one)
    callers = [project.key, project.key.at(other)] * 10
    replies = await asyncio.gather(
        *(caller.post("/users", {"name": "Both Doors"}, idempotency_key="doors") for caller in callers)
    )
    assert {reply.status for reply in replies} <= {201, 409}
    assert len({reply.json["id"] for reply in replies if reply.status == 201}) == 1
    assert await count_users(project, "Both Doors") == 1


async def test_a_kept_answer_is_sealed_and_forgotten_after_a_day(acme: Project, sql: asyncpg.Connection) -> None:
    body = {"name": "Kept Secretly", "permissions": []}
    first = await acme.owner.post("/projects/me/api-keys", body, idempotency_key="day")
    again = await acme.owner.post("/projects/me/api-keys", body, idempotency_key="day")
    assert again.json["secret"] == first.json["secret"]
    rows = await sql.fetch("SELECT response FROM tocsin.idempotency_records WHERE project_id = $1", acme.id)
    assert rows
    assert not any(first.json["secret"] in row[0] or "Kept Secretly" in row[0] for row in rows)
    await sql.execute(
        "UPDATE tocsin.idempotency_records SET created_at = now() - interval '24 hours 1 second' WHERE key = 'day'"
    )
    later = await acme.owner.post("/projects/me/api-keys", {**body, "name": "Other"}, idempotency_key="day")
    assert later.status == 201
    assert later.json["id"] != first.json["id"]


async def test_a_replay_still_needs_the_permission(acme: Project, sql: asyncpg.Connection) -> None:
    made, caller = await acme.new_key("users:manage")
    await caller.post("/users", {"name": "x"}, idempotency_key="demoted")
    await acme.owner.delete(f"/projects/me/api-keys/{made['id']}")
    assert (await caller.post("/users", {"name": "x"}, idempotency_key="demoted")).status == 401


async def test_what_is_no_key_is_refused(acme: Project) -> None:
    for path, body in (("/users", {"name": "x"}), ("/events", {"type": "a.b", "payload": {}})):
        for key in ("", "x" * 256, "a\tb", "\u00fc"):
            reply = await acme.key.post(path, body, idempotency_key=key)
            assert (reply.status, reply.code) == (400, "invalid_idempotency_key"), (path, key)
        assert (await acme.key.post(path, body, idempotency_key="x" * 255)).status < 300
