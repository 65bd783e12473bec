"""A running realtime server in this process on a free port, with its apps in a table."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from tocsin.realtime.hub import Hub, Limits
from tocsin.realtime.server import App, Publish, RealtimeServer
from tocsin.realtime.transport import websocket_protocol

KEY, OTHER_KEY = "pk_live_one", "pk_live_two"
SECRET, OLD_SECRET = "the-secret", "the-secret-before"
APP = App("1001", UUID("01900000-0000-7000-8000-000000000001"), "acme", "live", (SECRET, OLD_SECRET))
NEIGHBOUR_KEY, NEIGHBOUR_SECRET = "pk_live_neighbour", "secret-of-another-project"
NEIGHBOUR = App("2002", UUID("01900000-0000-7000-8000-000000000002"), "neighbour", "live", (NEIGHBOUR_SECRET,))
DISABLED = App("3003", UUID("01900000-0000-7000-8000-000000000003"), "acme", "live", ("s",), enabled=False)
SMALL = App("4004", UUID("01900000-0000-7000-8000-000000000004"), "acme", "live", ("s",), max_connections=1)


class Served:
    """``apps`` maps keys to apps. It may change while this runs, as may ``failure``, raised by look-ups."""

    def __init__(self, limits: Limits | None, port: int, publish: Publish | None) -> None:
        self.apps = {
            KEY: APP,
            OTHER_KEY: APP,
            NEIGHBOUR_KEY: NEIGHBOUR,
            "pk_disabled": DISABLED,
            "pk_small": SMALL,
        }
        self.failure: Exception | None = None
        self.hub = Hub(limits)
        self.realtime = RealtimeServer(self.hub, self.find_app, publish)
        self.port = port

    async def find_app(self, key: str) -> App | None:
        await asyncio.sleep(0)
        if self.failure:
            raise self.failure
        return self.apps.get(key)

    def url(self, key: str = KEY, query: str = "protocol=7&client=test&version=1") -> str:
        return f"ws://127.0.0.1:{self.port}/app/{key}?{query}"


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The test run keeps its own signal handlers."""
        yield


@contextlib.asynccontextmanager
async def serving(
    limits: Limits | None = None, port: int | None = None, publish: Publish | None = None
) -> AsyncIterator[Served]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port or 0))
        served = Served(limits, listener.getsockname()[1], publish)
        config = uvicorn.Config(_no_http, ws=websocket_protocol(served.realtime), lifespan="off", log_config=None)
        server = _Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        watching = asyncio.create_task(served.hub.watch_activity())
        try:
            async with asyncio.timeout(10):
                while not server.started:
                    await asyncio.sleep(0.01)
            yield served
        finally:
            watching.cancel()
            server.should_exit = True
            await asyncio.wait_for(running, 20)


async def _no_http(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError(f"only sockets are served here, not {scope['type']}")


class Talker:
    """A bare WebSocket client that has been greeted."""

    def __init__(self, connection: ClientConnection, greeting: dict[str, Any]) -> None:
        self.connection = connection
        self.greeting = json.loads(greeting["data"])
        self.socket_id: str = self.greeting["socket_id"]

    async def say(self, event: str, data: Any = None, channel: str | None = None) -> None:
        frame = {"event": event, "data": {} if data is None else data}
        await self.connection.send(json.dumps(frame | ({"channel": channel} if channel else {})))

    async def hear(self) -> dict[str, Any]:
        return await read(self.connection)

    async def hear_nothing(self) -> None:
        """Everything said so far has been answered with nothing: a ping overtakes no message before it."""
        await self.say("pusher:ping")
        assert await self.hear() == {"event": "pusher:pong", "data": {}}

    async def subscribe(self, channel: str, **auth: str) -> dict[str, Any]:
        await self.say("pusher:subscribe", {"channel": channel, **auth})
        return await self.hear()


@contextlib.asynccontextmanager
async def talking(served: Served, key: str = KEY) -> AsyncIterator[Talker]:
    async with connect(served.url(key), compression=None, ping_interval=None) as connection:
        yield Talker(connection, await read(connection))


async def read(connection: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        frame: dict[str, Any] = json.loads(await connection.recv())
        return frame


async def eventually(condition: Any, seconds: float = 10) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
