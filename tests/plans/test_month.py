"""A quota begins anew with the calendar month in UTC, told by the event's id (Q4)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.plans.build import put_on
from tests.running import Site
from tocsin.kit.ids import first_id_at
from tocsin.plans.quotas import SANDBOX_EVENTS, exhausted, month_of, resets_at

_INGEST = """
SELECT ord, outcome FROM tocsin.ingest_events($1, array_fill('live'::text, ARRAY[cardinality($2::uuid[])]), $2::uuid[],
    array_fill('order.created'::text, ARRAY[cardinality($2::uuid[])]),
    array_fill('{}'::text, ARRAY[cardinality($2::uuid[])]), NULL, NULL, NULL, NULL, true, true)
"""


@pytest.fixture
async def app(site: Site) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(site.app_url)
    yield connection
    await connection.close()


@pytest.fixture
async def shop(api: Client, sql: asyncpg.Connection) -> Project:
    made = await sign_up(api, "Shop")
    await put_on(sql, made, "free", quotas={"events": 3})
    return made


async def ingest(app: asyncpg.Connection, project: Project, *moments: datetime) -> list[str]:
    """The outcomes of events that arrived at these moments."""
    ids = [first_id_at(moment + timedelta(milliseconds=n)) for n, moment in enumerate(moments)]
    told = {row["ord"]: row["outcome"] for row in await app.fetch(_INGEST, [project.id] * len(ids), ids)}
    return [told.get(place, "accepted") for place in range(1, len(ids) + 1)]


async def test_the_next_month_has_its_own_count(
    shop: Project, app: asyncpg.Connection, sql: asyncpg.Connection
) -> None:
    midnight = resets_at("events", datetime.now(UTC))
    before, after = midnight - timedelta(seconds=1), midnight
    assert await ingest(app, shop, *[before] * 4) == ["accepted"] * 3 + ["quota"]
    assert await ingest(app, shop, *[after] * 4) == ["accepted"] * 3 + ["quota"]
    rows = await sql.fetch("SELECT period, used FROM tocsin.quota_counters WHERE project_id = $1 ORDER BY 1", shop.id)
    assert [tuple(row) for row in rows] == [(month_of(before), 3), (month_of(after), 3)]


async def test_a_group_over_midnight_counts_each_event_in_its_month(shop: Project, app: asyncpg.Connection) -> None:
    midnight = resets_at("events", datetime.now(UTC))
    moments = [midnight - timedelta(seconds=1), midnight] * 4
    assert await ingest(app, shop, *moments) == ["accepted"] * 6 + ["quota"] * 2


@pytest.mark.parametrize(
    ("quota", "moment", "until"),
    [
        ("events", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("events", datetime(2028, 2, 1, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        (SANDBOX_EVENTS, datetime(2026, 12, 31, 0, 0, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_period_ends_at_midnight_utc(quota: str, moment: datetime, until: datetime) -> None:
    assert resets_at(quota, moment) == until


def test_a_period_that_has_ended_meanwhile_may_be_tried_again_at_once() -> None:
    assert exhausted("events", datetime(2026, 1, 31, tzinfo=UTC)).headers["Retry-After"] == "1"


async def test_columns_of_different_lengths_are_refused(app: asyncpg.Connection, shop: Project) -> None:
    """They would put one project's event into another."""
    with pytest.raises(asyncpg.DataError, match="different lengths"):
        await app.fetch(_INGEST, [shop.id, shop.id], [first_id_at(datetime.now(UTC))])
