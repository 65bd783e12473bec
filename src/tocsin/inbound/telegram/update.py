"""As much of an update as anything follows from (https://core.telegram.org/bots/api#available-types)."""

from typing import Any

import msgspec

from tocsin.inbound.context import Seconds


class Chat(msgspec.Struct):
    id: int
    type: str
    title: str = ""
    username: str = ""


class Person(msgspec.Struct):
    id: int
    first_name: str = ""


class Message(msgspec.Struct):
    message_id: int
    chat: Chat
    date: Seconds | None = None
    text: str = ""
    migrate_to_chat_id: int | None = None
    reply_markup: dict[str, Any] | None = None

    @property
    def command(self) -> str:
        """The first word, without the bot's name behind it: ``/start`` of ``/start@acme_bot x``."""
        return self.text.strip().partition(" ")[0].partition("@")[0].lower()

    @property
    def argument(self) -> str:
        return self.text.strip().partition(" ")[2].strip()


class Press(msgspec.Struct):
    """Of a button below a message of the bot's; ``message`` is missing where it is too old."""

    id: str
    sender: Person = msgspec.field(name="from")
    message: Message | None = None
    data: str = ""


class Member(msgspec.Struct):
    status: str


class Standing(msgspec.Struct):
    """How the bot stands in a chat now."""

    chat: Chat
    new_chat_member: Member
    date: Seconds | None = None


class Update(msgspec.Struct):
    update_id: int
    message: Message | None = None
    channel_post: Message | None = None
    callback_query: Press | None = None
    my_chat_member: Standing | None = None
