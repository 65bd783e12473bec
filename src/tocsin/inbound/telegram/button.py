"""The button below a notification: who presses it acknowledges as themselves (R3)."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor
from tocsin.channels.buttons import pressed as meant
from tocsin.channels.telegram import answer_press, others, replace_buttons
from tocsin.inbound.context import Context
from tocsin.inbound.telegram.reply import told
from tocsin.inbound.telegram.update import Message, Press
from tocsin.notifications.acknowledge import is_recipient, set_acknowledged, tell

DONE, BEFORE = "Acknowledged.", "This was acknowledged already."
NOT_YOURS, OLD = "This notification is not for you.", "This notification is not there any more."


async def pressed(context: Context, press: Press) -> str | None:
    """Acknowledge, say so where it was pressed, and take the button away. Pressed again it changes nothing."""
    notification_id = meant(press.data)
    if notification_id is None:
        return "a button of somebody else's"
    async with context.scope() as session:
        words = await _acknowledged(context, session, notification_id, str(press.sender.id))
    if words == DONE:
        tell(context.broker, context.project_id, context.env, notification_id)
    await told(context, press.sender.id, answer_press, press.id, words)
    if words != NOT_YOURS and press.message is not None:
        await _take_away(context, press.message)
    return None


async def _acknowledged(context: Context, session: AsyncSession, notification_id: UUID, chat: str) -> str:
    """What to say. Whoever presses is the person whose private chat has their number, in this project alone."""
    if not await session.scalar(_EXISTS, {"id": notification_id}):
        return OLD
    for user_id in await _people(session, chat):
        if await is_recipient(session, notification_id, user_id):
            actor = Actor("user", str(user_id))
            changed = await set_acknowledged(
                session, context.project_id, context.env, actor, notification_id, user_id, None, "telegram"
            )
            return DONE if changed else BEFORE
    return NOT_YOURS


async def _people(session: AsyncSession, chat: str) -> list[UUID]:
    """To whom the chat is linked; where it is nobody's by a link, those for whom somebody else entered it."""
    rows = (await session.execute(_PEOPLE, {"chat": chat})).all()
    return [row.user_id for row in rows if row.linked] or [row.user_id for row in rows]


async def _take_away(context: Context, message: Message) -> None:
    """The button, and none of the others."""
    rows = (message.reply_markup or {}).get("inline_keyboard", [])
    await told(context, message.chat.id, replace_buttons, message.chat.id, message.message_id, others(rows))


_EXISTS = text("SELECT 1 FROM tocsin.notifications WHERE id = :id")
_PEOPLE = text("""
SELECT a.user_id, a.verified_at IS NOT NULL AS linked FROM tocsin.addresses a
JOIN tocsin.users u ON u.project_id = a.project_id AND u.id = a.user_id AND u.status = 'active'
WHERE a.channel = 'telegram' AND a.value = :chat ORDER BY a.id LIMIT 20
""")
