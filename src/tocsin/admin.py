"""`tocsin admin create`: the first admin of an installation, and the way back in for one who is locked out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.auth.passwords import hash_password
from tocsin.kit.db import Database
from tocsin.kit.errors import Problem
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.vault import Vault
from tocsin.platform.admins import add_admin, admin_of, end_sessions
from tocsin.platform.invitations import mail_link
from tocsin.platform.links import Links, address
from tocsin.platform.prepare import prepare
from tocsin.platform.schemas import AdminCreate, RoleName
from tocsin.platform.setup import state_of
from tocsin.projects.schemas import Password
from tocsin.startup import Installation
from tocsin.users.models import User


class NotMade(Exception):
    """What was asked for cannot be; the message says why."""


async def create(
    installation: Installation, email: str, name: str | None, role: str, password: str | None
) -> str | None:
    """An admin of this e-mail; the address of their one-time link, or None where the password is set already."""
    try:
        wanted = AdminCreate.model_validate({"email": email, "role": role, "name": name})
        hashed = await hash_password(TypeAdapter(Password).validate_python(password)) if password is not None else None
    except ValidationError as error:
        raise NotMade(_words(error)) from error
    async with _platform(installation) as db, db.scope(PLATFORM_ID, "live") as session:
        try:
            admin = await _admin(session, wanted.email, wanted.name, wanted.role, hashed)
            return await _link(installation, session, admin) if hashed is None else None
        except Problem as problem:
            raise NotMade(problem.detail) from problem


async def _link(installation: Installation, session: AsyncSession, admin: User) -> str:
    """The address of a link, mailed to whoever has no password yet; the way back in is for this terminal alone."""
    token = Links(installation.master).make(PLATFORM_ID, admin.id, state_of(admin))
    url = address(installation.settings.base_url, token)
    if admin.status == "pending":
        await mail_link(session, Vault(installation.master), installation.settings, admin, url, "The operator")
    return url


async def _admin(session: AsyncSession, email: str, name: str | None, role: RoleName, hashed: str | None) -> User:
    admin = await admin_of(session, email)
    if admin is None:
        admin = await add_admin(session, email, name, role, password_hash=hashed)
        action = "admin.invited"
    else:
        if admin.status == "disabled":
            raise NotMade(f"{email} is disabled; another super admin can let them in again.")
        action = "admin.helped"
        if hashed is not None:
            admin.password_hash, admin.status = hashed, "active"
            await session.flush()
            await end_sessions(session, PLATFORM_ID, admin.id, "a new password was set")
    await session.flush()
    await session.refresh(admin)
    told = {"email": email, "role": role}
    await record(session, PLATFORM_ID, "live", Actor("system", "tocsin admin create"), action, "admin", admin.id, told)
    return admin


@asynccontextmanager
async def _platform(installation: Installation) -> AsyncIterator[Database]:
    """The application's login, and the platform's own project in a state to work with."""
    prefix = installation.settings.db_role_prefix
    db = Database(installation.app_url, ordinary=1, hot=0, statement_seconds=10, role_prefix=prefix)
    await db.start()
    try:
        await prepare(db, Vault(installation.master))
        yield db
    finally:
        await db.close()


def _words(error: ValidationError) -> str:
    return "; ".join(
        f"{mistake['loc'][0] if mistake['loc'] else 'password'}: {mistake['msg']}"
        for mistake in error.errors(include_url=False, include_input=False)
    )
