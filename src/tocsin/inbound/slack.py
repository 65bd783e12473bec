"""What follows from a press of a button in Slack.

https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from typing import Any

import msgspec

from tocsin.channels.buttons import pressed
from tocsin.channels.contract import BadCredentials, Rejected
from tocsin.channels.slack import replace
from tocsin.inbound.context import SUSPENDED, Context
from tocsin.inbound.pressed import Presser, acknowledged


class _User(msgspec.Struct):
    id: str
    name: str = ""
    username: str = ""


class _Message(msgspec.Struct):
    text: str = ""
    blocks: list[Any] = []


class _Action(msgspec.Struct):
    action_id: str


class _Press(msgspec.Struct):
    user: _User
    actions: list[_Action]
    message: _Message | None = None
    response_url: str | None = None


async def receive(payload: Any, context: Context) -> str | None:
    """Acknowledge, and say in the message who did and when, in place of the button."""
    if context.suspended:
        return SUSPENDED
    try:
        press = msgspec.convert(payload, _Press)
    except msgspec.ValidationError as error:
        return f"it is not as Slack documents it: {error}"
    notification_id = pressed(press.actions[0].action_id) if press.actions else None
    if notification_id is None:
        return "a button of somebody else's"
    by = press.user
    note = await acknowledged(context, notification_id, Presser(by.id, by.name or by.username))
    if context.env == "test" or press.message is None or press.response_url is None:
        return None
    message = press.message
    try:
        await replace(context.door, press.response_url, message.text, message.blocks, *note)
    except (Rejected, BadCredentials):
        return None  # too old, or gone: it is acknowledged all the same
    return None
