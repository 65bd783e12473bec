"""Roles of a project: made, found by name, given to people."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.permissions import BUILT_IN_ROLES
from tocsin.auth.revocation import revoke_all
from tocsin.kit.db import as_json
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


async def find_roles(session: AsyncSession, names: Collection[str], pointer: str) -> list[Role]:
    """The roles of these names; raises Invalid with a pointer for each there is not."""
    return picked(await roles_named(session, names), names, pointer)


async def roles_named(session: AsyncSession, names: Collection[str]) -> dict[str, Role]:
    """Those there are; where both environments have one of a name, the test caller gets the test row (A2)."""
    if not names:
        return {}
    rows = await session.scalars(select(Role).where(Role.name.in_(names)).order_by(Role.env))
    return {role.name: role for role in rows}


def picked(roles: Mapping[str, Role], names: Iterable[str], pointer: str) -> list[Role]:
    """The roles of these names out of those there are; raises Invalid with a pointer for each there is not."""
    wanted = list(dict.fromkeys(names))
    missing = [
        FieldError(f"{pointer}/{number}", "unknown_role", f"There is no role {name!r}.")
        for number, name in enumerate(wanted)
        if name not in roles
    ]
    if missing:
        raise Invalid(missing)
    return [roles[name] for name in wanted]


async def take_other_roles(session: AsyncSession, project_id: UUID, wanted: Mapping[UUID, Iterable[Role]]) -> None:
    """Take from each of these people every role but those, and with it what it opened to them."""
    if wanted:
        rows = await session.execute(_TAKE, {"people": list(wanted), "rows": as_json(_rows(wanted))})
        await revoke_all(session, project_id, "access", sorted({str(id_) for id_ in rows.scalars()}))


_TAKE = text("""
DELETE FROM tocsin.user_roles AS held
WHERE held.user_id = ANY(:people) AND NOT EXISTS (
    SELECT FROM json_to_recordset(CAST(:rows AS json)) AS w(user_id uuid, role_id uuid)
    WHERE w.user_id = held.user_id AND w.role_id = held.role_id)
RETURNING held.user_id
""")


async def tell_holders(session: AsyncSession, role: Role) -> None:
    """Have what a role opened to its people looked at anew: it may less than before, or will be gone."""
    people = await session.scalars(select(UserRole.user_id).where(UserRole.role_id == role.id))
    await revoke_all(session, role.project_id, "access", [str(id_) for id_ in people])


async def give_roles(session: AsyncSession, project_id: UUID, env: str, wanted: Mapping[UUID, Iterable[Role]]) -> None:
    """Give each of these people those roles, where they do not have them."""
    if rows := _rows(wanted):
        await session.execute(_GIVE, {"project": project_id, "env": env, "rows": as_json(rows)})


_GIVE = text("""
INSERT INTO tocsin.user_roles (project_id, env, user_id, role_id)
SELECT :project, :env, w.* FROM json_to_recordset(CAST(:rows AS json)) AS w(user_id uuid, role_id uuid)
ON CONFLICT DO NOTHING
""")


def _rows(wanted: Mapping[UUID, Iterable[Role]]) -> list[dict[str, UUID]]:
    return [{"user_id": user_id, "role_id": role.id} for user_id, roles in wanted.items() for role in roles]


@asynccontextmanager
async def an_owner_kept(session: AsyncSession, leaving: Collection[UUID]) -> AsyncIterator[None]:
    """Refuse what happens inside to these people if it leaves the project without an active owner."""
    if not leaving or not set(leaving).intersection(await session.scalars(_OWNERS)):
        yield
        return
    # Locked, so that of two owners who leave at once the second sees the first gone.
    await session.execute(_OWNERS.with_for_update(key_share=True, of=[UserRole, User]))
    yield
    if not (await session.scalars(_OWNERS)).all():
        raise Conflict("last_owner", "The project needs at least one owner; make somebody else one first.")


_OWNERS = (
    select(UserRole.user_id)
    .join(Role, (Role.project_id == UserRole.project_id) & (Role.id == UserRole.role_id))
    .join(User, (User.project_id == UserRole.project_id) & (User.id == UserRole.user_id))
    .where(Role.name == "owner", Role.built_in, User.status == "active")
    .order_by(UserRole.user_id)
)


async def role_names(session: AsyncSession, user_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The role names of each of these people, sorted."""
    if not user_ids:
        return {}
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
