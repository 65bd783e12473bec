"""Choosing a password by a one-time link: whoever holds it needs no other proof, and it works once (O1)."""

import hashlib

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.auth.passwords import hash_password
from tocsin.kit.db import Database
from tocsin.kit.errors import FieldError, Invalid
from tocsin.platform.admins import FIRST_ROLE, add_admin, end_sessions, has_super_admin
from tocsin.platform.first_admin import NOBODY_YET
from tocsin.platform.links import Link, Links, spent
from tocsin.platform.schemas import FirstAdminAnswer, Setup
from tocsin.projects.models import Project
from tocsin.users.models import User


def state_of(user: User) -> str:
    """What changes when somebody chooses a password, or somebody else ends the account."""
    return f"{user.status} {hashlib.sha256((user.password_hash or '').encode()).hexdigest()}"


async def set_up(db: Database, links: Links, body: Setup, actor: Actor) -> FirstAdminAnswer:
    """Spend a link. Raises Unauthorized alike for one that is spent, over, or was never made."""
    link = links.read(body.token)
    async with db.scope(link.project_id, "live") as session:
        await _holder(session, links, link)
    if link.user_id is None and body.email is None:
        raise Invalid([FieldError("/email", "missing", "The first admin needs an e-mail to sign in with.")])
    password_hash = await hash_password(body.password)  # only now: hashing is dear, and anybody may call
    async with db.scope(link.project_id, "live") as session:
        # Again, and locked: of two who use a link at once the second finds it spent.
        await session.execute(text("SELECT 1 FROM tocsin.projects FOR NO KEY UPDATE"))
        user = await _holder(session, links, link)
        if user is None:
            assert body.email is not None
            user = await add_admin(session, body.email, body.name, FIRST_ROLE, password_hash=password_hash)
        else:
            if body.email not in (None, user.email):
                raise Invalid([FieldError("/email", "other_email", "The link is for another e-mail.")])
            user.password_hash, user.status, user.name = password_hash, "active", body.name or user.name
            await session.flush()
            await end_sessions(session, link.project_id, user.id, "a new password was set by a link")
        who = Actor("user", str(user.id), actor.ip_address, actor.user_agent, actor.request_id)
        await record(session, link.project_id, "live", who, "user.set_up", "user", user.id)
        project = (await session.scalars(select(Project))).one()
        return FirstAdminAnswer(email=str(user.email), project=project.slug)


async def _holder(session: AsyncSession, links: Links, link: Link) -> User | None:
    """Whom the link is for, None for the first admin. Raises Unauthorized unless it is ours and unspent."""
    if link.user_id is None:
        if await has_super_admin(session) or not links.proven_by(link, NOBODY_YET):
            raise spent()
        return None
    user = (await session.scalars(select(User).where(User.id == link.user_id))).one_or_none()
    if user is not None:
        await session.refresh(user)
    if user is None or user.status not in ("pending", "active") or not links.proven_by(link, state_of(user)):
        raise spent()
    return user
