"""What is known of an address at a connection, and whose knowledge it is (C4, T12)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.client import Project
from tests.connections.build import make_hook
from tests.running import Site
from tocsin.connections.reachability import mark_blocked, mark_opted_out, mark_reachable
from tocsin.kit.db import Database

MARKS = {"reachable": mark_reachable, "blocked": mark_blocked, "opted_out": mark_opted_out}


@pytest.fixture(scope="module")
async def db(site: Site) -> AsyncIterator[Database]:
    db = Database(site.app_url, ordinary=1, hot=1, statement_seconds=5)
    await db.start()
    yield db
    await db.close()


async def known(sql: asyncpg.Connection, connection: Any) -> list[asyncpg.Record]:
    return await sql.fetch(
        "SELECT state, since, reason, address_hash = sha256('4711') AS same, connection_project = project_id AS own"
        " FROM tocsin.reachability WHERE connection_id = $1",
        UUID(connection["id"]),
    )


@pytest.mark.parametrize(
    ("marks", "left"),
    [
        (["reachable"], "reachable"),
        (["reachable", "blocked"], "blocked"),
        (["blocked", "reachable"], "reachable"),
        (["blocked", "opted_out"], "opted_out"),
        (["opted_out", "blocked"], "opted_out"),
        (["opted_out", "reachable"], "reachable"),
    ],
)
async def test_what_was_said_last_counts_but_a_block_does_not_hide_an_opt_out(
    db: Database, sql: asyncpg.Connection, acme: Project, marks: list[str], left: str
) -> None:
    hook = await make_hook(acme.key)
    for mark in marks:
        async with db.unit(UUID(acme.id), "live") as connection:
            await MARKS[mark](connection, UUID(acme.id), UUID(hook["id"]), "4711", mark)
    [row] = await known(sql, hook)
    assert (row["state"], row["reason"], row["same"], row["own"]) == (left, left, True, True)


async def test_a_repetition_keeps_the_time_and_the_reason_of_the_first(
    db: Database, sql: asyncpg.Connection, acme: Project
) -> None:
    hook = await make_hook(acme.key)
    seen = []
    for reason in ("kicked", "kicked again"):
        async with db.scope(UUID(acme.id), "live") as session:
            await mark_blocked(session, UUID(acme.id), UUID(hook["id"]), "4711", reason)
        seen += await known(sql, hook)
    assert seen[0] == seen[1]
    assert seen[0]["reason"] == "kicked"


@pytest.mark.parametrize(
    ("marks", "left"),
    [
        ([("opted_out", 2), ("reachable", 1)], "opted_out"),
        ([("reachable", 2), ("opted_out", 1)], "reachable"),
        ([("blocked", 2), ("reachable", 1)], "blocked"),
        ([("opted_out", 2), ("reachable", 2)], "reachable"),
        ([("reachable", 1), ("reachable", 3), ("opted_out", 2)], "reachable"),
        ([("opted_out", 1), ("blocked", 3), ("reachable", 2)], "opted_out"),
        ([("blocked", 2), ("opted_out", 1)], "opted_out"),
    ],
)
async def test_what_was_said_last_counts_in_whatever_order_it_is_told(
    db: Database, sql: asyncpg.Connection, acme: Project, marks: list[tuple[str, int]], left: str
) -> None:
    hook, began = await make_hook(acme.key), datetime(2026, 1, 1, tzinfo=UTC)
    for mark, second in marks:
        async with db.unit(UUID(acme.id), "live") as connection:
            at = began + timedelta(seconds=second)
            counts = await MARKS[mark](connection, UUID(acme.id), UUID(hook["id"]), "4711", mark, at)
    [row] = await known(sql, hook)
    assert (row["state"], row["reason"], counts) == (left, left, left == marks[-1][0])


async def test_what_was_known_before_words_had_times_counts_from_when_it_began(
    db: Database, sql: asyncpg.Connection, acme: Project
) -> None:
    hook = await make_hook(acme.key)
    for state, ago in (("opted_out", 0), ("reachable", 60)):
        async with db.unit(UUID(acme.id), "live") as connection:
            at = datetime.now(UTC) - timedelta(seconds=ago)
            await MARKS[state](connection, UUID(acme.id), UUID(hook["id"]), "4711", state, at)
            await connection.execute("UPDATE tocsin.reachability SET told_at = NULL")
    assert [row["state"] for row in await known(sql, hook)] == ["opted_out"]


async def test_another_projects_connection_cannot_be_spoken_of(
    db: Database, sql: asyncpg.Connection, two_projects: tuple[Project, Project]
) -> None:
    acme, rival = two_projects
    hook = await make_hook(rival.key)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with db.unit(UUID(acme.id), "live") as connection:
            await mark_blocked(connection, UUID(acme.id), UUID(hook["id"]), "4711", "mine")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.unit(UUID(acme.id), "live") as connection:
            await mark_blocked(connection, UUID(rival.id), UUID(hook["id"]), "4711", "theirs")
    assert await known(sql, hook) == []


async def test_what_is_known_goes_with_its_connection(db: Database, sql: asyncpg.Connection, acme: Project) -> None:
    hook = await make_hook(acme.key)
    async with db.unit(UUID(acme.id), "live") as connection:
        await mark_reachable(connection, UUID(acme.id), UUID(hook["id"]), "4711", "wrote")
    assert (await acme.key.delete(f"/connections/{hook['id']}")).status == 204
    assert await known(sql, hook) == []
