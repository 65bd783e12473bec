"""Notifications from a bot, by the Telegram Bot API (https://core.telegram.org/bots/api)."""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from pydantic import AfterValidator, Field, SecretStr

from tocsin.channels.calling import api_of, decoded, exchanged
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    Account,
    BadCredentials,
    Blocked,
    Channel,
    Described,
    Inbound,
    Item,
    Message,
    NotUnderstood,
    Receipt,
    Rejected,
    SendFailure,
    Unavailable,
)
from tocsin.channels.wording import shortened
from tocsin.kit.http import Door, Reply

API = "https://api.telegram.org"

TEXT = 4_096
"""UTF-16 units of a message after its entities are parsed (sendMessage)."""
TITLE = 1_024
BUTTON = 64
ACKNOWLEDGE = "ack:"
"""Before the id of a notification in the data of a button: 36 of the 64 bytes that a button carries."""

SECRET_HEADER = "x-telegram-bot-api-secret-token"

_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{30,64}")
_CHAT = re.compile(r"(?P<chat>-?[1-9][0-9]{0,15})(?::(?P<topic>[1-9][0-9]{0,9}))?")
_SHUT_OUT = ("blocked by the user", "user is deactivated", "kicked")
_UNREADABLE = ("can't parse entities", "url_invalid", "wrong http url", "button url")

Told = TypeVar("Told", bound=msgspec.Struct)


def _bot_token(secret: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(secret.get_secret_value()):
        raise ValueError("must read 123456:ABC-DEF..., as BotFather shows it")
    return secret


class TelegramSettings(Described):
    """How the bot hears what people write to it."""

    mode: Literal["webhook", "polling"] = Field(
        "webhook",
        title="Updates",
        description="webhook: Telegram calls this installation at its public address. polling: this installation asks"
        " Telegram; it does so anyway where it has no public address.",
    )


class TelegramCredentials(Described):
    """Whoever has the token is the bot."""

    bot_token: Annotated[SecretStr, AfterValidator(_bot_token)] = Field(
        title="Bot token", description="Made by @BotFather: 123456:ABC-DEF...", max_length=128
    )


class _Parameters(msgspec.Struct):
    retry_after: float | None = None
    migrate_to_chat_id: int | None = None


class _Refusal(msgspec.Struct):
    description: str = ""
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


class _Answer(msgspec.Struct):
    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")


class _Sent(msgspec.Struct):
    message_id: int


class _Me(msgspec.Struct):
    id: int
    username: str = ""
    first_name: str = ""


class _Moved(Exception):
    """The group is a supergroup now, under this id."""

    def __init__(self, chat: int) -> None:
        super().__init__("the group has another id now")
        self.chat = chat


class _NotRead(Exception):
    """Telegram cannot read our markup, or does not like a link of it."""


class Telegram(Channel[TelegramSettings, TelegramCredentials], Inbound[TelegramCredentials]):
    """One message per person and notification; groups and channels as destinations."""

    provider = "telegram"
    channel = "telegram"
    title = "Telegram"
    reaches = "person"
    address_kind = "telegram"
    known_only = True
    settings = TelegramSettings
    credentials = TelegramCredentials
    setup_steps = (
        "Write /newbot to @BotFather in Telegram and answer its two questions.",
        "Copy the token that it shows, enter it here and save.",
        "Verify: the bot is looked up, and its updates are led here.",
        "Have each person open their own link to the bot and press Start.",
        "Add the bot to the groups and channels that it is to post in.",
        "Send a test message.",
    )

    async def send(
        self,
        message: Message,
        address: str | None,
        settings: TelegramSettings,
        credentials: TelegramCredentials,
        door: Door,
    ) -> Receipt:
        """Sent means that Telegram has it; it tells nobody whether it was read."""
        place = _CHAT.fullmatch(address or "")
        if address is None or place is None or self.address_problem(address):
            raise Rejected("The address is not the id of a chat.")
        try:
            return await _sent(message, place["chat"], place["topic"], credentials, door)
        except _Moved as moved:
            topic = f":{place['topic']}" if place["topic"] else ""
            receipt = await _sent(message, str(moved.chat), place["topic"], credentials, door)
            return replace(receipt, moved_to=f"{moved.chat}{topic}")

    async def verify(self, settings: TelegramSettings, credentials: TelegramCredentials, door: Door) -> Account:
        me = decoded_result(await asked(door, credentials, "getMe"), _Me)
        return Account(id=str(me.id), name=f"@{me.username}" if me.username else me.first_name)

    def address_problem(self, address: str) -> str | None:
        place = _CHAT.fullmatch(address)
        fits = place is not None and abs(int(place["chat"])) < 2**52
        return None if fits else "is not the id of a Telegram chat"

    def authenticate(
        self, headers: Mapping[str, str], body: bytes, credentials: TelegramCredentials, secret: str
    ) -> bool:
        return hmac.compare_digest(headers.get(SECRET_HEADER, "").encode(), secret.encode())

    def items(self, body: Any, credentials: TelegramCredentials) -> Sequence[Item]:
        """One update. Its number is the bot's own, so a repeat is known by it."""
        number = body.get("update_id") if isinstance(body, dict) else None
        if type(number) is not int:
            raise NotUnderstood("This is no update of the Bot API.")
        return [Item(str(number), body)]


async def _sent(
    message: Message, chat: str, topic: str | None, credentials: TelegramCredentials, door: Door
) -> Receipt:
    """Once with markup and buttons; where Telegram stumbles over those, once more without."""
    where: dict[str, Any] = {"chat_id": int(chat), **({"message_thread_id": int(topic)} if topic else {})}
    try:
        reply = await asked(door, credentials, "sendMessage", {**where, **_post(message)})
    except _NotRead:
        reply = await asked(door, credentials, "sendMessage", {**where, **_plain_post(message)})
    sent = decoded_result(reply, _Sent)
    return Receipt(
        delivered=False,
        provider_message_id=str(sent.message_id),
        status=reply.status,
        answer=reply.text(ANSWER_LIMIT),
    )


async def asked(door: Door, credentials: TelegramCredentials, method: str, parameters: Any = None) -> Reply:
    """One call of the Bot API that went well. Raises Rejected, Blocked, Unavailable or BadCredentials.

    The token is in the address, so no address may get into a reason.
    """
    url = f"{api_of('telegram', API)}/bot{credentials.bot_token.get_secret_value()}/{method}"
    body = msgspec.json.encode(parameters or {})
    try:
        reply = await exchanged(door, "POST", url, {"Content-Type": "application/json"}, body)
    except SendFailure as failure:
        raise type(failure)(failure.reason) from None
    if 200 <= reply.status < 300:
        return reply
    raise _failure_of(reply)


def _failure_of(reply: Reply) -> Exception:
    """What a refusal means (https://core.telegram.org/bots/api#making-requests). In doubt it is worth another try."""
    answer, status = reply.text(ANSWER_LIMIT), reply.status
    refusal = _refusal(reply)
    words = refusal.description.lower()
    reason = f"Telegram answered {status}: {refusal.description}"[:300] if words else f"Telegram answered {status}."
    if status in (401, 404):
        return BadCredentials(reason, status=status, answer=answer)
    if status == 403:
        kind = Blocked if any(told in words for told in _SHUT_OUT) else Rejected
        return kind(reason, status=status, answer=answer)
    if status == 400 and refusal.parameters.migrate_to_chat_id is not None:
        return _Moved(refusal.parameters.migrate_to_chat_id)
    if status == 400 and any(told in words for told in _UNREADABLE):
        return _NotRead(reason)
    if status in (400, 413):
        return Rejected(reason, status=status, answer=answer)
    return Unavailable(reason, retry_after=refusal.parameters.retry_after, status=status, answer=answer)


def _refusal(reply: Reply) -> _Refusal:
    try:
        return msgspec.json.decode(reply.body, type=_Refusal)
    except msgspec.MsgspecError:
        return _Refusal()


def decoded_result(reply: Reply, kind: type[Told]) -> Told:
    """The result of a call. Raises Unavailable where it is not Telegram's."""
    answer = decoded(reply, _Answer)
    try:
        return msgspec.json.decode(answer.result, type=kind)
    except msgspec.MsgspecError:
        raise Unavailable("The answer is not Telegram's.", status=reply.status) from None


def _post(message: Message) -> dict[str, Any]:
    title, text = _shortened(message)
    marked = f"<b>{_escaped(title)}</b>\n{_escaped(text)}".strip()
    rows = [*_acknowledgement(message)]
    if message.action:
        rows.append([{"text": shortened(message.action.label or "Open", BUTTON), "url": message.action.url}])
    return {**_manner(message, rows), "text": marked, "parse_mode": "HTML"}


def _plain_post(message: Message) -> dict[str, Any]:
    """The same as plain text, its link among the words."""
    title, text = _shortened(message)
    words = f"{title}\n{text}".strip()
    link = f"\n{message.action.url}" if message.action and units(message.action.url) < TEXT // 2 else ""
    return {**_manner(message, _acknowledgement(message)), "text": cut(words, TEXT - units(link)) + link}


def _manner(message: Message, rows: list[list[dict[str, Any]]]) -> dict[str, Any]:
    manner: dict[str, Any] = {"link_preview_options": {"is_disabled": True}}
    if message.priority == "low":
        manner["disable_notification"] = True
    if rows:
        manner["reply_markup"] = {"inline_keyboard": rows}
    return manner


def _acknowledgement(message: Message) -> list[list[dict[str, Any]]]:
    if not message.require_ack:
        return []
    return [[{"text": "Acknowledge", "callback_data": f"{ACKNOWLEDGE}{message.notification_id.hex}"}]]


def _shortened(message: Message) -> tuple[str, str]:
    """Before anything is escaped, so that no entity is cut: the limit counts what is left after parsing."""
    title = cut(message.title, TITLE)
    return title, cut(message.message, TEXT - units(title) - 1)


def units(text: str) -> int:
    """Telegram counts in UTF-16 (https://core.telegram.org/api/entities#entity-length)."""
    return len(text.encode("utf-16-le")) // 2


def cut(text: str, most: int) -> str:
    """At most so many units, the last one an ellipsis where something is missing; no character is halved."""
    raw = text.encode("utf-16-le")
    return text if len(raw) // 2 <= most else raw[: 2 * (most - 1)].decode("utf-16-le", "ignore").rstrip() + "…"


def _escaped(text: str) -> str:
    return escape(text, quote=False)
