"""What a project keeps goes after its days, and nobody else's with it (O4)."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.pipeline import until
from tests.running import Site, running, running_api
from tocsin.kit.db import Database
from tocsin.kit.ids import first_id_at
from tocsin.plans.rollup import RollupStage
from tocsin.projects import retention
from tocsin.projects.retention import RetentionStage

TABLES = ("events", "notifications", "notification_recipients", "deliveries", "attempts")
OLD, YOUNG = timedelta(days=30, minutes=1), timedelta(days=30) - timedelta(minutes=1)
LONG_AGO = timedelta(days=200)


@dataclass
class Installation:
    """One of its own without a worker: a test takes the steps itself."""

    site: Site
    api: Client
    sql: asyncpg.Connection
    db: Database

    def stage(self, days: int | None = None) -> RetentionStage:
        return RetentionStage(self.db, days)

    async def project(self, **days: int | None) -> Project:
        """A project that keeps its kinds for so long, and whose usage is counted up to now."""
        made = await sign_up(self.api, "Shop")
        if days:
            reply = await made.owner.put("/projects/me/compliance", {"retentionDays": days})
            assert reply.status == 200, reply.json
        await self.count_usage()
        return made

    async def count_usage(self) -> None:
        rollup = RollupStage(self.db)
        while await rollup.run_once():
            pass

    async def rows(self, project: Project) -> dict[str, int]:
        return {
            table: await self.sql.fetchval(f"SELECT count(*) FROM tocsin.{table} WHERE project_id = $1", project.id)
            for table in TABLES
        }

    async def months(self, table: str) -> set[str]:
        found = await self.sql.fetch(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = to_regclass('tocsin.' || $1::text)",
            table,
        )
        return {row["relname"] for row in found}


@pytest.fixture(scope="module")
async def here(database: str, home: Path, http: aiohttp.ClientSession) -> AsyncIterator[Installation]:
    site = Site(database, home)
    sql = await asyncpg.connect(database)
    db = Database(site.app_url, ordinary=0, hot=4, statement_seconds=30)
    await db.start()
    with running_api(site) as process:
        yield Installation(site, Client(http, process.url), sql, db)
    await db.close()
    await sql.close()


async def traffic(
    here: Installation, project: Project, age: timedelta, /, env: str = "live", **changed: Any
) -> uuid.UUID:
    """An event of that age with all that came of it, finished unless said otherwise; the id of all of it."""
    id_ = uuid.UUID(int=first_id_at(datetime.now(UTC) - age).int | uuid.uuid4().int & (1 << 64) - 1)
    values = {"event": "processed", "delivery": "sent", "require_ack": False, "acked": False, **changed}
    user = project.signed_up["user"]["id"]
    for statement, *bound in (
        ("events (project_id, env, id, type, payload, state) VALUES ($1, $2, $3, 'x', '{}', $4)", values["event"]),
        (
            "notifications (project_id, env, id, title, message, priority, require_ack, acked_at)"
            " VALUES ($1, $2, $3, 'x', '', 'normal', $4, CASE WHEN $5 THEN now() END)",
            values["require_ack"],
            values["acked"],
        ),
        (
            "notification_recipients (project_id, env, notification_id, user_id, feed_seq, reason)"
            " VALUES ($1, $2, $3, $4, 1, 'x')",
            user,
        ),
        (
            "deliveries (project_id, env, id, notification_id, channel, rank, state)"
            " VALUES ($1, $2, $3, $3, 'webhook', 0, $4)",
            values["delivery"],
        ),
        (
            "attempts (project_id, env, delivery_id, number, outcome, started_at, duration_ms)"
            " VALUES ($1, $2, $3, 1, 'ok', now(), 1)",
        ),
    ):
        await here.sql.execute(f"INSERT INTO tocsin.{statement}", project.id, env, id_, *bound)
    return id_


async def rest(stage: RetentionStage) -> int:
    """Every step that is to be taken now; how many those were."""
    steps = 1
    while await stage.run_once():
        steps += 1
        assert steps < 1_000
    return steps


ALL, NONE = dict.fromkeys(TABLES, 1), dict.fromkeys(TABLES, 0)


async def test_what_is_outlived_goes_with_all_that_came_of_it_and_nothing_of_another_project(
    here: Installation,
) -> None:
    acme, rival = await here.project(events=30, notifications=30, deliveries=30), await here.project()
    for project in (acme, rival):
        await traffic(here, project, OLD)
    assert await here.rows(acme) == await here.rows(rival) == ALL
    await rest(here.stage())
    assert await here.rows(acme) == NONE
    assert await here.rows(rival) == ALL


async def test_what_is_younger_stays(here: Installation) -> None:
    acme = await here.project(events=30, notifications=30, deliveries=30)
    await traffic(here, acme, YOUNG)
    await rest(here.stage())
    assert await here.rows(acme) == ALL


@pytest.mark.parametrize(
    ("kind", "gone"),
    [
        ("events", {"events"}),
        ("notifications", {"notifications", "notification_recipients"}),
        ("deliveries", {"deliveries", "attempts"}),
    ],
)
async def test_each_kind_has_days_of_its_own(here: Installation, kind: str, gone: set[str]) -> None:
    acme = await here.project(**{kind: 30})
    await traffic(here, acme, OLD)
    await rest(here.stage())
    assert await here.rows(acme) == {table: int(table not in gone) for table in TABLES}


async def test_days_of_the_installation_count_where_a_project_says_nothing(here: Installation) -> None:
    silent, longer = await here.project(), await here.project(events=60, notifications=60, deliveries=60)
    for project in (silent, longer):
        await traffic(here, project, OLD)
    await rest(here.stage(days=30))
    assert await here.rows(silent) == NONE
    assert await here.rows(longer) == ALL


@pytest.mark.parametrize("state", ["received", "leased"])
async def test_an_event_that_waits_stays(here: Installation, state: str) -> None:
    acme = await here.project(events=30)
    await traffic(here, acme, OLD, event=state)
    await rest(here.stage())
    assert (await here.rows(acme))["events"] == 1


@pytest.mark.parametrize("state", ["queued", "leased", "held", "gathered"])
async def test_a_delivery_on_its_way_stays_with_its_notification_and_attempts(here: Installation, state: str) -> None:
    acme = await here.project(notifications=30, deliveries=30)
    await traffic(here, acme, OLD, delivery=state)
    await rest(here.stage())
    assert await here.rows(acme) == ALL


async def test_what_was_gathered_goes_once_its_digest_was_written(here: Installation, past: str) -> None:
    acme = await here.project(events=30, notifications=30, deliveries=30)
    for age in (OLD, LONG_AGO):
        await traffic(here, acme, age, delivery="gathered")
    await here.sql.execute("UPDATE tocsin.deliveries SET finished_at = now() WHERE project_id = $1", acme.id)
    assert f"deliveries_{past}" in await drop(here)
    await rest(here.stage())
    assert await here.rows(acme) == NONE


async def test_a_notification_that_nobody_acknowledged_stays_with_its_recipients(here: Installation) -> None:
    acme = await here.project(notifications=30, deliveries=30)
    await traffic(here, acme, OLD, require_ack=True)
    await rest(here.stage())
    assert await here.rows(acme) == {**ALL, "deliveries": 0, "attempts": 0}


async def test_a_notification_that_was_acknowledged_goes(here: Installation) -> None:
    acme = await here.project(notifications=30)
    await traffic(here, acme, OLD, require_ack=True, acked=True)
    await rest(here.stage())
    assert (await here.rows(acme))["notifications"] == 0


async def test_what_was_not_counted_yet_stays_until_it_is(here: Installation) -> None:
    acme = await here.project(events=30, notifications=30, deliveries=30)
    await traffic(here, acme, OLD)
    await here.sql.execute(
        "UPDATE tocsin.usage_marks SET counted_until = date_trunc('hour', now()) - interval '40 days'"
        " WHERE project_id = $1",
        acme.id,
    )
    await rest(here.stage())
    assert await here.rows(acme) == ALL
    await here.count_usage()
    await rest(here.stage())
    assert await here.rows(acme) == NONE
    assert await used(here, acme) == 1


async def used(here: Installation, project: Project) -> int:
    """Events of the project by its usage."""
    await here.count_usage()
    query = "SELECT sum(events_received) FROM tocsin.usage_hours WHERE project_id = $1"
    return int(await here.sql.fetchval(query, project.id))


async def test_the_sandbox_is_left_to_its_own_end(here: Installation) -> None:
    acme = await here.project(events=30, notifications=30, deliveries=30)
    await traffic(here, acme, OLD, env="test")
    await rest(here.stage())
    assert await here.rows(acme) == ALL


async def test_steps_are_bounded_and_what_stays_does_not_hold_up_what_goes(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 3)
    acme = await here.project(events=30)
    for _ in range(7):
        await traffic(here, acme, OLD, event="received")
        await traffic(here, acme, OLD)
    assert await rest(here.stage()) >= 14 // 3
    assert (await here.rows(acme))["events"] == 7


async def test_a_recipients_list_longer_than_a_step_goes_whole(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    acme = await here.project(notifications=30)
    id_ = await traffic(here, acme, OLD)
    for _ in range(4):
        person = await acme.add_user()
        await here.sql.execute(
            "INSERT INTO tocsin.notification_recipients (project_id, env, notification_id, user_id, feed_seq, reason)"
            " VALUES ($1, 'live', $2, $3, 1, 'x')",
            acme.id,
            id_,
            person["id"],
        )
    await rest(here.stage())
    rows = await here.rows(acme)
    assert (rows["notifications"], rows["notification_recipients"]) == (0, 0)


async def test_projects_take_turns(here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    large, small = await here.project(events=30), await here.project(events=30)
    for _ in range(30):
        await traffic(here, large, OLD)
    await traffic(here, small, OLD)
    stage = here.stage()
    while (await here.rows(small))["events"]:
        assert await stage.run_once()
    assert (await here.rows(large))["events"] > 0
    await rest(stage)
    assert (await here.rows(large))["events"] == 0


async def test_two_workers_share_the_work(here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    projects = [await here.project(events=30, notifications=30, deliveries=30) for _ in range(3)]
    for project in projects:
        for _ in range(8):
            await traffic(here, project, OLD)
    await asyncio.gather(rest(here.stage()), rest(here.stage()))
    await rest(here.stage())
    assert [await here.rows(project) for project in projects] == [NONE] * 3


async def test_a_worker_goes_on_where_a_killed_one_stopped(here: Installation) -> None:
    acme, rival = await here.project(events=30), await here.project()
    for project in (acme, rival):
        await here.sql.execute(
            "INSERT INTO tocsin.events (project_id, env, id, type, payload, state)"
            " SELECT $1, 'live', (substr($2, 1, 24) || lpad(to_hex(n), 12, '0'))::uuid, 'x', '{}', 'processed'"
            " FROM generate_series(1, 12000) n",
            project.id,
            str(first_id_at(datetime.now(UTC) - OLD)),
        )

    async def some_gone() -> bool:
        return (await here.rows(acme))["events"] < 12_000

    async def all_gone() -> bool:
        return (await here.rows(acme))["events"] == 0

    with running(here.site, "worker") as worker:
        await until(some_gone)
        worker.kill()
    with running(here.site, "worker"):
        await until(all_gone, seconds=30)
    assert (await here.rows(rival))["events"] == 12_000


async def test_events_come_in_while_old_ones_go(here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    acme = await here.project(events=30, notifications=30, deliveries=30)
    for _ in range(20):
        await traffic(here, acme, OLD)
    app = await asyncpg.connect(here.site.app_url, server_settings={"lock_timeout": "20ms"})
    stage, stored = asyncio.create_task(rest(here.stage())), 0
    while not stage.done():
        await ingest(app, acme)
        stored += 1
        await asyncio.sleep(0)
    await app.close()
    assert await stage > 20
    assert stored > 20
    assert (await here.rows(acme))["events"] == stored


async def ingest(app: asyncpg.Connection, project: Project) -> None:
    """Store an event as the hot path does."""
    id_ = uuid.UUID(int=first_id_at(datetime.now(UTC)).int | uuid.uuid4().int & (1 << 64) - 1)
    await app.execute(
        "SELECT * FROM tocsin.ingest_events($1, ARRAY['live'], $2, ARRAY['x'], ARRAY['{}'], ARRAY[NULL]::text[],"
        " ARRAY[NULL]::text[], ARRAY[NULL]::timestamptz[], ARRAY[NULL]::bytea[], true, false)",
        [project.id],
        [id_],
    )


@pytest.fixture
async def past(here: Installation) -> AsyncIterator[str]:
    """A month long over that has partitions; its name as their suffix."""
    month = datetime.now(UTC) - LONG_AGO
    await here.sql.fetchval("SELECT tocsin.ensure_partitions($1, 1)", month.date())
    yield f"{month:%Y_%m}"
    for table in TABLES:
        await here.sql.execute(f"DROP TABLE IF EXISTS tocsin.{table}_{month:%Y_%m}")


async def drop(here: Installation) -> list[str]:
    """Partitions of long ago that go at once, in their order."""
    gone = []
    while name := await here.db.hot.fetchval("SELECT tocsin.drop_outlived_month(NULL)"):
        gone.append(name)
    return gone


async def test_a_month_that_nobody_keeps_is_dropped_whole(here: Installation, past: str) -> None:
    acme = await here.project(events=30, notifications=30, deliveries=30)
    await traffic(here, acme, LONG_AGO)
    assert await drop(here) == [
        f"{table}_{past}" for table in ("attempts", "deliveries", "notification_recipients", "notifications", "events")
    ]
    assert await here.rows(acme) == NONE


async def test_a_month_in_which_another_project_keeps_a_row_stays(here: Installation, past: str) -> None:
    acme, rival = await here.project(events=30), await here.project(notifications=30, deliveries=30)
    for project in (acme, rival):
        await traffic(here, project, LONG_AGO)
    assert await drop(here) == []
    assert await here.rows(acme) == await here.rows(rival) == ALL


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({"event": "received"}, {"events"}),
        ({"require_ack": True}, {"notifications", "notification_recipients"}),
        ({"delivery": "queued"}, {"notifications", "notification_recipients", "deliveries", "attempts"}),
        ({"delivery": "held"}, {"notifications", "notification_recipients", "deliveries", "attempts"}),
    ],
)
async def test_a_month_with_something_unfinished_stays(
    here: Installation, past: str, changed: dict[str, Any], kept: set[str]
) -> None:
    acme = await here.project(events=30, notifications=30, deliveries=30)
    await traffic(here, acme, LONG_AGO, **changed)
    await drop(here)
    assert await here.rows(acme) == {table: int(table in kept) for table in TABLES}


async def test_the_months_of_today_are_not_dropped_though_they_are_empty(here: Installation, past: str) -> None:
    await drop(here)
    today, then = datetime.now(UTC), datetime.now(UTC) + timedelta(days=31)
    for table in TABLES:
        assert {f"{table}_{today:%Y_%m}", f"{table}_{then:%Y_%m}"} <= await here.months(table)


async def test_dropping_a_month_gives_way_to_whoever_reads_and_is_done_later(here: Installation, past: str) -> None:
    acme = await here.project(events=30, notifications=30, deliveries=30)
    await traffic(here, acme, LONG_AGO)
    stage = here.stage()
    reader = await asyncpg.connect(here.site.installer_url)
    async with reader.transaction():
        await reader.fetch("SELECT FROM tocsin.attempts LIMIT 1")
        assert not await stage._drop_a_month()
    assert f"attempts_{past}" in await here.months("attempts")
    await reader.close()
    assert await stage._drop_a_month()
    assert f"attempts_{past}" not in await here.months("attempts")


async def test_events_come_in_while_a_month_waits_to_be_dropped(here: Installation, past: str) -> None:
    acme = await here.project(events=30, notifications=30, deliveries=30)
    reader = await asyncpg.connect(here.site.installer_url)
    app = await asyncpg.connect(here.site.app_url, server_settings={"lock_timeout": "1s"})
    async with reader.transaction():
        await reader.fetch("SELECT FROM tocsin.events LIMIT 1")
        await drop_all_but_events(here, past)
        dropping = asyncio.create_task(here.stage()._drop_a_month())
        await until(lambda: waiting_for_a_lock(here))
        await ingest(app, acme)
        assert not await dropping
    await reader.close()
    await app.close()


async def drop_all_but_events(here: Installation, month: str) -> None:
    for table in TABLES[1:]:
        await here.sql.execute(f"DROP TABLE tocsin.{table}_{month}")


async def waiting_for_a_lock(here: Installation) -> bool:
    query = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock')"
    return bool(await here.sql.fetchval(query))


async def test_dropping_a_month_locks_its_own_table_alone(here: Installation, past: str) -> None:
    async with here.db.hot.acquire() as connection, connection.transaction():
        for table in ("attempts", "deliveries", "notification_recipients", "notifications", "events"):
            assert await connection.fetchval("SELECT tocsin.drop_outlived_month(NULL)") == f"{table}_{past}"
        locked = await connection.fetch(
            "SELECT DISTINCT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
            " WHERE l.pid = pg_backend_pid() AND l.mode = 'AccessExclusiveLock' AND c.relkind IN ('r', 'p')"
        )
    assert {row["relname"] for row in locked} <= {*TABLES, *(f"{table}_other" for table in TABLES)}
