"""What the application's own login cannot do to another project, even when the code forgets every filter (T2, P14).

Two projects have a row in every tenant table; ``app`` is the login that API and workers use.
"""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from tests.isolation.rows import Rows, fill, references, row_for, tables
from tests.running import Site
from tocsin.kit.catalogue import APPEND_ONLY
from tocsin.kit.db import Database
from tocsin.kit.dsn import with_login
from tocsin.kit.roles import Roles

DENIED = asyncpg.InsufficientPrivilegeError
ONE_OF = {"rule_targets": ("role_id", "user_id", "destination_id")}
"""Columns of which a check lets one alone be filled."""


@dataclass
class Walls:
    """Two projects and the ways to look at them."""

    mine: Rows
    theirs: Rows
    sandbox: Rows
    """Rows of the first project in the test environment."""
    tables: list[str]
    site: Site
    app: asyncpg.Connection
    superuser: asyncpg.Connection

    @asynccontextmanager
    async def as_mine(self, env: str = "live") -> AsyncIterator[asyncpg.Connection]:
        """The application working for the first project; nothing it does stays."""
        transaction = self.app.transaction()
        await transaction.start()
        try:
            await enter(self.app, self.mine.project_id, env)
            yield self.app
        finally:
            await transaction.rollback()

    async def refused(self, kind: type[Exception], statement: str, *values: Any) -> asyncpg.PostgresError:
        """Run a statement as the first project and expect this error; nothing else of the transaction suffers."""
        with pytest.raises(kind) as caught:
            async with self.app.transaction():
                await self.app.execute(statement, *values)
        assert isinstance(caught.value, asyncpg.PostgresError)
        return caught.value


async def enter(connection: asyncpg.Connection, project_id: uuid.UUID, env: str = "live") -> None:
    await connection.execute(
        "SELECT set_config('tocsin.project', $1, true), set_config('tocsin.env', $2, true)", str(project_id), env
    )


@pytest.fixture(scope="module")
async def walls(database: str, home: Any) -> AsyncIterator[Walls]:
    site = Site(database, home)
    superuser = await asyncpg.connect(database)
    app = await asyncpg.connect(site.app_url)
    mine, theirs = await fill(superuser, "mine"), await fill(superuser, "theirs")
    sandbox = Rows(mine.project_id, "test", {"projects": mine.of["projects"]})
    yield Walls(mine, theirs, sandbox, await tables(superuser), site, app, superuser)
    await app.close()
    await superuser.close()


def is_mine(table: str) -> str:
    return "id = $1" if table == "projects" else "project_id = $1"


async def test_each_project_has_a_row_in_every_table(walls: Walls) -> None:
    for table in walls.tables:
        for rows in (walls.mine, walls.theirs):
            count = f"SELECT count(*) FROM tocsin.{table} WHERE {is_mine(table)}"
            assert await walls.superuser.fetchval(count, rows.project_id) == 1, table


async def test_without_a_project_every_table_is_empty_and_takes_nothing(walls: Walls) -> None:
    for table in walls.tables:
        assert await walls.app.fetch(f"SELECT * FROM tocsin.{table}") == [], table
        await _insert_refused(walls, table, walls.mine)


async def test_after_a_scoped_transaction_every_table_is_empty_again(walls: Walls) -> None:
    async with walls.as_mine():
        assert await walls.app.fetchval("SELECT count(*) FROM tocsin.users") == 1
    for table in walls.tables:
        assert await walls.app.fetch(f"SELECT * FROM tocsin.{table}") == [], table


async def test_own_rows_are_seen_in_every_table(walls: Walls) -> None:
    """Without this, seeing nothing of others would prove nothing."""
    async with walls.as_mine():
        for table in walls.tables:
            seen = await walls.app.fetch(f"SELECT * FROM tocsin.{table}")
            key = "id" if table == "projects" else "project_id"
            assert [row[key] for row in seen] == [walls.mine.project_id], table


async def test_rows_of_another_project_are_neither_seen_nor_changed_nor_deleted(walls: Walls) -> None:
    async with walls.as_mine() as app:
        for table in walls.tables:
            theirs, key = is_mine(table), "id" if table == "projects" else "project_id"
            other = walls.theirs.project_id
            assert await app.fetch(f"SELECT * FROM tocsin.{table} WHERE {theirs}", other) == [], table
            if table in APPEND_ONLY:
                await walls.refused(DENIED, f"UPDATE tocsin.{table} SET {key} = {key} WHERE {theirs}", other)
                await walls.refused(DENIED, f"DELETE FROM tocsin.{table} WHERE {theirs}", other)
                continue
            changed = await app.execute(f"UPDATE tocsin.{table} SET {key} = {key} WHERE {theirs}", other)
            assert changed == "UPDATE 0", table
            assert await app.execute(f"DELETE FROM tocsin.{table} WHERE {theirs}", other) == "DELETE 0", table


async def test_no_row_is_written_for_another_project(walls: Walls) -> None:
    async with walls.as_mine():
        for table in walls.tables:
            await _insert_refused(walls, table, walls.theirs)


async def test_no_row_is_given_to_another_project(walls: Walls) -> None:
    async with walls.as_mine():
        for table in walls.tables:
            key = "id" if table == "projects" else "project_id"
            await walls.refused(DENIED, f"UPDATE tocsin.{table} SET {key} = $1", walls.theirs.project_id)


async def _insert_refused(walls: Walls, table: str, rows: Rows) -> None:
    values = await row_for(walls.superuser, table, rows.project_id, rows, "attack")
    marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    insert = f"INSERT INTO tocsin.{table} ({', '.join(values)}) VALUES ({marks})"
    await walls.refused(DENIED, insert, *values.values())


async def test_a_reference_to_another_project_fails_like_one_to_nothing(walls: Walls) -> None:
    tried = 0
    async with walls.as_mine():
        for reference in await references(walls.superuser):
            child, parent = (reference[side].removeprefix("tocsin.") for side in ("child", "parent"))
            if len(reference["columns"]) < 2:
                continue
            column = reference["columns"][1]
            group = ONE_OF.get(child, ())
            cleared = "".join(f", {other} = null" for other in group if column in group and other != column)
            answers = []
            for target in (walls.theirs.of[parent]["id"], uuid.uuid4()):
                change = f"UPDATE tocsin.{child} SET {column} = $1{cleared}"
                error = await walls.refused(asyncpg.ForeignKeyViolationError, change, target)
                answers.append((str(error), error.constraint_name, (error.detail or "").replace(str(target), "?")))
            assert answers[0] == answers[1], reference["name"]
            tried += 1
    assert tried >= 15


async def test_a_delivery_cannot_name_a_connection_of_another_project(walls: Walls) -> None:
    theirs = walls.theirs.of["connections"]
    async with walls.as_mine():
        await walls.refused(
            asyncpg.CheckViolationError,
            "UPDATE tocsin.deliveries SET connection_project = $1, connection_id = $2",
            theirs["project_id"],
            theirs["id"],
        )


async def test_a_name_that_another_project_uses_is_free_here(walls: Walls) -> None:
    role, user, key = (walls.theirs.of[table] for table in ("roles", "users", "event_keys"))
    mine = walls.mine.project_id
    await walls.superuser.execute(
        "UPDATE tocsin.users SET email = 'same@x.example' WHERE project_id = $1", user["project_id"]
    )
    async with walls.as_mine() as app:
        made = await app.execute(
            "INSERT INTO tocsin.roles (project_id, id, env, name, permissions) VALUES ($1, $2, 'live', $3, '{}')"
            " ON CONFLICT DO NOTHING",
            mine,
            uuid.uuid4(),
            role["name"],
        )
        assert made == "INSERT 0 1"
        made = await app.execute(
            "INSERT INTO tocsin.users (project_id, id, env, status, email)"
            " VALUES ($1, $2, 'live', 'active', 'same@x.example') ON CONFLICT DO NOTHING",
            mine,
            uuid.uuid4(),
        )
        assert made == "INSERT 0 1"
        made = await app.execute(
            "INSERT INTO tocsin.event_keys (project_id, env, client_event_id, event_id, body_hash)"
            " VALUES ($1, 'live', $2, $3, '') ON CONFLICT DO NOTHING",
            mine,
            key["client_event_id"],
            uuid.uuid4(),
        )
        assert made == "INSERT 0 1"


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE tocsin.users CASCADE",
        "TRUNCATE tocsin.events",
        "ALTER TABLE tocsin.users DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE tocsin.users NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE tocsin.users ADD x text",
        "DROP POLICY tenant_read ON tocsin.users",
        "CREATE POLICY open ON tocsin.users USING (true)",
        "DROP TABLE tocsin.users CASCADE",
        "CREATE TABLE tocsin.mine ()",
        "CREATE TABLE public.mine ()",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION tocsin.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION tocsin.current_project() RETURNS uuid LANGUAGE sql AS 'SELECT null::uuid'",
        "CREATE TRIGGER mine BEFORE INSERT ON tocsin.users EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE STATISTICS tocsin.mine ON id, env FROM tocsin.users",
        "SET ROLE tocsin_owner",
        "SET ROLE tocsin_pipeline",
        "SET SESSION AUTHORIZATION tocsin_owner",
        "ALTER ROLE tocsin_app SUPERUSER",
        "ALTER ROLE tocsin_app BYPASSRLS",
        "CREATE ROLE mine",
        "COPY tocsin.users TO PROGRAM 'true'",
        "COPY tocsin.users TO '/dev/null'",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT * FROM pg_authid",
        "SELECT * FROM pg_statistic",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user AND usename IS NOT NULL",
    ],
)
async def test_the_application_cannot(walls: Walls, statement: str) -> None:
    async with walls.as_mine():
        await walls.refused(DENIED, statement)


async def test_bulk_copy_is_refused_under_row_level_security(walls: Walls) -> None:
    async with walls.as_mine() as app:
        with pytest.raises(asyncpg.FeatureNotSupportedError):
            await app.copy_records_to_table("roles", schema_name="tocsin", records=[], columns=["id"])


async def test_switching_row_security_off_is_an_error_and_no_way_in(walls: Walls) -> None:
    async with walls.as_mine() as app:
        await app.execute("SET LOCAL row_security = off")
        await walls.refused(DENIED, "SELECT * FROM tocsin.users")


async def test_errors_do_not_tell_what_another_project_has(walls: Walls) -> None:
    name = walls.theirs.of["roles"]["name"]
    async with walls.as_mine() as app:
        probe = "SELECT count(*) FROM tocsin.roles WHERE 1 / (CASE WHEN name = $1 THEN 0 ELSE 1 END) = 1"
        assert await app.fetchval(probe, name) == 1
        await walls.refused(asyncpg.DivisionByZeroError, probe, walls.mine.of["roles"]["name"])


async def test_a_cheap_function_of_the_attackers_own_sees_only_own_rows(walls: Walls) -> None:
    heard: list[str] = []

    def listen(_connection: Any, message: Any) -> None:
        heard.append(message.message)

    async with walls.as_mine() as app:
        app.add_log_listener(listen)
        await app.execute(
            "CREATE FUNCTION pg_temp.tell(words text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS"
            " $$ BEGIN RAISE NOTICE '%', words; RETURN true; END $$"
        )
        await app.fetch("SELECT 1 FROM tocsin.roles WHERE pg_temp.tell(name)")
        app.remove_log_listener(listen)
    assert heard == [walls.mine.of["roles"]["name"]]


async def test_partitions_are_reached_through_their_parent_alone(walls: Walls) -> None:
    children = await walls.superuser.fetch(
        "SELECT oid::regclass::text FROM pg_class WHERE relispartition AND relkind = 'r'"
    )
    assert len(children) >= 25
    async with walls.as_mine():
        for (child,) in children:
            await walls.refused(DENIED, f"SELECT * FROM {child}")


async def test_statistics_show_nobodys_values(walls: Walls) -> None:
    await walls.superuser.execute("ANALYZE")
    assert await walls.superuser.fetchval("SELECT count(*) FROM pg_stats WHERE schemaname = 'tocsin'") > 0
    async with walls.as_mine() as app:
        assert await app.fetch("SELECT tablename FROM pg_stats WHERE schemaname = 'tocsin'") == []


async def test_a_statement_prepared_for_one_project_serves_the_next_with_its_own_rows(walls: Walls) -> None:
    app = walls.app
    prepared = await app.prepare("SELECT project_id FROM tocsin.roles")
    for _ in range(7):  # beyond the fifth run a generic plan may be kept
        for rows in (walls.mine, walls.theirs):
            async with app.transaction():
                await enter(app, rows.project_id)
                assert [row["project_id"] for row in await prepared.fetch()] == [rows.project_id]


async def test_live_sees_no_sandbox_and_the_sandbox_sees_live_configuration_but_no_traffic(walls: Walls) -> None:
    async with walls.as_mine("test") as app:
        assert await app.fetchval("SELECT count(*) FROM tocsin.users") == 1
        assert await app.fetchval("SELECT count(*) FROM tocsin.events") == 0
        assert await app.execute("DELETE FROM tocsin.users") == "DELETE 0"
        assert await app.execute("UPDATE tocsin.roles SET description = 'x'") == "UPDATE 0"
        await walls.refused(DENIED, _NEW_ROLE, walls.mine.project_id, uuid.uuid4(), "live")
        await app.execute(_NEW_ROLE, walls.mine.project_id, uuid.uuid4(), "test")
        await enter(app, walls.mine.project_id, "live")
        assert await app.fetchval("SELECT count(*) FROM tocsin.roles WHERE env = 'test'") == 0


async def test_without_an_environment_configuration_and_traffic_are_empty(walls: Walls) -> None:
    async with walls.as_mine("") as app:
        for table in ("users", "roles", "rules", "connections", "events", "deliveries", "notifications"):
            assert await app.fetch(f"SELECT * FROM tocsin.{table}") == [], table


_NEW_ROLE = "INSERT INTO tocsin.roles (project_id, id, env, name, permissions) VALUES ($1, $2, $3, 'sand', '{}')"


@pytest.mark.parametrize("statement", ["SELECT * FROM tocsin.{}", "DELETE FROM tocsin.{}"])
async def test_the_platforms_login_reaches_no_table_yet(walls: Walls, statement: str) -> None:
    role = Roles().platform
    login = with_login(walls.site.installer_url, role, walls.site.master.database_password(role))
    platform = await asyncpg.connect(login)
    try:
        for table in walls.tables:
            with pytest.raises(DENIED):
                await platform.execute(statement.format(table))
    finally:
        await platform.close()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT payload FROM tocsin.events",
        "SELECT title FROM tocsin.notifications",
        "SELECT * FROM tocsin.deliveries",
        "SELECT credentials FROM tocsin.connections",
        "SELECT wrapped FROM tocsin.data_keys",
        "SELECT secret FROM tocsin.identity_secrets",
        "SELECT value FROM tocsin.addresses",
        "UPDATE tocsin.events SET payload = '{}'",
        "UPDATE tocsin.users SET password_hash = null",
        "DELETE FROM tocsin.events",
        "INSERT INTO tocsin.api_keys (project_id, id) VALUES (gen_random_uuid(), gen_random_uuid())",
    ],
)
async def test_the_cross_project_functions_could_not(walls: Walls, statement: str) -> None:
    """Even a mistake inside one of them reads no content: its owner has no right to."""
    async with walls.superuser.transaction():
        await walls.superuser.execute("SET LOCAL ROLE tocsin_pipeline")
        with pytest.raises(DENIED):
            async with walls.superuser.transaction():
                await walls.superuser.execute(statement)


@pytest.fixture
async def one_connection(walls: Walls) -> AsyncIterator[Database]:
    """The application's own door with a pool of one of each kind, so that the next borrower is known."""
    db = Database(walls.site.app_url, ordinary=1, hot=1, statement_seconds=0.2)
    await db.start()
    yield db
    await db.close()


async def _breaks(_session: Any) -> None:
    raise RuntimeError("something broke")


async def _is_cancelled(session: Any) -> None:
    await session.execute(text("SELECT pg_sleep(5)"))


async def _fails_in_a_savepoint(session: Any) -> None:
    async with session.begin_nested():
        await session.execute(text("SELECT 1 / 0"))


@pytest.mark.parametrize("accident", [_breaks, _is_cancelled, _fails_in_a_savepoint])
async def test_the_next_borrower_of_a_connection_starts_without_a_project(
    walls: Walls, one_connection: Database, accident: Callable[[Any], Any]
) -> None:
    with pytest.raises(Exception, match=r"broke|timeout|division"):
        async with one_connection.scope(walls.mine.project_id, "live") as session:
            await accident(session)
    async with one_connection.unscoped() as session:
        assert (await session.execute(text("SELECT * FROM tocsin.users"))).all() == []
    with pytest.raises(asyncpg.QueryCanceledError):
        async with one_connection.unit(walls.mine.project_id, "live") as connection:
            await connection.execute("SELECT pg_sleep(5)")
    async with one_connection.hot.acquire() as connection:
        assert await connection.fetch("SELECT * FROM tocsin.users") == []


async def test_a_project_set_for_the_session_would_leak_to_the_next_borrower(
    walls: Walls, one_connection: Database
) -> None:
    """The inverse of the test above: the mistake that the scope avoids is one that this suite can see."""
    async with one_connection.unscoped() as session:
        await session.execute(
            text("SELECT set_config('tocsin.project', :p, false), set_config('tocsin.env', 'live', false)"),
            {"p": str(walls.mine.project_id)},
        )
    async with one_connection.unscoped() as session:
        assert len((await session.execute(text("SELECT * FROM tocsin.users"))).all()) == 1
