"""What most tests stand on: one PostgreSQL, a migrated template, one running API, and two projects in it.

``acme`` and ``rival`` are new in each module; every tenant path is tested with both. Tests that need an
installation of their own take ``database`` (fresh in each module) and start processes with ``tests.running``.
"""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.engines import execute, fresh_database, running_postgres, running_redis, temporary_folder
from tests.hosted import BASE, PUBLIC, Hosted
from tests.mail.mailbox import mail_server
from tests.mail.posted import PUBLIC_URL, Posted
from tests.nameserver import running_nameserver
from tests.operators import Operator, operator
from tests.pipeline import Working
from tests.running import MASTER_SECRET, Site, alive, running, running_api, without_sockets
from tocsin.kit import descriptors
from tocsin.kit.crypto import MasterKey
from tocsin.kit.migrate import migrate
from tocsin.kit.postgres import Running
from tocsin.kit.roles import Roles

_TEMPLATE = "tocsin_template"

descriptors.allow_many()


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, as tests wait for much; each has servers of its own, so only so many."""
    return min((os.cpu_count() or 1) + 1, 8)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Running]:
    """One PostgreSQL for the run, without fsync."""
    with running_postgres(fsync=False, settings={"max_connections": "200"}) as server:
        yield server


@pytest.fixture(scope="session")
async def template(cluster: Running, home: Path) -> str:
    """The name of a migrated database to copy."""
    await execute(cluster, f"CREATE DATABASE {_TEMPLATE}")
    await migrate(cluster.dsn(_TEMPLATE), Roles(), MasterKey.load(MASTER_SECRET, home))
    return _TEMPLATE


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """The data folder of the installations under test."""
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
async def database(cluster: Running, template: str) -> AsyncIterator[str]:
    """The installer's URL of a migrated database of this module's own."""
    async with fresh_database(cluster, template) as url:
        yield url


@pytest.fixture(scope="session")
async def site(cluster: Running, template: str, home: Path) -> AsyncIterator[Site]:
    """The installation that most tests share."""
    async with fresh_database(cluster, template) as url:
        yield Site(url, home)


@pytest.fixture(scope="session")
async def api(site: Site, http: aiohttp.ClientSession) -> AsyncIterator[Client]:
    """Nobody in particular, calling the shared API process."""
    with running_api(site) as process:
        yield Client(http, process.url)


@pytest.fixture(scope="session")
async def working(cluster: Running, template: str, home: Path, http: aiohttp.ClientSession) -> AsyncIterator[Working]:
    """An API and a worker of few slots, over a database of their own, beside a DNS server."""
    async with fresh_database(cluster, template) as url:
        sql = await asyncpg.connect(url)
        with running_nameserver() as dns:
            names = {"TOCSIN_BASE_DOMAIN": BASE, "TOCSIN_DNS_SERVERS": dns.setting}
            site = Site(url, home, settings={"TOCSIN_SLOTS": "8", **names})
            with running_api(site) as process, running(site, "worker"):
                yield Working(site, process, Client(http, process.url), sql, dns)
        await sql.close()


@pytest.fixture(scope="session")
async def posted(cluster: Running, template: str, home: Path, http: aiohttp.ClientSession) -> AsyncIterator[Posted]:
    """An API and a worker with a mail server, over a database of their own."""
    async with mail_server() as boxes, fresh_database(cluster, template) as url:
        site = Site(url, home, settings={"TOCSIN_SMTP_URL": boxes.url, "TOCSIN_PUBLIC_URL": PUBLIC_URL})
        sql = await asyncpg.connect(url)
        with running_api(site) as process, running(site, "worker") as worker:
            yield Posted(site, Client(http, process.url), boxes, sql, worker)
        await sql.close()


@pytest.fixture(scope="session")
async def pair(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession
) -> AsyncIterator[tuple[Client, Client]]:
    """Two API processes over one database and one Redis."""
    with running_redis() as redis:
        async with fresh_database(cluster, template) as url:
            site = Site(url, home, redis.url)
            with running_api(site) as one, running_api(site) as other:
                yield Client(http, one.url), Client(http, other.url)


@pytest.fixture(scope="session")
async def behind(site: Site, http: aiohttp.ClientSession) -> AsyncIterator[Client]:
    """A further process of the shared installation, behind a proxy: ``X-Forwarded-For`` from loopback is believed."""
    settings = {**site.settings, "TOCSIN_TRUSTED_PROXIES": "127.0.0.0/8,10.0.0.0/8", "TOCSIN_REALTIME": "0"}
    with running_api(replace(site, settings=settings)) as process:
        yield Client(http, process.url)


@pytest.fixture(scope="session")
async def hosted(cluster: Running, template: str, home: Path, http: aiohttp.ClientSession) -> AsyncIterator[Hosted]:
    """Two API processes under names of their own, beside a DNS server."""
    with running_nameserver() as dns:
        settings = {"TOCSIN_BASE_DOMAIN": BASE, "TOCSIN_PUBLIC_URL": f"https://{PUBLIC}"}
        async with fresh_database(cluster, template) as url:
            site = Site(url, home, settings={**settings, "TOCSIN_DNS_SERVERS": dns.setting})
            sql = await asyncpg.connect(url)
            with running_api(site) as one, running_api(without_sockets(site)) as other:
                yield Hosted(site, Client(http, one.url), Client(http, other.url), dns, sql)
            await sql.close()


@pytest.fixture(scope="session")
async def sql(site: Site) -> AsyncIterator[asyncpg.Connection]:
    """The shared installation's database as its superuser sees it: past all walls."""
    connection = await asyncpg.connect(site.installer_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0, force_close=False)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


@pytest.fixture(scope="module")
async def acme(api: Client) -> Project:
    return await sign_up(api, "Acme")


@pytest.fixture(scope="module")
async def rival(api: Client) -> Project:
    return await sign_up(api, "Rival")


@pytest.fixture(scope="module")
async def root(api: Client, site: Site) -> Operator:
    """A super admin of the installation that most tests share; tokens last for 15 minutes, and all tests for longer."""
    return await operator(api, site)


@pytest.fixture(scope="module")
def two_projects(acme: Project, rival: Project) -> tuple[Project, Project]:
    return acme, rival


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Put the ends of the running processes' logs beside what failed."""
    report = yield
    if report.failed:
        for process in alive:
            report.sections.append((f"{process.name} at {process.url}", process.last_lines()))
    return report
