"""The floor of latency: one process that hands the number of each event it is sent to the clients on its sockets.

It speaks as much of the Pusher protocol as the official client asks for, knows nobody and stores nothing: what is left
is the way from driver to client. ``python -m bench.bare_relay PORT`` runs it as a process of its own.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from bench.serving import serve, served

CHANNEL = "private-everybody"


class Relay(NamedTuple):
    """Where events go, and what a listener is told."""

    url: str
    listener: dict[str, object]


@asynccontextmanager
async def bare_relay() -> AsyncIterator[Relay]:
    async with served(__name__) as (url, _):
        told: dict[str, object] = {"port": urlsplit(url).port, "key": "floor", "token": "", "channel": CHANNEL}
        yield Relay(url, told)


class _Payload(msgspec.Struct, frozen=True):
    number: int = 0


class _Event(msgspec.Struct):
    payload: _Payload = _Payload()


_events = msgspec.json.Decoder(_Event)
_sockets: set[WebSocket] = set()


async def _take(request: Request) -> Response:
    """Told on before it is answered, as fast as it can be."""
    event = _events.decode(await request.body() or b"{}")
    frame = _frame("notification.created", {"title": str(event.payload.number)})
    for socket in tuple(_sockets):
        await socket.send_text(frame)
    return Response(status_code=202)


async def _agree(_request: Request) -> Response:
    return JSONResponse({"auth": "floor:0"})


async def _connected(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(_frame("pusher:connection_established", {"socket_id": "1.1", "activity_timeout": 120}))
    try:
        async for text in socket.iter_text():
            if msgspec.json.decode(text)["event"] == "pusher:subscribe":
                await socket.send_text(_frame("pusher_internal:subscription_succeeded", {}))
                _sockets.add(socket)
    except WebSocketDisconnect:
        pass
    finally:
        _sockets.discard(socket)


def _frame(event: str, data: dict[str, object]) -> str:
    told = {"event": event, "channel": CHANNEL, "data": msgspec.json.encode(data).decode()}
    return msgspec.json.encode(told).decode()


if __name__ == "__main__":
    routes = [
        Route("/", _take, methods=["POST"]),
        Route("/api/v1/realtime/auth", _agree, methods=["POST"]),
        WebSocketRoute("/app/{key}", _connected),
    ]
    serve(Starlette(routes=routes), int(sys.argv[1]), sockets=True)
