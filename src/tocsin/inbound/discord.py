"""What follows from a press of a button in Discord.

https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object
"""

from typing import Any

import msgspec

from tocsin.channels.buttons import pressed
from tocsin.channels.contract import BadCredentials, Rejected
from tocsin.channels.discord_bot import replace
from tocsin.inbound.context import SUSPENDED, Context
from tocsin.inbound.pressed import Presser, acknowledged


class _User(msgspec.Struct):
    id: str
    username: str = ""
    global_name: str | None = None


class _Member(msgspec.Struct):
    user: _User
    nick: str | None = None


class _Message(msgspec.Struct):
    components: list[Any] = []


class _Data(msgspec.Struct):
    custom_id: str


class _Press(msgspec.Struct):
    """``member`` is who pressed it in a server, ``user`` in a private chat."""

    application_id: str
    token: str
    data: _Data
    member: _Member | None = None
    user: _User | None = None
    message: _Message | None = None

    @property
    def by(self) -> Presser | None:
        user = self.member.user if self.member else self.user
        if user is None:
            return None
        nick = self.member.nick if self.member else None
        return Presser(user.id, nick or user.global_name or user.username)


async def receive(payload: Any, context: Context) -> str | None:
    """Acknowledge, and say above the message who did and when; the button goes."""
    if context.suspended:
        return SUSPENDED
    try:
        press = msgspec.convert(payload, _Press)
    except msgspec.ValidationError as error:
        return f"it is not as Discord documents it: {error}"
    notification_id, by = pressed(press.data.custom_id), press.by
    if notification_id is None or by is None:
        return "a button of somebody else's"
    note = await acknowledged(context, notification_id, by)
    if context.env == "test" or press.message is None:
        return None
    try:
        await replace(context.door, press.application_id, press.token, press.message.components, *note)
    except (Rejected, BadCredentials, ValueError):
        return None  # too old, or gone: it is acknowledged all the same
    return None
