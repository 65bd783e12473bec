"""Whether a provider that was led here still calls us (C5, T9): somebody who has the token may lead it elsewhere.

What is to be sent leaves all the same, so the connection stays ``active``; its health is ``degraded`` with the reason,
and its owner is told once until it was well again.
"""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.channels.contract import Channel, Registers, SendFailure
from tocsin.connections.opened import Opened
from tocsin.connections.owner_mail import mail_owner
from tocsin.kit.db import Env
from tocsin.kit.http import Door
from tocsin.kit.vault import Vault


async def led_away(channel: Channel[Any, Any], found: Opened, ours: str | None, door: Door) -> str | None:
    """Whom the provider calls in place of ``ours``, in words; None where it calls us, or does not say. Not in a
    transaction."""
    if ours is None or not isinstance(channel, Registers):
        return None
    try:
        now = (await channel.registration(found.credentials, door)).url
    except SendFailure:
        return None
    if now == ours:
        return None
    whom = urlsplit(now).hostname or "somebody else" if now else "nobody"
    return f"The provider calls {whom} for this account, so what it hears does not reach us. Verify it to lead it here."


async def note_led_away(
    session: AsyncSession, vault: Vault, project_id: UUID, env: Env, connection_id: UUID, reason: str
) -> None:
    """Keep the reason, and tell the owner if it is news; in the scope of the connection."""
    values = {"project": project_id, "id": connection_id, "reason": reason}
    row = (await session.execute(_NOTE, values)).one_or_none()
    if row is None:
        return
    after = {"after": {"name": row.name, "statusReason": reason}}
    await record(
        session, project_id, env, Actor("system", None), "connection.led_away", "connection", connection_id, after
    )
    await mail_owner(session, vault, project_id, env, "connection_led_away", row)


# Not `updated_at`: what sends with it goes on.
_NOTE = text("""
UPDATE tocsin.connections SET status_reason = :reason
WHERE project_id = :project AND id = :id AND status IN ('active', 'rate_limited')
    AND status_reason IS DISTINCT FROM :reason
RETURNING name, provider, user_id, status_reason
""")
