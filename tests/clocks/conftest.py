"""Projects of each test's own, and making a clock due without waiting."""

import asyncpg
import pytest

from tests.client import Project, sign_up
from tests.people import Person, join
from tests.pipeline import Working


@pytest.fixture
async def shop(working: Working) -> Project:
    return await sign_up(working.api, "Shop")


@pytest.fixture
async def other(working: Working) -> Project:
    return await sign_up(working.api, "Other")


@pytest.fixture
async def ann(working: Working, shop: Project) -> Person:
    return await join(working.api, shop, name="Ann")


async def yesterday(sql: asyncpg.Connection, rule_id: str, days: float = 1.0) -> None:
    """Let the time pass: a rule's clock was looked at so long ago, and is due now."""
    done = await sql.execute(
        "UPDATE tocsin.clocks SET last_at = now() - $2 * interval '1 day', next_at = now() WHERE rule_id = $1",
        *(rule_id, days),
    )
    assert done == "UPDATE 1", "it has no clock"
