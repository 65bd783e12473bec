"""Links by which a person shows which address at a provider is theirs: good once (C10)."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.db import Env
from tocsin.kit.ids import new_id

GOOD_FOR = timedelta(hours=1)
LONGEST_PAYLOAD = 64
"""Of A-Z, a-z, 0-9, _ and - (https://core.telegram.org/bots/features#deep-linking)."""
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Linked:
    """Whose link was used. ``again``: by the same address before, so nothing is new."""

    user_id: UUID
    name: str
    again: bool


async def make_link(
    session: AsyncSession, project_id: UUID, env: Env, user_id: UUID, connection_id: UUID
) -> tuple[str, datetime]:
    """What the person has to hand in, and until when. Links made for them before are worth nothing from now on."""
    payload, expires_at = secrets.token_urlsafe(_BYTES), datetime.now(UTC) + GOOD_FOR
    await session.execute(_END_OTHERS, {"user": user_id, "connection": connection_id})
    values = {
        "project": project_id,
        "id": new_id(),
        "env": env,
        "user": user_id,
        "connection": connection_id,
        "hash": _hash(payload),
        "expires_at": expires_at,
    }
    await session.execute(_MAKE, values)
    return payload, expires_at


async def use_link(session: AsyncSession, connection_id: UUID, payload: str, address: str) -> Linked | None:
    """Whose address this is. None where the link is unknown, of another connection, over, or was used elsewhere."""
    if len(payload) > LONGEST_PAYLOAD:
        return None
    where = {"connection": connection_id, "hash": _hash(payload), "address": address}
    row = (await session.execute(_USE, where)).one_or_none()
    return Linked(row.user_id, row.name, row.again) if row is not None else None


def _hash(payload: str) -> bytes:
    """Of 256 random bits, which nobody finds again from their hash."""
    return sha256(payload.encode()).digest()


_END_OTHERS = text("""
DELETE FROM tocsin.address_links WHERE user_id = :user AND connection_id = :connection AND used_at IS NULL
""")
_MAKE = text("""
INSERT INTO tocsin.address_links (project_id, id, env, user_id, connection_id, secret_hash, expires_at)
VALUES (:project, :id, :env, :user, :connection, :hash, :expires_at)
""")
# The row as it was before stands in a sub-select that locks it: RETURNING would show it changed.
_USE = text("""
UPDATE tocsin.address_links l SET used_at = coalesce(l.used_at, now()), used_by = :address
FROM (SELECT b.id, b.used_at IS NOT NULL AS again FROM tocsin.address_links b
    WHERE b.connection_id = :connection AND b.secret_hash = :hash
        AND (b.used_by = :address OR (b.used_at IS NULL AND b.expires_at > now())) FOR UPDATE) before, tocsin.users u
WHERE l.id = before.id AND u.project_id = l.project_id AND u.id = l.user_id AND u.status = 'active'
RETURNING l.user_id, coalesce(nullif(u.name, ''), 'you') AS name, before.again
""")
