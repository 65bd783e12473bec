"""Notifications from a bot, by the Telegram Bot API (https://core.telegram.org/bots/api)."""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from html import escape
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from pydantic import AfterValidator, Field, SecretStr

from tocsin.channels.buttons import ACKNOWLEDGE, presses
from tocsin.channels.calling import api_of, decoded, exchanged
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    Account,
    BadCredentials,
    Blocked,
    Changeable,
    Channel,
    Described,
    Item,
    Message,
    NotUnderstood,
    Receipt,
    Registers,
    Registration,
    Rejected,
    SendFailure,
    Sent,
    Step,
    Unavailable,
)
from tocsin.channels.wording import shortened
from tocsin.kit.http import MAX_BODY, TOTAL_SECONDS, Door, Reply

API = "https://api.telegram.org"

TEXT = 4_096
"""UTF-16 units of a message after its entities are parsed (sendMessage)."""
TITLE = 1_024
BUTTON = 64

UPDATES = (
    "message",
    "edited_message",
    "channel_post",
    "callback_query",
    "my_chat_member",
)
"""What the bot hears. Always said, for what is left out stays as somebody said before (setWebhook)."""
PORTS = (443, 80, 88, 8443)
"""Where Telegram calls (setWebhook)."""
POLL_SECONDS, POLL_ITEMS = 25, 50
"""How long an asking waits at Telegram for news, and how many it takes."""
POLL_BYTES = 8 * 1024 * 1024
"""Of their answer: an update of 4,096 characters that answers another of them has 50 KiB and more."""

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


class _Chat(msgspec.Struct):
    id: int


class _Keyboard(msgspec.Struct):
    inline_keyboard: list[list[dict[str, Any]]] = []


class _Posted(msgspec.Struct):
    """A message as Telegram showed it when it took it."""

    chat: _Chat
    text: str
    entities: list[dict[str, Any]] = []
    reply_markup: _Keyboard = msgspec.field(default_factory=_Keyboard)


class _WebhookInfo(msgspec.Struct):
    url: str = ""
    pending_update_count: int = 0
    last_error_message: str | None = None


class _Me(msgspec.Struct):
    id: int
    username: str = ""
    first_name: str = ""


class _Moved(Rejected):
    """The group is a supergroup now, under the id ``chat``."""

    chat: int


class _NotRead(Rejected):
    """Telegram cannot read our markup, or does not like a link of it."""


class Telegram(
    Channel[TelegramSettings, TelegramCredentials],
    Registers[TelegramCredentials],
    Changeable[TelegramSettings, TelegramCredentials],
):
    """One message per person and notification; groups and channels as destinations."""

    provider = "telegram"
    channel = "telegram"
    title = "Telegram"
    reaches = "person"
    address_kind = "telegram"
    known_only = True
    limits_addresses = True
    has_destinations = True
    settings = TelegramSettings
    credentials = TelegramCredentials
    setup_steps = (
        Step("bot", "Write /newbot to @BotFather in Telegram and answer its two questions.", done_by="saved"),
        Step("token", "Copy the token that it shows, enter it here and save.", done_by="saved"),
        Step("verify", "Verify: the bot is looked up, and its updates are led here.", done_by="led"),
        Step("hear", "Write something to the bot, to see that it is heard.", done_by="heard"),
        Step("people", "Have each person open their own link to the bot and press Start.", done_by="known"),
        Step("groups", "Add the bot to the groups and channels that it is to post in.", done_by="gathered"),
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

    async def acknowledged(
        self,
        sent: Sent,
        note: str,
        at: datetime,
        settings: TelegramSettings,
        credentials: TelegramCredentials,
        door: Door,
    ) -> None:
        """The note goes below the text where the text is known; else the buttons go and nothing is said."""
        place, posted = _CHAT.fullmatch(sent.address or ""), _posted(sent.answer)
        if posted is None:
            if place is not None:
                await replace_buttons(door, credentials, int(place["chat"]), int(sent.message_id), [])
            return
        rows, where = others(posted.reply_markup.inline_keyboard), (posted.chat.id, int(sent.message_id))
        text = f"{posted.text}\n\n{note} {at:%Y-%m-%d %H:%M %Z}"
        if units(text) > TEXT:
            await replace_buttons(door, credentials, *where, rows)
            return
        told = {"text": text, "entities": posted.entities, "link_preview_options": {"is_disabled": True}}
        await _edit(door, credentials, "editMessageText", *where, rows, told)

    async def verify(self, settings: TelegramSettings, credentials: TelegramCredentials, door: Door) -> Account:
        me = decoded_result(await asked(door, credentials, "getMe"), _Me)
        return Account(id=str(me.id), name=f"@{me.username}" if me.username else me.first_name)

    async def inbound(
        self, settings: TelegramSettings, credentials: TelegramCredentials, door: Door
    ) -> dict[str, Any] | None:
        try:
            now = await self.registration(credentials, door)
        except SendFailure:
            return None
        return {"host": urlsplit(now.url or "").hostname, "waiting": now.waiting, "lastError": now.last_error}

    def account_in(self, settings: TelegramSettings, credentials: TelegramCredentials) -> str:
        """A token begins with the id of its bot, and goes on doing so when BotFather makes another."""
        return credentials.bot_token.get_secret_value().partition(":")[0]

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

    def may_call(self, url: str) -> bool:
        target = urlsplit(url)
        return target.scheme == "https" and (target.port or 443) in PORTS

    def polls(self, settings: Any) -> bool:
        return isinstance(settings, TelegramSettings) and settings.mode == "polling"

    async def registration(self, credentials: TelegramCredentials, door: Door) -> Registration:
        info = decoded_result(await asked(door, credentials, "getWebhookInfo"), _WebhookInfo)
        return Registration(url=info.url or None, waiting=info.pending_update_count, last_error=info.last_error_message)

    async def register(self, url: str, secret: str, credentials: TelegramCredentials, door: Door) -> None:
        told = {"url": url, "secret_token": secret, "allowed_updates": UPDATES}
        await asked(door, credentials, "setWebhook", told)

    async def unregister(self, credentials: TelegramCredentials, door: Door) -> None:
        await asked(door, credentials, "deleteWebhook")

    async def fetch(self, after: str | None, credentials: TelegramCredentials, door: Door) -> Sequence[Item]:
        wanted: dict[str, Any] = {"timeout": POLL_SECONDS, "limit": POLL_ITEMS, "allowed_updates": UPDATES}
        if after is not None:
            wanted["offset"] = int(after) + 1
        reply = await asked(
            door, credentials, "getUpdates", wanted, seconds=POLL_SECONDS + TOTAL_SECONDS, most=POLL_BYTES
        )
        updates = msgspec.json.decode(decoded(reply, _Answer).result)
        if not isinstance(updates, list):
            raise Unavailable("The answer is not Telegram's.", status=reply.status)
        return [item for update in updates for item in self.items(update, credentials)]


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


async def asked(
    door: Door,
    credentials: TelegramCredentials,
    method: str,
    parameters: Any = None,
    seconds: float = TOTAL_SECONDS,
    most: int = MAX_BODY,
) -> Reply:
    """One call of the Bot API that went well. Raises Rejected, Blocked, Unavailable or BadCredentials.

    The token is in the address, so no address may get into a reason.
    """
    url = f"{api_of('telegram', API)}/bot{credentials.bot_token.get_secret_value()}/{method}"
    body = msgspec.json.encode(parameters or {})
    try:
        reply = await exchanged(door, "POST", url, {"Content-Type": "application/json"}, body, seconds, most)
    except SendFailure as failure:
        raise type(failure)(failure.reason) from None
    if 200 <= reply.status < 300:
        return reply
    raise _failure_of(reply)


async def say(door: Door, credentials: TelegramCredentials, chat: int, text: str) -> None:
    """Answer somebody who wrote. Fails like ``send``."""
    await asked(door, credentials, "sendMessage", {"chat_id": chat, "text": cut(text, TEXT)})


async def answer_press(door: Door, credentials: TelegramCredentials, press_id: str, text: str) -> None:
    """Tell who pressed a button what came of it (answerCallbackQuery: at most 200 characters)."""
    await asked(door, credentials, "answerCallbackQuery", {"callback_query_id": press_id, "text": text[:200]})


async def replace_buttons(
    door: Door, credentials: TelegramCredentials, chat: int, message_id: int, rows: list[Any]
) -> None:
    """Leave these buttons below a message (editMessageReplyMarkup)."""
    await _edit(door, credentials, "editMessageReplyMarkup", chat, message_id, rows)


async def _edit(
    door: Door,
    credentials: TelegramCredentials,
    method: str,
    chat: int,
    message_id: int,
    rows: list[Any],
    told: Mapping[str, Any] | None = None,
) -> None:
    where = {"chat_id": chat, "message_id": message_id, "reply_markup": {"inline_keyboard": rows}}
    await asked(door, credentials, method, {**where, **(told or {})})


def others(rows: Sequence[Sequence[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """The buttons of a message without that of the acknowledgement."""
    left = [[each for each in row if not _is_ours(each)] for row in rows]
    return [row for row in left if row]


def _is_ours(button: dict[str, Any]) -> bool:
    return str(button.get("callback_data", "")).startswith(ACKNOWLEDGE)


def _posted(answer: str) -> _Posted | None:
    """None where it was too long to be kept whole."""
    try:
        return msgspec.json.decode(msgspec.json.decode(answer, type=_Answer).result, type=_Posted)
    except msgspec.MsgspecError:
        return None


def _failure_of(reply: Reply) -> SendFailure:
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
        moved = _Moved(reason, status=status, answer=answer)
        moved.chat = refusal.parameters.migrate_to_chat_id
        return moved
    if status == 400 and any(told in words for told in _UNREADABLE):
        return _NotRead(reason, status=status, answer=answer)
    if status in (400, 409, 413):
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
    return {**_manner(message, _acknowledgement(message, linked=False)), "text": cut(words, TEXT - units(link)) + link}


def _manner(message: Message, rows: list[list[dict[str, Any]]]) -> dict[str, Any]:
    manner: dict[str, Any] = {"link_preview_options": {"is_disabled": True}}
    if message.priority == "low":
        manner["disable_notification"] = True
    if rows:
        manner["reply_markup"] = {"inline_keyboard": rows}
    return manner


def _acknowledgement(message: Message, *, linked: bool = True) -> list[list[dict[str, Any]]]:
    """Pressed where it is heard (40 of the 64 bytes that a button carries), else a link, which Telegram may refuse."""
    if carried := presses(message):
        return [[{"text": "Acknowledge", "callback_data": carried}]]
    if message.require_ack and message.ack_url and linked:
        return [[{"text": "Acknowledge", "url": message.ack_url}]]
    return []


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
