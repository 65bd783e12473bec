"""Answers of the bot to whoever wrote or pressed something."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from tocsin.channels.contract import BadCredentials, Rejected
from tocsin.channels.telegram import TelegramCredentials, say
from tocsin.inbound.context import Context


async def reply(context: Context, chat: int, text: str) -> None:
    await told(context, say, chat, text)


async def told(context: Context, speak: Callable[..., Awaitable[None]], *what: Any) -> None:
    """Say it, unless this is the sandbox, from which nothing leaves, or the connection is suspended.

    What Telegram refuses, it refuses for good: a button too old, a chat that is gone. What it may take later raises
    Unavailable, and the item is tried again.
    """
    if context.env == "test" or context.suspended:
        return
    try:
        await speak(context.door, cast(TelegramCredentials, context.hook.credentials), *what)
    except (Rejected, BadCredentials):
        return
