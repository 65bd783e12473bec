"""`tocsin api`: the HTTP API and the sockets of one process."""

import asyncio
import contextlib
import socket
from types import FrameType
from typing import Any

import structlog
import uvicorn

from tocsin.app import create_app
from tocsin.edge import Edge
from tocsin.kit import descriptors
from tocsin.kit.lifeline import end_within
from tocsin.realtime.sockets import Sockets
from tocsin.realtime.transport import websocket_protocol
from tocsin.startup import Installation
from tocsin.wire import BoundedHttp

log = structlog.get_logger(__name__)

SERVER: dict[str, Any] = {
    "loop": "uvloop",
    "http": BoundedHttp,
    "lifespan": "on",
    "access_log": False,
    "log_config": None,
    "server_header": False,
    "date_header": True,
    "backlog": 4096,
    "timeout_keep_alive": 75,
    "timeout_graceful_shutdown": 25,
    "proxy_headers": False,
}
"""How uvicorn serves, whatever it serves: the floor of `make bench` is measured under the same."""


def serve(installation: Installation) -> None:
    """Run until told to stop. Requests under way are answered, sockets are told to go elsewhere."""
    descriptors.allow_many()
    settings = installation.settings
    api = create_app(settings, installation.app_url, installation.platform_url, installation.master)
    server = _Server(
        uvicorn.Config(
            api,
            host=settings.host,
            port=settings.port,
            ws=websocket_protocol(api.state.sockets.server) if settings.realtime else "none",
            **SERVER,
        ),
        api,
        settings.grace_seconds,
    )
    server.run()


END_SECONDS = 50.0
"""From the end of the grace. Whatever still hangs then is ended."""

_TICKS_PER_SECOND = 10
"""Of uvicorn, which renews the date at every tenth."""


class _Server(uvicorn.Server):
    """Drains when told to stop, so that nobody's request fails of it.

    Not ready any more, and every answer closes its connection, while whoever balances load notices; then the
    sockets go, then uvicorn's own end: no new connections, and what is under way is answered.
    """

    def __init__(self, config: uvicorn.Config, api: Edge, grace_seconds: float) -> None:
        super().__init__(config)
        self._api = api
        self._grace_seconds = grace_seconds
        self._sockets: Sockets = api.state.sockets
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()

    async def main_loop(self) -> None:
        """Once a second, for the date in answers. Uvicorn's own looks ten times a second whether it shall end: half of
        all times that an API which nobody calls woke up."""
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += _TICKS_PER_SECOND
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._ending.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A second signal waits for nothing."""
        if self._loop is None or self._api.draining:
            self.force_exit = True
            self._end(sig, frame)
            return
        self._api.draining = True
        end_within(self._grace_seconds + END_SECONDS)
        self._loop.call_soon_threadsafe(self._begin_to_drain, sig)

    def _begin_to_drain(self, sig: int) -> None:
        self._draining = asyncio.get_running_loop().create_task(self._drain(sig), name="drain")

    async def _drain(self, sig: int) -> None:
        log.info("draining", seconds=self._grace_seconds)
        try:
            await asyncio.sleep(self._grace_seconds)
            await self._sockets.drain()
        finally:
            self._end(sig)

    def _end(self, sig: int, frame: FrameType | None = None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ending.set)
