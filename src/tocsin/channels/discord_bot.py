"""Notifications in Discord channels by the bot of an application (https://docs.discord.com/developers/reference).

Unlike a webhook's, its messages have a button that Discord tells us of
(https://docs.discord.com/developers/interactions/receiving-and-responding).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field, SecretStr

from tocsin.channels.buttons import ACKNOWLEDGE, presses
from tocsin.channels.calling import HeaderSecret, api_of, call, decoded
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    Account,
    BadCredentials,
    Changeable,
    Channel,
    Described,
    Inbound,
    Item,
    Message,
    NotUnderstood,
    Receipt,
    Rejected,
    Sent,
    Step,
)
from tocsin.channels.discord import AGENT, post
from tocsin.channels.wording import leads_to_web, links, shortened
from tocsin.kit.http import Door

API = "https://discord.com/api/v10"
SNOWFLAKE = r"^[0-9]{15,20}$"
BUTTON, URL = 80, 512
"""Letters of a button, and of the address behind it (https://docs.discord.com/developers/components/reference)."""
PING, COMPONENT = 1, 3
PONG, DEFERRED = {"type": 1}, {"type": 6}
"""What Discord wants to hear within 3 seconds: that somebody is there; that the message will be changed."""
NOT_THERE = (403, 404)
"""A channel that is gone or closed to the bot: of a destination, the others are as they were."""
KEPT = ("id", "type", "application_id", "token", "member", "user", "message", "data")
"""What is kept of an interaction."""

_TOKEN = re.compile(r"[A-Za-z0-9._=-]{1,500}")


class DiscordBotSettings(Described):
    """Where it writes."""

    channel_id: str = Field(
        title="Channel ID",
        description="Shown by Copy Channel ID, in Developer Mode. Destinations may name others.",
        pattern=SNOWFLAKE,
    )


class DiscordBotCredentials(Described):
    """Whoever has the token is the bot; by the public key it is known that Discord calls."""

    bot_token: HeaderSecret = Field(title="Bot token", description="Of the application, under Bot.")
    public_key: SecretStr = Field(
        title="Public key",
        description="Of the application, under General Information: 64 hexadecimal digits.",
        min_length=64,
        max_length=64,
    )


class _Named(msgspec.Struct):
    id: str
    name: str = ""
    verify_key: str = ""


class _Posted(msgspec.Struct):
    """A message as Discord showed it when it took it."""

    channel_id: str
    components: list[Any] = []


class DiscordBot(
    Channel[DiscordBotSettings, DiscordBotCredentials],
    Inbound[DiscordBotCredentials],
    Changeable[DiscordBotSettings, DiscordBotCredentials],
):
    """One message per notification, in a channel that the bot may write to."""

    provider = "discord_bot"
    channel = "discord"
    title = "Discord bot"
    reaches = "project"
    has_destinations = True
    settings = DiscordBotSettings
    credentials = DiscordBotCredentials
    setup_steps = (
        Step(
            "application",
            "Make an application at discord.com/developers/applications; copy its public key and its bot's token here.",
            done_by="saved",
        ),
        Step(
            "install",
            "Install it in your server: scope bot, permissions View Channels, Send Messages and Embed Links.",
            done_by="verified",
        ),
        Step("verify", "Copy the ID of the channel here and verify.", done_by="verified"),
        Step(
            "callback",
            "Enter the callback address as the application's Interactions Endpoint URL, and save: Discord"
            " calls at once.",
            done_by="led",
        ),
    )

    async def send(
        self,
        message: Message,
        address: str | None,
        settings: DiscordBotSettings,
        credentials: DiscordBotCredentials,
        door: Door,
    ) -> Receipt:
        url = f"{_api()}/channels/{address or settings.channel_id}/messages"
        said = post(message, linked=False) | {"nonce": str(message.delivery_id.int % 10**19), "enforce_nonce": True}
        if buttons := _buttons(message):
            said["components"] = [{"type": 1, "components": buttons}]
        try:
            reply = await call(door, "POST", url, headers=_login(credentials), json=said)
        except BadCredentials as failure:
            if address is None or failure.status not in NOT_THERE:
                raise
            reason = f"The bot may not write to the channel {address}: {failure.reason}"
            raise Rejected(reason, status=failure.status, answer=failure.answer) from failure
        return Receipt(
            delivered=True,
            provider_message_id=decoded(reply, _Named).id,
            status=reply.status,
            answer=reply.text(ANSWER_LIMIT),
        )

    async def acknowledged(
        self,
        sent: Sent,
        note: str,
        at: datetime,
        settings: DiscordBotSettings,
        credentials: DiscordBotCredentials,
        door: Door,
    ) -> None:
        """All buttons go where they are not known any more: the title leads to the same place as the other one."""
        try:
            posted = msgspec.json.decode(sent.answer, type=_Posted)
        except msgspec.MsgspecError:
            posted = _Posted(sent.address or settings.channel_id)
        if not re.fullmatch(SNOWFLAKE, posted.channel_id) or not re.fullmatch(SNOWFLAKE, sent.message_id):
            raise Rejected("This is no message in a Discord channel.")
        url = f"{_api()}/channels/{posted.channel_id}/messages/{sent.message_id}"
        await call(door, "PATCH", url, headers=_login(credentials), json=_noted(posted.components, note, at))

    async def verify(self, settings: DiscordBotSettings, credentials: DiscordBotCredentials, door: Door) -> Account:
        """Whether the token is an application's, the key the same one's, and the channel in sight of its bot."""
        login = _login(credentials)
        ours = decoded(await call(door, "GET", f"{_api()}/applications/@me", headers=login), _Named)
        if ours.verify_key.lower() != credentials.public_key.get_secret_value().lower():
            raise BadCredentials("The public key is not that of the bot's application.")
        place = decoded(await call(door, "GET", f"{_api()}/channels/{settings.channel_id}", headers=login), _Named)
        return Account(id=ours.id, name=ours.name or ours.id, details={"channel": place.name})

    def address_problem(self, address: str) -> str | None:
        """Of a destination, which is another channel of the bot's."""
        return None if re.fullmatch(SNOWFLAKE, address) else "is not the ID of a Discord channel"

    def authenticate(
        self, headers: Mapping[str, str], body: bytes, credentials: DiscordBotCredentials, secret: str
    ) -> bool:
        """https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint"""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(credentials.public_key.get_secret_value()))
            signature = bytes.fromhex(headers.get("x-signature-ed25519", ""))
            key.verify(signature, headers.get("x-signature-timestamp", "").encode() + body)
        except (ValueError, InvalidSignature):
            return False
        return True

    def items(self, body: Any, credentials: DiscordBotCredentials) -> Sequence[Item]:
        """One press of our button; a ping tells nothing."""
        if not isinstance(body, dict) or type(body.get("type")) is not int:
            raise NotUnderstood("This is no interaction of Discord's.")
        if not _is_press(body) or not isinstance(body.get("id"), str):
            return []
        return [Item(body["id"], {key: body.get(key) for key in KEPT})]

    def answer(self, body: Any) -> Any:
        return PONG if body["type"] == PING else DEFERRED if body["type"] == COMPONENT else None


def _is_press(body: Any) -> bool:
    data = body.get("data")
    return body["type"] == COMPONENT and isinstance(data, dict) and is_ours(data)


def is_ours(component: Any) -> bool:
    """Whether it is the button of an acknowledgement."""
    return isinstance(component, dict) and str(component.get("custom_id", "")).startswith(ACKNOWLEDGE)


async def replace(
    door: Door, application: str, token: str, rows: Sequence[Any], note: str, at: datetime | None
) -> None:
    """Put a note above the message of a press, and take the button away. Fails like ``send``; for a quarter of an hour
    the token of the press allows it. Raises ValueError for what is no such token."""
    if not re.fullmatch(SNOWFLAKE, application) or not _TOKEN.fullmatch(token):
        raise ValueError("not an interaction's")
    url = f"{_api()}/webhooks/{application}/{token}/messages/@original"
    await call(door, "PATCH", url, headers=AGENT, json=_noted(rows, note, at))


def _noted(rows: Sequence[Any], note: str, at: datetime | None) -> dict[str, Any]:
    """What of a message is changed; its embed stays. Discord shows the moment in each reader's time."""
    when = f", <t:{int(at.timestamp())}:f>" if at is not None else ""
    return {
        "content": f"{_escaped(note)}{when}",
        "components": [row for row in map(_without_button, rows) if row is not None],
        "allowed_mentions": {"parse": []},
    }


def _without_button(row: Any) -> Any:
    if not isinstance(row, dict):
        return None
    left = [component for component in row.get("components", []) if not is_ours(component)]
    return {**row, "components": left} if left else None


def _buttons(message: Message) -> list[dict[str, Any]]:
    """Discord takes links to the web that are no longer; what is left out, the message itself leads to."""
    carried = presses(message)
    pressed = [{"type": 2, "style": 3, "label": "Acknowledge", "custom_id": carried}]
    leading = [
        {"type": 2, "style": 5, "label": shortened(label, BUTTON), "url": url}
        for url, label in links(message)
        if len(url) <= URL and (carried is None or url != message.ack_url) and leads_to_web(url)
    ]
    return [*pressed, *leading] if carried else leading


def _escaped(text: str) -> str:
    """A name is nobody's markup (https://docs.discord.com/developers/reference#message-formatting)."""
    return re.sub(r"([\\*_~`|>#\[\]()<:@-])", r"\\\1", text)


def _api() -> str:
    return api_of("discord", API)


def _login(credentials: DiscordBotCredentials) -> dict[str, str]:
    return {**AGENT, "Authorization": f"Bot {credentials.bot_token.get_secret_value()}"}
