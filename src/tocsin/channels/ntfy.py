"""Notifications on a topic of an ntfy server (https://docs.ntfy.sh/publish/#publish-as-json)."""

import re
from typing import Any

import msgspec
from pydantic import Field

from tocsin.channels.calling import HeaderSecret, call, decoded, url_problems
from tocsin.channels.contract import ANSWER_LIMIT, Account, Channel, Described, Message, Receipt, Step
from tocsin.channels.wording import links, shortened
from tocsin.kit.errors import FieldError
from tocsin.kit.http import MAX_URL, Door

PRIORITIES = {"critical": 5, "high": 4, "normal": 3, "low": 2}
TITLE, TEXT = 250, 3_000
"""Bytes beyond 4,096 would make an attachment of the text."""

_TOPIC = r"^[A-Za-z0-9_-]{1,64}$"


class NtfySettings(Described):
    """Where to publish."""

    url: str = Field("https://ntfy.sh", title="Server", max_length=MAX_URL, json_schema_extra={"format": "uri"})
    topic: str = Field(title="Topic", pattern=_TOPIC)


class NtfyCredentials(Described):
    """Empty for a topic that everybody may write to."""

    token: HeaderSecret | None = Field(None, title="Access token", description="Begins with tk_.")


class _Published(msgspec.Struct):
    id: str


class Ntfy(Channel[NtfySettings, NtfyCredentials]):
    """One message per notification, for whoever follows the topic."""

    provider = "ntfy"
    channel = "ntfy"
    title = "ntfy"
    reaches = "project"
    has_destinations = True
    settings = NtfySettings
    credentials = NtfyCredentials
    trusts = ("url",)
    setup_steps = (
        Step("topic", "Choose a topic nobody can guess, or protect it with a token."),
        Step("verify", "Enter both here and verify."),
    )

    async def send(
        self, message: Message, address: str | None, settings: NtfySettings, credentials: NtfyCredentials, door: Door
    ) -> Receipt:
        topic = address or settings.topic
        reply = await call(door, "POST", settings.url, headers=_login(credentials), json=_post(message, topic))
        published = decoded(reply, _Published)
        return Receipt(
            delivered=False, provider_message_id=published.id, status=reply.status, answer=reply.text(ANSWER_LIMIT)
        )

    async def verify(self, settings: NtfySettings, credentials: NtfyCredentials, door: Door) -> Account:
        place = f"{settings.url.rstrip('/')}/{settings.topic}"
        await call(door, "GET", f"{place}/auth", headers=_login(credentials))
        return Account(id=place, name=settings.topic)

    async def check(self, settings: NtfySettings, credentials: NtfyCredentials, door: Door) -> list[FieldError]:
        return await url_problems(door, settings.url, "/settings/url")

    def address_problem(self, address: str) -> str | None:
        """Of a destination, which is another topic of the server."""
        if re.fullmatch(_TOPIC, address):
            return None
        return "A topic has up to 64 letters, digits, _ and -."


def _login(credentials: NtfyCredentials) -> dict[str, str]:
    return {"Authorization": f"Bearer {credentials.token.get_secret_value()}"} if credentials.token else {}


def _post(message: Message, topic: str) -> dict[str, Any]:
    post: dict[str, Any] = {
        "topic": topic,
        "title": shortened(message.title, TITLE),
        "message": _within(message.message, TEXT),
        "priority": PRIORITIES[message.priority],
        "actions": [{"action": "view", "label": label, "url": url} for url, label in links(message)],
    }
    if message.action:
        post["click"] = message.action.url
    return post


def _within(text: str, most: int) -> str:
    """So many bytes at most."""
    raw = text.encode()
    return text if len(raw) <= most else raw[: most - 3].decode("utf-8", "ignore").rstrip() + "…"
