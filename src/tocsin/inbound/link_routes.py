"""Links to a bot for people, over HTTP (C7, C10)."""

from typing import NamedTuple
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.inbound.links import make_link
from tocsin.kit.errors import Conflict, FieldError, Invalid, NotFound
from tocsin.kit.schema import Answer, Body, PathId, Time
from tocsin.users.people import find_user

router = guarded_router(tags=["users"])


class LinkCreate(Body):
    connection_id: UUID | None = Field(
        None, strict=False, description="Which bot. Left out: the one that sends for this person."
    )


class ChatLinkAnswer(Answer):
    """What the person opens on a device with Telegram, once."""

    url: str = Field(examples=["https://t.me/acme_alerts_bot?start=AbC"])
    bot: str = Field(examples=["@acme_alerts_bot"])
    connection_id: UUID
    expires_at: Time


@router.post("/users/{user_id}/addresses/telegram/link", operation_id="link_telegram", status_code=201)
@needs("users:manage", own=True, idempotent=False)
async def link(call: Called, user_id: PathId, body: LinkCreate | None = None) -> ChatLinkAnswer:
    """A link that makes the chat of whoever opens it this person's address, verified. Good once, for an hour.

    Another one ends those made before.
    """
    if call.own_only and user_id != call.principal.user_id:
        raise NotFound()
    user = await find_user(call.session, user_id)
    call.write_to(user.env)
    bot = await _bot(call, user.id, body.connection_id if body else None)
    payload, expires_at = await make_link(call.session, call.project_id, call.env, user.id, bot.id)
    await call.audit("address.link_made", "user", user.id, connection=str(bot.id))
    name = bot.name.removeprefix("@")
    return ChatLinkAnswer(
        url=f"https://t.me/{name}?start={payload}", bot=f"@{name}", connection_id=bot.id, expires_at=expires_at
    )


class Bot(NamedTuple):
    """A connection whose bot has a name that a link can hold."""

    id: UUID
    name: str


async def _bot(call: Call, user_id: UUID, wanted: UUID | None) -> Bot:
    """The person's own bot, else the project's default, else any of the project's that works."""
    row = (await call.session.execute(_BOT, {"user": user_id, "wanted": wanted})).one_or_none()
    if row is None and wanted is not None:
        raise Invalid([FieldError("/connectionId", "unknown_bot", "This is no verified Telegram bot for this person.")])
    if row is None:
        raise Conflict("no_bot", "There is no verified Telegram bot for this person yet; connect one first.")
    return Bot(*row)


# In the sandbox nobody was asked what the bot is called.
_BOT = text("""
SELECT c.id, coalesce(c.account ->> 'name', '@sandbox') FROM tocsin.connections c
WHERE c.provider = 'telegram' AND c.status IN ('active', 'rate_limited')
    AND (c.account ->> 'name' LIKE '@%' OR c.env = 'test') AND (c.owner = 'project' OR c.user_id = :user)
    AND (CAST(:wanted AS uuid) IS NULL OR c.id = :wanted)
ORDER BY c.env = 'test' DESC, c.owner = 'user' DESC, c.is_default DESC, c.id LIMIT 1
""")
