"""Platform admins: users of the platform's own project with one of its roles (A6)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.permissions import PLATFORM_ROLES
from tocsin.auth.revocation import end_sessions_of, revoke
from tocsin.kit.errors import Conflict, NotFound
from tocsin.kit.ids import PLATFORM_ID
from tocsin.platform.first_admin import HAS_SUPER_ADMIN
from tocsin.platform.schemas import AdminAnswer
from tocsin.users.models import Role, User, UserRole
from tocsin.users.people import create_user
from tocsin.users.roles import give_roles, role_names, roles_named, take_other_roles
from tocsin.users.schemas import UserFields

FIRST_ROLE = "super_admin"

ADMINS = select(User).where(
    User.id.in_(
        select(UserRole.user_id)
        .join(Role, (Role.project_id == UserRole.project_id) & (Role.id == UserRole.role_id))
        .where(Role.name.in_(PLATFORM_ROLES), Role.built_in)
    )
)
"""In the platform's scope: everybody who runs the installation. Other users may come to be there, and are none."""


async def add_admin(
    session: AsyncSession, email: str, name: str | None, role: str, *, password_hash: str | None = None
) -> User:
    """A new admin; without a password one who has yet to choose it. Raises Conflict where the e-mail is taken."""
    fields = UserFields.model_construct(_fields_set={"email", "name", "roles"}, email=email, name=name, roles=[role])
    admin = await create_user(session, PLATFORM_ID, "live", fields, password_hash=password_hash)
    if password_hash is None:
        admin.status = "pending"
        await session.flush()
    return admin


async def find_admin(session: AsyncSession, admin_id: UUID) -> User:
    admin = (await session.scalars(ADMINS.where(User.id == admin_id))).one_or_none()
    if admin is None:
        raise NotFound()
    return admin


async def admin_of(session: AsyncSession, email: str) -> User | None:
    return (await session.scalars(ADMINS.where(User.email == email))).one_or_none()


async def give_role(session: AsyncSession, admin: User, role: str) -> None:
    """This role of the platform instead of the one there was."""
    wanted = {admin.id: [(await roles_named(session, [role]))[role]]}
    await take_other_roles(session, PLATFORM_ID, wanted)
    await give_roles(session, PLATFORM_ID, "live", wanted)


async def stop(session: AsyncSession, admin: User) -> None:
    """Nothing more for this admin: on every process the sessions end within a second."""
    await session.execute(update(User).where(User.id == admin.id).values(status="disabled"))
    await end_sessions(session, PLATFORM_ID, admin.id, "disabled")


async def end_sessions(session: AsyncSession, project_id: UUID, user_id: UUID, reason: str) -> None:
    await end_sessions_of(session, project_id, [user_id], reason)
    await revoke(session, project_id, "user", str(user_id))


@asynccontextmanager
async def a_super_admin_kept(session: AsyncSession) -> AsyncIterator[None]:
    """Refuse what happens inside if nobody is left who may do everything; of two who go at once, the second."""
    await session.execute(text("SELECT 1 FROM tocsin.projects FOR NO KEY UPDATE"))
    yield
    await session.flush()
    if not await has_super_admin(session):
        raise Conflict("last_super_admin", "The installation needs an active super admin; make another one first.")


async def has_super_admin(session: AsyncSession) -> bool:
    """Whether somebody can sign in who may do everything."""
    return bool(await session.scalar(_SUPER_ADMINS))


_SUPER_ADMINS = text(HAS_SUPER_ADMIN)


async def shown(session: AsyncSession, admins: Sequence[User]) -> list[AdminAnswer]:
    names = await role_names(session, [admin.id for admin in admins])
    return [
        AdminAnswer.model_validate(
            {
                "id": admin.id,
                "email": admin.email,
                "name": admin.name,
                "role": next(name for name in names[admin.id] if name in PLATFORM_ROLES),
                "status": "invited" if admin.status == "pending" else admin.status,
                "last_login_at": admin.last_seen_at,
                "created_at": admin.created_at,
            }
        )
        for admin in admins
    ]


async def shown_one(session: AsyncSession, admin: User) -> AdminAnswer:
    await session.refresh(admin)
    (answer,) = await shown(session, [admin])
    return answer
