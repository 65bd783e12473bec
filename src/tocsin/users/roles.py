"""Roles of a project: made, found by name, given to people."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.permissions import BUILT_IN_ROLES
from tocsin.kit.errors import Conflict, FieldError, Invalid
from tocsin.kit.ids import new_id
from tocsin.users.models import Role, User, UserRole


async def install_built_in(session: AsyncSession, project_id: UUID) -> None:
    """The roles every project has from its first moment."""
    session.add_all(
        Role(
            project_id=project_id,
            id=new_id(),
            env="live",
            name=name,
            description=description,
            permissions=sorted(permissions),
            built_in=True,
        )
        for name, (description, permissions) in BUILT_IN_ROLES.items()
    )
    await session.flush()


async def find_roles(session: AsyncSession, names: Iterable[str], pointer: str) -> dict[str, Role]:
    """The roles of these names; where both environments have one, the test caller gets the test row (A2)."""
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return {}
    rows = await session.scalars(select(Role).where(Role.name.in_(wanted)).order_by(Role.env))
    found = {role.name: role for role in rows}
    missing = [name for name in wanted if name not in found]
    if missing:
        raise Invalid(
            [
                FieldError(f"{pointer}/{wanted.index(name)}", "unknown_role", f"There is no role {name!r}.")
                for name in missing
            ]
        )
    return found


async def set_roles(session: AsyncSession, user: User, names: Sequence[str], env: str, pointer: str = "/roles") -> None:
    """Give a person exactly these roles; a project keeps an owner."""
    roles = await find_roles(session, names, pointer)
    if "owner" not in roles:
        await keep_an_owner(session, user.id)
    await session.execute(delete(UserRole).where(UserRole.user_id == user.id))
    await _give(session, user, roles, env)


async def first_roles(session: AsyncSession, user: User, names: Sequence[str], env: str, pointer: str) -> None:
    """Give a person who was just made these roles."""
    await _give(session, user, await find_roles(session, names, pointer), env)


async def _give(session: AsyncSession, user: User, roles: dict[str, Role], env: str) -> None:
    if roles:
        await session.execute(
            insert(UserRole).values(
                [
                    {"project_id": user.project_id, "user_id": user.id, "role_id": role.id, "env": env}
                    for role in roles.values()
                ]
            )
        )


async def keep_an_owner(session: AsyncSession, leaving: UUID) -> None:
    """Refuse to take the role from the only active owner there is."""
    owners = (
        select(UserRole.user_id)
        .join(Role, (Role.project_id == UserRole.project_id) & (Role.id == UserRole.role_id))
        .join(User, (User.project_id == UserRole.project_id) & (User.id == UserRole.user_id))
        .where(Role.name == "owner", Role.built_in, User.status == "active")
        .order_by(UserRole.user_id)
    )
    if leaving not in list(await session.scalars(owners)):
        return
    # Locked, so that of two owners who leave at once the second sees the first gone.
    if list(await session.scalars(owners.with_for_update(key_share=True, of=[UserRole, User]))) == [leaving]:
        raise Conflict("last_owner", "The project needs at least one owner; make somebody else one first.")


async def role_names(session: AsyncSession, user_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The role names of each of these people, sorted."""
    rows = await session.execute(
        select(UserRole.user_id, Role.name)
        .join(Role, (Role.project_id == UserRole.project_id) & (Role.id == UserRole.role_id))
        .where(UserRole.user_id.in_(user_ids))
        .order_by(Role.name)
    )
    names: dict[UUID, list[str]] = {}
    for user_id, name in rows:
        names.setdefault(user_id, []).append(name)
    return names
