"""A provider's HTTP API on loopback, which answers what a test says and keeps what it was sent."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class FarEnd:
    """``url`` is without a path. Every request gets the same answer, or what ``to`` says of it (status and text), after
    ``meanwhile`` has run."""

    status: int = 200
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    to: Callable[[Asked], tuple[int, str]] | None = None
    meanwhile: Callable[[], Awaitable[Any]] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        asked = Asked(request.method, request.path, dict(request.query), dict(request.headers), await request.read())
        self.asked.append(asked)
        if self.meanwhile is not None:
            await self.meanwhile()
        status, text = self.to(asked) if self.to else (self.status, self.text)
        return web.Response(status=status, text=text, headers=self.headers)


@asynccontextmanager
async def answering(status: int = 200, text: str = "", **headers: str) -> AsyncIterator[FarEnd]:
    """Headers are named with underscores: ``Retry_After``."""
    far = FarEnd(status, text, {name.replace("_", "-"): value for name, value in headers.items()})
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", far.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        far.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield far
    finally:
        await runner.cleanup()
