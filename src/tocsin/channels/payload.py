"""Push messages are small: what they carry is shortened until it fits, and refused where that is not enough."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field

from tocsin.channels.contract import Message, Rejected
from tocsin.channels.wording import shortened

MOST_TITLE = 250
"""Characters. No phone shows more."""
MOST_ACTION = 2_000
"""Bytes of an action's address, which cannot be shortened."""


SoundExtension = Annotated[
    Literal["wav", "caf", "aiff"],
    Field(title="Sound files", description="Ending of the files in the iOS app that are named like your sounds."),
]


def bundled(message: Message, extension: str) -> str | None:
    """The file of the sound in an app for Apple's devices. What is no sound of Tocsin's names its file itself."""
    return f"{message.sound}.{extension}" if message.sound and message.sound_url else message.sound


def fitting(message: Message, limit: int, build: Callable[[str, str], Any]) -> bytes:
    """The JSON of what ``build`` makes of title and text, in at most ``limit`` bytes. Raises Rejected."""
    title, text = shortened(message.title, MOST_TITLE), message.message
    while (over := len(encoded := msgspec.json.encode(build(title, text))) - limit) > 0:
        if text:
            text = _less(text, over)
        elif title:
            title = _less(title, over)
        else:
            raise Rejected(f"The message has {len(encoded):,} bytes even without its words; {limit:,} are taken.")
    return encoded


def _less(text: str, over: int) -> str:
    """So much shorter as is certainly needed: a character has six bytes at most, where JSON escapes it."""
    return shortened(text, len(text) - over // 6 - 1) if len(text) > over // 6 + 1 else ""
