"""A person and the bot: starting it, with a link of their own or without, stopping it, asking it.

What is worked on after a later word of theirs changes nothing any more, and nothing is said of it.
"""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.connections.reachability import mark_opted_out, mark_reachable
from tocsin.inbound.context import Context
from tocsin.inbound.links import Linked, use_link
from tocsin.inbound.telegram.reply import reply
from tocsin.inbound.telegram.update import Message
from tocsin.kit.ids import new_id

EXPLAINED = "To get your notifications here, open your own link to this bot: you find it in the app of {project}."
LINKED = "Hello {name}! From now on you get notifications of {project} here. /stop ends them, /status tells how it is."
SPENT = "This link is not valid any more. Ask for a new one in the app of {project}."
STOPPED = "You get no more notifications here. /start begins anew."
STATUS = "You get notifications of {project} here as {name}. /stop ends them."
STATUS_STOPPED = "You have stopped this bot. /start begins anew."
NOBODY = "Nobody in {project} is linked to this chat yet."


async def started(context: Context, message: Message) -> None:
    """Start, pressed or written. Reachable is whoever does; whom of the project they are, the link says."""
    chat, payload = str(message.chat.id), message.argument
    async with context.scope() as session:
        said_at = context.said_at(message.date)
        counts = await mark_reachable(session, *_where(context, message), "started the bot", said_at)
        linked = await _linked_now(context, session, payload, chat) if payload else None
        project = await _project(session)
        known = linked.name if linked else await _name(session, chat)
    greeting = LINKED if known is not None else EXPLAINED
    words = SPENT if payload and linked is None else greeting
    if counts:
        await reply(context, message.chat.id, words.format(project=project, name=known))


async def _linked_now(context: Context, session: AsyncSession, payload: str, chat: str) -> Linked | None:
    """The chat becomes this person's newest, and nobody else's in the project."""
    linked = await use_link(session, context.hook.connection_id, payload, chat)
    if linked is None or linked.again:
        return linked
    where = {"user": linked.user_id, "chat": chat, "project": context.project_id, "env": context.env}
    left = (await session.scalars(_LEAVE_OTHERS, where)).all()
    await session.execute(_LINK, {**where, "id": new_id()})
    await record(
        session,
        context.project_id,
        context.env,
        Actor("user", str(linked.user_id)),
        "address.linked",
        "user",
        linked.user_id,
        {"after": {"channel": "telegram", "value": chat}, "takenFrom": [str(user_id) for user_id in left]},
    )
    return linked


async def stopped(context: Context, message: Message) -> None:
    """An opt-out: nothing reaches this chat any more, over this bot or around it, until it is started again."""
    async with context.scope() as session:
        said_at = context.said_at(message.date)
        counts = await mark_opted_out(session, *_where(context, message), "wrote /stop", said_at)
    if counts:
        await reply(context, message.chat.id, STOPPED)


def _where(context: Context, message: Message) -> tuple[UUID, UUID, str]:
    return context.project_id, context.hook.connection_id, str(message.chat.id)


async def asked(context: Context, message: Message) -> None:
    chat = str(message.chat.id)
    async with context.scope() as session:
        project, name = await _project(session), await _name(session, chat)
        state = await session.scalar(_STATE, {"connection": context.hook.connection_id, "chat": chat})
    words = STATUS_STOPPED if state == "opted_out" else STATUS if name is not None else f"{NOBODY} {EXPLAINED}"
    await reply(context, message.chat.id, words.format(project=project, name=name))


async def _project(session: AsyncSession) -> str:
    return str(await session.scalar(text("SELECT name FROM tocsin.projects")))


async def _name(session: AsyncSession, chat: str) -> str | None:
    """What the person is called to whom the chat is linked; None where it is nobody's."""
    name: str | None = await session.scalar(_NAME, {"chat": chat})
    return name


_LEAVE_OTHERS = text("""
DELETE FROM tocsin.addresses
WHERE channel = 'telegram' AND value = :chat AND user_id <> :user AND env = :env RETURNING user_id
""")
# Linked anew it gets a new id as well: of several addresses the newest is sent to.
_LINK = text("""
INSERT INTO tocsin.addresses (project_id, id, env, user_id, channel, value, verified_at)
VALUES (:project, :id, :env, :user, 'telegram', :chat, now())
ON CONFLICT (project_id, user_id, channel, value) DO UPDATE
SET id = excluded.id, verified_at = now(), opted_out_at = NULL, last_error = NULL, updated_at = now()
""")
_NAME = text("""
SELECT coalesce(nullif(u.name, ''), 'you') FROM tocsin.addresses a
JOIN tocsin.users u ON u.project_id = a.project_id AND u.id = a.user_id
WHERE a.channel = 'telegram' AND a.value = :chat ORDER BY a.verified_at DESC NULLS LAST LIMIT 1
""")
_STATE = text("""
SELECT state FROM tocsin.reachability
WHERE connection_id = :connection AND address_hash = sha256(convert_to(:chat, 'UTF8'))
""")
