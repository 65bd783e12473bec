"""Buttons below a message that say "mine" where they are pressed, at providers that tell us so (R3)."""

from uuid import UUID

from tocsin.channels.contract import Message
from tocsin.kit.ids import parse_id

ACKNOWLEDGE = "ack:"
"""Before the id of a notification in what a button carries."""


def presses(message: Message) -> str | None:
    """What the button of this message carries; None where it has none."""
    return f"{ACKNOWLEDGE}{message.notification_id}" if message.require_ack and message.hears else None


def pressed(carried: str) -> UUID | None:
    """The notification that a button means, or None: it is somebody else's."""
    return parse_id(carried.removeprefix(ACKNOWLEDGE)) if carried.startswith(ACKNOWLEDGE) else None
