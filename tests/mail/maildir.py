"""A mail server of somebody else's in a thread of its own, for tests whose loop stands still meanwhile."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox

from tests.engines import free_port, temporary_folder


@dataclass(frozen=True)
class Maildir:
    """Where mails are sent, and the folder in which they are then files under ``new``."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?from=tocsin@platform.example&security=none"


@contextlib.contextmanager
def delivering() -> Iterator[Maildir]:
    with temporary_folder() as root:
        mail = Maildir(free_port(), root / "mail")
        server = Controller(Mailbox(str(mail.folder)), hostname="127.0.0.1", port=mail.port)
        server.start()
        try:
            yield mail
        finally:
            server.stop()
