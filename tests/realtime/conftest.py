"""An installation of this folder's own, with sockets, and the hand of a worker that writes and signals."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import aiohttp
import pytest

from tests import people
from tests.client import Client, Project
from tests.engines import fresh_database
from tests.people import Person
from tests.realtime.pusher_js import PusherJs, pusher_js
from tests.running import Process, Site, running_api
from tocsin.kit import broker as brokers
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database, Env
from tocsin.kit.postgres import Running
from tocsin.notifications.write import NewNotification, write_notifications
from tocsin.realtime.signal import Kind, channel_of, signals
from tocsin.sounds.built_in import BUILT_IN


@dataclass
class Hand:
    """Does to database and broker what a worker does, as the application's login."""

    db: Database
    broker: Broker

    async def write(self, project: Project, *people: str, env: Env = "live", **fields: Any) -> UUID:
        """A notification with these recipients, committed and not signalled."""
        made = NewNotification(
            event_id=UUID("01900000-0000-7000-8000-0000000000ee"),
            event_type="order.created",
            client_event_id="o-1",
            rule_id=cast(UUID, None),
            rule_version=1,
            title=fields.get("title", "Order"),
            message="Ann ordered",
            action={"url": "https://example.com/o/1"},
            sound="bell",
            sound_digest=BUILT_IN["bell"].digest,
            priority="high",
            require_ack=True,
            topic=None,
            channels=["realtime"],
            recipients={UUID(person): "user" for person in people},
        )
        async with self.db.unit(UUID(project.id), env) as connection:
            await write_notifications(connection, UUID(project.id), env, [made])
        return made.id

    async def tell(self, project: Project, *people: str, env: Env = "live", **fields: Any) -> UUID:
        id_ = await self.write(project, *people, env=env, **fields)
        self.signal(project, "created", id_, env=env)
        return id_

    def signal(self, project: Project, kind: Kind, *ids: UUID, env: Env = "live") -> None:
        for message in signals(kind, ids):
            self.broker.publish(channel_of(UUID(project.id), env), message)


@dataclass
class Place:
    """One running API with sockets, and what stands behind it."""

    site: Site
    process: Process
    api: Client
    hand: Hand


@contextlib.asynccontextmanager
async def placed(site: Site, http: aiohttp.ClientSession) -> AsyncIterator[Place]:
    with running_api(site) as process:
        db = Database(site.app_url, ordinary=1, hot=1, statement_seconds=5)
        broker = brokers.connect(site.redis_url, site.app_url)
        await db.start()
        await broker.start()
        try:
            yield Place(site, process, Client(http, process.url), Hand(db, broker))
        finally:
            await broker.close()
            await db.close()


@pytest.fixture(scope="package")
async def place(cluster: Running, template: str, home: Path, http: aiohttp.ClientSession) -> AsyncIterator[Place]:
    async with fresh_database(cluster, template) as url, placed(Site(url, home), http) as place:
        yield place


@pytest.fixture
async def js(place: Place) -> AsyncIterator[PusherJs]:
    async with pusher_js(place.process) as clients:
        yield clients


async def join(place: Place, project: Project, env: Env = "live", name: str = "Ann") -> Person:
    """A person whom the project's backend vouches for (A5)."""
    return await people.join(place.api, project, env, name)
