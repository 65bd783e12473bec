"""Chains as tests make them: entries over the API, sealed with the application's login, looked at as the owner."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from tests.client import Project
from tests.running import Site
from tocsin.audit.anchor import Anchor
from tocsin.audit.verify import Report, verify
from tocsin.kit.roles import Roles, as_owner_of_tables


async def add_entries(project: Project, count: int) -> None:
    for number in range(count):
        reply = await project.key.put("/projects/me", {"description": f"Change {number}"})
        assert reply.status == 200, reply.json


async def seal(site: Site, project: Project) -> None:
    """Until nothing of this project waits."""
    app = await asyncpg.connect(site.app_url)
    try:
        while await sealed_now(app, project.id):
            pass
    finally:
        await app.close()


async def sealed_now(app: asyncpg.Connection, project_id: str) -> int:
    """How many entries of a project one round sealed; -1 for a chain that cannot be carried on."""
    before = UUID(int=UUID(project_id).int - 1)
    rows = await app.fetch("SELECT * FROM tocsin.seal_audit($1, 1, 1000)", before)
    return next((row["sealed"] for row in rows if str(row["project"]) == project_id), 0)


@asynccontextmanager
async def owner_of(site: Site) -> AsyncIterator[asyncpg.Connection]:
    async with as_owner_of_tables(site.installer_url, Roles()) as owner:
        yield owner


async def look(site: Site, project: Project, anchors: Iterable[Anchor] = ()) -> Report:
    async with owner_of(site) as owner:
        return await verify(owner, project.slug, anchors, lambda more: None)


async def found(site: Site, project: Project, anchors: Iterable[Anchor] = ()) -> tuple[str, int] | None:
    """The kind and place of the one fault of a chain."""
    faults = (await look(site, project, anchors)).faults
    assert len(faults) <= 1
    return (faults[0].kind, faults[0].seq) if faults else None


async def anchored(sql: asyncpg.Connection, project: Project) -> Anchor:
    """The head of a chain as the worker would write it down now."""
    row = await sql.fetchrow("SELECT now() AS at, * FROM tocsin.audit_heads WHERE project_id = $1", project.id)
    return Anchor(row["at"], UUID(project.id), row["seq"], row["hash"].hex())
