"""The four database roles and the walls between projects, as SQL.

``owner`` owns the tables and logs in nowhere; ``pipeline`` owns the few cross-project functions and no
table; ``app`` and ``platform`` log in, belong to nothing and bypass nothing. Why it must be so, and what
fails silently otherwise, stands in docs/decisions/0003-walls.md.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from tocsin.kit.crypto import MasterKey


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the four roles under one prefix (two installations may share a cluster)."""

    prefix: str = "tocsin"

    @property
    def owner(self) -> str:
        return f"{self.prefix}_owner"

    @property
    def pipeline(self) -> str:
        return f"{self.prefix}_pipeline"

    @property
    def app(self) -> str:
        return f"{self.prefix}_app"

    @property
    def platform(self) -> str:
        return f"{self.prefix}_platform"

    def names(self) -> dict[str, str]:
        """For filling ``{owner}``, ``{pipeline}``, ``{app}`` and ``{platform}`` in SQL of migrations."""
        return {role: getattr(self, role) for role in ("owner", "pipeline", "app", "platform")}


_MAKE_ROLES = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{owner}') THEN
        CREATE ROLE {owner} NOLOGIN NOINHERIT;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{pipeline}') THEN
        CREATE ROLE {pipeline} NOLOGIN NOINHERIT;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{app}') THEN
        CREATE ROLE {app} LOGIN NOINHERIT;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{platform}') THEN
        CREATE ROLE {platform} LOGIN NOINHERIT;
    END IF;
END $$;
"""

# An installer that is no superuser must be able to become the two owning roles, but must not inherit them.
_BECOME_16 = "GRANT {owner}, {pipeline} TO CURRENT_USER WITH SET TRUE, INHERIT FALSE;"
_BECOME_15 = "GRANT {owner}, {pipeline} TO CURRENT_USER;"

_MAKE_SCHEMA = """
CREATE SCHEMA IF NOT EXISTS tocsin;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA tocsin TO {app}, {platform}, {pipeline};
GRANT USAGE, CREATE ON SCHEMA tocsin TO {owner};
"""


def bootstrap_script(roles: Roles, *, server_version: int, superuser: bool = False) -> str:
    """The SQL that makes roles and schema; runs any number of times with the same result."""
    become = "" if superuser else (_BECOME_16 if server_version >= 16 else _BECOME_15)
    return "\n".join((_MAKE_ROLES, become, _MAKE_SCHEMA)).format(**roles.names())


async def bootstrap(connection: asyncpg.Connection, roles: Roles, master_key: MasterKey) -> None:
    """Make roles and schema on this server and give the two logins their derived passwords."""
    superuser = await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    version = connection.get_server_version().major
    # Two installers at once would both find the roles missing.
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('tocsin bootstrap'))")
        await connection.execute(bootstrap_script(roles, server_version=version, superuser=superuser))
        for login in (roles.app, roles.platform):
            password = master_key.database_password(login)
            await connection.execute(f"ALTER ROLE {login} PASSWORD '{password}'")


@asynccontextmanager
async def as_owner_of_tables(installer_url: str, roles: Roles) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees and may change every row, for commands of the operator alone."""
    connection = await asyncpg.connect(installer_url, timeout=10, server_settings={"search_path": ""})
    try:
        await connection.execute(f"SET ROLE {roles.owner}")
        yield connection
    finally:
        await connection.close()
