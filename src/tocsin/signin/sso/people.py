"""Who an identity is in the project: somebody known, somebody an admin expected, somebody new, or nobody.

An identity is issuer and subject. An e-mail leads to a person only where an admin made that person without a
password and nobody else has a claim on them: no other identity, no externalUserId, no registration of their own,
and the provider says that the e-mail is verified. Somebody who has a password links it themselves, signed in.
"""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.kit.errors import Conflict, Forbidden
from tocsin.signin.invitations import accept, open_invite, promised_roles
from tocsin.signin.models import Invite
from tocsin.signin.sso.models import IdentityProvider
from tocsin.signin.sso.tickets import Identity
from tocsin.users.models import Role, User
from tocsin.users.people import create_user
from tocsin.users.schemas import UserFields

HELD = text("""
SELECT DISTINCT unnest(r.permissions) FROM tocsin.user_roles ur
JOIN tocsin.roles r ON r.project_id = ur.project_id AND r.id = ur.role_id WHERE ur.user_id = :user
""")
"""The permissions of a person."""

_OF_IDENTITY = text("SELECT user_id FROM tocsin.user_identities WHERE issuer = :issuer AND subject = :subject")
_OF_USER = text("SELECT 1 FROM tocsin.user_identities WHERE user_id = :user")
_USED = text("""
UPDATE tocsin.user_identities SET last_used_at = now(), email = :email
WHERE issuer = :issuer AND subject = :subject
""")
_LINK = text("""
INSERT INTO tocsin.user_identities (project_id, issuer, subject, user_id, email)
VALUES (:project, :issuer, :subject, :user, :email)
""")
_PROVEN = text("UPDATE tocsin.users SET email_verified_at = coalesce(email_verified_at, now()) WHERE id = :user")
# Two sign-ins of one identity at once: the second waits and finds what the first has made.
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:issuer || chr(10) || :subject, 0))")


async def person_of(session: AsyncSession, provider: IdentityProvider, identity: Identity, by: Actor) -> UUID:
    """The person who may come in, made or linked if need be. Raises Forbidden and Conflict."""
    _check_domain(provider, identity)
    await session.execute(_ONE_AT_A_TIME, _named(identity))
    user_id = await session.scalar(_OF_IDENTITY, _named(identity))
    if user_id is not None:
        await _check_active(session, user_id)
        await session.execute(_USED, {**_named(identity), "email": identity.email})
        return UUID(str(user_id))
    holder = await _holder(session, identity)
    if holder is not None:
        invited = await _expected(session, provider, holder)
        await _linked(session, holder.id, provider.project_id, identity, by)
        if invited is not None:
            accepted = await accept(session, holder, None, None)
            said = {"roles": accepted.roles, "user": str(holder.id)}
            actor = replace(by, id=str(holder.id))
            await record(session, holder.project_id, "live", actor, "invite.accepted", "invite", accepted.id, said)
        await session.execute(_PROVEN, {"user": holder.id})
        return holder.id
    return await _newcomer(session, provider, identity, by)


async def link_own(session: AsyncSession, project_id: UUID, user_id: UUID, identity: Identity, by: Actor) -> None:
    """Give a signed-in person this identity, at their own wish. Raises Conflict where one of the two is taken."""
    await session.execute(_ONE_AT_A_TIME, _named(identity))
    holder = await session.scalar(_OF_IDENTITY, _named(identity))
    if holder is not None and str(holder) != str(user_id):
        raise Conflict("sso_identity_taken", "Somebody else of this project signs in with this account.")
    if holder is None:
        if await session.scalar(_OF_USER, {"user": user_id}) is not None:
            raise Conflict("sso_already_linked", "You sign in with another account already; an admin can unlink it.")
        await _linked(session, user_id, project_id, identity, by)


def _check_domain(provider: IdentityProvider, identity: Identity) -> None:
    if not provider.allowed_domains:
        return
    if identity.email is None:
        raise Forbidden("sso_email_unverified", "The provider does not say that this e-mail is verified.")
    if identity.email.rpartition("@")[2] not in provider.allowed_domains:
        raise Forbidden("sso_domain_not_allowed", "E-mails of this domain do not come in here.")


async def _check_active(session: AsyncSession, user_id: UUID) -> None:
    status = await session.scalar(select(User.status).where(User.id == user_id))
    if status != "active":
        raise Forbidden("user_not_active", f"This user is {status}.")


async def _holder(session: AsyncSession, identity: Identity) -> User | None:
    if identity.email is None:
        return None
    return (await session.scalars(select(User).where(User.email == identity.email).with_for_update())).one_or_none()


async def _expected(session: AsyncSession, provider: IdentityProvider, user: User) -> Invite | None:
    """Refuse whoever no admin has made for somebody to come; the open invitation of one who was asked in."""
    claimed = user.password_hash is not None or user.external_user_id is not None or user.self_registered
    if claimed or await session.scalar(_OF_USER, {"user": user.id}) is not None:
        detail = "A user of this project has this e-mail. Sign in the usual way and link single sign-on there."
        raise Conflict("sso_email_taken", detail)
    invitation = await open_invite(session, user)
    if user.status != "active" and (user.status != "unverified" or invitation is None):
        raise Forbidden("user_not_active", f"This user is {user.status}.")
    held = set(await session.scalars(HELD, {"user": user.id}))
    promised = await promised_roles(session, invitation) if invitation else []
    if not held.union(*(role.permissions for role in promised)) - {"own:manage"} <= set(provider.reach):
        # Who may set up the provider could otherwise let it vouch for somebody above them.
        detail = "This user may more than whoever set up single sign-on, who must not open that account."
        raise Conflict("sso_out_of_reach", detail)
    return invitation


async def _newcomer(session: AsyncSession, provider: IdentityProvider, identity: Identity, by: Actor) -> UUID:
    if not provider.create_unknown:
        raise Forbidden("sso_unknown_person", "Nobody of this project signs in with this account; ask an admin.")
    role = None
    if provider.role_id is not None:
        role = (await session.scalars(select(Role).where(Role.id == provider.role_id))).one_or_none()
    if role is not None and not set(role.permissions) - {"own:manage"} <= set(provider.reach):
        raise Forbidden("sso_out_of_reach", "The role of new people may more than whoever set up single sign-on.")
    said: dict[str, Any] = {"email": identity.email, "name": identity.name, "roles": [role.name] if role else []}
    fields = UserFields.model_construct(_fields_set=set(said), **said)
    user = await create_user(session, provider.project_id, "live", fields)
    after = {name: value for name, value in said.items() if value}
    actor = replace(by, id=str(user.id))
    await record(session, provider.project_id, "live", actor, "user.created", "user", user.id, {"after": after})
    await _linked(session, user.id, provider.project_id, identity, by)
    if identity.email is not None:
        await session.execute(_PROVEN, {"user": user.id})
    return user.id


async def _linked(session: AsyncSession, user_id: UUID, project_id: UUID, identity: Identity, by: Actor) -> None:
    values = {**_named(identity), "project": project_id, "user": user_id, "email": identity.email}
    await session.execute(_LINK, values)
    said = {"issuer": identity.issuer, "subject": identity.subject, "email": identity.email}
    actor = replace(by, id=str(user_id))
    await record(session, project_id, "live", actor, "user.sso_linked", "user", user_id, {"after": said})


def _named(identity: Identity) -> dict[str, str]:
    return {"issuer": identity.issuer, "subject": identity.subject}
