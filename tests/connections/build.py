"""Connections and the servers they lead to, as the tests here need them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.client import Client, Reply

PASSWORD = "canary-of-the-mail-server"
MAIL = {"host": "127.0.0.1", "port": 2525, "security": "none", "fromAddress": "alerts@acme.example.com"}
LOGIN = {"username": "acme", "password": PASSWORD}

_numbers = itertools.count(1)


async def make_hook(caller: Client, url: str = "http://127.0.0.1:8700/hook", **fields: Any) -> Any:
    """A webhook connection, as the one answer with its secret shows it."""
    body = {"provider": "webhook", "name": f"hook {next(_numbers)}", "settings": {"url": url}, **fields}
    return created(await caller.post("/connections", body))


async def make_mail(caller: Client, *, port: int = 2525, login: dict[str, Any] | None = None, **fields: Any) -> Any:
    body = {
        "provider": "smtp",
        "name": f"mail {next(_numbers)}",
        "settings": {**MAIL, "port": port},
        "credentials": LOGIN if login is None else login,
        **fields,
    }
    return created(await caller.post("/connections", body))


def created(reply: Reply) -> Any:
    assert reply.status == 201, reply.json
    return reply.json


async def read(caller: Client, connection: Any) -> Any:
    reply = await caller.get(f"/connections/{connection['id']}")
    assert reply.status == 200, reply.json
    return reply.json


@dataclass
class MailServer:
    """What a mail server saw. ``greeting`` runs before it greets back, ``meanwhile`` after a login."""

    port: int = 0
    logins: list[str] = field(default_factory=list)
    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    greeting: Callable[[], Awaitable[None]] | None = None
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        if self.greeting is not None:
            await self.greeting()
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 5.1.1 nobody of that name lives here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.taken.append((envelope.rcpt_tos, mail))
        return "250 OK queued as 4711"

    async def handle_NOOP(self, server: SMTP, session: Session, envelope: Envelope, argument: str) -> str:
        if self.meanwhile is not None:
            await self.meanwhile()
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        self.logins.append(given.login.decode())
        right = given == LoginPassword(b"acme", PASSWORD.encode())
        refusal = None if right else f"535 5.7.8 no entry with {given.password.decode()}"
        return AuthResult(success=right, handled=False, message=refusal)


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """A server that wants a login, on a free port."""
    seen = MailServer()

    def make() -> SMTP:
        return SMTP(
            seen, hostname="mx.example.com", authenticator=seen.authenticate, auth_require_tls=False, timeout=60
        )

    listening = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    seen.port = listening.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        listening.close()


@dataclass
class Receiver:
    """A backend that receives webhooks and answers as it is told."""

    url: str = ""
    status: int = 200
    words: str = "thank you"
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.calls.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, text=self.words)


async def _queued(request: web.Request) -> web.Response:
    """Text messages are taken as Twilio takes them."""
    return web.json_response({"sid": "SM0", "status": "queued"}, status=201)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    backend = Receiver()
    app = web.Application()
    app.router.add_post("/hook", backend.take)
    app.router.add_post("/hook/2010-04-01/Accounts/{account}/Messages.json", _queued)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        backend.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield backend
    finally:
        await runner.cleanup()
