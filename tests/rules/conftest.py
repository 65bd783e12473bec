"""The matching stage of a worker, in the test's own process, and what it asks of the child."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest

from tests.running import Site
from tocsin.kit import broker as brokers
from tocsin.kit.db import Database
from tocsin.rules import evaluator, stage
from tocsin.rules.evaluator import Evaluator

Match = Callable[[], Awaitable[bool]]


@pytest.fixture(scope="module")
async def match(site: Site) -> AsyncIterator[Match]:
    """One look of a worker's matching stage, and the end of what it began."""
    db = Database(site.app_url, ordinary=0, hot=4, statement_seconds=30)
    await db.start()
    broker, child = brokers.connect(None, db.url), Evaluator()
    await broker.start()
    matching = stage.MatchStage(db, broker, child, lease_seconds=60, freed=lambda: None)

    async def look() -> bool:
        found = await matching.run_once()
        await matching.drain()
        return found

    while await look():
        pass
    yield look
    await broker.close()
    await child.close()
    await db.close()


@pytest.fixture
def budgets(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the child was allowed for each exchange."""
    allowed: list[float] = []
    honest = evaluator._budget

    def noting(items: Sequence[Any]) -> float:
        allowed.append(honest(items))
        return allowed[-1]

    monkeypatch.setattr(evaluator, "_budget", noting)
    return allowed


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of each message to the child."""
    sent: list[int] = []
    honest = evaluator._request

    def noting(items: Sequence[Any], *, careful: bool) -> bytes:
        message = honest(items, careful=careful)
        sent.append(len(message))
        return message

    monkeypatch.setattr(evaluator, "_request", noting)
    return sent
