"""Answers of the bot to whoever wrote or pressed something."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from tocsin.channels.contract import BadCredentials, Rejected, Unavailable, is_too_many
from tocsin.channels.telegram import TelegramCredentials, say
from tocsin.connections.standing import mark_paused, pause_of
from tocsin.inbound.context import Context


async def reply(context: Context, chat: int, text: str) -> None:
    await told(context, chat, say, chat, text)


async def told(context: Context, chat: int, speak: Callable[..., Awaitable[None]], *what: Any) -> None:
    """Say it, unless this is the sandbox, from which nothing leaves, or the connection is suspended.

    What Telegram refuses, it refuses for good: a button too old, a chat that is gone. What it may take later raises
    Unavailable, and the item is tried again. A 429 pauses the chat, so that nobody who writes much to a bot keeps it
    from others; of several chats it is the bot's and pauses its connection (D4). In a pause nothing is said.
    """
    if context.env == "test" or context.suspended:
        return
    if context.hook.paused_seconds:
        raise Unavailable("The connection is paused.", retry_after=context.hook.paused_seconds)
    if seconds := context.pauses.left(context.hook.connection_id, str(chat)):
        raise Unavailable("The chat is paused.", retry_after=seconds)
    try:
        await speak(context.door, cast(TelegramCredentials, context.hook.credentials), *what)
    except (Rejected, BadCredentials):
        return
    except Unavailable as failure:
        if is_too_many(failure) and context.pauses.note(context.hook.connection_id, str(chat), failure.retry_after):
            await _pause(context, failure)
        raise


async def _pause(context: Context, failure: Unavailable) -> None:
    async with context.db.unit(context.project_id, context.env) as connection:
        where = (connection, context.project_id, context.hook.connection_id)
        news = await mark_paused(*where, pause_of(failure.retry_after), failure.reason)
    if news:
        context.changed(context.project_id, context.env, context.hook.connection_id)
