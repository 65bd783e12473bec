"""What updates of a bot mean (C7): a person starts, stops or asks, a button is pressed, a chat opens or closes.

``received`` reads an update and leads it to ``people``, ``button`` or ``chats``. A message that is no command is kept
as it came, and nothing else follows from it.
"""

from typing import Any

import msgspec

from tocsin.inbound.context import SUSPENDED, Context
from tocsin.inbound.telegram.button import pressed
from tocsin.inbound.telegram.chats import moved, seen, stood
from tocsin.inbound.telegram.people import asked, started, stopped
from tocsin.inbound.telegram.update import Message, Update


async def received(item: Any, context: Context) -> str | None:
    """Work on one update (https://core.telegram.org/bots/api#update)."""
    try:
        update = msgspec.convert(item, Update)
    except msgspec.ValidationError as error:
        return f"not as the Bot API documents it: {error}"
    if context.suspended and not _wants_no_more(update):
        return SUSPENDED
    if update.callback_query is not None:
        return await pressed(context, update.callback_query)
    if update.my_chat_member is not None:
        await stood(context, update.my_chat_member)
        return None
    message = update.message or update.channel_post
    return await _heard(context, message) if message is not None else "of no kind that anything follows from"


def _wants_no_more(update: Update) -> bool:
    """Who stops the bot or blocks it. That a block is over counts as well: it lets nobody in who was not in before."""
    if update.message is not None:
        return update.message.chat.type == "private" and update.message.command == "/stop"
    return update.my_chat_member is not None and update.my_chat_member.chat.type == "private"


async def _heard(context: Context, message: Message) -> str | None:
    if message.migrate_to_chat_id is not None:
        await moved(context, message.chat, message.migrate_to_chat_id)
    elif message.chat.type != "private":
        await seen(context, message.chat)
    elif command := COMMANDS.get(message.command):
        await command(context, message)
    else:
        return "no command"
    return None


COMMANDS = {"/start": started, "/stop": stopped, "/status": asked}
"""Reserved words of every bot."""
