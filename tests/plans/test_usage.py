"""Usage is counted from the rows there are, and comes out the same whatever happens to the counting (Q4)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.connections.build import make_hook, receiver
from tests.operators import operator
from tests.pipeline import ended, make_rule, send_event, send_events, story, until
from tests.plans.build import put_on, send, send_batch
from tests.running import Site, running, running_api, start
from tocsin.kit.db import Database
from tocsin.kit.ids import first_id_at, id_time
from tocsin.plans.rollup import SETTLING, RollupStage, settling_hour


@pytest.fixture(scope="module")
def here(database: str, home: Path) -> Site:
    return Site(database, home)


@pytest.fixture(scope="module")
async def root(here: Site) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(here.installer_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def api(here: Site, http: aiohttp.ClientSession) -> AsyncIterator[Client]:
    with running_api(here) as process:
        yield Client(http, process.url)


@pytest.fixture
async def shop(api: Client) -> Project:
    return await sign_up(api, "Shop")


@pytest.fixture
async def db(here: Site) -> AsyncIterator[Database]:
    opened = Database(here.app_url, ordinary=0, hot=4, statement_seconds=30)
    await opened.start()
    yield opened
    await opened.close()


async def count(db: Database) -> None:
    """A whole look of the stage."""
    stage = RollupStage(db)
    while await stage.run_once():
        pass


async def events_by_hour(root: asyncpg.Connection, project: Project) -> dict[Any, int]:
    """The clients' events, counted one by one."""
    rows = await root.fetch("SELECT id, env FROM tocsin.events WHERE project_id = $1 AND NOT internal", project.id)
    found = Counter((env, id_time(id_).replace(minute=0, second=0, microsecond=0)) for id_, env in rows)
    return dict(found)


async def usage_by_hour(root: asyncpg.Connection, project: Project) -> dict[Any, int]:
    rows = await root.fetch(
        "SELECT env, hour, events_received FROM tocsin.usage_hours WHERE project_id = $1 AND events_received > 0",
        project.id,
    )
    return {(env, hour): n for env, hour, n in rows}


async def past_event(root: asyncpg.Connection, project: Project, at: datetime) -> None:
    """An event that arrived then and is written now."""
    await root.execute(
        "INSERT INTO tocsin.events (project_id, id, env, type, payload, state) VALUES"
        " ($1, $2, 'live', 'late', '{}', 'processed')",
        project.id,
        first_id_at(at),
    )


async def metrics(project: Project, caller: Client | None = None, **params: str) -> Any:
    """What the API shows of the current month."""
    reply = await (caller or project.owner).get("/projects/me/usage", period="monthly", **params)
    assert reply.status == 200, reply.json
    return reply.json["items"][-1] if reply.json["items"] else None


async def test_it_equals_the_rows_after_workers_were_killed_in_the_middle(
    here: Site, root: asyncpg.Connection, api: Client, db: Database
) -> None:
    projects = [await sign_up(api, name) for name in ("Acme", "Rival")]
    for _ in range(4):
        worker = start(here, "worker")
        try:
            for project in projects:
                await send_batch(project.key, *[None] * 40)
                await send(project.test_key)
            await asyncio.sleep(0.7)
        finally:
            worker.kill()
    await count(db)
    for project in projects:
        rows = await events_by_hour(root, project)
        assert sum(rows.values()) == 4 * 41
        assert await usage_by_hour(root, project) == rows


async def test_counting_twice_or_by_several_at_once_changes_nothing(
    root: asyncpg.Connection, shop: Project, db: Database
) -> None:
    await send_batch(shop.key, *[None] * 5)
    await asyncio.gather(*(count(db) for _ in range(4)))
    await count(db)
    assert await usage_by_hour(root, shop) == await events_by_hour(root, shop)


async def test_a_row_that_comes_late_is_counted_when_its_hour_has_its_turn_again(
    root: asyncpg.Connection, shop: Project, db: Database
) -> None:
    await count(db)
    late = settling_hour(datetime.now(UTC) + timedelta(minutes=1))
    await past_event(root, shop, late)
    await db.hot.fetch(
        "SELECT tocsin.roll_up_usage($1, 1000, 48, $2)", first_id_at(datetime.now(UTC) - timedelta(1)), late
    )
    assert await usage_by_hour(root, shop) == await events_by_hour(root, shop)


def test_every_settling_hour_has_its_turn_within_two_hours() -> None:
    now = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
    moments = [now + timedelta(minutes=n) for n in range(120)]
    ages = {int((moment - settling_hour(moment)).total_seconds() // 3600) for moment in moments}
    assert ages == set(range(2, 2 + int(SETTLING.total_seconds() // 3600)))


async def test_a_worker_that_was_away_for_days_catches_up(
    root: asyncpg.Connection, shop: Project, db: Database
) -> None:
    """Longer than an hour settles: what was never counted is not passed over."""
    now = datetime.now(UTC)
    await count(db)
    await root.execute(
        "UPDATE tocsin.usage_marks SET counted_until = date_trunc('hour', $2::timestamptz) WHERE project_id = $1",
        shop.id,
        now - timedelta(days=9),
    )
    for days in (8, 6, 3):
        await past_event(root, shop, now - timedelta(days=days))
    await count(db)
    assert await usage_by_hour(root, shop) == await events_by_hour(root, shop)


async def test_deliveries_and_acknowledgements_are_in_it(
    here: Site, root: asyncpg.Connection, shop: Project, db: Database
) -> None:
    async with receiver() as hook:
        with running(here, "worker"):
            await make_hook(shop.owner, hook.url)
            await make_rule(shop, "webhook", "realtime", targetRoles=["owner"])
            events = await send_events(shop.key, {}, {}, {})
            for event_id in events:
                await story(shop.key, event_id, seconds=60)
                await ended(shop.key, event_id, seconds=60)
            [notification] = (await story(shop.key, events[0]))["notifications"]
            assert (await shop.owner.put(f"/notifications/{notification}/acknowledge")).status == 200
    await count(db)
    used = await metrics(shop)
    assert (used["eventsReceived"], used["notificationsMade"], used["acknowledged"]) == (3, 3, 1)
    assert (used["notificationsSent"], used["notificationsDelivered"], used["notificationsFailed"]) == (6, 3, 0)
    assert (used["webhooksSent"], used["webhooksSucceeded"], used["activeUsers"]) == (3, 3, 1)
    assert sum(bucket["count"] for bucket in used["latency"]) == 3
    assert [bucket["belowMs"] for bucket in used["latency"]] == [100, 500, 1000, 5000, 15000, 60000, 300000, None]


async def test_days_and_months_sum_the_same_hours(root: asyncpg.Connection, shop: Project, db: Database) -> None:
    now = datetime.now(UTC)
    await send_batch(shop.key, None, None)
    await past_event(root, shop, now - timedelta(days=1))
    await root.execute("DELETE FROM tocsin.usage_marks WHERE project_id = $1", shop.id)
    await root.execute("UPDATE tocsin.projects SET created_at = $2 WHERE id = $1", shop.id, now - timedelta(days=2))
    await count(db)
    daily = (await shop.owner.get("/projects/me/usage", period="daily")).json["items"]
    assert [(item["start"], item["eventsReceived"]) for item in daily] == [
        ((now - timedelta(days=1)).date().isoformat(), 1),
        (now.date().isoformat(), 2),
    ]
    yesterday = (now - timedelta(days=1)).date().isoformat()
    only = (await shop.owner.get("/projects/me/usage", **{"from": yesterday, "to": yesterday})).json["items"]
    assert [item["eventsReceived"] for item in only] == [1]
    monthly = (await shop.owner.get("/projects/me/usage", period="monthly")).json["items"]
    assert sum(item["eventsReceived"] for item in monthly) == 3


async def test_the_sandbox_has_usage_of_its_own(shop: Project, db: Database) -> None:
    await send(shop.key)
    await send_batch(shop.test_key, None, None)
    await count(db)
    assert (await metrics(shop))["eventsReceived"] == 1
    assert (await metrics(shop, shop.test_key))["eventsReceived"] == 2
    quotas = (await shop.test_key.get("/projects/me/usage")).json["quotas"]
    assert [(each["quota"], each["used"], each["limit"]) for each in quotas] == [("sandboxEventsPerDay", 2, 10_000)]


async def test_a_rival_sees_nothing_of_it(api: Client, shop: Project, db: Database) -> None:
    rival = await sign_up(api, "Rival")
    await send(shop.key)
    await count(db)
    used = await metrics(rival)
    assert used is None or (used["eventsReceived"], used["notificationsMade"]) == (0, 0)


async def test_quotas_stand_as_they_are_counted(root: asyncpg.Connection, shop: Project) -> None:
    await put_on(root, shop, "starter", quotas={"events": 4, "users": 2})
    await send_batch(shop.key, None, None, None)
    report = (await shop.owner.get("/projects/me/usage")).json
    stands = {each["quota"]: each for each in report["quotas"]}
    assert (report["plan"], report["planLabel"]) == ("starter", "Starter")
    lacked = {each["feature"]: each["plan"] for each in report["lacks"]}
    assert (lacked["customDomain"], lacked["whiteLabel"]) == ("Professional", "Enterprise")
    assert "webhooks" not in lacked
    assert (stands["events"]["used"], stands["events"]["percent"], stands["events"]["limit"]) == (3, 75, 4)
    assert datetime.fromisoformat(stands["events"]["resetsAt"]) > datetime.now(UTC)
    assert (stands["users"]["used"], stands["users"]["percent"], stands["users"]["resetsAt"]) == (1, 50, None)
    assert (stands["rules"]["used"], stands["rules"]["limit"]) == (0, 25)


async def test_without_a_limit_there_is_no_percentage(shop: Project, db: Database) -> None:
    await send_event(shop.key)
    await count(db)
    stands = {each["quota"]: each for each in (await shop.owner.get("/projects/me/usage")).json["quotas"]}
    assert (stands["events"]["used"], stands["events"]["limit"], stands["events"]["percent"]) == (1, None, None)


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-02-01", "to": "2026-01-01"},
        {"from": "2024-01-01", "to": "2026-01-01"},
        {"from": "yesterday"},
        {"from": "9999-12-31"},
        {"to": "1970-01-01"},
        {"period": "hourly"},
        {"period": "monthly", "from": "2020-01-01", "to": "2199-12-31"},
    ],
)
async def test_a_span_that_cannot_be_read_is_refused(shop: Project, query: dict[str, str]) -> None:
    assert (await shop.owner.get("/projects/me/usage", **query)).status == 422


async def test_it_needs_the_permission_to_read_the_project(shop: Project) -> None:
    _, narrow = await shop.new_key("events:write")
    assert (await narrow.get("/projects/me/usage")).code == "permission_missing"


async def test_the_operator_sees_what_each_project_used(here: Site, api: Client, shop: Project, db: Database) -> None:
    rival = await sign_up(api, "Rival")
    await send_batch(shop.key, None, None)
    await send(rival.key)
    await count(db)
    found = await across(here, api)
    assert (found[shop.slug]["eventsReceived"], found[rival.slug]["eventsReceived"]) == (2, 1)
    assert "platform" not in found


async def test_the_operator_sees_the_calls_that_each_project_sees_of_itself(
    here: Site, root: asyncpg.Connection, api: Client, shop: Project
) -> None:
    rival = await sign_up(api, "Rival")
    now = datetime.now(UTC)
    days = [(now.date(), 40, 3), (now.date().replace(day=1) - timedelta(days=1), 50, 5)]
    for project, times in ((shop, 1), (rival, 100)):
        for day, calls, errors in days:
            await root.execute(
                "INSERT INTO tocsin.api_calls AS c (project_id, day, calls, errors) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (project_id, day) DO UPDATE SET calls = c.calls + $3, errors = c.errors + $4",
                project.id,
                day,
                calls * times,
                errors * times,
            )
    for period in ("daily", "monthly"):
        since = days[1][0] if period == "daily" else days[0][0].replace(day=1)
        span = {"period": period, "from": since.isoformat(), "to": now.date().isoformat()}

        async def agree(span: dict[str, str] = span) -> bool:
            """Reading is calling, so the figures stand still only between two looks."""
            found = await across(here, api, **span)
            return [
                (found[project.slug]["apiCalls"], found[project.slug]["apiErrors"]) for project in (shop, rival)
            ] == [await own_calls(project, span) for project in (shop, rival)]

        await until(agree)
        found = await across(here, api, **span)
        known = 90 if period == "daily" else 40
        assert known <= found[shop.slug]["apiCalls"] < 2 * known
        assert 100 * known <= found[rival.slug]["apiCalls"] < 101 * known


async def across(here: Site, api: Client, **span: str) -> dict[str, Any]:
    """What the operator reads of every project, page by page, by slug."""
    admin = (await operator(api, here, "support")).client
    found: dict[str, Any] = {}
    cursor: dict[str, str] = {}
    while True:
        page = await admin.get("/platform/usage", limit=3, **span, **cursor)
        assert page.status == 200, page.json
        found.update({item["slug"]: item for item in page.json["items"]})
        if page.json["nextCursor"] is None:
            return found
        cursor = {"cursor": page.json["nextCursor"]}


async def own_calls(project: Project, span: dict[str, str]) -> tuple[int, int]:
    """Calls and errors as the project itself reads them, summed over the same time."""
    items = (await project.owner.get("/projects/me/usage", **span)).json["items"]
    return sum(item["apiCalls"] for item in items), sum(item["apiErrors"] for item in items)


async def test_a_project_does_not_see_what_others_used(shop: Project) -> None:
    assert (await shop.owner.get("/platform/usage")).code == "permission_missing"


async def test_calls_and_their_errors_are_in_it(shop: Project) -> None:
    before = await metrics(shop)

    async def counted() -> bool:
        await shop.owner.get("/rules/nothing")
        used = await metrics(shop)
        return used is not None and used["apiCalls"] > used["apiErrors"] > (before["apiErrors"] if before else 0)

    await until(counted)
