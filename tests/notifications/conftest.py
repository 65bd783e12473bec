"""A project of each test's own, and another; two people of the first."""

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


@pytest.fixture
async def bob(working: Working, shop: Project) -> Person:
    return await join(working.api, shop, name="Bob")
