"""An installation as scenarios measure it: the database on a disk, an API, a worker, and somebody to call."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from bench.far_end import FarEnd
from bench.projects import Crowd, crowd
from bench.running import Installed

PROJECTS = 3


@pytest.fixture(scope="session")
async def crowded() -> AsyncIterator[Crowd]:
    """Three projects, two of them copies of the first, each with a rule and a webhook."""
    async with AsyncExitStack() as opened:
        yield await crowd(lambda _: None, "postgresql", PROJECTS, opened)


@pytest.fixture(scope="session")
def measured(crowded: Crowd) -> Installed:
    return crowded.site


@pytest.fixture(scope="session")
def far(crowded: Crowd) -> FarEnd:
    return crowded.far
