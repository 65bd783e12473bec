"""Scheduled checks: what they find, what they change, whom they ask (C5)."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.channels.conftest import LOOPBACK
from tests.channels.far_end import FarEnd, answering
from tests.client import Client, Project, sign_up
from tests.connections.build import created, make_hook, read
from tests.running import Site
from tocsin.connections.checks import MOST_EACH, REFUSALS_STOP, CheckStage
from tocsin.connections.outages import OutageStage
from tocsin.kit import broker as brokers
from tocsin.kit.db import Database
from tocsin.kit.http import Door
from tocsin.kit.vault import Vault

TOKEN = "tk_canary_of_the_topic"


class Checking:
    """The stages of a worker, run by hand; ``changed`` has the connections whose status changed."""

    def __init__(self, site: Site, db: Database, door: Door, sql: asyncpg.Connection) -> None:
        self.changed: list[tuple[UUID, str, UUID]] = []
        vault = Vault(site.master)
        self._checks = CheckStage(db, vault, door, lambda *place: self.changed.append(place), None)
        self._outages = OutageStage(db, brokers.connect(None, db.url), vault, lambda *place: self.changed.append(place))
        self._sql = sql

    async def check(self, *connections: Any) -> None:
        """Let the next check of these be due, and look until no check is."""
        ids = [each["id"] for each in connections]
        await self._sql.execute("UPDATE tocsin.connections SET next_check_at = now() WHERE id = ANY($1)", ids)
        while await self._checks.run_once():
            pass

    async def turn(self) -> None:
        """One turn of the checks."""
        await self._checks.run_once()

    async def tell(self) -> None:
        await self._outages.run_once()


@pytest.fixture
async def checking(site: Site, sql: asyncpg.Connection) -> AsyncIterator[Checking]:
    # Nobody else's connection is due: each test asks for its own.
    await sql.execute("UPDATE tocsin.connections SET next_check_at = now() + interval '1 day', outage_told = true")
    db = Database(site.app_url, ordinary=2, hot=4, statement_seconds=5)
    await db.start()
    async with Door(allowed=LOOPBACK) as door:
        yield Checking(site, db, door, sql)
    await db.close()


@pytest.fixture
async def shop(api: Client) -> Project:
    return await sign_up(api, "Shop")


async def make_topic(project: Project, far: FarEnd, sql: asyncpg.Connection, status: str = "active") -> Any:
    """An ntfy connection that counts as verified."""
    settings, credentials = {"url": far.url, "topic": "alerts"}, {"token": TOKEN}
    body = {"provider": "ntfy", "name": "Topic", "settings": settings, "credentials": credentials}
    made = created(await project.key.post("/connections", body))
    await sql.execute("UPDATE tocsin.connections SET status = $2 WHERE id = $1", made["id"], status)
    return made


async def health(project: Project, connection: Any, **query: Any) -> Any:
    reply = await project.key.get(f"/connections/{connection['id']}/health", **query)
    assert reply.status == 200, reply.json
    return reply.json


async def outage_rows(sql: asyncpg.Connection, project: Project, connection: Any) -> list[tuple[str, str | None]]:
    """The audit log of a connection: action and who."""
    query = "SELECT action, actor_type FROM tocsin.audit_log WHERE project_id = $1 AND resource_id = $2 ORDER BY id"
    return [tuple(row) for row in await sql.fetch(query, project.id, str(connection["id"]))]


async def mails(sql: asyncpg.Connection, project: Project) -> list[str]:
    query = "SELECT recipient FROM tocsin.mails WHERE project_id = $1 AND kind = 'connection_stopped' ORDER BY id"
    return [row["recipient"] for row in await sql.fetch(query, project.id)]


async def test_a_check_that_passes_is_kept_and_the_next_is_a_quarter_of_an_hour_away(
    checking: Checking, shop: Project, sql: asyncpg.Connection
) -> None:
    async with answering(200, "{}") as far:
        made = await make_topic(shop, far, sql)
        await checking.check(made)
        assert [(each.method, each.path) for each in far.asked] == [("GET", "/alerts/auth")]
    told = await health(shop, made)
    assert (told["status"], told["healthStatus"]) == ("active", "healthy")
    [check] = told["checks"]["items"]
    assert (check["outcome"], check["status"], check["error"]) == ("ok", None, None)
    minutes = await sql.fetchval(
        "SELECT extract(epoch FROM next_check_at - now()) / 60 FROM tocsin.connections WHERE id = $1", made["id"]
    )
    assert 11 < minutes < 19
    assert checking.changed == []


async def test_refused_credentials_stop_a_connection_at_the_third_time(
    checking: Checking, shop: Project, sql: asyncpg.Connection
) -> None:
    async with answering(401, f"no such token: {TOKEN}") as far:
        made = await make_topic(shop, far, sql)
        for _ in range(REFUSALS_STOP - 1):
            await checking.check(made)
        before = await health(shop, made)
        await checking.check(made)
    after = await health(shop, made)
    assert (before["status"], before["healthStatus"]) == ("active", "failing")
    assert (after["status"], after["healthStatus"]) == ("error", "failing")
    assert after["statusReason"] == "The provider answered 401. no such token: ****"
    assert [each["outcome"] for each in after["checks"]["items"]] == ["credentials"] * REFUSALS_STOP
    assert checking.changed == [(UUID(shop.id), "live", UUID(made["id"]))]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_provider_that_is_busy_or_broken_never_stops_a_connection(
    checking: Checking, shop: Project, sql: asyncpg.Connection, status: int
) -> None:
    async with answering(status) as far:
        made = await make_topic(shop, far, sql)
        for _ in range(REFUSALS_STOP + 2):
            await checking.check(made)
    told = await health(shop, made)
    assert (told["status"], told["healthStatus"]) == ("active", "degraded")
    assert {each["outcome"] for each in told["checks"]["items"]} == {"temporary"}


async def test_refusals_count_only_in_a_row(checking: Checking, shop: Project, sql: asyncpg.Connection) -> None:
    async with answering(401) as far:
        made = await make_topic(shop, far, sql)
        for status in (401, 401, 200, 401, 401):
            far.status = status
            await checking.check(made)
    assert (await health(shop, made))["status"] == "active"


async def test_credentials_that_are_taken_again_bring_it_back_and_the_audit_log_says_so(
    checking: Checking, shop: Project, sql: asyncpg.Connection
) -> None:
    async with answering(401) as far:
        made = await make_topic(shop, far, sql)
        for _ in range(REFUSALS_STOP):
            await checking.check(made)
        await checking.tell()
        far.status = 200
        await checking.check(made)
    told = await health(shop, made)
    assert (told["status"], told["statusReason"], told["healthStatus"]) == ("active", None, "healthy")
    assert (await outage_rows(sql, shop, made))[1:] == [
        ("connection.stopped", "system"),
        ("connection.resumed", "system"),
    ]


async def test_a_fault_that_only_sending_meets_is_not_lifted_by_a_check_that_never_saw_it(
    checking: Checking, shop: Project, sql: asyncpg.Connection
) -> None:
    async with answering(200) as far:
        made = await make_topic(shop, far, sql, status="error")
        await checking.check(made)
    assert (await health(shop, made))["status"] == "error"


async def test_an_outage_is_told_once_until_it_is_over(
    checking: Checking, two_projects: tuple[Project, Project], sql: asyncpg.Connection
) -> None:
    acme, rival = two_projects
    async with answering(200) as far:
        made = await make_topic(acme, far, sql)
        theirs = await make_topic(rival, far, sql)
    for times in (1, 2):
        await sql.execute("UPDATE tocsin.connections SET status = 'error' WHERE id = $1", made["id"])
        for _ in range(3):
            await checking.tell()
        assert await mails(sql, acme) == [acme.email] * times
        await sql.execute("UPDATE tocsin.connections SET status = 'active' WHERE id = $1", made["id"])
        await checking.tell()
    assert [action for action, _ in await outage_rows(sql, acme, made)].count("connection.stopped") == 2
    assert await mails(sql, rival) == []
    assert [action for action, _ in await outage_rows(sql, rival, theirs)] == ["connection.created"]


async def test_of_a_persons_own_connection_that_person_is_told(
    checking: Checking, shop: Project, sql: asyncpg.Connection
) -> None:
    ann = await shop.add_user(email="ann@shop.example")
    async with answering() as far:
        made = await make_topic(shop, far, sql)
    await sql.execute(
        "UPDATE tocsin.connections SET owner = 'user', is_default = false, user_id = $2, status = 'error'"
        " WHERE id = $1",
        made["id"],
        ann["id"],
    )
    await checking.tell()
    assert await mails(sql, shop) == ["ann@shop.example"]


async def test_what_cannot_be_asked_quietly_is_not_asked(
    checking: Checking, shop: Project, sql: asyncpg.Connection
) -> None:
    async with answering() as far:
        made = await make_hook(shop.key, f"{far.url}/hook")
        await checking.check(made)
        assert far.asked == []
    told = await health(shop, made)
    assert (told["healthStatus"], told["nextCheckAt"], told["checks"]["items"]) == ("unknown", None, [])


@pytest.mark.parametrize("status", ["pending", "suspended"])
async def test_what_does_not_send_is_not_checked(
    checking: Checking, shop: Project, sql: asyncpg.Connection, status: str
) -> None:
    async with answering() as far:
        await checking.check(await make_topic(shop, far, sql, status))
        assert far.asked == []


async def test_nothing_of_the_sandbox_leaves(checking: Checking, shop: Project, sql: asyncpg.Connection) -> None:
    async with answering() as far:
        body = {"provider": "ntfy", "name": "Topic", "settings": {"url": far.url, "topic": "alerts"}}
        made = created(await shop.test_key.post("/connections", body))
        await sql.execute("UPDATE tocsin.connections SET status = 'active' WHERE id = $1", made["id"])
        await checking.check(made)
        assert far.asked == []


async def test_a_project_with_many_connections_takes_no_other_projects_turn(
    checking: Checking, two_projects: tuple[Project, Project], sql: asyncpg.Connection
) -> None:
    acme, rival = two_projects
    async with answering() as many, answering() as one:
        for _ in range(MOST_EACH * 3):
            made = await make_topic(acme, many, sql)
            await sql.execute("UPDATE tocsin.connections SET next_check_at = '2000-01-01' WHERE id = $1", made["id"])
        theirs = await make_topic(rival, one, sql)
        await sql.execute("UPDATE tocsin.connections SET next_check_at = now() WHERE id = $1", theirs["id"])
        await checking.turn()
        assert (len(many.asked), len(one.asked)) == (MOST_EACH, 1)


async def test_credentials_that_changed_while_the_provider_was_asked_are_not_judged_by_it(
    checking: Checking, shop: Project, sql: asyncpg.Connection
) -> None:
    async with answering(401) as far:
        made = await make_topic(shop, far, sql)
        await sql.execute("UPDATE tocsin.connections SET refusals = $2 WHERE id = $1", made["id"], REFUSALS_STOP - 1)

        async def change() -> None:
            await sql.execute(
                "UPDATE tocsin.connections SET updated_at = now(), refusals = 0 WHERE id = $1", made["id"]
            )

        far.meanwhile = change
        await checking.check(made)
    assert (await health(shop, made))["status"] == "active"


async def test_history_is_kept_for_thirty_days(checking: Checking, shop: Project, sql: asyncpg.Connection) -> None:
    async with answering() as far:
        made = await make_topic(shop, far, sql)
        for _ in range(3):
            await checking.check(made)
    old = "UPDATE tocsin.connection_checks SET checked_at = now() - interval '31 days' WHERE id = $1"
    items = (await health(shop, made))["checks"]["items"]
    await sql.execute(old, items[-1]["id"])
    assert await sql.fetchval("SELECT tocsin.tidy_connection_checks(100)") == 1
    assert [each["id"] for each in (await health(shop, made))["checks"]["items"]] == [each["id"] for each in items[:2]]


async def test_history_comes_in_pages(checking: Checking, shop: Project, sql: asyncpg.Connection) -> None:
    async with answering() as far:
        made = await make_topic(shop, far, sql)
        for _ in range(3):
            await checking.check(made)
    first = (await health(shop, made, limit=2))["checks"]
    rest = (await health(shop, made, limit=2, cursor=first["nextCursor"]))["checks"]
    ids = [each["id"] for each in first["items"] + rest["items"]]
    assert len(ids) == len(set(ids)) == 3
    assert ids == sorted(ids, reverse=True)


async def test_a_pause_that_is_over_is_ended(checking: Checking, shop: Project, sql: asyncpg.Connection) -> None:
    async with answering() as far:
        over, lasting = await make_topic(shop, far, sql), await make_topic(shop, far, sql)
    pause = """UPDATE tocsin.connections
        SET status = 'rate_limited', paused_until = now() + $2 * interval '1 s' WHERE id = $1"""
    await sql.execute(pause, over["id"], -1)
    await sql.execute(pause, lasting["id"], 60)
    await checking.tell()
    assert [(await read(shop.key, each))["status"] for each in (over, lasting)] == ["active", "rate_limited"]
    assert (await health(shop, lasting))["pausedUntil"] is not None
    assert checking.changed == [(UUID(shop.id), "live", UUID(over["id"]))]
