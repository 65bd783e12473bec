"""Where the bot is: who blocked it or took it back, and the groups and channels it is in."""

from sqlalchemy import text

from tocsin.connections.moved import move_address
from tocsin.connections.reachability import mark_blocked, mark_reachable
from tocsin.inbound.context import Context
from tocsin.inbound.telegram.update import Chat, Standing
from tocsin.kit.db import driver
from tocsin.kit.ids import new_id

GONE = ("left", "kicked")


async def stood(context: Context, standing: Standing) -> None:
    """The bot's standing in a chat has changed."""
    chat, gone = standing.chat, standing.new_chat_member.status in GONE
    if chat.type != "private":
        await _keep(context, chat, "closed" if gone else "open")
        return
    where, said_at = (context.project_id, context.hook.connection_id, str(chat.id)), context.said_at(standing.date)
    async with context.scope() as session:
        if gone:
            await mark_blocked(session, *where, "blocked the bot", said_at)
        elif await session.scalar(_IS_BLOCKED, {"connection": where[1], "chat": where[2]}):
            await mark_reachable(session, *where, "took the block back", said_at)


async def seen(context: Context, chat: Chat) -> None:
    """Something was said there, so the bot is in."""
    await _keep(context, chat, "open")


async def moved(context: Context, chat: Chat, to: int) -> None:
    """The group is a supergroup now; its old id is worth nothing any more."""
    async with context.scope() as session:
        await move_address(await driver(session), "telegram", str(chat.id), str(to))


async def _keep(context: Context, chat: Chat, state: str) -> None:
    async with context.scope() as session:
        values = {
            "project": context.project_id,
            "id": new_id(),
            "env": context.env,
            "connection": context.hook.connection_id,
            "target": str(chat.id),
            "kind": chat.type[:40],
            "title": (chat.title or chat.username or str(chat.id))[:255],
            "state": state,
        }
        await session.execute(_KEEP, values)


_IS_BLOCKED = text("""
SELECT state = 'blocked' FROM tocsin.reachability
WHERE connection_id = :connection AND address_hash = sha256(convert_to(:chat, 'UTF8'))
""")
_KEEP = text("""
INSERT INTO tocsin.chats AS h (project_id, id, connection_id, target, env, kind, title, state)
VALUES (:project, :id, :connection, :target, :env, :kind, :title, :state)
ON CONFLICT (project_id, connection_id, target) DO UPDATE
SET kind = excluded.kind, title = excluded.title, state = excluded.state, changed_at = now()
WHERE (h.kind, h.title, h.state) IS DISTINCT FROM (excluded.kind, excluded.title, excluded.state)
""")
