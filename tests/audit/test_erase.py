"""What the log tells of a person can be erased; that something happened stays, and its chain stays whole."""

from uuid import UUID

import asyncpg
import pytest

from tests.audit.chains import found, look, seal
from tests.client import Client, Project, sign_up
from tests.running import Site
from tocsin.audit.erase import erase_person
from tocsin.audit.record import Actor
from tocsin.kit.db import Database


@pytest.fixture
async def told(api: Client, site: Site) -> tuple[Project, str]:
    """A project whose log tells of a person, and the person's id."""
    project = await sign_up(api, "Telling")
    user = await project.add_user(name="Jane Roe", roles=["admin"])
    await project.key.put(f"/users/{user['id']}", {"name": "Jane Doe"})
    await project.key.post("/roles", {"name": "untouched"})
    await seal(site, project)
    return project, user["id"]


async def _erase(site: Site, project: Project, person: str) -> int:
    db = Database(site.app_url, ordinary=1, hot=0, statement_seconds=5)
    try:
        async with db.scope(UUID(project.id), "live") as session:
            return await erase_person(session, UUID(project.id), "live", Actor("system", None), UUID(person))
    finally:
        await db.close()


async def test_an_erasure_leaves_the_chain_whole(told: tuple[Project, str], site: Site) -> None:
    project, person = told
    assert await _erase(site, project, person) == 2
    await seal(site, project)
    report = await look(site, project)
    assert (report.faults, report.erased) == ([], 2)


async def test_nothing_of_the_person_is_left(told: tuple[Project, str], site: Site, sql: asyncpg.Connection) -> None:
    project, person = told
    await _erase(site, project, person)
    rows = await sql.fetch("SELECT a::text AS row FROM tocsin.audit_log a WHERE project_id = $1", project.id)
    written = "\n".join(row["row"] for row in rows)
    assert "Jane" not in written
    assert "untouched" in written
    salts = (
        "SELECT count(*) FROM tocsin.audit_log WHERE project_id = $1 AND resource_id = $2 AND details_salt IS NOT NULL"
    )
    assert await sql.fetchval(salts + " AND action <> 'audit.erased'", project.id, person) == 0


async def test_where_a_person_acted_from_is_erased_and_what_they_changed_stays(
    api: Client, site: Site, sql: asyncpg.Connection
) -> None:
    project = await sign_up(api, "Acting")
    owner = project.signed_up["user"]["id"]
    await project.owner.post("/roles", {"name": "made-by-owner"})
    await seal(site, project)
    await _erase(site, project, owner)
    row = await sql.fetchrow(
        "SELECT * FROM tocsin.audit_log WHERE project_id = $1 AND action = 'role.created'", project.id
    )
    assert (row["ip_address"], row["user_agent"], row["origin_salt"]) == (None, None, None)
    assert "made-by-owner" in row["metadata"]
    assert await found(site, project) is None


async def test_an_erasure_that_is_not_on_record_is_found(told: tuple[Project, str], site: Site) -> None:
    """As an application would do that somebody else commands."""
    project, person = told
    app = await asyncpg.connect(site.app_url)
    async with app.transaction():
        await app.execute("SELECT set_config('tocsin.project', $1, true)", project.id)
        assert await app.fetchval("SELECT tocsin.erase_audit_details($1)", person) == 2
    await app.close()
    assert await found(site, project) == ("erased", 2)


async def test_another_project_is_not_erased(
    two_projects: tuple[Project, Project], site: Site, sql: asyncpg.Connection
) -> None:
    acme, rival = two_projects
    person = (await rival.add_user(name="Somebody else"))["id"]
    assert await _erase(site, acme, person) == 0
    entries = "SELECT metadata::text FROM tocsin.audit_log WHERE project_id = $1 AND resource_id = $2"
    assert "Somebody else" in await sql.fetchval(entries, rival.id, person)
