"""Writing a mail, in the transaction of the change that causes it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.ids import new_id
from tocsin.kit.vault import Scoped, Vault
from tocsin.mail.models import Mail
from tocsin.mail.words import Kind

MOST_PER_ADDRESS = 5
MOST_PER_SOURCE = 20
"""Mails within an hour that strangers, or one's own calls, may cause to an address and from a network address."""

_NOTICE_LIFETIME = timedelta(days=1)


async def post(
    session: AsyncSession,
    vault: Vault,
    project_id: UUID,
    env: str,
    kind: Kind,
    recipient: str,
    details: Mapping[str, str],
    *,
    user_id: UUID | None = None,
    give_up_at: datetime | None = None,
) -> UUID:
    """One mail to one address, sent once this transaction is committed; in the sandbox only kept. Its id.

    ``details`` are what the words of this kind name, and ``url`` where they have a button. After ``give_up_at``,
    the time of its link, nobody is helped by it any more; a mail without one is tried for a day.
    """
    id_ = new_id()
    sealed = await vault.seal(
        session, project_id, Mail.__tablename__, id_, "details", msgspec.json.encode(details).decode()
    )
    mail = Mail(
        project_id=project_id,
        id=id_,
        env=env,
        user_id=user_id,
        kind=kind,
        recipient=recipient,
        details=sealed,
        state="queued" if env == "live" else "captured",
        give_up_at=give_up_at or datetime.now(UTC) + _NOTICE_LIFETIME,
    )
    session.add(mail)
    await session.flush()
    return id_


async def details_of(scoped: Scoped, vault: Vault, project_id: UUID, mail_id: UUID, sealed: str) -> dict[str, str]:
    """What ``post`` was given. Raises Unreadable."""
    opened = await vault.open(scoped, project_id, Mail.__tablename__, mail_id, "details", sealed)
    return msgspec.json.decode(opened, type=dict[str, str])


async def within_limit(session: AsyncSession, project_id: UUID, subject: str, most: int) -> bool:
    """Count one more mail for this subject (``address:...``, ``source:...``); whether the hour still has room.

    Counted in the database, so that it holds across processes. A rolled back transaction counted nothing.
    """
    count: int = (
        await session.execute(_COUNT, {"project": project_id, "subject": f"{project_id}:{subject}"})
    ).scalar_one()
    return count <= most


# Kept as a hash: the limit needs no list of who was written to from where.
_COUNT = text("""
INSERT INTO tocsin.mail_counts (project_id, subject, hour, count)
VALUES (:project, encode(sha256(convert_to(:subject, 'UTF8')), 'hex'), date_trunc('hour', now()), 1)
ON CONFLICT (project_id, subject, hour) DO UPDATE SET count = mail_counts.count + 1
RETURNING count
""")
