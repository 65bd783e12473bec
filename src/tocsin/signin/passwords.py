"""A new password, and what ends with the old one."""

from uuid import UUID

from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.revocation import revoke
from tocsin.kit.vault import Vault
from tocsin.mail.post import post
from tocsin.signin.links import spend_links
from tocsin.users.models import User


async def replace_password(
    session: AsyncSession, vault: Vault, user: User, password_hash: str, *, reason: str, keep: UUID | None = None
) -> int:
    """Set the password, end the person's sessions but ``keep``, make links worthless, and tell the person.

    How many sessions ended. Sockets of the person are closed on every process within a second; who may still sign
    in opens new ones.
    """
    await session.execute(
        update(User).where(User.id == user.id).values(password_hash=password_hash, updated_at=func.now())
    )
    ended = await end_sessions(session, user, reason, keep=keep)
    await spend_links(session, user.id, "reset_password", "change_email")
    if user.email is not None:
        await post(session, vault, user.project_id, user.env, "password_notice", user.email, {}, user_id=user.id)
    return ended


async def end_sessions(session: AsyncSession, user: User, reason: str, *, keep: UUID | None = None) -> int:
    """End every live session of the person but ``keep``; how many there were."""
    rows = await session.execute(_END, {"user": user.id, "reason": reason, "keep": keep})
    await revoke(session, user.project_id, "user", str(user.id))
    return len(rows.all())


_END = text("""
UPDATE tocsin.sessions SET revoked_at = now(), revoked_reason = :reason
WHERE user_id = :user AND revoked_at IS NULL AND id IS DISTINCT FROM CAST(:keep AS uuid)
RETURNING id
""")
