"""Two API processes of one installation: trust is taken back at one while it is in use at the other."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.client import Client, Project, Reply
from tests.people import Person
from tests.running import Site
from tocsin.auth.revocation import revoke
from tocsin.kit.db import Database

DEADLINE = 20.0
"""Seconds. A second is what is promised; a busy machine may take longer to tell."""


@dataclass
class Two:
    """Two API processes: ``here`` things are revoked, ``there`` they were in use, and there the sockets are."""

    site: Site
    here: Client
    there: Client
    db: Database
    sql: asyncpg.Connection
    cuts: bool

    async def cut(self) -> None:
        """End the connections that carry messages, where this is about that."""
        if self.cuts:
            ended = await self.sql.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'tocsin broker'"
            )
            assert len(ended) >= 1

    async def switch(self, project: Project, status: str) -> None:
        """What suspending and activating do."""
        async with self.db.scope(UUID(project.id), "live") as session:
            await session.connection()
            await self.sql.execute(
                "UPDATE tocsin.projects SET status = $2 WHERE id = $1::text::uuid", project.id, status
            )
            await revoke(session, UUID(project.id), "project", project.id)


@dataclass
class Socket:
    """One that was greeted."""

    connection: ClientConnection
    id: str

    async def subscribe(self, channel: str, by: Client) -> None:
        signed = await by.post("/realtime/auth", {"socket_id": self.id, "channel_name": channel})
        assert signed.status == 200, signed.json
        await self.show(channel, signed.json["auth"])
        assert (await self.hear())["event"] == "pusher_internal:subscription_succeeded"

    async def show(self, channel: str, auth: str) -> None:
        data = {"channel": channel, "auth": auth}
        await self.connection.send(json.dumps({"event": "pusher:subscribe", "data": data}))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE):
            heard: dict[str, Any] = json.loads(await self.connection.recv())
        return heard

    async def lives(self) -> None:
        await self.connection.send('{"event":"pusher:ping","data":{}}')
        assert (await self.hear())["event"] == "pusher:pong"

    async def closed(self) -> int:
        """The code it is closed with, awaited."""
        async with asyncio.timeout(DEADLINE):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.connection.recv()
        assert self.connection.close_code is not None
        return self.connection.close_code


@contextlib.asynccontextmanager
async def socket(two: Two, key: str) -> AsyncIterator[Socket]:
    url = f"{two.there.base.replace('http', 'ws')}/app/{key}?protocol=7"
    async with connect(url, compression=None, ping_interval=None) as connection:
        greeting = json.loads(await asyncio.wait_for(connection.recv(), DEADLINE))
        assert greeting["event"] == "pusher:connection_established", greeting
        yield Socket(connection, json.loads(greeting["data"])["socket_id"])


@contextlib.asynccontextmanager
async def listening(two: Two, person: Person) -> AsyncIterator[Socket]:
    """A socket there that a person hears their notifications on."""
    async with socket(two, person.key) as opened:
        await opened.subscribe(person.channel, person.client.at(two.there))
        yield opened


async def becomes(ask: Callable[[], Awaitable[Reply]], status: int) -> Reply:
    """The answer, once it is of this status; what comes before may be the old one for a moment."""
    give_up_at = time.monotonic() + DEADLINE
    while (reply := await ask()).status != status:
        assert time.monotonic() < give_up_at, (reply.status, reply.json)
        await asyncio.sleep(0.05)
    return reply
