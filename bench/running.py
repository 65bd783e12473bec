"""The real thing on this machine: its database on a real disk, its processes, and a project to send events to."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Literal
from uuid import UUID

import aiohttp
import asyncpg

from tests.client import Client, Project, sign_up
from tests.engines import Redis, free_port, running_redis
from tests.running import Process, Site, running, running_api
from tocsin.kit import postgres
from tocsin.kit.migrate import migrate
from tocsin.kit.roles import Roles

Broker = Literal["postgresql", "redis"]
"""Who tells processes that there is work."""

ON_DISK = Path("/var/tmp")
"""Unlike /tmp this is kept across restarts, so it is not in memory, and fsync means something."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A running installation with one project in it."""

    site: Site
    database: postgres.Running
    processes: dict[str, Process]
    project: Project
    superuser: asyncpg.Connection
    redis: Redis | None = None
    metrics_port: int = 0
    """Of the worker; 0 where none was asked to tell."""

    @property
    def api(self) -> Process:
        return self.processes["api"]

    @property
    def project_id(self) -> UUID:
        return UUID(self.project.id)

    @property
    def pids(self) -> dict[str, int]:
        """The root process of each part."""
        brokers = {"redis": self.redis.process.pid} if self.redis and self.redis.process else {}
        parts = {name: part.popen.pid for name, part in self.processes.items()}
        return {"database": self.database.pid, **brokers, **parts}

    async def count_events(self) -> int:
        """All events that are there, as the database's superuser sees them."""
        return int(await self.superuser.fetchval("SELECT count(*) FROM tocsin.events"))

    async def drained(self, seconds: float = 60) -> None:
        """Wait until the worker has matched every event. Raises TimeoutError."""
        waits = "SELECT EXISTS (SELECT 1 FROM tocsin.events WHERE state IN ('received', 'leased'))"
        async with asyncio.timeout(seconds):
            while await self.superuser.fetchval(waits):
                await asyncio.sleep(0.05)

    async def settled(self, seconds: float = 60) -> None:
        """Wait until every delivery is recorded as ended. Raises TimeoutError."""
        waits = "SELECT EXISTS (SELECT 1 FROM tocsin.deliveries WHERE state IN ('queued', 'leased'))"
        async with asyncio.timeout(seconds):
            while await self.superuser.fetchval(waits):
                await asyncio.sleep(0.05)

    async def tidy(self) -> None:
        """What autovacuum would do sooner or later, done now rather than in the middle of a measurement."""
        await self.superuser.execute("VACUUM ANALYZE")
        await self.superuser.execute("CHECKPOINT")


@asynccontextmanager
async def installed(
    *, worker: bool, broker: Broker = "postgresql", settings: Mapping[str, str] | None = None
) -> AsyncIterator[Installed]:
    """A fresh installation: migrated, serving, signed up to. Everything ends with the block."""
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(_folder())
        database = opened.enter_context(_database(folder))
        redis = opened.enter_context(running_redis()) if broker == "redis" else None
        site = Site(database.dsn(), folder, redis.url if redis else None, settings=dict(settings or {}))
        await migrate(site.installer_url, Roles(), site.master)
        processes = {"api": opened.enter_context(running_api(site))}
        metrics_port = free_port()
        if worker:
            measured = replace(site, settings={**site.settings, "TOCSIN_METRICS_PORT": str(metrics_port)})
            processes["worker"] = opened.enter_context(running(measured, "worker"))
        http = await opened.enter_async_context(aiohttp.ClientSession())
        superuser = await asyncpg.connect(site.installer_url)
        opened.push_async_callback(superuser.close)
        project = await sign_up(Client(http, processes["api"].url), "Bench")
        yield Installed(site, database, processes, project, superuser, redis, metrics_port)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that a database which stepped down from root may enter."""
    folder = Path(mkdtemp(prefix="tocsin-bench-", dir=ON_DISK)).resolve()
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        rmtree(folder)


@contextmanager
def _database(folder: Path) -> Iterator[postgres.Running]:
    """The embedded database as `tocsin up` runs it: its own settings, fsync on."""
    server = postgres.start(folder / "data", postgres.find_binaries(), daemon=False)
    try:
        yield server
    finally:
        server.stop()
