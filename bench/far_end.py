"""Where webhooks arrive, as a process that costs little: ``python -m bench.far_end``.

It answers 200 on any path, on ``/after/15`` after fifteen seconds, and keeps the title of every notification with
the time at which its request was there.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httptools
import msgspec

from bench.beside import Beside, answering, beside

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


class Ask(msgspec.Struct):
    """``port`` makes it listen and tells where, ``arrived`` what came since the last such question."""

    what: str


class FarEnd:
    """``url`` answers at once."""

    def __init__(self, process: Beside, port: int) -> None:
        self._process = process
        self._base = f"http://127.0.0.1:{port}"
        self.url = f"{self._base}/at-once"

    def after(self, seconds: int) -> str:
        """An address that answers so much later."""
        return f"{self._base}/after/{seconds}"

    async def arrived(self) -> list[tuple[str, float]]:
        """Titles and their times in seconds since 1970, each told once."""
        return await self._process.ask(Ask("arrived"), list[tuple[str, float]])


@asynccontextmanager
async def far_end() -> AsyncIterator[FarEnd]:
    async with beside("bench.far_end") as process:
        yield FarEnd(process, await process.ask(Ask("port"), int))


class _Data(msgspec.Struct):
    title: str


class _Body(msgspec.Struct):
    data: _Data


_bodies = msgspec.json.Decoder(_Body)
_arrived: list[tuple[str, float]] = []


class _Connection(asyncio.Protocol):
    """One kept-alive connection of the product, which sends one request after the other."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._at = time.time()
        self._path = b""
        self._parts: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        _arrived.append((_bodies.decode(b"".join(self._parts)).data.title, self._at))
        if self._path.startswith(b"/after/"):
            asyncio.get_running_loop().call_later(int(self._path.rpartition(b"/")[2]), self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_OK)


async def _told(asked: Ask) -> Any:
    if asked.what == "port":
        server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=1024)
        return server.sockets[0].getsockname()[1]
    told = list(_arrived)
    _arrived.clear()
    return told


if __name__ == "__main__":
    answering(Ask, _told)
