"""Whose connections they become."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.users.models import Role, User, UserRole

ADMINS = ("owner", "admin")
"""Built-in roles."""


class NobodyThere(Exception):
    """The project has no such person; the message says whom it looked for."""


class Holder(NamedTuple):
    """A person, or the project where ``user_id`` is None; ``label`` is for the operator."""

    user_id: UUID | None
    label: str


async def holders_of(session: AsyncSession, whose: str) -> list[Holder]:
    """The project, each of its admins, or the person of an e-mail address. Raises NobodyThere."""
    if whose == "project":
        return [Holder(None, "project")]
    if whose == "admins":
        return await _admins(session)
    query = select(User.id).where(User.env == "live", User.email == whose, User.status != "disabled")
    user_id = (await session.scalars(query)).one_or_none()
    if user_id is None:
        raise NobodyThere(f"the project has nobody with the e-mail {whose} who may sign in; invite them first")
    return [Holder(user_id, whose)]


async def _admins(session: AsyncSession) -> list[Holder]:
    query = (
        select(User.id, User.email)
        .join(UserRole, (UserRole.project_id == User.project_id) & (UserRole.user_id == User.id))
        .join(Role, (Role.project_id == UserRole.project_id) & (Role.id == UserRole.role_id))
        .where(User.env == "live", User.status != "disabled", Role.built_in, Role.name.in_(ADMINS))
        .distinct()
        .order_by(User.id)
    )
    found = [Holder(row.id, row.email or str(row.id)) for row in await session.execute(query)]
    if not found:
        raise NobodyThere("the project has neither owner nor admin; invite one first")
    return found
