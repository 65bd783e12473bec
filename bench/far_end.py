"""Where webhooks arrive, as a process that costs little: ``python -m bench.far_end``.

It answers 204 on any path, on ``/after/15`` after fifteen seconds, and to a bot what Telegram answers. It runs on the
cores of what it measures, so a request is cut off the stream by its length and kept as it is; what it says is read when
somebody asks.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from bench.arrivals import Arrival
from bench.beside import Beside, answering, beside

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_SENT = b'{"ok":true,"result":{"message_id":1}}'
_BOTS_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
    + str(len(_SENT)).encode()
    + b"\r\n\r\n"
    + _SENT
)
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BOT = re.compile(rb"\S+ \S+/bot\d+:")
_AFTER = re.compile(rb"\S+ /after/(\d+) ")
_KIND = "notification.created"


class Ask(msgspec.Struct):
    """``port`` makes it listen and tells where, ``count`` how many requests came since ``arrived`` told of them."""

    what: str


class FarEnd:
    """``url`` answers at once."""

    def __init__(self, process: Beside, port: int) -> None:
        self._process = process
        self._base = f"http://127.0.0.1:{port}"
        self.url = f"{self._base}/at-once"
        self.port = port
        self.pid = process.pid

    def after(self, seconds: int) -> str:
        """An address that answers so much later."""
        return f"{self._base}/after/{seconds}"

    async def called(self, times: int, seconds: float) -> None:
        """Wait until so many requests came since the last ``arrived``, or until so much time has passed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and await self._process.ask(Ask("count"), int) < times:
            await asyncio.sleep(0.1)

    async def arrived(self) -> list[tuple[str, float]]:
        """Titles of notifications and their times in seconds since 1970, each told once."""
        return await self._process.ask(Ask("arrived"), list[tuple[str, float]])

    async def arrivals(self) -> list[Arrival]:
        """The same in the terms of a schedule's ledger."""
        return [Arrival(title, at * 1000) for title, at in await self.arrived()]


@asynccontextmanager
async def far_end() -> AsyncIterator[FarEnd]:
    async with beside("bench.far_end") as process:
        yield FarEnd(process, await process.ask(Ask("port"), int))


class _Data(msgspec.Struct, frozen=True):
    title: str = ""


class _Body(msgspec.Struct):
    event: str = ""
    data: _Data = _Data()


_bodies = msgspec.json.Decoder(_Body)
_requests: list[tuple[bytes, float]] = []


class _Connection(asyncio.Protocol):
    """A connection on which one request follows the other."""

    def __init__(self) -> None:
        self._heard = bytearray()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while (head := self._heard.find(_HEAD_END)) >= 0:
            length = _LENGTH.search(self._heard, 0, head)
            end = head + len(_HEAD_END) + (int(length[1]) if length else 0)
            if len(self._heard) < end:
                return
            _requests.append((bytes(self._heard[head + len(_HEAD_END) : end]), time.time()))
            late = _AFTER.match(self._heard)
            seconds = int(late[1]) if late else 0  # before the bytes go that the match points at
            answer = _BOTS_ANSWER if _BOT.match(self._heard) else _ANSWER
            del self._heard[:end]
            if seconds:
                asyncio.get_running_loop().call_later(seconds, self._answer, answer)
            else:
                self._answer(answer)

    def _answer(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def _told(asked: Ask) -> Any:
    if asked.what == "port":
        server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=1024)
        return server.sockets[0].getsockname()[1]
    if asked.what == "count":
        return len(_requests)
    told = list(_titles())
    _requests.clear()
    return told


def _titles() -> Iterator[tuple[str, float]]:
    for request, at in _requests:
        body = _bodies.decode(request)
        if body.event == _KIND:
            yield body.data.title, at


if __name__ == "__main__":
    answering(Ask, _told)
