"""`tocsin api`: the HTTP API and the sockets of one process."""

import asyncio
import socket
from types import FrameType
from typing import Any

import uvicorn

from tocsin.app import create_app
from tocsin.edge import Edge
from tocsin.kit import descriptors
from tocsin.realtime.sockets import Sockets
from tocsin.realtime.transport import websocket_protocol
from tocsin.startup import Installation
from tocsin.wire import BoundedHttp

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
    )
    server.run()


class _Server(uvicorn.Server):
    """Drains when told to stop: not ready any more, sockets away first, then uvicorn's own end."""

    def __init__(self, config: uvicorn.Config, api: Edge) -> None:
        super().__init__(config)
        self._state = api.state
        self._sockets: Sockets = api.state.sockets
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A second signal does not wait for the sockets."""
        if self._loop is None or self._state.draining:
            super().handle_exit(sig, frame)
            return
        self._state.draining = True
        self._loop.call_soon_threadsafe(self._begin_to_drain, sig)

    def _begin_to_drain(self, sig: int) -> None:
        self._draining = asyncio.get_running_loop().create_task(self._drain(sig), name="drain")

    async def _drain(self, sig: int) -> None:
        try:
            await self._sockets.drain()
        finally:
            super().handle_exit(sig, None)
