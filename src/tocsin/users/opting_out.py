"""Addresses at which a person stops the notifications that come to one mailbox, with one click (C10, RFC 8058), or
chooses among its topics (R4).

Such an address stands in each notification by mail, in its headers too, and asks for no login. It is good for as
long as the mailbox is the person's, and names it by a part of its hash, since addresses of the web get into logs.
"""

from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.crypto import MasterKey
from tocsin.kit.db import Env
from tocsin.kit.ids import new_id
from tocsin.kit.signed import signed, unsigned
from tocsin.users.models import User

PATH = "/opt-out"
_PURPOSE = "opt-out-link"
_HASH_BYTES = 8
_ENVS: tuple[Env, ...] = ("live", "test")
_LENGTH = 16 + 1 + 16 + _HASH_BYTES


class OptOut(NamedTuple):
    """Whose mailbox is to get nothing more."""

    project_id: UUID
    env: Env
    user_id: UUID
    hash: bytes


class OptOutLinks:
    def __init__(self, master: MasterKey, base_url: str) -> None:
        """``base_url`` is how the world reaches the installation."""
        self._master = master
        self._base_url = base_url

    def make(self, project_id: UUID, env: Env, user_id: UUID, mailbox: str) -> str:
        body = project_id.bytes + bytes([_ENVS.index(env)]) + user_id.bytes + _hash(mailbox)
        return f"{self._base_url}/api/v1{PATH}/{signed(body, self._master.derive(_PURPOSE))}"

    def read(self, token: str) -> OptOut | None:
        """What is asked for, or None: it is not one of ours."""
        body = unsigned(token, _LENGTH, self._master.tries(_PURPOSE))
        if body is None:
            return None
        return OptOut(UUID(bytes=body[:16]), _ENVS[body[16]], UUID(bytes=body[17:33]), body[33:])


async def opt_out(session: AsyncSession, asked: OptOut) -> bool:
    """Send this mailbox nothing more; whether that is new. In the scope of the person's project."""
    values = {
        "project": asked.project_id,
        "id": new_id(),
        "env": asked.env,
        "user": asked.user_id,
        "hash": asked.hash,
        "bytes": _HASH_BYTES,
    }
    return (await session.execute(_OPT_OUT, values)).first() is not None


async def whose(session: AsyncSession, asked: OptOut) -> User | None:
    """The person, while the mailbox is theirs. In the scope of their project."""
    values = {"user": asked.user_id, "hash": asked.hash, "bytes": _HASH_BYTES}
    return (await session.scalars(_WHOSE, values)).one_or_none()


def _hash(mailbox: str) -> bytes:
    return sha256(mailbox.encode()).digest()[:_HASH_BYTES]


_WHOSE = select(User).where(
    text("""users.id = :user AND EXISTS (
    SELECT FROM (SELECT users.email AS value
        UNION SELECT k.value FROM tocsin.addresses k WHERE k.user_id = :user AND k.channel = 'email') m
    WHERE substr(sha256(convert_to(m.value, 'UTF8')), 1, :bytes) = :hash)""")
)
# Of the profile's address there is a row from now on, which says so.
_OPT_OUT = text("""
INSERT INTO tocsin.addresses AS a (project_id, id, env, user_id, channel, value, opted_out_at)
SELECT :project, :id, :env, :user, 'email', m.value, now()
FROM (SELECT u.email AS value FROM tocsin.users u WHERE u.id = :user
    UNION SELECT k.value FROM tocsin.addresses k WHERE k.user_id = :user AND k.channel = 'email') m
WHERE substr(sha256(convert_to(m.value, 'UTF8')), 1, :bytes) = :hash LIMIT 1
ON CONFLICT (project_id, user_id, channel, value) DO UPDATE SET opted_out_at = now(), updated_at = now()
WHERE a.opted_out_at IS NULL
RETURNING a.id
""")
