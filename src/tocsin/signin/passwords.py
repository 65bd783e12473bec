"""A new password, and what ends with the old one."""

from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.revocation import end_sessions_of
from tocsin.kit.vault import Vault
from tocsin.mail.post import post
from tocsin.signin.links import spend_links
from tocsin.users.models import User


async def replace_password(
    session: AsyncSession, vault: Vault, user: User, password_hash: str, *, reason: str, keep: UUID | None = None
) -> int:
    """Set the password, end the person's sessions but ``keep``, make links worthless, and tell the person.

    How many sessions ended. Sockets that stand on them are closed on every process within a second.
    """
    await session.execute(
        update(User).where(User.id == user.id).values(password_hash=password_hash, updated_at=func.now())
    )
    ended = await end_sessions_of(session, user.project_id, [user.id], reason, but=keep)
    await spend_links(session, user.id, "reset_password", "change_email")
    if user.email is not None:
        await post(session, vault, user.project_id, user.env, "password_notice", user.email, {}, user_id=user.id)
    return ended
