"""Bringing a database to the newest schema: roles, then the linear history of migrations.

Migrations are plain SQL in which ``{owner}``, ``{pipeline}``, ``{app}`` and ``{platform}`` stand for the
role names; ``as_owner`` runs it as the role that owns every table, ``as_pipeline`` as the role that owns
the cross-project functions and may create something only meanwhile.
"""

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
from tocsin.kit.db import SCHEMA, plain_url
from tocsin.kit.roles import Roles, bootstrap


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
    # One migration at a time on this database; the lock ends with the connection.
    connection.exec_driver_sql("SELECT pg_advisory_lock(hashtext('tocsin migrate'))")
    connection.exec_driver_sql(f"SET ROLE {roles.owner}")
    connection.exec_driver_sql("SET lock_timeout = '2s'")
    connection.commit()
    command.upgrade(config, "head")
    # Still as the owner: an installer that is no superuser does not inherit its rights.
    revision = str(connection.exec_driver_sql("SELECT version_num FROM tocsin.alembic_version").scalar_one())
    connection.exec_driver_sql("RESET ROLE")
    connection.commit()
    return revision


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
