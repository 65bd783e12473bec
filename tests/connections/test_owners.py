"""Whose a connection is: people have their own, and nobody else reads what is in them (C4, A7, P5, T2)."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.client import Client, Project, Reply, sign_up
from tests.connections.build import LOGIN, MAIL, PASSWORD, make_hook, make_mail
from tests.people import Person, join

NOWHERE = "0199a000-0000-7000-8000-0000000000ff"


@pytest.fixture
async def shop(api: Client) -> Project:
    return await sign_up(api, "Shop")


@pytest.fixture
async def ann(api: Client, shop: Project) -> Person:
    """Somebody who may manage own things alone."""
    return await join(api, shop)


async def ids(caller: Client, **filters: str) -> list[str]:
    reply = await caller.get("/connections", **filters)
    assert reply.status == 200, reply.json
    return [item["id"] for item in reply.json["items"]]


async def every_way(caller: Client, connection_id: str) -> list[Reply]:
    """What can be asked of one connection as its owner."""
    where = f"/connections/{connection_id}"
    return [
        await caller.get(where),
        await caller.put(where, {"name": "Mine now", "credentials": {"password": "stolen"}}),
        await caller.post(f"{where}/verify"),
        await caller.post(f"{where}/rotate"),
        await caller.post(f"{where}/rotate", {"credentials": {"password": "stolen"}}),
        await caller.send("PATCH", f"{where}/limits", {"maxConcurrent": 1}),
        await caller.delete(where),
    ]


async def test_a_person_makes_and_manages_their_own(ann: Person) -> None:
    made = await make_mail(ann.client)
    assert (made["owner"], made["userId"], made["isDefault"]) == ("user", ann.id, True)
    assert made["credentials"]["password"] == f"****{PASSWORD[-4:]}"
    where = f"/connections/{made['id']}"
    assert await ids(ann.client) == [made["id"]]
    assert (await ann.client.put(where, {"name": "Other"})).json["name"] == "Other"
    limits = await ann.client.send("PATCH", f"{where}/limits", {"maxConcurrent": 3, "requestsPerSecond": 9})
    assert limits.json["limits"] == {"maxConcurrent": 3, "requestsPerSecond": 9}
    rotated = await ann.client.post(f"{where}/rotate", {"credentials": {"password": "a new password"}})
    assert (rotated.status, rotated.json["credentials"]["password"]) == (200, "****word")
    assert (await ann.client.delete(where)).status == 204
    assert await ids(ann.client) == []


async def test_who_may_manage_own_things_alone_makes_nothing_for_the_project(ann: Person) -> None:
    body = {"provider": "smtp", "name": "mail", "owner": "project", "settings": MAIL, "credentials": LOGIN}
    reply = await ann.client.post("/connections", body)
    assert (reply.status, reply.code) == (403, "permission_missing")


async def test_what_reaches_the_project_is_nobodys_own(ann: Person) -> None:
    body = {"provider": "webhook", "name": "hook", "settings": {"url": "http://127.0.0.1:8700/hook"}}
    reply = await ann.client.post("/connections", body)
    assert (reply.status, reply.pointers) == (422, ["/owner"])


async def test_an_admin_has_own_ones_beside_the_projects(shop: Project) -> None:
    own, projects = await make_mail(shop.owner, owner="user"), await make_mail(shop.owner)
    assert (own["owner"], projects["owner"]) == ("user", "project")
    assert own["isDefault"] and projects["isDefault"]


async def test_each_sees_the_projects_and_their_own_and_an_admin_everybodys(
    api: Client, shop: Project, ann: Person
) -> None:
    bob = await join(api, shop)
    of_ann, of_bob = (await make_mail(ann.client))["id"], (await make_mail(bob.client))["id"]
    hook = (await make_hook(shop.key))["id"]
    _, reader = await shop.new_key("connections:read")
    assert await ids(ann.client) == [of_ann]
    assert await ids(bob.client) == [of_bob]
    assert await ids(reader) == [hook]
    assert await ids(shop.owner) == [hook, of_bob, of_ann]
    assert await ids(shop.owner, owner="user") == [of_bob, of_ann]
    assert await ids(shop.owner, userId=bob.id) == [of_bob]
    assert await ids(reader, owner="user") == []


async def test_another_persons_connection_looks_like_none(api: Client, shop: Project, ann: Person) -> None:
    made, bob = await make_mail(ann.client), await join(api, shop)
    _, reader = await shop.new_key("connections:read", "connections:manage")
    for caller in (bob.client, reader):
        theirs, nothing = await every_way(caller, made["id"]), await every_way(caller, NOWHERE)
        assert [(reply.status, reply.code) for reply in theirs] == [(404, "not_found")] * len(theirs)
        assert [reply.status for reply in nothing] == [404] * len(nothing)
    assert (await ann.client.get(f"/connections/{made['id']}")).json["updatedAt"] == made["updatedAt"]


async def test_another_projects_people_see_nothing(api: Client, ann: Person) -> None:
    made, rival = await make_mail(ann.client), await sign_up(api, "Rival")
    eve = await join(api, rival)
    for caller in (eve.client, rival.owner, rival.key):
        assert {reply.status for reply in await every_way(caller, made["id"])} == {404}
        assert await ids(caller) == []


async def test_an_admin_sees_a_persons_connection_without_its_credentials_and_changes_nothing_in_it(
    shop: Project, ann: Person
) -> None:
    made = await make_mail(ann.client)
    where = f"/connections/{made['id']}"
    for caller in (shop.owner, shop.key):
        seen = await caller.get(where)
        assert (seen.status, seen.json["credentials"], seen.json["settings"]["host"]) == (200, None, MAIL["host"])
        moved = await caller.put(where, {"settings": {**MAIL, "host": "127.0.0.9"}})
        verified = await caller.post(f"{where}/verify", {"target": "eve@example.com"})
        rotated = await caller.post(f"{where}/rotate", {"credentials": {"password": "stolen"}})
        removed = await caller.delete(where)
        assert {reply.code for reply in (moved, verified, rotated, removed)} == {"somebody_elses"}
    assert (await ann.client.get(where)).json["credentials"] == made["credentials"]


async def test_nothing_of_a_persons_secret_is_in_the_log_that_admins_read(shop: Project, ann: Person) -> None:
    made = await make_mail(ann.client)
    where = f"/connections/{made['id']}"
    await ann.client.put(where, {"credentials": {"password": "canary-after-the-change"}})
    await ann.client.delete(where)
    entries = (await shop.owner.get("/audit", resourceId=made["id"])).json["items"]
    assert {entry["action"] for entry in entries} >= {"connection.created", "connection.updated", "connection.deleted"}
    assert "****" not in str(entries) and "canary" not in str(entries)


async def test_a_secret_moved_into_ones_own_row_does_not_open_there(
    api: Client, shop: Project, ann: Person, sql: asyncpg.Connection
) -> None:
    """Somebody who writes to the database, but has no key, gains nothing by swapping sealed values."""
    bob = await join(api, shop)
    of_ann, of_bob = await make_mail(ann.client), await make_mail(bob.client)
    await sql.execute(
        "UPDATE tocsin.connections SET credentials = (SELECT credentials FROM tocsin.connections WHERE id = $1)"
        " WHERE id = $2",
        of_ann["id"],
        of_bob["id"],
    )
    seen = await bob.client.get(f"/connections/{of_bob['id']}")
    assert (seen.status, seen.json["credentials"]) == (200, None)
    moved = await bob.client.put(f"/connections/{of_bob['id']}", {"settings": {**MAIL, "host": "127.0.0.9"}})
    assert PASSWORD[-4:] not in str(moved.json) and LOGIN["username"] not in str(moved.json["credentials"])


async def test_a_person_has_one_connection_at_a_provider_unless_the_project_allows_more(
    api: Client, shop: Project, ann: Person
) -> None:
    bob = await join(api, shop)
    await make_mail(ann.client)
    second = {"provider": "smtp", "name": "second", "settings": MAIL, "credentials": LOGIN}
    refused = await ann.client.post("/connections", second)
    assert (refused.status, refused.code) == (409, "own_connection_exists")
    assert (await bob.client.post("/connections", second)).status == 201
    settings = await shop.owner.put("/projects/me/settings", {"connections": {"ownPerProvider": 2}})
    assert settings.json["connections"]["ownPerProvider"] == 2
    made = await ann.client.post("/connections", second)
    assert (made.status, made.json["isDefault"]) == (201, False)
    assert (await ann.client.post("/connections", second)).status == 409


async def test_many_at_once_do_not_get_past_the_limit(ann: Person) -> None:
    body = {"provider": "smtp", "name": "many", "settings": MAIL, "credentials": LOGIN}
    replies = await asyncio.gather(*(ann.client.post("/connections", body) for _ in range(8)))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 7


async def test_one_default_of_each_person_and_one_of_the_project(api: Client, shop: Project, ann: Person) -> None:
    await shop.owner.put("/projects/me/settings", {"connections": {"ownPerProvider": 2}})
    bob = await join(api, shop)
    first, of_bob, projects = [await make_mail(caller) for caller in (ann.client, bob.client, shop.key)]
    second = await make_mail(ann.client, isDefault=True)
    defaults = {item["id"]: item["isDefault"] for item in (await shop.owner.get("/connections")).json["items"]}
    assert defaults == {first["id"]: False, second["id"]: True, of_bob["id"]: True, projects["id"]: True}


async def test_what_a_person_made_goes_with_them(shop: Project, ann: Person, sql: asyncpg.Connection) -> None:
    made = await make_mail(ann.client)
    assert (await shop.owner.delete(f"/users/{ann.id}")).status == 204
    assert await sql.fetchval("SELECT count(*) FROM tocsin.connections WHERE id = $1", made["id"]) == 0


@pytest.mark.parametrize("owner", ["platform", "user", "somebody"])
async def test_nobody_makes_a_connection_for_the_platform_or_another_person(acme: Project, owner: str) -> None:
    body: dict[str, Any] = {"provider": "smtp", "name": "x", "owner": owner, "settings": MAIL, "credentials": LOGIN}
    reply = await acme.key.post("/connections", body)
    assert (reply.status, reply.pointers) == (422, ["/owner"])
    assert (await acme.owner.post("/connections", {**body, "owner": "project", "userId": NOWHERE})).status == 422
