"""Many people at once: found or made, entry by entry, all or none (A2)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import event

from tests.client import Client, Project, Reply, sign_up
from tests.running import Site
from tocsin.kit.db import Database
from tocsin.kit.ids import new_id
from tocsin.users.drafts import Draft, write
from tocsin.users.people import find_user
from tocsin.users.roles import roles_named
from tocsin.users.schemas import UserFields


async def synced(caller: Client, *users: dict[str, Any]) -> Reply:
    return await caller.post("/users/sync", {"users": users})


async def test_a_thousand_people_are_made_and_changed(acme: Project) -> None:
    users = [
        {
            "externalUserId": f"sync-{n}",
            "email": f"sync-{n}@x.example",
            "roles": ["user"],
            "addresses": {"telegram": f"{n + 1}"},
        }
        for n in range(1000)
    ]
    first = await synced(acme.key, *users)
    assert first.status == 200, first.json
    assert (first.json["created"], first.json["updated"]) == (1000, 0)
    assert [row["index"] for row in first.json["results"]] == list(range(1000))
    assert len({row["id"] for row in first.json["results"]}) == 1000
    again = await synced(
        acme.key, *[{**user, "name": f"Again {n}", "roles": ["viewer"]} for n, user in enumerate(users)]
    )
    assert (again.json["created"], again.json["updated"]) == (0, 1000)
    assert [row["id"] for row in again.json["results"]] == [row["id"] for row in first.json["results"]]
    for n in (0, 500, 999):
        (found,) = (await acme.key.get("/users", externalUserId=f"sync-{n}")).json["items"]
        assert found["id"] == first.json["results"][n]["id"]
        assert (found["name"], found["email"], found["status"]) == (f"Again {n}", f"sync-{n}@x.example", "active")
        assert (found["roles"], found["addresses"]) == (["viewer"], {"telegram": f"{n + 1}"})


async def test_new_and_known_people_come_mixed_and_each_gets_what_is_theirs(acme: Project) -> None:
    old = await acme.add_user(
        externalUserId="mixed-old",
        name="Old",
        phone="+436601234567",
        roles=["viewer", "agent"],
        addresses={"telegram": "1", "sms": "2"},
        metadata={"tier": 1},
    )
    by_email = await acme.add_user(roles=["viewer"])
    reply = await synced(
        acme.key,
        {
            "externalUserId": "mixed-new",
            "avatarUrl": "https://x.example/a.png",
            "locale": "de",
            "timezone": "Europe/Vienna",
        },
        {"externalUserId": "mixed-old", "name": "Older", "phone": None, "addresses": {"telegram": "3", "push": "4"}},
        {"email": by_email["email"].upper(), "externalUserId": "mixed-found", "roles": [], "metadata": {"a": [None]}},
        {"email": "mixed@x.example", "roles": ["agent", "agent"], "status": "disabled"},
    )
    assert [row["status"] for row in reply.json["results"]] == ["created", "updated", "updated", "created"]
    assert [row["id"] for row in reply.json["results"]][1:3] == [old["id"], by_email["id"]]
    new, changed, found, off = [(await acme.key.get(f"/users/{row['id']}")).json for row in reply.json["results"]]
    assert (new["avatarUrl"], new["locale"], new["timezone"]) == ("https://x.example/a.png", "de", "Europe/Vienna")
    assert (new["email"], new["roles"], new["addresses"], new["metadata"]) == (None, [], {}, {})
    expected = {"name": "Older", "phone": None, "addresses": {"telegram": "3", "sms": "2", "push": "4"}}
    assert changed == {**old, **expected, "updatedAt": changed["updatedAt"]}
    assert (found["externalUserId"], found["roles"], found["metadata"]) == ("mixed-found", [], {"a": [None]})
    assert (off["roles"], off["status"]) == (["agent"], "disabled")


async def test_a_person_named_twice_is_updated_by_the_later_entry(acme: Project) -> None:
    known = await acme.add_user(externalUserId="twice-known", name="Before")
    reply = await synced(
        acme.key,
        {"externalUserId": "twice-new", "email": "twice@x.example", "name": "First", "roles": ["viewer"]},
        {"externalUserId": "twice-known", "name": "Between", "addresses": {"sms": "1", "push": "1"}},
        {"email": "twice@x.example", "name": "Second", "roles": ["agent"]},
        {"email": known["email"], "name": "After", "addresses": {"sms": "2"}},
    )
    assert [row["status"] for row in reply.json["results"]] == ["created", "updated", "updated", "updated"]
    ids = [row["id"] for row in reply.json["results"]]
    assert ids[:2] == ids[2:]
    new, old = [(await acme.key.get(f"/users/{id_}")).json for id_ in ids[:2]]
    assert (new["externalUserId"], new["name"], new["roles"]) == ("twice-new", "Second", ["agent"])
    assert (old["name"], old["addresses"]) == ("After", {"sms": "2", "push": "1"})
    reply = await synced(acme.key, {"externalUserId": "twice-x"}, {"externalUserId": "twice-x", "status": None})
    assert (reply.status, reply.pointers) == (422, ["/users/1/status"])


async def test_what_is_said_again_leaves_people_as_they_were(acme: Project, sql: asyncpg.Connection) -> None:
    entry = {
        "externalUserId": "same",
        "name": "Same",
        "roles": ["viewer"],
        "addresses": {"sms": "7"},
        "metadata": {"a": 1},
    }
    id_ = (await synced(acme.key, entry)).json["results"][0]["id"]
    await sql.execute("UPDATE tocsin.addresses SET opted_out_at = now(), verified_at = now() WHERE user_id = $1", id_)
    before = (await acme.key.get(f"/users/{id_}")).json
    addresses = await sql.fetch("SELECT * FROM tocsin.addresses WHERE user_id = $1", id_)
    assert (await synced(acme.key, entry)).json["updated"] == 1
    assert (await acme.key.get(f"/users/{id_}")).json == before
    assert await sql.fetch("SELECT * FROM tocsin.addresses WHERE user_id = $1", id_) == addresses
    await synced(acme.key, {**entry, "metadata": {"a": True}})
    assert (await acme.key.get(f"/users/{id_}")).json["metadata"]["a"] is True


@pytest.mark.parametrize(
    ("users", "pointer"),
    [
        ([], "/users"),
        ([{"externalUserId": f"many-{n}"} for n in range(1001)], "/users"),
        ([{"externalUserId": "fine"}, {"name": "nobody"}], "/users/1"),
        ([{"externalUserId": "fine"}, {"externalUserId": "x", "timezone": "Mars/X"}], "/users/1/timezone"),
        ([{"externalUserId": "fine"}, {"externalUserId": "fine", "timezone": "Mars/X"}], "/users/1/timezone"),
        ([{"externalUserId": "fine"}, {"externalUserId": "x", "roles": ["nope"]}], "/users/1/roles/0"),
        ([{"externalUserId": "fine"}, {"externalUserId": "x", "roles": ["user", "nope"]}], "/users/1/roles/1"),
    ],
    ids=["none", "1001", "nobody", "timezone", "timezone of a change", "role", "second role"],
)
async def test_a_sync_with_a_mistake_changes_nothing(acme: Project, users: list[Any], pointer: str) -> None:
    reply = await synced(acme.key, *users)
    assert (reply.status, reply.pointers) == (422, [pointer])
    assert (await acme.key.get("/users", externalUserId="fine")).json["items"] == []


async def test_an_email_that_somebody_else_has_is_refused_at_its_place(acme: Project) -> None:
    one, two = [await acme.add_user(externalUserId=f"clash-{n}") for n in (1, 2)]
    for *before, clash in (
        [{"externalUserId": "clash-1", "email": two["email"]}],
        [{"externalUserId": "fine"}, {"externalUserId": "clash-2", "email": one["email"]}],
        [
            {"externalUserId": "fine", "email": "clash@x.example"},
            {"externalUserId": "clash-2", "email": "clash@x.example"},
        ],
    ):
        reply = await synced(acme.key, *before, clash, {"externalUserId": "clash-1", "email": "free@x.example"})
        assert (reply.status, reply.code, reply.pointers) == (409, "email_taken", [f"/users/{len(before)}/email"])
    assert (await acme.key.get("/users", externalUserId="fine")).json["items"] == []
    assert (await acme.key.get(f"/users/{one['id']}")).json == one


async def test_who_is_found_by_the_email_alone_takes_the_new_external_id(acme: Project) -> None:
    holder = await acme.add_user(externalUserId="holder")
    reply = await synced(acme.key, {"externalUserId": "other", "email": holder["email"]})
    assert [row["id"] for row in reply.json["results"]] == [holder["id"]]
    assert (await acme.key.get(f"/users/{holder['id']}")).json["externalUserId"] == "other"


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 3, 2, 1)], ids=["oldest first", "newest first"])
async def test_emails_that_are_given_up_may_be_handed_on(acme: Project, order: tuple[int, ...]) -> None:
    """In a chain; whichever row PostgreSQL writes first, nobody is in another's way."""
    place = f"chain{order[0]}"
    email = {n: f"{place}-{n}@x.example" for n in range(6)}
    await synced(acme.key, *[{"externalUserId": f"{place}-{n}", "email": email[n]} for n in order])
    moves = [{"externalUserId": f"{place}-{n}", "email": email[n + 1]} for n in (4, 3, 2, 1)]
    reply = await synced(acme.key, *moves, {"externalUserId": f"{place}-0", "email": email[1]})
    assert [row["status"] for row in reply.json["results"]] == ["updated"] * 4 + ["created"]
    for n in range(5):
        (found,) = (await acme.key.get("/users", externalUserId=f"{place}-{n}")).json["items"]
        assert found["email"] == email[n + 1]


async def test_a_sync_finds_only_its_own_projects_people(two_projects: tuple[Project, Project]) -> None:
    acme, rival = two_projects
    theirs = await rival.add_user(externalUserId="shared-id", email="shared@x.example", roles=["agent"])
    entry = {"externalUserId": "shared-id", "email": "shared@x.example", "roles": ["viewer"], "addresses": {"sms": "1"}}
    made = await synced(acme.key, entry)
    assert made.json["created"] == 1
    assert made.json["results"][0]["id"] != theirs["id"]
    assert (await synced(acme.key, entry)).json["results"][0]["id"] == made.json["results"][0]["id"]
    assert (await rival.key.get(f"/users/{theirs['id']}")).json == theirs


async def test_in_the_sandbox_people_are_test_people_with_live_roles_at_most(acme: Project) -> None:
    entry = {"externalUserId": "sandboxed", "email": "sandboxed@x.example", "roles": ["agent"]}
    live, test = [(await synced(caller, entry)).json["results"][0] for caller in (acme.key, acme.test_key)]
    assert (live["status"], test["status"]) == ("created", "created")
    reply = await synced(acme.test_key, {**entry, "name": "Test", "roles": ["viewer"], "addresses": {"sms": "1"}})
    assert reply.json["results"] == [{"index": 0, "id": test["id"], "status": "updated"}]
    seen = (await acme.test_key.get(f"/users/{test['id']}")).json
    assert (seen["env"], seen["name"], seen["roles"], seen["addresses"]) == ("test", "Test", ["viewer"], {"sms": "1"})
    untouched = (await acme.key.get(f"/users/{live['id']}")).json
    assert (untouched["env"], untouched["name"], untouched["roles"]) == ("live", None, ["agent"])


@pytest.mark.parametrize("first", [0, 1], ids=["the old one goes first", "the new one comes first"])
async def test_ownership_may_pass_on_in_one_call_but_never_end(api: Client, first: int) -> None:
    project = await sign_up(api)
    await project.owner.post("/users", {"email": "heir@x.example"})
    leaves = {"email": project.email, "roles": ["viewer"]}
    for entry in (leaves, {"email": project.email, "status": "disabled"}):
        reply = await synced(project.owner, {"externalUserId": "fine"}, entry)
        assert (reply.status, reply.code) == (409, "last_owner")
    assert (await project.key.get("/users", externalUserId="fine")).json["items"] == []
    comes = {"email": "heir@x.example", "roles": ["owner"]}
    reply = await synced(project.owner, *([leaves, comes] if first == 0 else [comes, leaves]))
    assert (reply.status, reply.json["updated"]) == (200, 2)
    (owner,) = (await project.key.get("/users", role="owner")).json["items"]
    assert owner["email"] == "heir@x.example"


async def test_nobody_gives_or_takes_more_than_they_may(api: Client) -> None:
    project = await sign_up(api)
    mighty = (await project.owner.post("/users", {"email": "mighty@x.example", "roles": ["owner"]})).json
    for entry in (
        {"externalUserId": "risen", "roles": ["owner"]},
        {"email": mighty["email"], "roles": []},
        {"email": mighty["email"], "externalUserId": "taken-over"},
        {"email": mighty["email"], "status": "disabled"},
    ):
        reply = await synced(project.key, {"externalUserId": "fine"}, entry)
        assert (reply.status, reply.code) == (403, "role_not_allowed")
    assert (await project.key.get(f"/users/{mighty['id']}")).json == mighty
    assert (await project.key.get("/users", externalUserId="fine")).json["items"] == []


async def test_a_sync_leaves_one_row_in_the_audit_log(api: Client, sql: asyncpg.Connection) -> None:
    project = await sign_up(api)
    await project.add_user(externalUserId="known")
    await synced(project.key, {"externalUserId": "known"}, {"externalUserId": "a"}, {"externalUserId": "b"})
    rows = await sql.fetch(
        "SELECT metadata->>'created', metadata->>'updated' FROM tocsin.audit_log"
        " WHERE project_id = $1 AND action = 'users.synced'",
        UUID(project.id),
    )
    assert [tuple(row) for row in rows] == [("2", "1")]


async def test_who_was_made_by_somebody_else_in_the_meantime_is_found(api: Client, site: Site) -> None:
    project = await sign_up(api)
    async with made_meanwhile(site, project, external_user_id="raced", email="raced@x.example") as made:
        reply = await made(
            synced(project.key, {"externalUserId": "fine"}, {"externalUserId": "raced", "name": "Found"})
        )
    assert [row["status"] for row in reply.json["results"]] == ["created", "updated"]
    (found,) = (await project.key.get("/users", externalUserId="raced")).json["items"]
    assert (found["id"], found["email"]) == (reply.json["results"][1]["id"], "raced@x.example")
    assert found["name"] == "Found"


async def test_an_email_that_somebody_else_took_in_the_meantime_is_refused_at_its_place(
    api: Client, site: Site
) -> None:
    project = await sign_up(api)
    await project.add_user(externalUserId="known")
    async with made_meanwhile(site, project, external_user_id="quicker", email="raced@x.example") as made:
        reply = await made(
            synced(project.key, {"externalUserId": "fine"}, {"externalUserId": "known", "email": "raced@x.example"})
        )
    assert (reply.status, reply.code, reply.pointers) == (409, "email_taken", ["/users/1/email"])
    assert (await project.key.get("/users", externalUserId="fine")).json["items"] == []


@asynccontextmanager
async def made_meanwhile(
    site: Site, project: Project, **values: str
) -> AsyncIterator[Callable[[Awaitable[Reply]], Awaitable[Reply]]]:
    """A function that lets a call begin before, and end after, a person with these values is committed."""
    maker, watcher = await asyncpg.connect(site.installer_url), await asyncpg.connect(site.installer_url)

    async def during(call: Awaitable[Reply]) -> Reply:
        async with maker.transaction():
            await maker.execute(
                "INSERT INTO tocsin.users (project_id, id, env, status, external_user_id, email)"
                " VALUES ($1, $2, 'live', 'active', $3, $4)",
                UUID(project.id),
                new_id(),
                values["external_user_id"],
                values["email"],
            )
            running = asyncio.ensure_future(call)
            async with asyncio.timeout(10):
                while not await watcher.fetchval(_WAITS_FOR, maker.get_server_pid()):
                    await asyncio.sleep(0.01)
        return await running

    try:
        yield during
    finally:
        await maker.close()
        await watcher.close()


_WAITS_FOR = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid)))"


@pytest.fixture
async def db(site: Site) -> AsyncIterator[Database]:
    db = Database(site.app_url, ordinary=1, hot=0, statement_seconds=5)
    yield db
    await db.close()


async def test_fifty_people_take_as_many_statements_as_two(acme: Project, db: Database) -> None:
    project_id = UUID(acme.id)
    counts = []
    for size in (2, 50):
        async with db.scope(project_id, "live") as session:
            roles = await roles_named(session, ["user", "viewer"])
            new = [
                Draft.new(UserFields(name=f"{n}", roles=["user"], addresses={"sms": f"{size}-{n}"}), roles)
                for n in range(size)
            ]
            seen: list[str] = []
            engine = session.get_bind().engine
            event.listen(engine, "before_cursor_execute", lambda *call, seen=seen: seen.append(call[2]))
            await write(session, project_id, "live", new)
            made = len(seen)
            known = [Draft.of(await find_user(session, draft.id)) for draft in new]
            read = len(seen)
            for n, draft in enumerate(known):
                fields = UserFields(email=f"c-{size}-{n}@x.example", roles=["viewer"], addresses={"sms": "0"})
                draft.take(fields, roles)
            await write(session, project_id, "live", known)
            counts.append((made, len(seen) - read))
    assert counts == [(3, 8), (3, 8)]
