"""What providers report later, in any order and twice (D5)."""

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.client import Project
from tests.endpoint import endpoint
from tests.running import Site
from tests.webhooks.build import listen
from tocsin.deliveries.statuses import Told, arrived, did_not_arrive, held, moves
from tocsin.kit.db import Database
from tocsin.kit.ids import new_id

TOLD: tuple[Told, ...] = ("sent", "delivered", "read", "failed")
GIVEN_UP = {"state": "failed", "outcome": "permanent", "error": "no"}
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def after(reports: tuple[Told, ...]) -> str:
    """The state that reports of a message that was sent leave behind, one after the other."""
    state = "sent"
    for told in reports:
        state = told if moves(state, told) else state
    return state


@given(st.lists(st.sampled_from(TOLD), max_size=6))
def test_the_order_of_reports_changes_nothing(reports: list[Told]) -> None:
    states = {after(order) for order in itertools.islice(itertools.permutations(reports), 720)}
    assert len(states) == 1


@given(st.lists(st.sampled_from(TOLD), max_size=12))
def test_doubles_change_nothing(reports: list[Told]) -> None:
    assert after(tuple(reports)) == after(tuple(dict.fromkeys(reports))) == after((*reports, *reports))


@given(st.lists(st.sampled_from(TOLD), max_size=12))
def test_a_message_that_was_read_stays_read(reports: list[Told]) -> None:
    assert after(("read", *reports)) == "read"


@pytest.mark.parametrize("state", ["leased", "held", "gathered", "suppressed", "dropped", "captured", "cancelled"])
@pytest.mark.parametrize("told", TOLD)
def test_what_was_never_sent_is_not_moved(state: str, told: Told) -> None:
    assert not moves(state, told)


@pytest.fixture(scope="module")
async def db(site: Site) -> AsyncIterator[Database]:
    db = Database(site.app_url, ordinary=1, hot=1, statement_seconds=5)
    await db.start()
    yield db
    await db.close()


async def make_sent(sql: asyncpg.Connection, project: Project) -> UUID:
    id_ = new_id()
    await sql.execute(
        "INSERT INTO tocsin.deliveries (project_id, id, env, channel, state, ready, rank, attempts,"
        " provider_message_id, created_at, sent_at, finished_at)"
        " VALUES ($1, $2, 'live', 'whatsapp', 'sent', false, 2, 1, $3, now() - interval '2 s', now(), now())",
        UUID(project.id),
        id_,
        f"wamid.{id_}",
    )
    await sql.execute(
        "INSERT INTO tocsin.attempts (project_id, delivery_id, number, env, outcome, started_at, duration_ms)"
        " VALUES ($1, $2, 1, 'live', 'ok', now(), 5)",
        UUID(project.id),
        id_,
    )
    return id_


async def report(db: Database, project: Project, id_: UUID, told: Told, at: datetime) -> None:
    async with db.unit(UUID(project.id), "live") as connection:
        delivery = await held(connection, UUID(project.id), id_, f"wamid.{id_}")
        assert delivery is not None
        if moves(delivery.state, told):
            await (
                did_not_arrive(connection, delivery, GIVEN_UP)
                if told == "failed"
                else arrived(connection, delivery, told, at)
            )


async def kept(sql: asyncpg.Connection, id_: UUID) -> Any:
    row = await sql.fetchrow(
        "SELECT d.state, d.ready, d.last_error, d.delivered_at IS NOT NULL AS delivered, d.read_at, a.outcome, a.error"
        " FROM tocsin.deliveries d JOIN tocsin.attempts a ON a.delivery_id = d.id WHERE d.id = $1",
        id_,
    )
    return tuple(row)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_rows_tell_the_same_whatever_came_first(
    db: Database, sql: asyncpg.Connection, acme: Project, data: st.DataObject
) -> None:
    reports = data.draw(st.lists(st.sampled_from(TOLD), min_size=1, max_size=5))
    other = data.draw(st.permutations(reports))
    told = []
    for order in (reports, other):
        id_ = await make_sent(sql, acme)
        for each in order:
            await report(db, acme, id_, each, NOON)
        told.append(await kept(sql, id_))
    assert told[0] == told[1]


async def test_what_is_reported_is_told_to_whoever_listens(
    db: Database, sql: asyncpg.Connection, acme: Project, rival: Project
) -> None:
    """Arrived, failed: each once. That it was read is no event of its own."""
    async with endpoint() as served:
        for project in (acme, rival):
            await listen(project, served)
    for reports, expected in (
        (("sent", "delivered", "delivered", "read"), ["notification.delivered"]),
        (("read",), ["notification.delivered"]),
        (("failed", "failed"), ["notification.failed"]),
        (("failed", "delivered"), ["notification.failed", "notification.delivered"]),
    ):
        id_ = await make_sent(sql, acme)
        for each in reports:
            await report(db, acme, id_, each, NOON)
        told = await sql.fetch(
            "SELECT project_id, event_type FROM tocsin.webhook_messages WHERE data->>'deliveryId' = $1 ORDER BY id",
            str(id_),
        )
        assert [(str(row["project_id"]), row["event_type"]) for row in told] == [(acme.id, each) for each in expected]


async def test_a_time_from_the_future_is_not_believed(db: Database, sql: asyncpg.Connection, acme: Project) -> None:
    id_ = await make_sent(sql, acme)
    await report(db, acme, id_, "delivered", datetime.now(UTC) + timedelta(days=400))
    late = await sql.fetchval("SELECT delivered_at > now() FROM tocsin.deliveries WHERE id = $1", id_)
    assert late is False


async def test_a_report_moves_nothing_in_another_project(
    db: Database, sql: asyncpg.Connection, acme: Project, rival: Project
) -> None:
    id_ = await make_sent(sql, acme)
    async with db.unit(UUID(rival.id), "live") as connection:
        assert await held(connection, UUID(acme.id), id_, f"wamid.{id_}") is None


async def test_a_report_of_a_message_before_the_last_one_is_not_of_this_one(
    db: Database, sql: asyncpg.Connection, acme: Project
) -> None:
    id_ = await make_sent(sql, acme)
    async with db.unit(UUID(acme.id), "live") as connection:
        assert await held(connection, UUID(acme.id), id_, "wamid.of-an-earlier-attempt") is None
