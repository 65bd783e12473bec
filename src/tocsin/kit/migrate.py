"""Bringing a database to the newest schema: roles, then the linear history of migrations.

Migrations are plain SQL in which ``{owner}``, ``{pipeline}``, ``{app}`` and ``{platform}`` stand for the
role names; ``as_owner`` runs it as the role that owns every table, ``as_pipeline`` as the role that owns
the cross-project functions and may create something only meanwhile.
"""

import asyncio
from pathlib import Path

import asyncpg
from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

import tocsin
from tocsin.kit.crypto import MasterKey
from tocsin.kit.db import SCHEMA
from tocsin.kit.dsn import plain_url
from tocsin.kit.roles import Roles, bootstrap

TURN_SECONDS = 0.2
"""Between two looks whether another migration of this database is over."""


async def migrate(installer_url: str, roles: Roles, master_key: MasterKey) -> str:
    """Make roles and schema if missing and apply what is missing of the history; the revision reached."""
    connection = await asyncpg.connect(plain_url(installer_url), timeout=10)
    try:
        await bootstrap(connection, roles, master_key)
    finally:
        await connection.close()
    engine = create_async_engine(make_url(installer_url).set(drivername="postgresql+asyncpg"))
    try:
        async with engine.connect() as session:
            return await session.run_sync(_upgrade, roles)
    finally:
        await engine.dispose()


def folder() -> Path:
    """Where the history lies: inside the installed package, else at the root of the checkout."""
    inside = Path(tocsin.__file__).parent / "migrations"
    return inside if inside.is_dir() else Path(tocsin.__file__).parents[2] / "migrations"


def newest() -> str:
    """The revision that this version of the program works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder()))
    return config


def _upgrade(connection: Connection, roles: Roles) -> str:
    config = _config()
    config.attributes["connection"] = connection
    config.attributes["roles"] = roles
    _await_turn(connection)
    connection.exec_driver_sql(f"SET ROLE {roles.owner}")
    connection.exec_driver_sql(_LOCK_TIMEOUT)
    connection.commit()
    command.upgrade(config, "head")
    # Still as the owner: an installer that is no superuser does not inherit its rights.
    revision = str(connection.exec_driver_sql("SELECT version_num FROM tocsin.alembic_version").scalar_one())
    connection.exec_driver_sql("RESET ROLE")
    connection.commit()
    return revision


def _await_turn(connection: Connection) -> None:
    """One migration at a time on this database; the lock ends with the connection.

    Asked for again and again: a statement that waits for it would be waited for by an index that is being built.
    """
    while not connection.exec_driver_sql("SELECT pg_try_advisory_lock(hashtext('tocsin migrate'))").scalar_one():
        connection.commit()
        await_only(asyncio.sleep(TURN_SECONDS))
    connection.commit()


def at_once(sql: str) -> None:
    """Run one statement as the owner that is committed by itself, before the rest of the migration.

    If that fails, the migration begins again from its first line, so what it says must be repeatable.
    """
    with op.get_context().autocommit_block():
        _run(sql.format(**_roles().names()))


def build_index(name: str, table: str, of: str, *, unique: bool = False) -> None:
    """An index on a large table, while others write to it: at the beginning of a migration, since it commits.

    ``of`` is what follows the table's name: columns and condition. A partitioned table's is built partition by
    partition, and put together without another look at the rows. What an interrupted run left behind is made anew.
    """
    kind = "UNIQUE INDEX" if unique else "INDEX"
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        children = [row[0] for row in connection.exec_driver_sql(_CHILDREN, (f"{SCHEMA}.{table}",))]
        built = {child: f"{name}_{child.removeprefix(f'{table}_')}" for child in children} or {table: name}
        # It waits for transactions that are older than itself, and nobody waits for it.
        connection.exec_driver_sql("SET lock_timeout = 0")
        for left in connection.exec_driver_sql(_UNFINISHED, (list(built.values()),)).all():
            connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {SCHEMA}.{left[0]}")
        for child, index in built.items():
            connection.exec_driver_sql(f"CREATE {kind} CONCURRENTLY IF NOT EXISTS {index} ON {SCHEMA}.{child} {of}")
        connection.exec_driver_sql(_LOCK_TIMEOUT)
        connection.exec_driver_sql(f"CREATE {kind} IF NOT EXISTS {name} ON {SCHEMA}.{table} {of}")


_LOCK_TIMEOUT = "SET lock_timeout = '2s'"
_CHILDREN = """
SELECT c.relname::text FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = $1::text::regclass ORDER BY 1
"""
_UNFINISHED = f"""
SELECT c.relname::text FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
WHERE NOT x.indisvalid AND c.relnamespace = '{SCHEMA}'::regnamespace AND c.relname::text = ANY ($1)
"""  # noqa: S608 - made of constants


def as_owner(sql: str) -> None:
    """Run a script as the owner of the tables (the role every migration starts with)."""
    _run(sql.format(**_roles().names()))


def as_pipeline(sql: str) -> None:
    """Run a script as the owner of the cross-project functions."""
    roles = _roles()
    _run(f"RESET ROLE; GRANT CREATE ON SCHEMA {SCHEMA} TO {roles.pipeline}; SET ROLE {roles.pipeline};")
    _run(sql.format(**roles.names()))
    _run(f"RESET ROLE; REVOKE CREATE ON SCHEMA {SCHEMA} FROM {roles.pipeline}; SET ROLE {roles.owner};")


def _roles() -> Roles:
    config = op.get_context().config
    assert config is not None
    roles = config.attributes["roles"]
    assert isinstance(roles, Roles)
    return roles


def _run(script: str) -> None:
    """Several statements in one go, inside the migration's transaction."""
    connection = op.get_bind()
    connection.exec_driver_sql("SELECT 1")
    driver = connection.connection.driver_connection
    assert driver is not None
    await_only(driver.execute(script))
