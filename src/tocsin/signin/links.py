"""Links that count once: each is worth one thing, for one person, at one address, until its time.

The token is ``lk_`` and project, link, environment and a secret; only a hash of the secret is kept. What is wrong
with a token (used, expired, of another purpose, never given out) is nobody's business: the answer is always the
same.
"""

import base64
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.crypto import content_hash
from tocsin.kit.db import Database, Env
from tocsin.kit.errors import BadRequest
from tocsin.kit.ids import new_id
from tocsin.users.models import User

Purpose = Literal["verify_email", "change_email", "reset_password", "accept_invite"]

LIFETIMES: dict[Purpose, timedelta] = {
    "verify_email": timedelta(days=7),
    "change_email": timedelta(hours=24),
    "reset_password": timedelta(minutes=30),
    "accept_invite": timedelta(days=7),
}

_PAGES: dict[Purpose, str] = {
    "verify_email": "verify-email",
    "change_email": "verify-email",
    "reset_password": "reset-password",
    "accept_invite": "accept-invite",
}
_ENVS: tuple[Env, Env] = ("live", "test")
_SECRET_BYTES = 32
_TOKEN_BYTES = 16 + 16 + 1 + _SECRET_BYTES


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was just made; ``token`` is in it and nowhere else."""

    id: UUID
    token: str
    purpose: Purpose
    expires_at: datetime

    def url(self, base_url: str) -> str:
        """Where it leads. The token stands behind the #, which browsers send to no server and no other page."""
        return f"{base_url}/account/{_PAGES[self.purpose]}#token={self.token}"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a well-formed token names; whether it is worth anything, the database knows."""

    project_id: UUID
    env: Env
    id: UUID
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """What a token was worth; ``email`` is the address that is proven by it."""

    link_id: UUID
    purpose: Purpose
    email: str
    user: User


async def make_link(session: AsyncSession, user: User, purpose: Purpose, email: str) -> Link:
    """A new link for this person, to be sent to this address and nowhere else."""
    id_, secret = new_id(), os.urandom(_SECRET_BYTES)
    expires_at = datetime.now(UTC) + LIFETIMES[purpose]
    await session.execute(
        _INSERT,
        {
            "project": user.project_id,
            "id": id_,
            "env": user.env,
            "user": user.id,
            "purpose": purpose,
            "email": email,
            "account_email": user.email,
            "hash": content_hash(secret),
            "expires": expires_at,
        },
    )
    raw = user.project_id.bytes + id_.bytes + bytes([_ENVS.index("test" if user.env == "test" else "live")]) + secret
    return Link(id_, "lk_" + base64.urlsafe_b64encode(raw).decode().rstrip("="), purpose, expires_at)


_INSERT = text("""
INSERT INTO tocsin.links
    (project_id, id, env, user_id, purpose, email, account_email, secret_hash, expires_at)
VALUES (:project, :id, :env, :user, :purpose, :email, :account_email, :hash, :expires)
""")


def read_token(token: str) -> Shown:
    """What the token names; raises the one refusal."""
    try:
        raw = base64.b64decode(token[3:] + "=" * (-len(token[3:]) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise refused() from None
    if not token.startswith("lk_") or len(raw) != _TOKEN_BYTES or raw[32] >= len(_ENVS):
        raise refused()
    return Shown(UUID(bytes=raw[:16]), _ENVS[raw[32]], UUID(bytes=raw[16:32]), content_hash(raw[33:]))


async def check_link(db: Database, shown: Shown, *purposes: Purpose) -> User:
    """The person of a link that is still worth something; raises the one refusal. It stays as it is.

    For what costs something before the link is taken, as hashing a password does.
    """
    async with db.scope(shown.project_id, shown.env) as session:
        row = (await session.execute(_LOOK, _wanted(shown, purposes))).one_or_none()
        if row is None:
            raise refused()
        return await _person(session, row.user_id, row.account_email)


async def take_link(session: AsyncSession, shown: Shown, *purposes: Purpose) -> Taken:
    """Spend the link in this transaction, once; of several at the same time one wins. Raises the one refusal."""
    row = (await session.execute(_TAKE, _wanted(shown, purposes))).one_or_none()
    if row is None:
        raise refused()
    user = await _person(session, row.user_id, row.account_email)
    return Taken(shown.id, row.purpose, row.email, user)


async def spend_links(session: AsyncSession, user_id: UUID, *purposes: Purpose) -> None:
    """Make every open link of the person worthless; with purposes, those alone."""
    await session.execute(_SPEND, {"user": user_id, "purposes": list(purposes or LIFETIMES)})


async def _person(session: AsyncSession, user_id: UUID, account_email: str | None) -> User:
    """Locked, so that no change of the address passes unseen."""
    user = (await session.scalars(select(User).where(User.id == user_id).with_for_update())).one_or_none()
    if user is None or user.status == "disabled" or user.email != account_email:
        raise refused()
    return user


def _wanted(shown: Shown, purposes: tuple[Purpose, ...]) -> dict[str, object]:
    return {"id": shown.id, "env": shown.env, "hash": shown.secret_hash, "purposes": list(purposes)}


_LOOK = text("""
SELECT user_id, account_email FROM tocsin.links
WHERE id = :id AND env = :env AND secret_hash = :hash AND purpose = ANY(:purposes)
    AND used_at IS NULL AND expires_at > now()
""")
_TAKE = text("""
UPDATE tocsin.links SET used_at = now()
WHERE id = :id AND env = :env AND secret_hash = :hash AND purpose = ANY(:purposes)
    AND used_at IS NULL AND expires_at > now()
RETURNING purpose, email, user_id, account_email
""")
_SPEND = text("""
UPDATE tocsin.links SET used_at = now() WHERE user_id = :user AND used_at IS NULL AND purpose = ANY(:purposes)
""")


def refused() -> BadRequest:
    return BadRequest(
        "invalid_link", "This link does not work: it was used, has expired, or never did. Ask for a new one."
    )
