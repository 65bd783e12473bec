"""What tests of signing in stand on.

Two projects of an installation that can send mail, and an hour that begins anew with each test; callers from networks
of their own, so that what one test overdoes is not counted for another; a project whose owner has a second factor;
a provider to sign in at, and a browser.
"""

import itertools
from collections.abc import AsyncIterator, Callable

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.mail.posted import Posted
from tests.signin.authenticator import Protected, protect
from tests.signin.providers import Browser, Provider, browser, configure, running_provider

From = Callable[[str], Client]

_networks = itertools.count(1)
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


@pytest.fixture
async def caller_from(api: Client) -> AsyncIterator[From]:
    """A caller at the shared API from an address of 127.0.0.0/8; cookies are the test's own business."""
    opened = []

    def made(address: str) -> Client:
        connector = aiohttp.TCPConnector(local_addr=(address, 0))
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        opened.append(session)
        return Client(session, api.base)

    yield made
    for session in opened:
        await session.close()


@pytest.fixture
def network() -> str:
    """The first three numbers of a /24 that no other test uses."""
    number = next(_networks)
    return f"127.7.{number}"


@pytest.fixture
async def protected(api: Client, sql: asyncpg.Connection) -> Protected:
    return await protect(await sign_up(api, "Protected"), sql)
