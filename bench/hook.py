"""Who is called by webhooks: a process of its own that answers at once and writes down who called when.

It is as cheap as can be, since it runs on the cores of what it measures: a call is cut off the stream by its length
and kept as it is; what it says is read when everything is over. ``python -m bench.hook`` tells its port on stdout,
the number of calls for every ``count`` on stdin, and for ``take`` all of them, which are then forgotten.
"""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import uvloop

from bench.arrivals import Arrival

_MOST_OUTPUT = 256 * 2**20
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_KIND = "notification.created"


class Hook:
    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}/hook"
        self.pid = process.pid

    async def called(self, times: int, seconds: float) -> None:
        """Wait until it was called so often since the last `take`, or until so much time has passed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and int(await self._ask("count")) < times:
            await asyncio.sleep(0.1)

    async def take(self) -> list[Arrival]:
        """The notifications since the last time. One that was sent again is there twice."""
        return msgspec.json.decode(await self._ask("take"), type=list[Arrival])

    async def _ask(self, what: str) -> bytes:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{what}\n".encode())
        async with asyncio.timeout(30):
            return await self._process.stdout.readline()


@asynccontextmanager
async def hooked() -> AsyncIterator[Hook]:
    """Listening when this yields."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=pipe, stdout=pipe, limit=_MOST_OUTPUT
    )
    try:
        assert process.stdout
        async with asyncio.timeout(20):
            port = int(await process.stdout.readline())
        yield Hook(process, port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listen() -> None:
    calls: list[tuple[float, bytes]] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Caller(calls), "127.0.0.1", 0, backlog=1024)
    _say(server.sockets[0].getsockname()[1])
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while command := (await reader.readline()).strip():
        if command == b"take":
            _say(list(_read(calls)))
            calls.clear()
        else:
            _say(len(calls))


class _Caller(asyncio.Protocol):
    """A connection on which one call follows the other."""

    def __init__(self, calls: list[tuple[float, bytes]]) -> None:
        self._calls = calls
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
            self._calls.append((time.time() * 1000, bytes(self._heard[:end])))
            del self._heard[:end]
            self._transport.write(_ANSWER)


def _read(calls: list[tuple[float, bytes]]) -> Iterator[Arrival]:
    for at, request in calls:
        told = msgspec.json.decode(request.partition(_HEAD_END)[2])
        if told["event"] == _KIND:
            yield Arrival(told["data"]["title"], at)


def _say(fact: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(fact) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    uvloop.run(_listen())
