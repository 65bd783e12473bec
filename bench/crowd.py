"""Thousands of sockets that speak just enough of the Pusher protocol: ``python -m bench.crowd``.

Each is a few hundred bytes here, so that one driver holds them all and what is measured is the product's side.
"""

import asyncio
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from bench.beside import Beside, answering, beside
from bench.running import Installed
from tests.client import Project
from tocsin.realtime.auth import authorize

CLIENT_EVENT = "client-bench"
AT_ONCE = 128
"""Handshakes under way; the server's backlog is no part of what is measured."""
MOST_SECONDS = 120.0


class Ask(msgspec.Struct):
    """To ``open`` sockets until there are ``count``, to ``send`` a mark from one of them, or what was ``heard``."""

    what: str
    port: int
    key: str
    channel: str
    secret: str
    count: int = 0
    mark: str = ""
    seconds: float = MOST_SECONDS


class Crowd:
    """Sockets on one private channel, subscribed with the app's own signature."""

    def __init__(self, process: Beside, about: Ask) -> None:
        self._process = process
        self._about = about

    async def open(self, count: int) -> float:
        """Connect and subscribe until there are so many; the seconds it took."""
        return await self._ask("open", float, count=count)

    async def send(self, mark: str) -> float:
        """A client event from the first of them; when it was written, in seconds since 1970."""
        return await self._ask("send", float, mark=mark)

    async def heard(self, mark: str, count: int, seconds: float) -> list[float]:
        """When each socket had a message with this mark, in the order of time: ``count``, or what came in time."""
        return await self._ask("heard", list[float], mark=mark, count=count, seconds=seconds)

    async def alive(self) -> int:
        return await self._ask("alive", int)

    async def _ask(self, what: str, answer: Any, **fields: Any) -> Any:
        return await self._process.ask(msgspec.structs.replace(self._about, what=what, **fields), answer, MOST_SECONDS)


@asynccontextmanager
async def crowd(place: Installed, channel: str, secret: str) -> AsyncIterator[Crowd]:
    """No socket yet; all are gone with the block."""
    async with beside("bench.crowd") as process:
        yield Crowd(process, Ask("", place.api.port, place.project.key.headers["X-API-Key"], channel, secret))


async def signing_secret(project: Project) -> str:
    """A new secret of its realtime app, with which an app's backend signs subscriptions itself."""
    rotated = await project.owner.post("/projects/me/realtime/rotate", {"env": "live"})
    if rotated.status != 200:
        raise RuntimeError(f"the secret was not rotated: {rotated.json}")
    return str(rotated.json["secret"])


def allow_sockets() -> None:
    """Raise the bound on open files of this process, and of those it starts, as far as the system lets it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class _Frame(msgspec.Struct):
    event: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Greeting(msgspec.Struct):
    socket_id: str


_frames = msgspec.json.Decoder(_Frame)


class _Heard:
    """What all sockets heard: messages, as they came, to the times they came."""

    def __init__(self) -> None:
        self.times: dict[bytes, list[float]] = {}

    def note(self, payload: bytes) -> None:
        self.times.setdefault(payload, []).append(time.time())

    def of(self, mark: str) -> list[float]:
        return sorted(at for payload, times in self.times.items() if mark.encode() in payload for at in times)


class _Socket(asyncio.Protocol):
    """One client. ``subscribed`` is done when it is on its channel, or with what went wrong."""

    __slots__ = ("_about", "_buffer", "_heard", "_open", "_transport", "subscribed")

    def __init__(self, about: Ask, heard: _Heard) -> None:
        self._about = about
        self._heard = heard
        self._buffer = b""
        self._open = False
        self.subscribed: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        about = self._about
        head = (
            f"GET /app/{about.key}?protocol=7 HTTP/1.1",
            f"Host: 127.0.0.1:{about.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        )
        transport.write("".join(f"{line}\r\n" for line in (*head, "")).encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head[:20]:
                self._failed(head[:80].decode("latin-1"))
                return
            self._open, self._buffer = True, rest
        while (frame := self._next_frame()) is not None:
            self._received(frame)

    def _next_frame(self) -> bytes | None:
        """The payload of the next unmasked text frame (RFC 6455 section 5.2), taken out of the buffer."""
        if len(self._buffer) < 2:
            return None
        length, start = self._buffer[1], 2
        if length == 126:
            length, start = int.from_bytes(self._buffer[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(self._buffer[2:10], "big"), 10
        if len(self._buffer) < start + length:
            return None
        payload, self._buffer = self._buffer[start : start + length], self._buffer[start + length :]
        return payload

    def _received(self, payload: bytes) -> None:
        event = _frames.decode(payload).event if payload[:1] == b"{" else "close"
        if event == "pusher:connection_established":
            self._subscribe(payload)
        elif event == "pusher_internal:subscription_succeeded" and self.subscribed:
            self.subscribed.set_result(None)
            self.subscribed = None
        elif event == "pusher:ping":
            self.write({"event": "pusher:pong", "data": {}})
        elif event == "close" or event.startswith("pusher:"):
            self._failed(payload.decode("latin-1"))
        else:
            self._heard.note(payload)

    def _subscribe(self, payload: bytes) -> None:
        inner = msgspec.json.decode(_frames.decode(payload).data, type=str)
        socket_id = msgspec.json.decode(inner, type=_Greeting).socket_id
        about = self._about
        signed = authorize(about.key, about.secret, socket_id, about.channel)
        self.write({"event": "pusher:subscribe", "data": {"channel": about.channel, **signed}})

    def write(self, message: Any) -> None:
        """A text frame, masked with zeros, which leave it as it is."""
        payload = msgspec.json.encode(message)
        length = len(payload)
        size = bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
        self._transport.write(b"\x81" + size + bytes(4) + payload)

    def connection_lost(self, error: Exception | None) -> None:
        self._open = False
        self._failed(f"the connection was lost: {error}")

    def _failed(self, why: str) -> None:
        if self.subscribed and not self.subscribed.done():
            self.subscribed.set_exception(RuntimeError(why))

    @property
    def alive(self) -> bool:
        return self._open


_sockets: list[_Socket] = []
_heard = _Heard()


async def _told(asked: Ask) -> Any:
    if asked.what == "open":
        return await _open(asked)
    if asked.what == "send":
        _sockets[0].write({"event": CLIENT_EVENT, "channel": asked.channel, "data": {"mark": asked.mark}})
        return time.time()
    if asked.what == "heard":
        return await _all_heard(asked)
    return sum(socket.alive for socket in _sockets)


async def _open(asked: Ask) -> float:
    began = time.time()
    allow_sockets()
    turns = asyncio.Semaphore(AT_ONCE)
    async with asyncio.timeout(asked.seconds), asyncio.TaskGroup() as under_way:
        for _ in range(asked.count - len(_sockets)):
            await turns.acquire()
            under_way.create_task(_connect(asked)).add_done_callback(lambda _: turns.release())
    return time.time() - began


async def _connect(asked: Ask) -> None:
    def make() -> _Socket:
        return _Socket(asked, _heard)

    _, socket = await asyncio.get_running_loop().create_connection(make, "127.0.0.1", asked.port)
    if socket.subscribed:
        await socket.subscribed
    _sockets.append(socket)


async def _all_heard(asked: Ask) -> list[float]:
    deadline = time.time() + asked.seconds
    while len(times := _heard.of(asked.mark)) < asked.count and time.time() < deadline:
        await asyncio.sleep(0.01)
    return times


if __name__ == "__main__":
    answering(Ask, _told)
