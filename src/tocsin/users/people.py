"""Making, changing, finding and showing people of a project."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.channels.registry import device_kinds
from tocsin.kit.errors import NotFound
from tocsin.plans.totals import room_for
from tocsin.users.drafts import Draft, taken_place, write
from tocsin.users.models import Address, User
from tocsin.users.roles import role_names, roles_named
from tocsin.users.schemas import UserAnswer, UserFields


async def create_user(
    session: AsyncSession, project_id: UUID, env: str, fields: UserFields, *, password_hash: str | None = None
) -> User:
    """A new person with their roles and addresses."""
    draft = Draft.new(fields, await roles_named(session, fields.roles or []))
    async with room_for(session, project_id, env, "users", "teamMembers"):
        with taken_place():
            await write(session, project_id, env, [draft], password_hash=password_hash)
    return await find_user(session, draft.id)


async def change_user(session: AsyncSession, user: User, fields: UserFields) -> None:
    """Apply what was sent; what was left out stays. ``user`` itself is not read again."""
    draft = Draft.of(user)
    draft.take(fields, await roles_named(session, fields.roles or []))
    async with room_for(session, user.project_id, user.env, *(["teamMembers"] if fields.roles else [])):
        with taken_place():
            await write(session, user.project_id, user.env, [draft])


async def find_user(session: AsyncSession, user_id: UUID) -> User:
    user = (await session.scalars(select(User).where(User.id == user_id))).one_or_none()
    if user is None:
        raise NotFound()
    return user


async def find_by_external_id(session: AsyncSession, external_id: str) -> User | None:
    """The person the project's backend calls so; a test caller's own row wins over the live one (A2)."""
    rows = await session.scalars(
        select(User).where(User.external_user_id == external_id).order_by(User.env.desc()).limit(1)
    )
    return rows.one_or_none()


def search_filter(words: str) -> ColumnElement[bool]:
    """People whose name or e-mail contains the words, letter case aside."""
    pattern = "%" + words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
    return or_(User.name.ilike(pattern), User.email.ilike(pattern))


async def shown(session: AsyncSession, users: Sequence[User]) -> list[UserAnswer]:
    """People as an answer, with roles and addresses, in two queries for any number of them."""
    ids = [user.id for user in users]
    if not ids:
        return []
    names = await role_names(session, ids)
    addresses: dict[UUID, dict[str, str]] = {}
    single = select(Address).where(Address.user_id.in_(ids), Address.channel.not_in(device_kinds()))
    rows = await session.scalars(single.order_by(Address.id))
    for address in rows:
        addresses.setdefault(address.user_id, {})[address.channel] = address.value
    return [_shown(user, names.get(user.id, []), addresses.get(user.id, {})) for user in users]


async def shown_one(session: AsyncSession, user: User) -> UserAnswer:
    await session.refresh(user)
    (answer,) = await shown(session, [user])
    return answer


def _shown(user: User, roles: list[str], addresses: dict[str, str]) -> UserAnswer:
    fields: dict[str, Any] = {
        name: getattr(user, name) for name in UserAnswer.model_fields if name not in ("roles", "addresses", "metadata")
    }
    return UserAnswer(**fields, roles=roles, addresses=addresses, metadata=user.metadata_)
