"""`tocsin doctor`: a whole installation is well, and each way of being broken is named."""

import base64
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from tests.engines import execute, free_port, fresh_database, running_postgres, running_redis
from tests.running import MASTER_SECRET
from tocsin import doctor
from tocsin.doctor import Finding, examine
from tocsin.kit.crypto import DataKey
from tocsin.kit.dsn import with_login
from tocsin.kit.ids import PLATFORM_ID, new_id
from tocsin.kit.migrate import migrate
from tocsin.kit.postgres import Running
from tocsin.kit.roles import Roles
from tocsin.settings import Settings
from tocsin.startup import Installation, installation


def installed(database: str | None, home: Path, **settings: Any) -> Installation:
    """This installation with some settings changed."""
    values = {"home": home, "master_key": MASTER_SECRET, "database_url": database, "log_format": "text", **settings}
    return installation(Settings(**values))


async def examined(database: str | None, home: Path, **settings: Any) -> dict[str, Finding]:
    findings = await examine(installed(database, home, **settings))
    assert len({finding.name for finding in findings}) == len(findings)
    return {finding.name: finding for finding in findings}


def broken(findings: dict[str, Finding]) -> list[str]:
    for finding in findings.values():
        assert finding.ok or finding.fix, finding
    return [name for name, finding in findings.items() if not finding.ok]


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk that the tests run on may be as full as it likes."""
    monkeypatch.setattr(doctor, "FULL_PART", 1.0)


@pytest.fixture(scope="module")
def durable() -> Iterator[Running]:
    """A cluster as an operator runs it: the suite's own one is fast and forgetful."""
    with running_postgres(settings={"max_connections": "30"}) as server:
        yield server


async def test_a_whole_installation_is_well(durable: Running, tmp_path: Path) -> None:
    async with fresh_database(durable) as url:
        first = installed(url, tmp_path, master_key=None)
        await migrate(url, first.roles, first.master)
        with running_redis() as server:
            findings = await examined(url, tmp_path, master_key=None, redis_url=server.url)
    assert broken(findings) == []
    assert "durability" in findings
    assert "Redis eviction" in findings


async def test_an_installer_without_superuser_is_well(durable: Running, tmp_path: Path) -> None:
    await execute(durable, "CREATE ROLE small LOGIN CREATEROLE PASSWORD 'small'")
    await execute(durable, "CREATE DATABASE small OWNER small")
    url = with_login(durable.dsn("small"), "small", "small")
    first = installed(url, tmp_path, db_role_prefix="small")
    await migrate(url, first.roles, first.master)
    assert broken(await examined(url, tmp_path, db_role_prefix="small")) == []


async def test_settings_that_lose_events_are_named(database: str, tmp_path: Path) -> None:
    findings = await examined(database, tmp_path)
    assert broken(findings) == ["durability"]
    assert findings["durability"].detail == "off: fsync, full_page_writes, synchronous_commit"


async def test_an_empty_database_wants_the_migration(durable: Running, tmp_path: Path) -> None:
    async with fresh_database(durable) as url:
        findings = await examined(url, tmp_path, db_role_prefix="nobody")
    assert broken(findings) == ["schema", "application's login", "platform's login"]
    assert "tocsin migrate" in findings["schema"].fix


async def test_a_database_that_is_away_is_named(tmp_path: Path) -> None:
    findings = await examined(f"postgresql://x:y@127.0.0.1:{free_port()}/x", tmp_path)
    assert broken(findings) == ["database", "application's login", "platform's login"]


async def test_without_any_database_the_missing_setting_is_named(tmp_path: Path) -> None:
    findings = await examined(None, tmp_path)
    assert broken(findings) == ["database", "application's login", "platform's login"]
    assert "TOCSIN_DATABASE_URL" in findings["database"].detail


async def test_an_installer_with_too_few_rights_is_named(durable: Running, database: str, tmp_path: Path) -> None:
    app = installed(database, tmp_path).app_url
    findings = await examined(app, tmp_path)
    assert {"installer's rights", "schema", "master key"} <= set(broken(findings))


async def test_an_application_login_that_is_too_strong_is_named(database: str, tmp_path: Path) -> None:
    findings = await examined(database, tmp_path, app_database_url=database)
    assert "application's login" in broken(findings)
    assert "superuser" in findings["application's login"].detail


async def test_a_platform_login_that_is_too_strong_is_named(database: str, tmp_path: Path) -> None:
    findings = await examined(database, tmp_path, platform_database_url=database)
    assert broken(findings) == ["durability", "platform's login"]
    assert "superuser" in findings["platform's login"].detail


async def test_a_platform_login_that_is_not_let_in_is_named(database: str, tmp_path: Path) -> None:
    nobody = with_login(database, Roles().platform, "wrong")
    findings = await examined(database, tmp_path, platform_database_url=nobody)
    assert broken(findings) == ["durability", "platform's login"]
    assert "TOCSIN_PLATFORM_DATABASE_URL" in findings["platform's login"].fix


async def test_another_master_key_is_named_three_times(database: str, tmp_path: Path) -> None:
    """The login's password follows from it, and what was sealed under the former one does not open."""
    master = installed(database, tmp_path).master
    id_ = new_id()
    _, wrapped = DataKey.new(master, PLATFORM_ID, id_)
    await _change(
        database,
        f"INSERT INTO tocsin.data_keys VALUES ('{PLATFORM_ID}', '{id_}', '{master.id}', '\\x{wrapped.hex()}', now())",
    )
    assert (await examined(database, tmp_path))["master key"].detail == "it opens what was sealed before"
    other = base64.b64encode(os.urandom(32)).decode()
    findings = await examined(database, tmp_path, master_key=other)
    assert {"master key", "application's login", "platform's login"} <= set(broken(findings))
    assert master.id in findings["master key"].detail


@pytest.mark.parametrize(
    ("change", "name", "detail"),
    [
        (
            "ALTER TABLE tocsin.users NO FORCE ROW LEVEL SECURITY",
            "walls between projects",
            "row security: tocsin.users",
        ),
        ("GRANT TRUNCATE ON tocsin.events TO tocsin_app", "walls between projects", "TRUNCATE on tocsin.events"),
        ("DROP TABLE tocsin.{next_month}", "partitions", "events"),
        ("UPDATE tocsin.alembic_version SET version_num = '0000'", "schema", "revision 0000"),
        (
            "ALTER POLICY tenant_read ON tocsin.users USING (project_id = tocsin.current_project())",
            "policies",
            "tocsin.users",
        ),
    ],
    ids=["force", "grant", "partition", "revision", "policy"],
)
async def test_what_somebody_changed_by_hand_is_named(
    durable: Running, tmp_path: Path, change: str, name: str, detail: str
) -> None:
    async with fresh_database(durable) as url:
        first = installed(url, tmp_path)
        await migrate(url, first.roles, first.master)
        next_month = "SELECT 'events_' || to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYY_MM')"
        await _change(url, change.format(next_month=await _value(url, next_month)))
        findings = await examined(url, tmp_path)
    assert name in broken(findings)
    assert detail in findings[name].detail


async def test_a_role_that_became_too_strong_is_named(durable: Running, tmp_path: Path) -> None:
    async with fresh_database(durable) as url:
        first = installed(url, tmp_path, db_role_prefix="mighty")
        await migrate(url, first.roles, first.master)
        await _change(url, "ALTER ROLE mighty_app BYPASSRLS; ALTER ROLE mighty_platform CREATEDB")
        findings = await examined(url, tmp_path, db_role_prefix="mighty")
    assert broken(findings) == ["roles", "application's login"]
    assert findings["roles"].detail == "role with too much: mighty_app; role with too much: mighty_platform"


async def test_a_redis_that_is_away_or_forgets_is_named(database: str, tmp_path: Path) -> None:
    with running_redis() as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
        findings = await examined(database, tmp_path, redis_url=server.url)
    assert "Redis eviction" in broken(findings)
    assert "allkeys-lru" in findings["Redis eviction"].detail
    assert "Redis" in broken(await examined(database, tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0"))


@pytest.mark.parametrize(("version", "ok"), [("6.0.16", False), ("6.2.0", True), ("7.2.4", True), ("10.0.1", True)])
def test_an_old_redis_is_named(version: str, ok: bool) -> None:
    assert doctor._redis_version(version).ok is ok


async def test_a_key_file_that_others_may_read_is_named(database: str, tmp_path: Path) -> None:
    one = installed(database, tmp_path, master_key=None)
    (tmp_path / "master.key").chmod(0o644)
    findings = {finding.name: finding for finding in await examine(one)}
    assert "master key file" in broken(findings)
    assert "0644" in findings["master key file"].detail


async def test_a_full_disk_is_named(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", shutil.disk_usage(tmp_path).free * 2)
    assert "disk" in broken(await examined(database, tmp_path))


async def test_a_disk_with_little_room_left_is_named(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "FULL_PART", part(tmp_path) - 0.0001)
    assert "disk" in broken(await examined(database, tmp_path))


async def test_a_disk_that_is_filling_is_well_and_told_of(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "FILLING_PART", part(tmp_path) - 0.0001)
    findings = await examined(database, tmp_path)
    assert "disk" not in broken(findings)
    assert "plan for more room" in findings["disk"].detail


def part(folder: Path) -> float:
    """How full the disk of a folder is."""
    disk = shutil.disk_usage(folder)
    return disk.used / (disk.used + disk.free)


async def test_a_clock_that_is_off_is_named(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = doctor.time.time
    monkeypatch.setattr(doctor.time, "time", lambda: now() + 31)
    assert "clock" in broken(await examined(database, tmp_path))


async def _change(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statements)
    await connection.close()


async def _value(url: str, query: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()
