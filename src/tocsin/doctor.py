"""`tocsin doctor`: is this installation whole? Every finding that is not well comes with what to do.

It changes nothing and works on any server, a managed one included. What cannot be looked at (the database is
away, a right is missing) is a finding too.
"""

import asyncio
import shutil
import stat
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg
import redis.asyncio
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from tocsin.kit import migrate
from tocsin.kit.catalogue import Hole, holes, plans_without_initplan
from tocsin.kit.crypto import DataKey, Unreadable
from tocsin.kit.db import Database, StrongLogin
from tocsin.kit.dsn import plain_url
from tocsin.startup import Installation, NotConfigured

OLDEST_POSTGRES = 15
OLDEST_REDIS = (6, 2)
MOST_SKEW_SECONDS = 30
LEAST_FREE_BYTES = 1024**3
FILLING_PART, FULL_PART = 0.70, 0.85

_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
_ROLE_RULES = ("role that is missing", "role with too much")
_CHANNEL = "tocsin_doctor"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is well, what was seen, and what to do where it is not."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


async def examine(installation: Installation) -> list[Finding]:
    """Look at everything; the order is that in which one thing depends on another."""
    return [
        _master_key_file(installation),
        _disk(installation),
        _time_zones(),
        *await _with_installer(installation),
        *await _with_app(installation),
        *await _with_platform(installation),
        *await _broker(installation),
    ]


def _master_key_file(installation: Installation) -> Finding:
    name = "master key file"
    path = installation.settings.home / "master.key"
    if installation.settings.master_key is not None:
        return Finding(name, True, "the key comes from TOCSIN_MASTER_KEY")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding(name, False, f"{path} can be read by others (mode {mode:04o})", f"chmod 600 {path}")
    return Finding(name, True, f"{path}, mode {mode:04o}; keep a copy elsewhere, without it no secret opens again")


def _disk(installation: Installation) -> Finding:
    home = installation.settings.home
    disk = shutil.disk_usage(home if home.exists() else home.absolute().parent)
    # Of what can be had: some systems keep a part for root, which is neither used nor free.
    part = disk.used / (disk.used + disk.free)
    detail = f"{disk.free / 1024**3:.1f} GiB free in {home}, {part:.0%} full"
    if FILLING_PART < part <= FULL_PART:
        detail += "; time to plan for more room, or to keep less (docs/operating.md, Retention)"
    fix = "Free some space, keep less (docs/operating.md, Retention), or point TOCSIN_HOME elsewhere."
    return Finding("disk", disk.free >= LEAST_FREE_BYTES and part <= FULL_PART, detail, fix)


def _time_zones() -> Finding:
    try:
        ZoneInfo("Europe/Vienna")
    except ZoneInfoNotFoundError:
        fix = "Install your system's tzdata package, or: pip install tzdata"
        return Finding("time zones", False, "this machine has no time zone data", fix)
    return Finding("time zones", True, "there is time zone data")


async def _with_installer(installation: Installation) -> list[Finding]:
    """What the installer's login shows of the server, the roles and the schema."""
    try:
        connection = await asyncpg.connect(plain_url(installation.installer_url), timeout=5)
    except NotConfigured as missing:
        return [Finding("database", False, str(missing), "Name the installer's login in TOCSIN_DATABASE_URL.")]
    except _FAILURES as error:
        fix = "Start the database, or correct TOCSIN_DATABASE_URL."
        return [Finding("database", False, f"it does not let the installer in: {_words(error)}", fix)]
    try:
        checks = _SERVER_CHECKS
        if await connection.fetchval("SELECT pg_catalog.to_regclass('tocsin.alembic_version')") is not None:
            checks = {**checks, **_SCHEMA_CHECKS}
        return [await _guarded(name, look, connection, installation) for name, look in checks.items()]
    finally:
        await connection.close()


Look = Callable[[asyncpg.Connection, Installation], Awaitable[Finding]]


async def _guarded(name: str, look: Look, connection: asyncpg.Connection, installation: Installation) -> Finding:
    try:
        return await look(connection, installation)
    except _FAILURES as error:
        return Finding(name, False, f"it cannot be looked at: {_words(error)}", "See the rights of this login.")


async def _version(connection: asyncpg.Connection, _installation: Installation) -> Finding:
    version = connection.get_server_version()
    fix = f"Tocsin needs PostgreSQL {OLDEST_POSTGRES} or newer."
    return Finding("database", version.major >= OLDEST_POSTGRES, f"PostgreSQL {version.major}.{version.minor}", fix)


async def _installer(connection: asyncpg.Connection, installation: Installation) -> Finding:
    row = await connection.fetchrow(_INSTALLER, installation.roles.owner, installation.roles.pipeline)
    detail = f"{row['name']} is " + (
        "a superuser" if row["super"] else "member of the owning roles" if row["member"] else "neither"
    )
    if row["maker"] and not row["super"]:
        detail = f"{row['name']} may make roles and schemas"
    fix = (
        "Let TOCSIN_DATABASE_URL name a superuser, or a role with CREATEROLE that owns the database; or have an"
        " administrator run what `tocsin db-roles --print` prints."
    )
    return Finding("installer's rights", bool(row["super"] or row["maker"] or row["member"]), detail, fix)


async def _durability(connection: asyncpg.Connection, _installation: Installation) -> Finding:
    names = ("fsync", "full_page_writes", "synchronous_commit")
    off = [name for name in names if await connection.fetchval("SELECT pg_catalog.current_setting($1)", name) == "off"]
    fix = "Switch it on in postgresql.conf (ALTER SYSTEM SET ...) and reload: an accepted event must survive a crash."
    detail = f"off: {', '.join(off)}" if off else "what is committed survives a crash of the machine"
    return Finding("durability", not off, detail, fix)


async def _clock(connection: asyncpg.Connection, _installation: Installation) -> Finding:
    before = time.time()
    there = await connection.fetchval("SELECT pg_catalog.clock_timestamp()")
    here = datetime.fromtimestamp((before + time.time()) / 2, UTC)
    skew = abs((there - here).total_seconds())
    fix = "Let both machines follow a time server (NTP)."
    return Finding("clock", skew < MOST_SKEW_SECONDS, f"{skew:.1f} s between the database and this machine", fix)


async def _schema(connection: asyncpg.Connection, installation: Installation) -> Finding:
    wanted = migrate.newest()
    if await connection.fetchval("SELECT pg_catalog.to_regclass('tocsin.alembic_version')") is None:
        return Finding("schema", False, "there is none yet", "Run: tocsin migrate")
    async with connection.transaction(readonly=True):
        await connection.execute(f"SET LOCAL ROLE {installation.roles.owner}")
        revision = await connection.fetchval("SELECT version_num FROM tocsin.alembic_version")
    fix = "Run: tocsin migrate. Where the database is newer than this program, update the program."
    return Finding("schema", revision == wanted, f"revision {revision}, this program wants {wanted}", fix)


async def _roles(connection: asyncpg.Connection, installation: Installation) -> Finding:
    found = [hole for hole in await holes(connection, installation.roles) if hole.rule in _ROLE_RULES]
    fix = "Run: tocsin migrate. Take from a role what it has too much (ALTER ROLE ... NOSUPERUSER NOBYPASSRLS; REVOKE)."
    return Finding("roles", not found, _listed(found) or "all four exist and are weak enough", fix)


async def _walls(connection: asyncpg.Connection, installation: Installation) -> Finding:
    found = [hole for hole in await holes(connection, installation.roles) if hole.rule not in _ROLE_RULES]
    fix = "Somebody changed tables, policies or grants by hand; undo that before anything else."
    return Finding("walls between projects", not found, _listed(found) or "every table is behind row security", fix)


async def _partitions(connection: asyncpg.Connection, _installation: Installation) -> Finding:
    missing = [row[0] for row in await connection.fetch(_WITHOUT_NEXT_MONTH)]
    fix = "A running worker makes them; see that one runs, or run: tocsin migrate"
    detail = f"no partition for next month: {', '.join(missing)}" if missing else "next month has its partitions"
    return Finding("partitions", not missing, detail, fix)


async def _data_key(connection: asyncpg.Connection, installation: Installation) -> Finding:
    async with connection.transaction(readonly=True):
        await connection.execute(f"SET LOCAL ROLE {installation.roles.owner}")
        row = await connection.fetchrow(
            "SELECT project_id, id, wrapped, master_key_id FROM tocsin.data_keys ORDER BY id DESC LIMIT 1"
        )
    if row is None:
        return Finding("master key", True, "there is nothing yet that it would have to open")
    try:
        DataKey.opened(installation.master, row["project_id"], row["id"], row["wrapped"])
    except Unreadable:
        detail = (
            f"the newest secrets were sealed under the key {row['master_key_id']}; this is {installation.master.id}"
        )
        fix = "Put the former key into TOCSIN_MASTER_KEY, or restore master.key from your backup."
        return Finding("master key", False, detail, fix)
    return Finding("master key", True, "it opens what was sealed before")


_SERVER_CHECKS: dict[str, Look] = {
    "database": _version,
    "installer's rights": _installer,
    "durability": _durability,
    "clock": _clock,
    "schema": _schema,
}
_SCHEMA_CHECKS: dict[str, Look] = {
    "roles": _roles,
    "walls between projects": _walls,
    "partitions": _partitions,
    "master key": _data_key,
}


async def _with_app(installation: Installation) -> list[Finding]:
    """What API and workers will meet with their own login."""

    async def more(db: Database) -> list[Finding]:
        async with db.hot.acquire() as connection:
            return [
                await _guarded("policies", _policies, connection, installation),
                await _guarded("messages between processes", _listen_notify, connection, installation),
            ]

    prefix = installation.settings.db_role_prefix
    return await _with_login(
        "application's login",
        "TOCSIN_APP_DATABASE_URL",
        lambda: Database(installation.app_url, ordinary=1, hot=1, statement_seconds=5, role_prefix=prefix),
        more,
    )


async def _with_platform(installation: Installation) -> list[Finding]:
    """The login with which the API counts across projects."""

    async def more(db: Database) -> list[Finding]:
        async with db.unscoped() as session:
            await session.execute(text("SELECT count(*) FROM tocsin.projects"))
        return []

    prefix = installation.settings.db_role_prefix
    return await _with_login(
        "platform's login",
        "TOCSIN_PLATFORM_DATABASE_URL",
        lambda: Database(
            installation.platform_url, ordinary=1, hot=0, statement_seconds=5, role_prefix=prefix, read_only=True
        ),
        more,
    )


async def _with_login(
    name: str, setting: str, made: Callable[[], Database], more: Callable[[Database], Awaitable[list[Finding]]]
) -> list[Finding]:
    try:
        db = made()
    except NotConfigured as missing:
        return [Finding(name, False, str(missing), f"Name it in {setting}.")]
    try:
        await db.start()
        return [Finding(name, True, "it works and is bound by row security"), *await more(db)]
    except StrongLogin as strong:
        return [Finding(name, False, str(strong), f"Leave {setting} empty after `tocsin migrate`.")]
    except (*_FAILURES, SQLAlchemyError) as error:
        fix = (
            "Run: tocsin migrate, with the same TOCSIN_MASTER_KEY as here, for the password follows from it;"
            f" or correct {setting}."
        )
        return [Finding(name, False, f"it does not work: {_words(error)}", fix)]
    finally:
        await db.close()


async def _policies(connection: asyncpg.Connection, _installation: Installation) -> Finding:
    slow = await plans_without_initplan(connection)
    detail = f"asked once per row: {', '.join(slow)}" if slow else "the project is asked for once per statement"
    return Finding("policies", not slow, detail, "Policies were changed by hand; put those of the migrations back.")


async def _listen_notify(connection: asyncpg.Connection, _installation: Installation) -> Finding:
    name = "messages between processes"
    heard = asyncio.Event()
    fix = "LISTEN needs a direct connection: past PgBouncer in transaction mode, or set TOCSIN_REDIS_URL."

    def hear(*_: object) -> None:
        heard.set()

    await connection.add_listener(_CHANNEL, hear)
    try:
        await connection.execute(f"NOTIFY {_CHANNEL}")
        async with asyncio.timeout(5):
            await heard.wait()
    except TimeoutError:
        return Finding(name, False, "a NOTIFY was not heard within 5 s", fix)
    finally:
        await connection.remove_listener(_CHANNEL, hear)
    return Finding(name, True, "LISTEN and NOTIFY work")


async def _broker(installation: Installation) -> list[Finding]:
    if installation.settings.redis_url is None:
        return []
    client = redis.asyncio.Redis.from_url(
        str(installation.settings.redis_url), socket_timeout=5, socket_connect_timeout=5
    )
    try:
        info = await client.info()
    except (RedisError, OSError) as error:
        fix = "Start Redis, correct TOCSIN_REDIS_URL, or unset it: PostgreSQL can carry the messages."
        return [Finding("Redis", False, f"it does not answer: {_words(error)}", fix)]
    finally:
        await client.aclose()
    return [_redis_version(str(info["redis_version"])), _eviction(str(info.get("maxmemory_policy", "unknown")))]


def _redis_version(version: str) -> Finding:
    ok = tuple(int(part) for part in version.split(".")[:2]) >= OLDEST_REDIS
    return Finding("Redis", ok, f"version {version}", "Tocsin needs Redis 6.2 or newer, or Valkey.")


def _eviction(policy: str) -> Finding:
    fix = "CONFIG SET maxmemory-policy noeviction: any other policy throws messages away without an error."
    return Finding("Redis eviction", policy == "noeviction", f"maxmemory-policy is {policy}", fix)


def _listed(found: list[Hole]) -> str:
    shown = [f"{hole.rule}: {hole.thing}" for hole in found[:5]]
    return "; ".join(shown) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")


def _words(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:300] or type(error).__name__


_INSTALLER = """
SELECT r.rolname AS name, r.rolsuper AS super,
    r.rolcreaterole AND pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'CREATE') AS maker,
    2 = (SELECT count(*) FROM pg_catalog.pg_roles g WHERE g.rolname IN ($1::text, $2::text)
        AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')) AS member
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
"""
_WITHOUT_NEXT_MONTH = """
SELECT c.relname::text FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'tocsin'::regnamespace AND c.relkind = 'p' AND pg_catalog.to_regclass(pg_catalog.format(
    'tocsin.%I', c.relname || '_' || pg_catalog.to_char(
        (pg_catalog.now() AT TIME ZONE 'UTC') + interval '1 month', 'YYYY_MM'))) IS NULL
ORDER BY 1
"""
