"""The far end: a backend that gets webhooks, checks them with the official library and remembers each.

It takes its time and refuses some first attempts, so that kills meet sends under way and retries happen. In a mood
it is slow, lies or treats every first attempt badly; a second one is taken, since a third would come minutes later.
"""

import asyncio
import contextlib
import hashlib
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import msgspec
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from tests.mail.mailbox import mail_server
from tocsin.channels.webhook import new_secret

REFUSED_OF = 40
"""One delivery of so many is refused at its first attempt."""
MOODS = (
    "hangs",
    "drips",
    "resets",
    "breaks off",
    "answers half",
    "talks rubbish",
    "answers with rubbish",
    "answers twice",
    "redirects",
    "fails",
    "asks for patience",
)
MOODY = "is moody"
"""Each first attempt meets another of the moods."""
HANGS_SECONDS = 6.0
"""Longer than anybody waits for an answer under the leases of crash tests, so it stands for never."""
_DRIPPED = b"HTTP/1.1 200 OK\r\n"
_RUBBISH_BYTES = 1_000_000
_TWICE = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
_ANSWERED = {
    "fails": 500,
    "asks for patience": 429,
    "redirects": 307,
    "answers twice": 500,
    "answers with rubbish": 200,
}
"""What a mood says to those who hear a whole answer of it."""
UNHEARD = 599
"""Stands for an answer of which the caller got nothing, or not all."""


@dataclass(frozen=True)
class Hit:
    """One call: which delivery, what it said and whether the signature proved it, when it came and was answered, and
    our answer."""

    webhook_id: str
    client_event_id: str | None
    digest: str
    genuine: bool
    came: float
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
    """One of MOODS, or MOODY, or none."""
    moods_met: Counter[str] = field(default_factory=Counter)
    elsewhere: int = 0
    """Calls at the place that redirects lead to, which nobody should ask."""
    patient: bool = False
    """Whether it refuses nothing of itself."""
    mail_port: int = 0
    """Takes whatever mail it is given, by a server that belongs to somebody else."""

    async def take(self, request: web.Request) -> web.StreamResponse:
        came = time.monotonic()
        body = await request.read()
        webhook_id = request.headers.get("webhook-id", "")
        client_event_id = msgspec.json.decode(body)["data"]["event"]["clientEventId"]
        mood = self._mood_for(webhook_id)
        if mood:
            self.moods_met[mood] += 1
            status = _ANSWERED.get(mood, UNHEARD)
        else:
            status = await (self.answer or self._answer)(client_event_id if self.answer else webhook_id)
        self.hits[webhook_id].append(
            Hit(
                webhook_id,
                client_event_id,
                hashlib.sha256(body).hexdigest(),
                self._genuine(body, request),
                came,
                time.monotonic(),
                status,
            )
        )
        return await self._misbehave(mood, request) if mood else web.Response(status=status)

    def _mood_for(self, webhook_id: str) -> str:
        if not self.mood or self.hits[webhook_id]:
            return ""
        # In turn, so that a dozen calls meet all of them.
        return MOODS[self.moods_met.total() % len(MOODS)] if self.mood == MOODY else self.mood

    async def _misbehave(self, mood: str, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        match mood:
            case "hangs":
                await asyncio.sleep(HANGS_SECONDS)
            case "drips" if transport:
                for byte in _DRIPPED:
                    transport.write(bytes([byte]))
                    await asyncio.sleep(HANGS_SECONDS / len(_DRIPPED))
            case "breaks off" if transport:
                transport.write(b"HTTP/1.1 20")
                transport.close()
            case "answers half" if transport:
                transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nso far")
                transport.close()
            case "talks rubbish" if transport:
                transport.write(self.rng.randbytes(500))
                transport.close()
            case "answers with rubbish":
                return web.Response(body=self.rng.randbytes(_RUBBISH_BYTES), content_type="text/html")
            case "answers twice" if transport:
                transport.write(_TWICE)
        if mood in ("hangs", "drips", "resets") and transport:
            transport.abort()
        return web.Response(status=_ANSWERED.get(mood, 500), headers={"Retry-After": "2", "Location": "/elsewhere"})

    async def look_away(self, _request: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response(status=204)

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
    app.router.add_route("*", "/elsewhere", sink.look_away)
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
