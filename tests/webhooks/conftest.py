"""Projects of each test's own, so that what one test breaks stays broken for it alone."""

import pytest

from tests.client import Project, sign_up
from tests.pipeline import Working


@pytest.fixture
async def shop(working: Working) -> Project:
    return await sign_up(working.api, "Shop")


@pytest.fixture
async def rival(working: Working) -> Project:
    return await sign_up(working.api, "Rival")
