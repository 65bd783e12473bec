"""Making, changing, finding and showing people of a project."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.db import violated
from tocsin.kit.errors import Conflict, FieldError, Invalid, NotFound
from tocsin.kit.ids import new_id
from tocsin.users.models import Address, User
from tocsin.users.roles import first_roles, keep_an_owner, role_names, set_roles
from tocsin.users.schemas import UserAnswer, UserFields

_PLAIN_FIELDS = ("email", "name", "avatar_url", "phone", "external_user_id", "locale", "timezone", "status")
_TAKEN = {
    "users_email_taken": ("/email", "email_taken", "Another user of this project has this e-mail."),
    "users_external_user_id_taken": (
        "/externalUserId",
        "external_user_id_taken",
        "Another user of this project has this externalUserId.",
    ),
}


async def create_user(
    session: AsyncSession,
    project_id: UUID,
    env: str,
    fields: UserFields,
    *,
    status: str = "active",
    password_hash: str | None = None,
    pointer: str = "",
) -> User:
    """A new person with their roles and addresses."""
    check_timezone(fields, pointer)
    values = {name: getattr(fields, name) for name in _PLAIN_FIELDS}
    user = User(
        project_id=project_id,
        id=new_id(),
        env=env,
        password_hash=password_hash,
        metadata_=fields.metadata or {},
        **{**values, "status": fields.status or status},
    )
    session.add(user)
    await flush_user(session, pointer)
    await first_roles(session, user, fields.roles or [], env, f"{pointer}/roles")
    await set_addresses(session, user, fields.addresses or {})
    return user


async def change_user(session: AsyncSession, user: User, fields: UserFields, pointer: str = "") -> None:
    """Apply what was sent; what was left out stays."""
    check_timezone(fields, pointer)
    sent = fields.model_fields_set
    if fields.status == "disabled" and user.status == "active":
        await keep_an_owner(session, user.id)
    for name in _PLAIN_FIELDS:
        if name in sent:
            setattr(user, name, getattr(fields, name))
    if "metadata" in sent:
        user.metadata_ = fields.metadata or {}
    await flush_user(session, pointer)
    if "roles" in sent:
        await set_roles(session, user, fields.roles or [], user.env, f"{pointer}/roles")
    if "addresses" in sent:
        await set_addresses(session, user, fields.addresses or {})


def check_timezone(fields: UserFields, pointer: str) -> None:
    if fields.timezone is not None and fields.timezone not in available_timezones():
        raise Invalid([FieldError(f"{pointer}/timezone", "unknown_timezone", "There is no such timezone (IANA name).")])


async def flush_user(session: AsyncSession, pointer: str = "") -> None:
    """Write a person; say which field somebody else already has."""
    try:
        await session.flush()
    except IntegrityError as error:
        taken = _TAKEN.get(violated(error) or "")
        if taken is None:
            raise
        place, code, detail = taken
        raise Conflict(code, detail, errors=[FieldError(pointer + place, code, detail)]) from None


async def set_addresses(session: AsyncSession, user: User, addresses: dict[str, str]) -> None:
    """Replace the person's address on each of these channels."""
    if not addresses:
        return
    old = await session.scalars(select(Address).where(Address.user_id == user.id, Address.channel.in_(list(addresses))))
    for address in old:
        await session.delete(address)
    await session.flush()
    await session.execute(
        insert(Address).values(
            [
                {
                    "project_id": user.project_id,
                    "id": new_id(),
                    "env": user.env,
                    "user_id": user.id,
                    "channel": channel,
                    "value": value,
                }
                for channel, value in addresses.items()
            ]
        )
    )


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
    rows = await session.scalars(select(Address).where(Address.user_id.in_(ids)).order_by(Address.id))
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
