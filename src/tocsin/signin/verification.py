"""Proof that an e-mail address is a person's: asked for by mail, given by a link (A5, C10)."""

from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.permissions import opens_panel
from tocsin.kit.errors import Conflict, TooManyRequests
from tocsin.kit.vault import Vault
from tocsin.mail.post import MOST_PER_ADDRESS, post, within_limit
from tocsin.signin.links import Taken, make_link, spend_links
from tocsin.users.drafts import taken_name
from tocsin.users.models import User
from tocsin.users.roles import give_roles, roles_named

RETRY_AFTER = {"Retry-After": "3600"}


async def ask_to_verify(session: AsyncSession, vault: Vault, base_url: str, user: User) -> None:
    """Mail the person a link that proves the address of the account."""
    assert user.email is not None
    link = await make_link(session, user, "verify_email", user.email)
    details = {"url": link.url(base_url)}
    await post(
        session,
        vault,
        user.project_id,
        user.env,
        "verify_email",
        user.email,
        details,
        user_id=user.id,
        give_up_at=link.expires_at,
    )


async def ask_to_change(session: AsyncSession, vault: Vault, base_url: str, user: User, email: str) -> None:
    """Mail the new address a link that makes it the account's, and tell the old one (24 hours).

    An address that somebody of the project has already gets no mail, and the caller hears nothing of that.
    """
    await spend_links(session, user.id, "change_email")
    if user.email is not None:
        told = {"address": email}
        await post(session, vault, user.project_id, user.env, "email_change_notice", user.email, told, user_id=user.id)
    if await session.scalar(select(User.id).where(User.email == email, User.env == user.env)):
        return
    link = await make_link(session, user, "change_email", email)
    details = {"url": link.url(base_url)}
    await post(
        session,
        vault,
        user.project_id,
        user.env,
        "change_email",
        email,
        details,
        user_id=user.id,
        give_up_at=link.expires_at,
    )


async def check_address_limit(session: AsyncSession, user: User, address: str) -> None:
    """Raise TooManyRequests where this project had enough mails sent to the address within the hour."""
    if not await within_limit(session, user.project_id, f"address:{address}", MOST_PER_ADDRESS):
        raise too_many()


def too_many() -> TooManyRequests:
    return TooManyRequests(
        "too_many_mails",
        f"At most {MOST_PER_ADDRESS} mails go to an address within an hour; look among those that came.",
        headers=RETRY_AFTER,
    )


async def confirm(session: AsyncSession, taken: Taken) -> None:
    """Write down what a link has proven. Raises Conflict where a new address was taken by somebody else meanwhile.

    Who registered alone in a project that lets people in by e-mail is active from now on, with the roles they
    wished for as far as those are self-assignable.
    """
    user = taken.user
    if taken.purpose == "change_email":
        await _move(session, user, taken.email)
    await session.execute(
        update(User).where(User.id == user.id).values(email_verified_at=func.now(), updated_at=func.now())
    )
    await session.execute(_VERIFY_ADDRESS, {"user": user.id, "email": taken.email})
    await spend_links(session, user.id, "verify_email")
    if user.status == "unverified":
        await let_in(session, user)


async def _move(session: AsyncSession, user: User, email: str) -> None:
    try:
        async with session.begin_nested():
            await session.execute(update(User).where(User.id == user.id).values(email=email))
    except IntegrityError as error:
        if taken_name(error) != "email":
            raise
        raise Conflict("email_taken", "Another user of this project has this e-mail.") from None
    # Whoever could read the old mailbox shall not come back by it.
    await spend_links(session, user.id)


async def let_in(session: AsyncSession, user: User) -> None:
    """Make an unverified person active, with what they may take themselves."""
    wished = [
        role
        for role in (await roles_named(session, user.wished_roles)).values()
        if role.self_assignable and not opens_panel(role.permissions)
    ]
    roles = wished or list((await roles_named(session, ["user"])).values())
    await give_roles(session, user.project_id, user.env, {user.id: roles})
    await session.execute(update(User).where(User.id == user.id).values(status="active", wished_roles=[]))


_VERIFY_ADDRESS = text("""
UPDATE tocsin.addresses SET verified_at = now(), updated_at = now()
WHERE user_id = :user AND channel = 'email' AND lower(value) = :email
""")
