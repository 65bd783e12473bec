"""The far end: a backend that gets webhooks, checks them with the official library and remembers each.

It takes its time and refuses some first attempts, so that kills meet sends under way and retries happen. In a mood
it treats every first attempt badly; a second one is taken, since a third would only come minutes later.
"""

import asyncio
import contextlib
import hashlib
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import msgspec
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from tests.mail.mailbox import mail_server
from tocsin.channels.webhook import new_secret

REFUSED_OF = 40
"""One delivery of so many is refused at its first attempt."""
MOODS = ("hangs", "resets", "breaks off", "fails", "asks for patience")
HANGS_SECONDS = 6.0
UNHEARD = 599
"""Stands for an answer of which the caller got nothing, or not all."""


@dataclass(frozen=True)
class Hit:
    """One call: which delivery, what it said and whether the signature proved it, when, and our answer."""

    webhook_id: str
    client_event_id: str | None
    digest: str
    genuine: bool
    at: float
    answered: int


@dataclass
class Sink:
    rng: random.Random
    url: str = ""
    secret: str = field(default_factory=new_secret)
    hits: defaultdict[str, list[Hit]] = field(default_factory=lambda: defaultdict(list))
    answer: Callable[[str], Awaitable[int]] | None = None
    """Decides a call's status instead of the sink's own habits; gets the client's event id."""
    mood: str = ""
    """One of MOODS, or none."""
    patient: bool = False
    """Whether it refuses nothing of itself."""
    mail_port: int = 0
    """Takes whatever mail it is given, by a server that belongs to somebody else."""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        webhook_id = request.headers.get("webhook-id", "")
        client_event_id = msgspec.json.decode(body)["data"]["event"]["clientEventId"]
        mood = self.mood if not self.hits[webhook_id] else ""
        if mood:
            status = {"fails": 500, "asks for patience": 429}.get(mood, UNHEARD)
        else:
            status = await (self.answer or self._answer)(client_event_id if self.answer else webhook_id)
        self.hits[webhook_id].append(
            Hit(
                webhook_id,
                client_event_id,
                hashlib.sha256(body).hexdigest(),
                self._genuine(body, request),
                time.monotonic(),
                status,
            )
        )
        return await self._misbehave(mood, request) if mood else web.Response(status=status)

    async def _misbehave(self, mood: str, request: web.Request) -> web.Response:
        transport = request.transport
        if mood == "hangs":
            await asyncio.sleep(HANGS_SECONDS)
        if mood == "breaks off" and transport:
            transport.write(b"HTTP/1.1 20")
            transport.close()
        if mood in ("hangs", "resets") and transport:
            transport.abort()
        return web.Response(status=429 if mood == "asks for patience" else 500, headers={"Retry-After": "2"})

    async def _answer(self, webhook_id: str) -> int:
        await asyncio.sleep(self.rng.uniform(0.005, 0.12))
        unlucky = not self.patient and int(webhook_id[-8:], 16) % REFUSED_OF == 0
        return 503 if unlucky and not self.hits[webhook_id] else 204

    def _genuine(self, body: bytes, request: web.Request) -> bool:
        try:
            Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            return False
        return True


@contextlib.asynccontextmanager
async def listening(seed: int) -> AsyncIterator[Sink]:
    sink = Sink(random.Random(seed))
    app = web.Application()
    app.router.add_post("/hook", sink.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        sink.url = f"http://{host}:{port}/hook"
        async with mail_server() as boxes:
            sink.mail_port = boxes.port
            yield sink
    finally:
        await runner.cleanup()
