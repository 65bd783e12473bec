"""Wrong secrets: a source that goes on is locked out of that key, a project may give the key up (A3)."""

import asyncio
import itertools
from typing import Any

import asyncpg
import pytest

from tests.client import Client, Project, Reply, sign_up
from tests.sources import come_from
from tocsin.auth.guesses import TRIES
from tocsin.auth.keys import new_key, new_secret

_hosts = itertools.count(1)


def elsewhere() -> str:
    """An address in a network that no test has called from."""
    number = next(_hosts)
    return f"198.18.{number % 256}.1" if number < 256 else f"198.19.{number % 256}.1"


async def guess(at: Client, key: str, address: str) -> Reply:
    return await come_from(at.with_key(key, new_secret("live")), address, at).get("/projects/me")


async def lock(at: Client, key: str, address: str) -> None:
    for _ in range(TRIES):
        assert (await guess(at, key, address)).status == 401
    assert (await guess(at, key, address)).code == "too_many_attempts"


async def test_a_source_that_goes_on_guessing_is_told_to_wait(acme: Project, behind: Client) -> None:
    made, _ = await acme.new_key("project:read")
    address = elsewhere()
    for _ in range(TRIES):
        assert (await guess(behind, made["key"], address)).code == "invalid_credentials"
    for path in ("/events", "/events/batch", "/users"):
        caller = come_from(behind.with_key(made["key"], new_secret("live")), address, behind)
        reply = await caller.post(path, {"type": "a.b", "payload": {}})
        assert (reply.status, reply.code) == (429, "too_many_attempts")
        assert 1 <= int(reply.headers["Retry-After"]) <= 60


async def test_typos_and_keys_that_never_were_are_counted_alike(acme: Project, behind: Client) -> None:
    made, _ = await acme.new_key("project:read")
    wrong = new_secret("live")
    tries = [(made["key"], wrong[:-1] + ("a" if wrong[-1] != "a" else "b")), (new_key("live"), wrong)]
    for key, secret in tries:
        caller = come_from(behind.with_key(key, secret), elsewhere(), behind)
        answers = [(await caller.get("/projects/me")).code for _ in range(TRIES + 1)]
        assert answers == ["invalid_credentials"] * TRIES + ["too_many_attempts"]


async def test_the_lock_is_for_that_key_and_that_network_alone(acme: Project, rival: Project, behind: Client) -> None:
    made, _ = await acme.new_key("project:read")
    other, _ = await acme.new_key("project:read")
    await lock(behind, made["key"], "192.0.2.1")
    assert (await guess(behind, made["key"], "192.0.2.200")).status == 429
    assert (await guess(behind, made["key"], "192.0.3.1")).status == 401
    assert (await guess(behind, other["key"], "192.0.2.1")).status == 401
    assert (await come_from(rival.key, "192.0.2.1", behind).get("/projects/me")).status == 200


async def test_networks_of_ipv6_are_locked_as_a_whole(acme: Project, behind: Client) -> None:
    made, _ = await acme.new_key("project:read")
    await lock(behind, made["key"], "2001:db8::1")
    assert (await guess(behind, made["key"], "2001:db8::2:1")).status == 429
    assert (await guess(behind, made["key"], "2001:db8:0:1::1")).status == 401


async def test_the_rightful_caller_is_never_locked_out(acme: Project, behind: Client) -> None:
    known_made, known = await acme.new_key("project:read")
    new_made, new = await acme.new_key("project:read")
    address = elsewhere()
    assert (await come_from(known, address, behind).get("/projects/me")).status == 200
    for made, rightful in ((known_made, known), (new_made, new)):
        await lock(behind, made["key"], address)
        assert (await come_from(rightful, elsewhere(), behind).get("/projects/me")).status == 200
        assert (await come_from(rightful, address, behind).get("/projects/me")).status == 200
        assert (await guess(behind, made["key"], address)).status == 429


async def test_a_secret_that_was_rotated_meanwhile_passes_too(acme: Project, behind: Client) -> None:
    made, _ = await acme.new_key("project:read")
    address = elsewhere()
    await lock(behind, made["key"], address)
    owner = come_from(acme.owner, elsewhere(), behind)
    secret = (await owner.post(f"/projects/me/api-keys/{made['id']}/rotate", {})).json["secret"]
    caller = come_from(behind.with_key(made["key"], secret), address, behind)
    assert (await caller.get("/projects/me")).status == 200


@pytest.mark.parametrize("overlap", [0, 1])
async def test_a_server_that_was_forgotten_in_a_rotation_is_no_guesser(
    acme: Project, behind: Client, overlap: int
) -> None:
    made, old = await acme.new_key("project:read", autoRevokeAfter=2)
    path = f"/projects/me/api-keys/{made['id']}"
    await acme.owner.post(f"{path}/rotate", {"overlapSeconds": overlap})
    await asyncio.sleep(1.1)
    forgotten = come_from(old, elsewhere(), behind)
    assert {(await forgotten.get("/projects/me")).status for _ in range(TRIES + 5)} == {401}
    shown = (await acme.owner.get(path)).json
    assert (shown["failedSecrets"], shown["status"]) == (0, "active")


async def test_a_revoked_key_is_refused_in_the_same_way_for_as_long_as_it_is_sent(
    acme: Project, behind: Client
) -> None:
    made, revoked = await acme.new_key("project:read")
    await acme.owner.delete(f"/projects/me/api-keys/{made['id']}")
    caller = come_from(revoked, elsewhere(), behind)
    assert {(await caller.get("/projects/me")).status for _ in range(TRIES + 5)} == {401}


async def audited(sql: asyncpg.Connection, made: Any) -> list[str]:
    """What the audit log says of a key, in order."""
    query = "SELECT action FROM tocsin.audit_log WHERE resource_id = $1 AND actor_type = 'system' ORDER BY id"
    return [row["action"] for row in await sql.fetch(query, made["id"])]


async def test_a_key_is_given_up_after_as_many_failures_as_its_project_chose(
    acme: Project, rival: Project, behind: Client, sql: asyncpg.Connection
) -> None:
    made, caller = await acme.new_key("project:read", autoRevokeAfter=5)
    for count in range(1, 5):
        assert (await guess(behind, made["key"], elsewhere())).status == 401
        assert await audited(sql, made) == (["key.guessed"] if count >= 3 else [])
    shown = (await acme.owner.get(f"/projects/me/api-keys/{made['id']}")).json
    assert (shown["failedSecrets"], shown["status"]) == (4, "active")
    await guess(behind, made["key"], elsewhere())
    assert await audited(sql, made) == ["key.guessed", "key.revoked"]
    assert (await acme.owner.get(f"/projects/me/api-keys/{made['id']}")).json["status"] == "revoked"
    assert (await caller.get("/projects/me")).status == 401
    strangers = await sql.fetchval(
        "SELECT count(*) FROM tocsin.audit_log WHERE project_id = $1 AND actor_type = 'system'", rival.id
    )
    assert strangers == 0


async def test_failures_are_counted_over_all_processes(pair: tuple[Client, Client]) -> None:
    project = await sign_up(pair[0])
    made, _ = await project.new_key("project:read", autoRevokeAfter=4)
    for process in (*pair, *pair):
        await process.with_key(made["key"], new_secret("live")).get("/projects/me")
    shown = (await project.owner.get(f"/projects/me/api-keys/{made['id']}")).json
    assert (shown["failedSecrets"], shown["status"]) == (4, "revoked")


async def test_without_that_choice_nothing_is_counted_and_the_key_stays(acme: Project, behind: Client) -> None:
    made, caller = await acme.new_key("project:read")
    for _ in range(6):
        await guess(behind, made["key"], elsewhere())
    shown = (await acme.owner.get(f"/projects/me/api-keys/{made['id']}")).json
    assert (shown["failedSecrets"], shown["autoRevokeAfter"], shown["status"]) == (0, None, "active")
    assert (await caller.get("/projects/me")).status == 200


@pytest.mark.parametrize("how", ["rotate", "choose"])
async def test_the_count_begins_anew(acme: Project, behind: Client, how: str) -> None:
    made, _ = await acme.new_key("project:read", autoRevokeAfter=5)
    path = f"/projects/me/api-keys/{made['id']}"
    for _ in range(4):
        await guess(behind, made["key"], elsewhere())
    if how == "rotate":
        assert (await acme.owner.post(f"{path}/rotate", {})).json["failedSecrets"] == 0
    else:
        assert (await acme.owner.put(path, {"autoRevokeAfter": 5})).json["failedSecrets"] == 0
    await guess(behind, made["key"], elsewhere())
    shown = (await acme.owner.get(path)).json
    assert (shown["failedSecrets"], shown["status"]) == (1, "active")
