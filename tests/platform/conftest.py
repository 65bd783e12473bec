"""Admins of all three roles on the shared installation, and one of two processes."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from tests.client import Client, Project, sign_up
from tests.operators import Operator, operator
from tests.running import Site, running_api


@pytest.fixture(scope="module")
async def support(api: Client, site: Site) -> Operator:
    return await operator(api, site, "support")


@pytest.fixture(scope="module")
async def billing(api: Client, site: Site) -> Operator:
    return await operator(api, site, "billing")


@pytest.fixture
async def shop(api: Client) -> Project:
    """A project of each test's own, whatever becomes of it."""
    return await sign_up(api, "Shop")


class TwoProcesses(NamedTuple):
    """A super admin at one process of an installation, and nobody in particular at the other."""

    admin: Operator
    elsewhere: Client


@pytest.fixture(scope="module")
async def two_processes(database: str, home: Any, api: Client) -> AsyncIterator[TwoProcesses]:
    given = {"TOCSIN_DEFAULT_PLAN": "starter"}
    one, other = Site(database, home, settings=given), Site(database, home, settings={**given, "TOCSIN_REALTIME": "0"})
    with running_api(one) as first, running_api(other) as second:
        admin = await operator(Client(api.http, first.url), one)
        yield TwoProcesses(admin, Client(api.http, second.url))
