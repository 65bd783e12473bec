"""Making roles and schema on servers as they come: old and new, with a superuser and without (design, section 3)."""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.engines import execute, running_postgres
from tests.running import MASTER_SECRET
from tocsin.kit.catalogue import holes, plans_without_initplan
from tocsin.kit.crypto import MasterKey
from tocsin.kit.db import Database, StrongLogin
from tocsin.kit.dsn import with_login
from tocsin.kit.migrate import migrate
from tocsin.kit.postgres import Running
from tocsin.kit.roles import Roles, bootstrap_script

DEBIAN = [str(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin") if (folder / "initdb").is_file()]
PASSWORD = "installer"


@pytest.fixture(scope="module", params=["", *DEBIAN], ids=lambda folder: folder or "embedded")
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A cluster of its own, because roles belong to the cluster."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param:
            patch.setitem(os.environ, "TOCSIN_POSTGRES_BIN", request.param)
        with running_postgres(fsync=False) as running:
            yield running


@pytest.fixture(params=["superuser", "createrole"])
async def installation(request: pytest.FixtureRequest, server: Running) -> AsyncIterator[tuple[str, Roles]]:
    """The installer's URL of an empty database, and role names that nobody used before."""
    roles = Roles(f"t{uuid.uuid4().hex[:8]}")
    database = f"db_{roles.prefix}"
    if request.param == "superuser":
        await execute(server, f"CREATE DATABASE {database}")
        url = server.dsn(database)
    else:
        installer = f"{roles.prefix}_installer"
        await execute(server, f"CREATE ROLE {installer} LOGIN CREATEROLE PASSWORD '{PASSWORD}'")
        await execute(server, f"CREATE DATABASE {database} OWNER {installer}")
        url = with_login(server.dsn(database), installer, PASSWORD)
    yield url, roles
    await execute(server, f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture
def master(tmp_path: Path) -> MasterKey:
    return MasterKey.load(MASTER_SECRET, tmp_path)


def app_url(url: str, roles: Roles, master: MasterKey) -> str:
    return with_login(url, roles.app, master.database_password(roles.app))


async def test_walls_stand_after_the_first_and_after_the_second_migration(
    installation: tuple[str, Roles], master: MasterKey
) -> None:
    url, roles = installation
    assert await migrate(url, roles, master) == await migrate(url, roles, master)
    installer = await asyncpg.connect(url)
    app = await asyncpg.connect(app_url(url, roles, master))
    try:
        assert await holes(installer, roles) == []
        assert await plans_without_initplan(app) == []
        assert await app.fetch("SELECT * FROM tocsin.projects") == []
        assert await installer.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'tocsin'") > 20
    finally:
        await app.close()
        await installer.close()


async def test_the_platforms_project_was_written_despite_the_walls(
    installation: tuple[str, Roles], master: MasterKey
) -> None:
    """A data migration under the owner would silently change nothing without the owner's policy."""
    url, roles = installation
    await migrate(url, roles, master)
    installer = await asyncpg.connect(url)
    try:
        await installer.execute(f"SET ROLE {roles.owner}")
        assert await installer.fetchval("SELECT slug FROM tocsin.projects") == "platform"
    finally:
        await installer.close()


async def test_the_application_starts_with_its_own_login_and_refuses_the_installers(
    installation: tuple[str, Roles], master: MasterKey
) -> None:
    url, roles = installation
    await migrate(url, roles, master)
    db = Database(app_url(url, roles, master), ordinary=1, hot=1, statement_seconds=5, role_prefix=roles.prefix)
    await db.start()
    await db.close()
    strong = Database(url, ordinary=1, hot=1, statement_seconds=5, role_prefix=roles.prefix)
    with pytest.raises(StrongLogin, match="TOCSIN_APP_DATABASE_URL"):
        await strong.start()
    await strong.close()


@pytest.mark.parametrize("strength", ["BYPASSRLS", "member of the owner", "member of the pipeline"])
async def test_any_stronger_login_is_refused(
    server: Running, installation: tuple[str, Roles], master: MasterKey, strength: str
) -> None:
    url, roles = installation
    await migrate(url, roles, master)
    login = f"{roles.prefix}_strong"
    await execute(server, f"CREATE ROLE {login} LOGIN PASSWORD '{PASSWORD}'")
    grants = {
        "BYPASSRLS": f"ALTER ROLE {login} BYPASSRLS",
        "member of the owner": f"GRANT {roles.owner} TO {login}",
        "member of the pipeline": f"GRANT {roles.pipeline} TO {login}",
    }
    await execute(server, grants[strength])
    db = Database(with_login(url, login, PASSWORD), ordinary=1, hot=0, statement_seconds=5, role_prefix=roles.prefix)
    with pytest.raises(StrongLogin):
        await db.start()
    await db.close()


async def test_roles_that_somebody_else_made_by_the_printed_script_are_enough(
    server: Running, installation: tuple[str, Roles], master: MasterKey
) -> None:
    """`tocsin db-roles --print` is for servers where the installer may not make roles."""
    url, roles = installation
    major = server.binaries.major
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(bootstrap_script(roles, server_version=major))
        await connection.execute(bootstrap_script(roles, server_version=major))
    finally:
        await connection.close()
    await migrate(url, roles, master)
