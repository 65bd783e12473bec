"""The matching stage of a worker, in the test's own process."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.running import Site
from tocsin.kit import broker as brokers
from tocsin.kit.db import Database
from tocsin.rules import stage
from tocsin.rules.evaluator import Evaluator

Match = Callable[[], Awaitable[bool]]


@pytest.fixture(scope="module")
async def match(site: Site) -> AsyncIterator[Match]:
    """One look of a worker's matching stage, and the end of what it began."""
    db = Database(site.app_url, ordinary=0, hot=4, statement_timeout="30s")
    await db.start()
    broker, evaluator = brokers.connect(None, db.url), Evaluator()
    await broker.start()
    matching = stage.MatchStage(db, broker, evaluator, lease_seconds=60, freed=lambda: None)

    async def look() -> bool:
        found = await matching.run_once()
        await matching.drain()
        return found

    while await look():
        pass
    yield look
    await broker.close()
    await evaluator.close()
    await db.close()
