"""The login that reads across projects: named columns of named tables, counting rows, and nothing else (T2, T4).

Two projects have a row in every tenant table; ``operator`` is the login of the platform's routes.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.isolation.rows import Rows, fill, tables
from tests.running import Site
from tocsin.kit.catalogue import CONTENT, PLATFORM_COLUMNS, PROOFS
from tocsin.kit.db import Database, StrongLogin

DENIED = asyncpg.InsufficientPrivilegeError


@dataclass
class Sight:
    """Two projects, and the login that sees both."""

    one: Rows
    other: Rows
    tables: list[str]
    site: Site
    operator: asyncpg.Connection
    superuser: asyncpg.Connection


@pytest.fixture(scope="module")
async def sight(database: str, home: Any) -> AsyncIterator[Sight]:
    site = Site(database, home)
    superuser = await asyncpg.connect(database)
    operator = await asyncpg.connect(site.platform_url)
    one, other = await fill(superuser, "one"), await fill(superuser, "other")
    yield Sight(one, other, await tables(superuser), site, operator, superuser)
    await operator.close()
    await superuser.close()


async def test_it_reads_the_named_columns_of_every_project(sight: Sight) -> None:
    for table, columns in PLATFORM_COLUMNS.items():
        rows = await sight.operator.fetch(f"SELECT {', '.join(columns)} FROM tocsin.{table}")
        found = {row["id" if table == "projects" else "project_id"] for row in rows}
        assert {sight.one.project_id, sight.other.project_id} <= found, table


async def test_it_reads_no_other_column(sight: Sight) -> None:
    for table in sight.tables:
        columns = await sight.superuser.fetch(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0"
            " AND NOT attisdropped",
            f"tocsin.{table}",
        )
        for (column,) in columns:
            if column not in PLATFORM_COLUMNS.get(table, ()):
                with pytest.raises(DENIED):
                    await sight.operator.fetch(f'SELECT "{column}" FROM tocsin.{table}')


def test_no_named_column_holds_what_people_wrote_or_prove_themselves_with() -> None:
    for table, columns in PLATFORM_COLUMNS.items():
        assert not set(columns) & {*CONTENT, *PROOFS, "email", "phone", "metadata"}, table


async def test_it_changes_nothing(sight: Sight) -> None:
    for table in sight.tables:
        for statement in (
            f"DELETE FROM tocsin.{table}",
            f"UPDATE tocsin.{table} SET {'id' if table == 'projects' else 'project_id'} = NULL",
            f"INSERT INTO tocsin.{table} DEFAULT VALUES",
        ):
            with pytest.raises(DENIED):
                await sight.operator.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM tocsin.find_logins('owner@one.example')",
        "SELECT * FROM tocsin.find_api_key('pk_live_x')",
        "SELECT * FROM tocsin.ended_projects(30, 1)",
        "SELECT tocsin.ensure_partitions(current_date, 1)",
        "SET ROLE tocsin_app",
        "SET ROLE tocsin_owner",
        "CREATE TABLE tocsin.mine ()",
    ],
)
async def test_it_cannot(sight: Sight, statement: str) -> None:
    with pytest.raises(DENIED):
        await sight.operator.execute(statement)


async def test_naming_a_project_opens_nothing_more(sight: Sight) -> None:
    async with sight.operator.transaction():
        await sight.operator.execute("SELECT set_config('tocsin.project', $1, true)", str(sight.one.project_id))
        assert await sight.operator.fetchval("SELECT count(DISTINCT project_id) FROM tocsin.users") >= 2
        with pytest.raises(DENIED):
            await sight.operator.fetch("SELECT email FROM tocsin.users")


async def test_a_stronger_login_is_refused_by_the_name_of_its_setting(sight: Sight) -> None:
    db = Database(sight.site.installer_url, ordinary=1, hot=0, statement_seconds=5, read_only=True)
    with pytest.raises(StrongLogin, match="TOCSIN_PLATFORM_DATABASE_URL"):
        await db.start()
    await db.close()


async def test_even_a_login_that_may_write_only_reads_here(sight: Sight) -> None:
    """Where somebody names the application's login for the platform's."""
    db = Database(sight.site.app_url, ordinary=1, hot=0, statement_seconds=5, read_only=True)
    await db.start()
    with pytest.raises(DBAPIError, match="read-only"):
        async with db.scope(sight.one.project_id, "live") as session:
            await session.execute(text("UPDATE tocsin.projects SET name = name"))
    await db.close()
