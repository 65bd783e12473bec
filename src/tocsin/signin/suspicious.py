"""Sign-ins that look like somebody else's, as events of the project that its rules can tell of (R7).

``new_place``: a browser that was never signed in with, in a network the person was not seen in before.
``wrong_codes``: the password was right, and codes were guessed until no more were allowed.
``spent_token``: a refresh token that was used up came again, so somebody has a copy; the session has ended.
"""

from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.occurrence import occur
from tocsin.auth.source import source_of
from tocsin.kit.db import Env, driver

Reason = Literal["new_place", "wrong_codes", "spent_token"]
MOST_PLACES = 50
"""Of a person's latest sign-ins that are compared with."""


async def is_new_place(session: AsyncSession, user_id: UUID, ip: str | None) -> bool:
    """Whether a person who has signed in before was never seen in this network, as far as is known."""
    seen = list(await session.scalars(_SEEN, {"user": user_id, "most": MOST_PLACES}))
    here = source_of(ip)
    return bool(here and seen) and all(source_of(place) != here for place in seen)


async def tell_suspicious(
    session: AsyncSession, project_id: UUID, env: Env, user_id: UUID, reason: Reason, ip: str | None
) -> None:
    """Store the occurrence in the caller's transaction; the pulse finds it."""
    person = (await session.execute(_PERSON, {"user": user_id})).one()
    told = {
        "reason": reason,
        "userId": person.external_user_id or str(user_id),
        "name": person.name or person.email or person.external_user_id or str(user_id),
        "ipAddress": ip,
    }
    await occur(await driver(session), project_id, env, "tocsin.login.suspicious", told)


_SEEN = text("SELECT ip_address FROM tocsin.sessions WHERE user_id = :user ORDER BY id DESC LIMIT :most")
_PERSON = text("SELECT name, email, external_user_id FROM tocsin.users WHERE id = :user")
