"""What tests of single sign-on stand on."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.client import Client, Project
from tests.signin.providers import Browser, Provider, browser, configure, running_provider

LOGINS = [f"person-{number}" for number in range(40)]


@pytest.fixture(scope="session")
async def provider(http: aiohttp.ClientSession) -> AsyncIterator[Provider]:
    async with running_provider(http, LOGINS) as running:
        yield running


@pytest.fixture
async def chrome(api: Client) -> AsyncIterator[Browser]:
    """A fresh browser."""
    async with browser(api) as fresh:
        yield fresh


@pytest.fixture(scope="module")
async def linked_up(acme: Project, provider: Provider) -> Project:
    """Acme, where people of one domain are made at their first sign-in as `agent`."""
    client = await provider.register(acme)
    await configure(acme, provider.issuer, client, createUnknown=True, role="agent", allowedDomains=["known.example"])
    return acme
