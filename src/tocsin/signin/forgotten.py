"""A forgotten password, without telling anybody who is known here (A4, bad inputs 90, 95 and 96).

The call only writes down that somebody asked: the same row, the same work and the same time for every address.
Whose it is, the worker looks up afterwards, and mails those it belongs to.
"""

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Database
from tocsin.kit.errors import TooManyRequests
from tocsin.kit.ids import PLATFORM_ID, new_id
from tocsin.kit.vault import Vault
from tocsin.mail.post import MOST_PER_ADDRESS, MOST_PER_SOURCE, post, within_limit
from tocsin.signin.links import LIFETIMES, make_link
from tocsin.users.models import User

MOST_ACCOUNTS = 5
"""Mails that one request causes at most, where an address has accounts in several projects."""

MOST_TRIES = 5

log = structlog.get_logger(__name__)


async def ask(db: Database, email: str, project_slug: str | None, base_url: str, ip: str | None) -> None:
    """Write down that somebody forgot the password of this address."""
    async with db.scope(PLATFORM_ID, "live") as session:
        await check_source(session, PLATFORM_ID, ip)
        await session.execute(
            _ASK,
            {"project": PLATFORM_ID, "id": new_id(), "email": email, "slug": project_slug, "base": base_url, "ip": ip},
        )


async def check_source(session: AsyncSession, project_id: UUID, ip: str | None) -> None:
    """Raise TooManyRequests where a network address has caused enough mails within the hour."""
    if not await within_limit(session, project_id, f"source:{network_of(ip)}", MOST_PER_SOURCE):
        raise TooManyRequests(
            "too_many_requests",
            f"At most {MOST_PER_SOURCE} such requests are taken from a network address within an hour.",
            headers={"Retry-After": "3600"},
        )


def network_of(ip: str | None) -> str:
    """What counts as one source: an IPv4 address, or the /64 of an IPv6 one, which a single machine has whole."""
    if ip is None:
        return ""
    address = ip_address(ip.partition("%")[0])
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


class ForgottenStage:
    """Answers what was asked; one per worker process."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    async def run_once(self) -> bool:
        """Answer one request; False when none waits. One that fails is tried again, a minute later."""
        async with self._db.scope(PLATFORM_ID, "live") as session:
            asked = (await session.execute(_CLAIM, {"tries": MOST_TRIES, "oldest": _oldest()})).one_or_none()
        if asked is None:
            return False
        for login in await self._logins(asked):
            try:
                await self._mail(asked, login)
            except Unreadable as error:
                log.error("no link for a forgotten password", project=str(login.project_id), error=str(error))
        async with self._db.scope(PLATFORM_ID, "live") as session:
            await session.execute(_DONE, {"id": asked.id})
        return True

    async def _logins(self, asked: Any) -> list[Any]:
        """The accounts of the address, none where it had enough mails."""
        async with self._db.scope(PLATFORM_ID, "live") as session:
            if not await within_limit(session, PLATFORM_ID, f"address:{asked.email}", MOST_PER_ADDRESS):
                return []
        async with self._db.unscoped() as session:
            rows = (await session.execute(_LOGINS, {"email": asked.email})).all()
        fitting = [row for row in rows if row.status == "active" and asked.project_slug in (None, row.project_slug)]
        return fitting[:MOST_ACCOUNTS]

    async def _mail(self, asked: Any, login: Any) -> None:
        async with self._db.scope(login.project_id, login.env) as session:
            user = (await session.scalars(select(User).where(User.id == login.user_id))).one_or_none()
            if user is None or user.email is None:
                return
            link = await make_link(session, user, "reset_password", user.email)
            await post(
                session,
                self._vault,
                user.project_id,
                user.env,
                "reset_password",
                user.email,
                {"url": link.url(asked.base_url)},
                user_id=user.id,
                give_up_at=link.expires_at,
            )
            visitor = Actor("user", None, asked.ip_address)
            await record(session, user.project_id, user.env, visitor, "password.reset_requested", "user", user.id)


def _oldest() -> datetime:
    """A link that comes later than it would have lived helps nobody."""
    return datetime.now(UTC) - LIFETIMES["reset_password"]


_ASK = text("""
INSERT INTO tocsin.resets (project_id, id, email, project_slug, base_url, ip_address)
VALUES (:project, :id, :email, :slug, :base, :ip)
""")
_CLAIM = text("""
WITH late AS (
    DELETE FROM tocsin.resets WHERE attempts >= :tries OR created_at < :oldest
)
UPDATE tocsin.resets SET attempts = attempts + 1, due_at = now() + interval '1 minute'
WHERE id = (
    SELECT id FROM tocsin.resets WHERE due_at <= now() AND attempts < :tries AND created_at >= :oldest
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, email, project_slug, base_url, ip_address
""")
_LOGINS = text("SELECT * FROM tocsin.find_logins(:email)")
_DONE = text("DELETE FROM tocsin.resets WHERE id = :id")
