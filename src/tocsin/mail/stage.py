"""The stage that sends the platform's own mail: claim, commit, send outside any transaction, record (D1).

There is one server for all of it, so a look sends what it claimed at the same time and ends when all are answered.
A mail is tried again until its time runs out, ever more slowly, at most an hour apart.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import msgspec
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.channels.contract import Action, BadCredentials, Branding, Message, Rejected, SendFailure, Unavailable
from tocsin.channels.masking import without_secrets
from tocsin.channels.smtp import Smtp, SmtpCredentials, SmtpSettings
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Database, Env
from tocsin.kit.http import Door
from tocsin.kit.vault import Vault
from tocsin.mail.post import details_of
from tocsin.mail.words import Words, unlinked, written

MOST_PROJECTS = 16
MOST_EACH = 4
SEND_SECONDS = 12.0
LEASE_SECONDS = 60
FIRST_WAIT, LONGEST_WAIT = 5.0, 3_600.0

NOBODY = UUID(int=0)

log = structlog.get_logger(__name__)


class MailServer(NamedTuple):
    """The platform's own account (``TOCSIN_SMTP_URL``)."""

    settings: SmtpSettings
    credentials: SmtpCredentials


class Claimed(NamedTuple):
    project_id: UUID
    env: Env
    id: UUID


class Outgoing(NamedTuple):
    """A mail as it is sent, for which so many seconds are left, by the database's clock."""

    message: Message
    recipient: str
    attempt: int
    seconds_left: float
    last_error: str | None


class Outcome(NamedTuple):
    """What became of a try. ``wait`` are the seconds until the next one of a mail that is ``queued``."""

    state: str
    error: str | None = None
    wait: float = 0.0


class Loaded(NamedTuple):
    """A mail as it was kept, and what it is to say."""

    row: Any
    details: dict[str, str]


Reword = Callable[[UUID, Env, str, Mapping[str, str], str | None], Awaitable[Words | None]]
"""The project's own words for a mail of a kind with these details, to somebody of this locale."""


class MailStage:
    def __init__(
        self, db: Database, vault: Vault, door: Door, server: MailServer | None, reword: "Reword | None" = None
    ) -> None:
        """``reword`` has the project's own words for a mail, if it has any."""
        self._db = db
        self._vault = vault
        self._door = door
        self._server = server
        self._reword = reword
        self._after = NOBODY
        self._said = False

    async def run_once(self) -> bool:
        """Send what is due of the next projects in turn; False when nothing was."""
        if self._server is None:
            await self._say_that_mails_wait()
            return False
        token = uuid4()
        claimed = await self._claim(token)
        await asyncio.gather(*(self._handle(self._server, mail, token) for mail in claimed))
        return bool(claimed)

    async def _say_that_mails_wait(self) -> None:
        if not self._said and await self._db.hot.fetchval("SELECT tocsin.mail_waits()"):
            self._said = True
            log.warning(
                "mails wait, and no mail server is set: set TOCSIN_SMTP_URL for API and workers, or pass on the"
                " links that `tocsin mail list` and `tocsin mail show` print"
            )

    async def _claim(self, token: UUID) -> list[Claimed]:
        rows = await self._db.hot.fetch(
            "SELECT project_id, env, id FROM tocsin.claim_mails($1, $2, $3, $4, $5)",
            self._after,
            MOST_PROJECTS,
            MOST_EACH,
            LEASE_SECONDS,
            token,
        )
        if not rows and self._after != NOBODY:
            self._after = NOBODY
            return await self._claim(token)
        self._after = max((row["project_id"] for row in rows), default=NOBODY)
        return [Claimed(row["project_id"], row["env"], row["id"]) for row in rows]

    async def _handle(self, server: MailServer, mail: Claimed, token: UUID) -> None:
        try:
            async with self._db.scope(mail.project_id, mail.env) as session:
                loaded = await self._load(session, mail, token)
            if loaded is None:
                return
            outcome = await self._send(server, await self._written(mail, loaded))
        except Unreadable as error:
            outcome = Outcome("failed", f"not readable: {error}")
        async with self._db.scope(mail.project_id, mail.env) as session:
            await _record(session, mail, token, outcome)

    async def _load(self, session: AsyncSession, mail: Claimed, token: UUID) -> "Loaded | None":
        """The mail, unless somebody else claimed it meanwhile, or its person is gone."""
        row = (await session.execute(_LOAD, {"id": mail.id, "token": token})).one_or_none()
        if row is None:
            return None
        details = await details_of(session, self._vault, mail.project_id, mail.id, row.details)
        return Loaded(row, details)

    async def _written(self, mail: Claimed, loaded: "Loaded") -> Outgoing:
        row, details = loaded
        own = None
        if self._reword is not None:
            own = await self._reword(mail.project_id, mail.env, row.kind, details, row.locale)
        words = own or written(row.kind, row.name, details)
        message = as_message(mail, words, row.name, row.created_at, details)
        message = replace(message, branding=_looks(row.branding))
        return Outgoing(message, row.recipient, row.attempts, row.seconds_left, row.last_error)

    async def _send(self, server: MailServer, outgoing: Outgoing) -> Outcome:
        if outgoing.seconds_left <= 0:
            return Outcome("failed", f"its time ran out; before: {outgoing.last_error or 'never tried'}")
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await Smtp().send(outgoing.message, outgoing.recipient, *server, self._door)
        except Rejected as failure:
            return Outcome("failed", told(failure, server))
        except SendFailure as failure:
            return _again(server, outgoing, failure)
        except TimeoutError:
            return _again(server, outgoing, Unavailable(f"The server did not finish within {SEND_SECONDS:g} s."))
        return Outcome("sent")


def as_message(
    mail: Claimed, words: Words, project_name: str, created_at: datetime, details: dict[str, str]
) -> Message:
    """The mail as the e-mail channel takes it. Its Message-ID follows from the id, so a second copy can be told."""
    return Message(
        delivery_id=mail.id,
        notification_id=mail.id,
        project_id=mail.project_id,
        project_name=project_name,
        env=mail.env,
        title=words.subject,
        message=words.text,
        priority="normal",
        created_at=created_at,
        action=Action(url=details["url"], label=words.button) if words.button else None,
    )


def _looks(branding: str) -> Branding:
    """Of these mails, which strangers get too: no picture from elsewhere, no link but their own."""
    looks = Branding.of(msgspec.json.decode(branding))
    return replace(looks, logo_url=None, footer=unlinked(looks.footer or ""))


def _again(server: MailServer, outgoing: Outgoing, failure: SendFailure) -> Outcome:
    """Try later, unless the mail is worth nothing by then. A refused login is ours to mend, so mails outlast it."""
    if isinstance(failure, BadCredentials):
        log.warning("the mail server of TOCSIN_SMTP_URL refuses its login", reason=failure.reason)
    wait = min(FIRST_WAIT * 4 ** min(outgoing.attempt - 1, 10), LONGEST_WAIT) * random.uniform(0.8, 1.2)
    return Outcome("queued", told(failure, server), min(wait, outgoing.seconds_left))


def told(failure: SendFailure, server: MailServer) -> str:
    """The reason with the server's own words, one line."""
    words = without_secrets(f"{failure.reason} {failure.answer}", server.credentials)
    return " ".join(words.split())[:500]


async def _record(session: AsyncSession, mail: Claimed, token: UUID, outcome: Outcome) -> None:
    """Only whoever still holds the claim says what became of it."""
    await session.execute(_RECORD, {"id": mail.id, "token": token, **outcome._asdict()})


_LOAD = text("""
SELECT m.kind, m.recipient, m.details, m.attempts, m.last_error, m.created_at, p.name,
    CAST(extract(epoch FROM m.give_up_at - now()) AS float) AS seconds_left,
    CAST(p.branding AS text) AS branding, u.locale
FROM tocsin.mails m JOIN tocsin.projects p ON p.id = m.project_id
LEFT JOIN tocsin.users u ON u.project_id = m.project_id AND u.id = m.user_id
WHERE m.id = :id AND m.lease_token = :token AND m.state = 'queued'
""")
_RECORD = text("""
UPDATE tocsin.mails
SET state = :state, last_error = :error, lease_token = NULL,
    due_at = CASE WHEN :state = 'queued' THEN now() + make_interval(secs => :wait) ELSE due_at END,
    sent_at = CASE WHEN :state = 'sent' THEN now() END
WHERE id = :id AND lease_token = :token
""")
