"""A backend that receives webhooks: checks each with the official library and answers as it is told."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from standardwebhooks import Webhook

from tests.client import Project
from tests.connections.build import make_hook


@dataclass(frozen=True)
class Answer:
    """``after`` seconds, or as soon as the endpoint is let go of."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0


@dataclass(frozen=True)
class Call:
    """One genuine call."""

    id: str
    body: bytes
    at: float

    @property
    def data(self) -> Any:
        return msgspec.json.decode(self.body)["data"]


@dataclass
class Endpoint:
    """``answers`` are given in turn, then ``usual``. A call whose signature is wrong breaks the test."""

    url: str = ""
    secret: str = ""
    usual: Answer = Answer()
    answers: list[Answer] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    vias: list[str] = field(default_factory=list)
    forged: int = 0
    inside: int = 0
    most_inside: int = 0
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self._check(body, request)
        self.vias.append(request.headers["Tocsin-Via"])
        self.calls.append(Call(request.headers["webhook-id"], body, time.monotonic()))
        answer = self.answers.pop(0) if self.answers else self.usual
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await self._linger(answer.after)
        finally:
            self.inside -= 1
        return web.Response(status=answer.status, headers=answer.headers, text="noted")

    def _check(self, body: bytes, request: web.Request) -> None:
        try:
            Webhook(self.secret).verify(body, dict(request.headers))
        except Exception:
            self.forged += 1
            raise

    async def _linger(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._released.wait()

    def let_go(self) -> None:
        """Answer whoever waits, and everybody after them, at once."""
        self._released.set()

    async def connect(self, project: Project, **settings: Any) -> Any:
        """Make this the endpoint of a project."""
        made = await make_hook(project.key, self.url, settings={"url": self.url, **settings})
        self.secret = made["secret"]
        return made


@contextlib.asynccontextmanager
async def endpoint(usual: Answer | None = None) -> AsyncIterator[Endpoint]:
    """One on a free port; nothing forged may have come in."""
    served = Endpoint(usual=usual or Answer())
    app = web.Application()
    app.router.add_post("/hook", served.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        served.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield served
        assert served.forged == 0
    finally:
        served.let_go()
        await runner.cleanup()
