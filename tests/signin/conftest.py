"""What tests of signing in stand on: projects that can send mail, a provider to sign in at, a browser."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.client import Client, Project
from tests.mail.posted import Posted
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


@pytest.fixture(scope="module")
async def shop(posted: Posted) -> Project:
    return await posted.sign_up("Shop")


@pytest.fixture(scope="module")
async def other(posted: Posted) -> Project:
    return await posted.sign_up("Other")


@pytest.fixture
async def new_hour(posted: Posted) -> None:
    """Forget how many mails went where."""
    await posted.sql.execute("DELETE FROM tocsin.mail_counts")
