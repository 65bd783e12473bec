"""A TCP link to a server that can be slow, or hang, and be well again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

CHUNK = 64 * 1024


@dataclass
class Link:
    """``delay`` is added to whatever comes next, in seconds and each direction. While it hangs nothing passes."""

    port: int = 0
    delay: float = 0.0
    _open: asyncio.Event = field(default_factory=asyncio.Event)

    def hang(self) -> None:
        self._open.clear()

    def heal(self) -> None:
        self.delay = 0.0
        self._open.set()

    async def carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await source.read(CHUNK):
                await asyncio.sleep(self.delay)
                await self._open.wait()
                target.write(chunk)
                await target.drain()
        target.close()


@contextlib.asynccontextmanager
async def link_to(host: str, port: int) -> AsyncIterator[Link]:
    """A healthy one; whatever is connected is cut at the end."""
    link = Link()
    link.heal()
    tasks: set[asyncio.Task[None]] = set()

    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, port)
        for source, target in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(link.carry(source, target))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(joined, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
