"""Secrets replaced without downtime, on every process (A3, A5)."""

import asyncio
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import jwt
import pytest

from tests.client import Client, Project, Reply, sign_up
from tocsin.realtime.auth import is_channel_auth

EVENT = {"type": "a.b", "payload": {}}
ABSENT = "01890000-0000-7000-8000-000000000000"


async def rotate(project: Project, made: Any, **body: Any) -> tuple[Reply, Client]:
    """The answer, and a caller who holds the new secret."""
    reply = await project.owner.post(f"/projects/me/api-keys/{made['id']}/rotate", body)
    assert reply.status == 200, reply.json
    return reply, project.key.with_key(made["key"], reply.json["secret"])


async def statuses(caller: Client, processes: tuple[Client, ...]) -> set[int]:
    """What the caller is answered at both doors of each process."""
    found = set()
    for process in processes:
        found.add((await caller.at(process).get("/projects/me")).status)
        found.add((await caller.at(process).post("/events", EVENT)).status)
    return found


async def test_old_and_new_secret_count_on_every_process(pair: tuple[Client, Client]) -> None:
    project = await sign_up(pair[0])
    made, old = await project.new_key("project:read", "events:write")
    assert await statuses(old, pair) == {200, 202}
    reply, new = await rotate(project, made)
    assert reply.json["key"] == made["key"]
    assert reply.json["secret"] != made["secret"]
    overlap = datetime.fromisoformat(reply.json["previousUntil"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < overlap <= timedelta(hours=24)
    await asyncio.sleep(1)
    for caller in (old, new):
        assert await statuses(caller, pair) == {200, 202}


async def test_the_old_secret_ends_with_the_overlap_on_every_process(pair: tuple[Client, Client]) -> None:
    project = await sign_up(pair[0])
    made, old = await project.new_key("project:read", "events:write")
    _, new = await rotate(project, made, overlapSeconds=3)
    assert await statuses(old, pair) == {200, 202}
    await asyncio.sleep(3.1)
    assert await statuses(old, pair) == {401}
    assert await statuses(new, pair) == {200, 202}
    assert (await project.owner.get(f"/projects/me/api-keys/{made['id']}")).json["previousUntil"] is None


async def test_without_an_overlap_the_old_secret_ends_within_a_second_everywhere(pair: tuple[Client, Client]) -> None:
    project = await sign_up(pair[0])
    made, old = await project.new_key("project:read", "events:write")
    assert await statuses(old, pair) == {200, 202}
    reply, new = await rotate(project, made, overlapSeconds=0)
    rotated = time.monotonic()
    assert reply.json["previousUntil"] is None
    assert await statuses(old, pair[:1]) == {401}
    there, last_success = old.at(pair[1]), rotated
    while time.monotonic() < rotated + 2:
        asked = time.monotonic()
        if (await there.post("/events", EVENT)).status == 202:
            last_success = asked
        await asyncio.sleep(0.02)
    assert last_success - rotated < 1
    assert await statuses(new, pair) == {200, 202}


async def test_a_busy_backend_loses_no_call_while_it_moves_to_the_new_secret(pair: tuple[Client, Client]) -> None:
    project = await sign_up(pair[0])
    made, old = await project.new_key("project:read", "events:write")
    for process in pair:
        assert (await old.at(process).post("/events", EVENT)).status == 202
    answered: list[int] = []
    caller = [old]

    async def send_on(process: Client) -> None:
        for _ in range(25):
            answered.append((await caller[0].at(process).post("/events", EVENT)).status)

    sending = [asyncio.create_task(send_on(pair[n % 2])) for n in range(60)]
    await asyncio.sleep(0.2)
    _, caller[0] = await rotate(project, made, overlapSeconds=60)
    await asyncio.gather(*sending)
    assert set(answered) == {202}
    assert len(answered) == 60 * 25


async def test_only_the_secret_before_is_kept(acme: Project) -> None:
    made, first = await acme.new_key("project:read")
    _, second = await rotate(acme, made)
    _, third = await rotate(acme, made)
    assert [(await caller.get("/projects/me")).status for caller in (first, second, third)] == [401, 200, 200]


async def test_a_public_key_survives_rotation(acme: Project) -> None:
    made, _ = await acme.new_key("project:read")
    await rotate(acme, made, overlapSeconds=0)
    app = acme.app.with_public_key(made["key"])
    assert (await app.post("/users/register", {"email": "stays@acme.example"})).status == 201


async def test_the_end_of_a_key_ends_its_old_secret_too(acme: Project) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    made, old = await acme.new_key("project:read", expiresAt=soon)
    _, new = await rotate(acme, made, overlapSeconds=3600)
    assert [(await caller.get("/projects/me")).status for caller in (old, new)] == [200, 200]
    await asyncio.sleep(2.1)
    assert [(await caller.get("/projects/me")).status for caller in (old, new)] == [401, 401]


async def test_nobody_is_shown_the_secret_of_a_key_that_may_more_than_they(acme: Project) -> None:
    strong, _ = await acme.new_key("keys:manage", "users:manage")
    _, weak = await acme.new_key("keys:manage")
    reply = await weak.post(f"/projects/me/api-keys/{strong['id']}/rotate", {})
    assert (reply.status, reply.code) == (403, "permission_missing")


async def test_a_revoked_key_is_not_rotated(acme: Project) -> None:
    made, _ = await acme.new_key("project:read")
    await acme.owner.delete(f"/projects/me/api-keys/{made['id']}")
    reply = await acme.owner.post(f"/projects/me/api-keys/{made['id']}/rotate", {})
    assert (reply.status, reply.code) == (409, "key_revoked")


@pytest.mark.parametrize("overlap", [-1, 604_801, 1.5, "60", None])
async def test_an_overlap_is_at_most_a_week(acme: Project, overlap: Any) -> None:
    made, caller = await acme.new_key("project:read")
    for path in (f"/projects/me/api-keys/{made['id']}/rotate", "/projects/me/identity-secrets/rotate"):
        body = {"overlapSeconds": overlap, **({"env": "live"} if "identity" in path else {})}
        reply = await acme.owner.post(path, body)
        assert (reply.status, reply.pointers) == (422, ["/overlapSeconds"])
    assert (await caller.get("/projects/me")).status == 200


async def test_a_repeated_rotation_under_one_idempotency_key_is_one(acme: Project) -> None:
    made, old = await acme.new_key("project:read")
    path = f"/projects/me/api-keys/{made['id']}/rotate"
    one, two = [await acme.owner.post(path, {}, idempotency_key="rotate-once") for _ in range(2)]
    assert one.json == two.json
    assert (await old.get("/projects/me")).status == 200


async def test_a_key_of_another_project_is_absent_to_rotation(two_projects: tuple[Project, Project]) -> None:
    acme, rival = two_projects
    made, caller = await rival.new_key("project:read")
    replies = [await acme.owner.post(f"/projects/me/api-keys/{id_}/rotate", {}) for id_ in (made["id"], ABSENT, "x")]
    assert {reply.status for reply in replies} == {404}
    assert len({str({**reply.json, "requestId": None}) for reply in replies}) == 1
    assert (await caller.get("/projects/me")).status == 200


async def test_a_rotation_is_recorded_and_the_secret_is_not(
    two_projects: tuple[Project, Project], sql: asyncpg.Connection
) -> None:
    acme, rival = two_projects
    made, _ = await acme.new_key("project:read")
    reply, _ = await rotate(acme, made)
    row = await sql.fetchrow(
        "SELECT * FROM tocsin.audit_log WHERE action = 'key.rotated' AND resource_id = $1", made["id"]
    )
    assert str(row["project_id"]) == acme.id
    assert reply.json["secret"] not in row["metadata"]
    assert "previousUntil" in row["metadata"]
    kept = await sql.fetchrow("SELECT * FROM tocsin.api_keys WHERE id = $1", UUID(made["id"]))
    assert reply.json["secret"] not in str(dict(kept))
    assert made["secret"] not in str(dict(kept))
    assert not await sql.fetchval(
        "SELECT count(*) FROM tocsin.audit_log WHERE project_id = $1 AND action = 'key.rotated'", UUID(rival.id)
    )


async def identified(project: Project, secret: str, env: str = "live") -> int:
    """The answer to somebody whom the project's backend vouches for with that secret."""
    claims = {
        "sub": secrets.token_hex(6),
        "aud": project.id,
        "exp": int(time.time()) + 300,
        "jti": secrets.token_hex(8),
    }
    app = project.app if env == "live" else project.test_app
    token = jwt.encode(claims, secret, algorithm="HS256")
    return (await app.post("/users/register", {"identityToken": token})).status


async def test_identity_secrets_rotate_with_an_overlap_of_their_own(two_projects: tuple[Project, Project]) -> None:
    acme, rival = two_projects
    old = acme.signed_up["identitySecrets"]
    reply = await acme.owner.post("/projects/me/identity-secrets/rotate", {"env": "live", "overlapSeconds": 3})
    ends = time.monotonic() + 3
    new = reply.json["secret"]
    assert (reply.json["env"], new[:8]) == ("live", "is_live_")
    assert [await identified(acme, secret) for secret in (old["live"], new)] == [201, 201]
    await asyncio.sleep(ends - time.monotonic() + 0.1)
    assert [await identified(acme, secret) for secret in (old["live"], new)] == [401, 201]
    assert await identified(acme, old["test"], "test") == 201
    assert await identified(rival, rival.signed_up["identitySecrets"]["live"]) == 201
    assert await identified(rival, new) == 401


async def test_without_an_overlap_an_old_identity_secret_ends_at_once(acme: Project) -> None:
    path = "/projects/me/identity-secrets/rotate"
    one = (await acme.owner.post(path, {"env": "test"})).json["secret"]
    two = (await acme.owner.post(path, {"env": "test", "overlapSeconds": 0})).json
    assert two["previousUntil"] is None
    assert [await identified(acme, secret, "test") for secret in (one, two["secret"])] == [401, 201]


async def test_a_realtime_app_signs_with_its_new_secret(two_projects: tuple[Project, Project]) -> None:
    acme, rival = two_projects
    reply = await acme.owner.post("/projects/me/realtime/rotate", {"env": "live"})
    assert reply.json["appId"] == acme.signed_up["realtime"]["live"]["appId"]
    for project, secret in ((acme, reply.json["secret"]), (rival, rival.signed_up["realtime"]["live"]["secret"])):
        channel = f"private-project-{project.id}"
        signed = await project.owner.post("/realtime/auth", {"socket_id": "1.2", "channel_name": channel})
        assert is_channel_auth(signed.json["auth"], [secret], "1.2", channel)
        assert not is_channel_auth(signed.json["auth"], [f"not {secret}"], "1.2", channel)


@pytest.mark.parametrize("what", ["identity-secrets", "realtime"])
async def test_secrets_rotate_for_those_who_manage_keys_and_are_recorded_masked(
    acme: Project, sql: asyncpg.Connection, what: str
) -> None:
    _, weak = await acme.new_key("project:manage")
    path = f"/projects/me/{what}/rotate"
    assert (await weak.post(path, {"env": "live"})).code == "permission_missing"
    assert (await acme.owner.post(path, {})).pointers == ["/env"]
    secret = (await acme.owner.post(path, {"env": "live"})).json["secret"]
    last = "WHERE project_id = $1 AND action LIKE '%.rotated' ORDER BY id DESC LIMIT 1"
    metadata = await sql.fetchval(f"SELECT metadata FROM tocsin.audit_log {last}", UUID(acme.id))
    assert secret not in metadata
    assert secret[-4:] in metadata
