import pytest

from tests.client import Project, sign_up
from tests.pipeline import Working


@pytest.fixture
async def shop(working: Working) -> Project:
    return await sign_up(working.api, "Shop")
