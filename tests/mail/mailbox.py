"""A mail server that belongs to somebody else, and what came into its mailboxes."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import Envelope, Session

from tests.pipeline import until


@dataclass
class Mailboxes:
    """Every mail the server took, and the answers it gives instead of taking the next ones."""

    port: int = 0
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    tries: int = 0
    slow: float = 0.0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?from=tocsin@platform.example&security=none"

    async def handle_RCPT(
        self, server: Server, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Server, session: Session, envelope: Envelope) -> str:
        self.tries += 1
        await asyncio.sleep(self.slow)
        if self.answers:
            return self.answers.pop(0)
        mail = message_from_bytes(envelope.content or b"", policy=default)
        assert isinstance(mail, EmailMessage)
        self.taken.extend((address, mail) for address in envelope.rcpt_tos)
        return "250 OK"

    def of(self, address: str) -> list[EmailMessage]:
        return [mail for recipient, mail in self.taken if recipient == address]

    async def next(self, address: str, subject: str, seconds: float = 60) -> EmailMessage:
        """The newest mail to this address whose subject begins so, once there is one that was not read yet."""

        async def look() -> EmailMessage | None:
            for place in range(len(self.taken) - 1, -1, -1):
                recipient, mail = self.taken[place]
                if recipient == address and str(mail["Subject"]).startswith(subject):
                    del self.taken[place]
                    return mail
            return None

        found = await until(look, seconds)
        assert found is not None
        return found


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def html_of(mail: EmailMessage) -> str:
    body = mail.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def url_in(mail: EmailMessage) -> str:
    """The one link of a mail."""
    (url,) = re.findall(r"https?://\S+", text_of(mail))
    return str(url)


def token_in(mail: EmailMessage) -> str:
    return url_in(mail).partition("#token=")[2]


@asynccontextmanager
async def mail_server() -> AsyncIterator[Mailboxes]:
    boxes = Mailboxes()

    def make() -> Server:
        return Server(boxes, hostname="mx.platform.example", timeout=60)

    listening = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    boxes.port = listening.sockets[0].getsockname()[1]
    try:
        yield boxes
    finally:
        listening.close()
