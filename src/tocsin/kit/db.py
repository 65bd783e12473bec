"""The database: one pool of connections per process and the scope without which no query sees a row.

Row-level security binds every transaction to one project and one environment. ``Database.scope`` is for
ordinary work (SQLAlchemy), ``Database.unit`` for hand-written SQL on hot paths (asyncpg); both begin by
naming the project. Outside of them only the few cross-project functions answer anything.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, ClassVar, Literal, cast
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import MetaData, text
from sqlalchemy.dialects.postgresql import JSON, TIMESTAMP
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from tocsin.kit.dsn import plain_url
from tocsin.kit.expected import Expected

Env = Literal["live", "test"]

SCHEMA = "tocsin"

_STRONGER = """
SELECT r.rolsuper OR r.rolbypassrls OR EXISTS (
    SELECT 1 FROM pg_roles g WHERE g.rolname = ANY($1) AND pg_has_role(r.oid, g.oid, 'MEMBER'))
FROM pg_roles r WHERE r.rolname = session_user
"""

# A statement that takes longer than this is a mistake of ours, and holding it would hold others up.
_GUARDS = {"lock_timeout": "2s", "idle_in_transaction_session_timeout": "10s", "search_path": SCHEMA}

LATE_SECONDS = 5.0
"""How much longer than the database allows a statement this process waits for its answer: then the link is dead."""

# Planning anew for every call costs more than any of these statements: each is served by one index, whatever its
# values, and partitions are pruned at run time.
_HOT = {"plan_cache_mode": "force_generic_plan"}


class Table(DeclarativeBase):
    """Base of the mapped tables. Keys, policies and indexes stand in the migrations; this maps columns."""

    metadata = MetaData(schema=SCHEMA)
    type_annotation_map: ClassVar = {
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
    }


class Connection(asyncpg.Connection):  # type: ignore[misc]  # the driver has no types
    """A connection that names a transaction's scope in the round trip that begins it.

    A statement of its own would be a tenth of a small request.
    """

    _scope = ""

    def scope_next(self, project_id: UUID | None, env: Env = "live", *, durable: bool = True) -> None:
        """Say in which project the next transaction is; None for none."""
        self._scope = "" if project_id is None else _entering(project_id, env, durable)

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        if self._scope and query.startswith("BEGIN"):
            query, self._scope = f"{query} {self._scope}", ""
        return str(await super().execute(query, *args, timeout=timeout))


def _entering(project_id: UUID, env: Env, durable: bool) -> str:
    """Begun together with its transaction, this cannot take parameters; it is built of hex digits and constants."""
    named = {"live": "live", "test": "test"}[env]
    scope = f"set_config('tocsin.project', '{project_id.int:032x}', true), set_config('tocsin.env', '{named}', true)"
    return f"SELECT {scope}" if durable else f"SELECT {scope}, set_config('synchronous_commit', 'off', true)"


class StrongLogin(Expected):
    """The login could see through the walls between projects, so the process refuses to work with it."""


class Database:
    """The pools of one process.

    ``ordinary`` connections serve SQLAlchemy sessions, ``hot`` ones hand-written SQL; either may be 0.
    ``read_only`` is for the platform's login: outside of any scope it reads named columns of every project.
    """

    def __init__(
        self,
        url: str,
        *,
        ordinary: int,
        hot: int,
        statement_seconds: float,
        role_prefix: str = SCHEMA,
        read_only: bool = False,
    ):
        self.url = plain_url(url)
        self._role_prefix = role_prefix
        self._setting = "TOCSIN_PLATFORM_DATABASE_URL" if read_only else "TOCSIN_APP_DATABASE_URL"
        self._settings = {
            **_GUARDS,
            "statement_timeout": f"{round(statement_seconds * 1000)}ms",
            **({"default_transaction_read_only": "on"} if read_only else {}),
        }
        self._patience = statement_seconds + LATE_SECONDS
        self._hot_size = hot
        self._hot: asyncpg.Pool | None = None
        self._engine = create_async_engine(
            make_url(self.url).set(drivername="postgresql+asyncpg"),
            pool_size=max(ordinary, 1),
            max_overflow=0,
            pool_timeout=5,
            pool_pre_ping=False,
            hide_parameters=True,  # errors are logged, and parameters hold what people wrote
            json_serializer=lambda value: msgspec.json.encode(value).decode(),
            json_deserializer=msgspec.json.decode,
            connect_args={
                "server_settings": self._settings,
                "timeout": 5,
                "command_timeout": self._patience,
                "connection_class": Connection,
            },
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    async def start(self) -> None:
        """Open the hot pool, and refuse a login that row-level security would not bind."""
        connection = await asyncpg.connect(self.url, timeout=5)
        try:
            strong = await connection.fetchval(
                _STRONGER, [f"{self._role_prefix}_owner", f"{self._role_prefix}_pipeline"]
            )
        finally:
            await connection.close()
        if strong:
            raise StrongLogin(
                "The database login is a superuser, bypasses row-level security or belongs to an owning role. "
                f"Set {self._setting} to the login that `tocsin migrate` made for this."
            )
        if self._hot_size:
            self._hot = await asyncpg.create_pool(
                self.url,
                min_size=1,
                max_size=self._hot_size,
                timeout=5,
                command_timeout=self._patience,
                connection_class=Connection,
                reset=_leave,
                server_settings={**self._settings, **_HOT},
            )

    async def close(self) -> None:
        if self._hot:
            await self._hot.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def scope(self, project_id: UUID, env: Env) -> AsyncIterator[AsyncSession]:
        """One transaction of one project for ordinary work; commits at the end, rolls back on any exception."""
        async with self._sessions() as session, session.begin():
            (await _driver(session)).scope_next(project_id, env)
            yield session

    @asynccontextmanager
    async def unscoped(self) -> AsyncIterator[AsyncSession]:
        """One transaction of no project: tables look empty; for the cross-project functions alone."""
        async with self._sessions() as session, session.begin():
            (await _driver(session)).scope_next(None)
            yield session

    @asynccontextmanager
    async def unit(self, project_id: UUID, env: Env, *, durable: bool = True) -> AsyncIterator[asyncpg.Connection]:
        """One transaction of one project for hand-written SQL.

        ``durable=False`` commits without waiting for the disk: only where a lost commit is found and done again.
        """
        async with self.hot.acquire() as connection:
            connection.scope_next(project_id, env, durable=durable)
            async with connection.transaction():
                yield connection

    @property
    def hot(self) -> asyncpg.Pool:
        """Connections without a scope, for the cross-project functions and for ``unit``."""
        if self._hot is None:
            raise RuntimeError("this process was started without hot connections")
        return self._hot


async def _leave(_connection: asyncpg.Connection) -> None:
    """Spare the round trip that would reset a returned connection: whatever is set is set for one transaction.

    asyncpg itself has rolled back by now what was left open.
    """


async def switch_scope(session: AsyncSession, project_id: UUID, env: Env) -> None:
    """From here on, to its end or until the next call, the transaction is in this project."""
    await session.execute(_ENTER, {"project": str(project_id), "env": env})


_ENTER = text("SELECT set_config('tocsin.project', :project, true), set_config('tocsin.env', :env, true)")


async def driver(session: AsyncSession) -> Connection:
    """The session's own connection for hand-written SQL, inside its transaction.

    SQLAlchemy begins a transaction with its first statement, and what the driver is told before stands outside of it.
    """
    connection = await _driver(session)
    if not connection.is_in_transaction():
        await session.execute(text("SELECT"))
    return connection


async def _driver(session: AsyncSession) -> Connection:
    return cast(Connection, (await (await session.connection()).get_raw_connection()).driver_connection)


def violated(error: BaseException) -> str | None:
    """The name of the constraint that a failed statement broke, or None."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, asyncpg.PostgresError):
            name: str | None = getattr(seen, "constraint_name", None)
            return name
        seen = getattr(seen, "orig", None) or seen.__cause__
    return None


def json_text(value: Any) -> str:
    """JSON for a function that takes it apart. PostgreSQL's texts cannot hold the character NUL."""
    return without_nul(msgspec.json.encode(value)).decode()


def without_nul(encoded: bytes) -> bytes:
    """JSON in which another character stands where its texts hold NUL."""
    return _NUL.sub(rb"\1\\ufffd", encoded) if b"\\u0000" in encoded else encoded


_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")  # not what follows a backslash that was escaped itself


def as_json(value: Mapping[str, Any] | list[Any] | None) -> str | None:
    """A JSON text for a bound parameter."""
    return None if value is None else msgspec.json.encode(value).decode()
