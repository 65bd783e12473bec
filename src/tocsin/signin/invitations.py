"""Invitations: somebody who may give these roles asks a person in, and a link lets that person come (row 101).

The roles are given when the person comes and not before. Nobody invites with more than they may themselves.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.errors import Conflict
from tocsin.kit.ids import new_id
from tocsin.kit.vault import Vault
from tocsin.mail.post import post
from tocsin.signin.links import make_link, refused, spend_links
from tocsin.signin.models import Invite
from tocsin.signin.verification import check_address_limit
from tocsin.users.models import Role, User
from tocsin.users.people import create_user
from tocsin.users.rights import check_may_give
from tocsin.users.roles import give_roles, role_names, roles_named
from tocsin.users.schemas import UserFields


@dataclass(frozen=True, slots=True)
class Inviter:
    """Who invites: ``user``, ``key`` or ``system`` with its id, the name the mail says, and what they may."""

    kind: str
    id: UUID
    name: str
    permissions: Collection[str]


async def invite(
    session: AsyncSession, vault: Vault, base_url: str, user: User, roles: Sequence[Role], by: Inviter
) -> Invite:
    """Ask a person in, by mail to the address of the account; ``roles`` come on top of those they hold.

    An invitation that is still open is replaced. Raises Forbidden for roles that may more than the inviter,
    Conflict for who cannot be invited, TooManyRequests for an address that had enough mails within the hour.
    """
    held = await roles_named(session, (await role_names(session, [user.id])).get(user.id, []))
    check_may_give(by.permissions, [*held.values(), *roles])
    email = _invitable(user)
    await check_address_limit(session, user, email)
    await withdraw(session, user.id)
    link = await make_link(session, user, "accept_invite", email)
    made = Invite(
        project_id=user.project_id,
        id=new_id(),
        env=user.env,
        user_id=user.id,
        email=email,
        roles=[role.name for role in roles],
        state="open",
        invited_by_kind=by.kind,
        invited_by=by.id,
        expires_at=link.expires_at,
    )
    session.add(made)
    await session.flush()
    await post(
        session,
        vault,
        user.project_id,
        user.env,
        "invitation",
        email,
        {"url": link.url(base_url), "inviter": by.name},
        user_id=user.id,
        give_up_at=link.expires_at,
    )
    await session.refresh(made)
    return made


def _invitable(user: User) -> str:
    """The address to invite at."""
    if user.status == "disabled":
        raise Conflict("user_disabled", "This user is disabled; make them active first.")
    if user.status == "active" and user.password_hash is not None:
        raise Conflict("already_member", "This user can sign in already.")
    if user.email is None:
        raise Conflict("no_email", "This user has no e-mail address to be invited at.")
    return user.email


async def invited_user(session: AsyncSession, project_id: UUID, env: str, email: str, name: str | None) -> User:
    """The person of this address in this environment, made if nobody is: ``unverified`` until they come."""
    known = (await session.scalars(select(User).where(User.email == email, User.env == env))).one_or_none()
    if known is not None:
        return known
    said: dict[str, Any] = {"email": email, "name": name, "status": "unverified"}
    return await create_user(session, project_id, env, UserFields.model_construct(_fields_set=set(said), **said))


async def withdraw(session: AsyncSession, user_id: UUID) -> None:
    """Make the open invitation of a person worthless, where there is one."""
    await spend_links(session, user_id, "accept_invite")
    await session.execute(
        update(Invite)
        .where(Invite.user_id == user_id, Invite.state == "open")
        .values(state="withdrawn", updated_at=func.now())
    )


async def open_invite(session: AsyncSession, user: User) -> Invite | None:
    """The invitation of a person that still counts, if any; nobody else takes it meanwhile."""
    still_open = (Invite.user_id == user.id, Invite.state == "open", Invite.expires_at > func.now())
    return (await session.scalars(select(Invite).where(*still_open).with_for_update())).one_or_none()


async def promised_roles(session: AsyncSession, invitation: Invite) -> list[Role]:
    """Raises Conflict where one of the roles does not exist any more: what is left may not be what was meant."""
    roles = await roles_named(session, invitation.roles)
    if len(roles) < len(invitation.roles):
        raise Conflict("invite_outdated", "A role of this invitation does not exist any more; ask for a new one.")
    return list(roles.values())


async def accept(session: AsyncSession, user: User, password_hash: str | None, name: str | None) -> Invite:
    """Let an invited person in, who has proven their e-mail, with the roles they were promised. Raises Conflict."""
    invitation = await open_invite(session, user)
    if invitation is None:
        raise refused()
    roles = await promised_roles(session, invitation)
    await give_roles(session, user.project_id, user.env, {user.id: roles})
    now = datetime.now(UTC)
    values = {"status": "active", "wished_roles": [], "email_verified_at": now, "updated_at": now}
    if password_hash is not None:
        values["password_hash"] = password_hash
    if name is not None:
        values["name"] = name
    await session.execute(update(User).where(User.id == user.id).values(**values))
    await spend_links(session, user.id)
    invitation.state, invitation.accepted_at = "accepted", now
    await session.flush()
    return invitation
