"""Notifications on a person's own channel of a Pusher app that is not ours (https://pusher.com/docs/channels/library_auth_reference/rest-api/).

Whatever speaks Pusher's HTTP API will do: Pusher itself, or a server of one's own.
"""

from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import urlencode

import msgspec
from pydantic import Field, SecretStr, model_validator

from tocsin.channels.calling import OWN_FAULT, REFUSED, api_of, call, url_problems
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    Account,
    BadCredentials,
    Channel,
    Described,
    Message,
    Receipt,
    Rejected,
    Step,
    Unavailable,
)
from tocsin.channels.wording import shortened
from tocsin.kit.errors import FieldError
from tocsin.kit.http import MAX_URL, Door, Reply
from tocsin.kit.pusher_signature import signed_query
from tocsin.kit.schema import iso

MAX_DATA_BYTES = 10_240
MOST_CHANNELS = 100
"""Of one event."""
MOST_EVENTS = 10
"""Of one call, each for one channel."""
NOBODYS_CHANNEL = "tocsin-verification"
_ELLIPSIS_BYTES = 3


class PusherSettings(Described):
    """Which app, and where it is."""

    app_id: str = Field(title="App id", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    key: str = Field(title="Key", description="Of the app; its clients know it.", pattern=r"^[A-Za-z0-9_-]{1,200}$")
    cluster: str | None = Field(
        None, title="Cluster", description="Of an app at Pusher, for example eu.", pattern=r"^[a-z0-9-]{1,32}$"
    )
    url: str | None = Field(
        None,
        title="Server",
        description="Of an app elsewhere, instead of the cluster.",
        max_length=MAX_URL,
        json_schema_extra={"format": "uri"},
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if (self.cluster is None) == (self.url is None):
            raise ValueError("name either the cluster or the server")
        return self

    @property
    def base(self) -> str:
        return self.url.rstrip("/") if self.url else api_of("pusher", f"https://api-{self.cluster}.pusher.com")


class PusherCredentials(Described):
    """It signs, and is sent to nobody."""

    secret: SecretStr = Field(title="Secret", min_length=1, max_length=200)


class _Refusal(msgspec.Struct):
    """What some servers answer with 200."""

    error: str | None = None
    code: int = 0


class Event(msgspec.Struct, frozen=True):
    """What is told on some channels; ``data`` is JSON text."""

    name: str
    channels: list[str]
    data: str


class Pusher(Channel[PusherSettings, PusherCredentials]):
    """One event for each recipient: under the same name, on the same channel and with the same data as from us."""

    provider = "pusher"
    channel = "pusher"
    title = "Pusher Channels"
    reaches = "person"
    settings = PusherSettings
    credentials = PusherCredentials
    trusts = ("cluster", "url")
    setup_steps = (
        Step("app", "Open the app at dashboard.pusher.com, App Keys."),
        Step("credentials", "Copy app id, key, secret and cluster here and verify."),
        Step("subscribe", "In your apps, subscribe to private-user-{userId} and have your server sign that."),
    )

    async def send(
        self,
        message: Message,
        address: str | None,
        settings: PusherSettings,
        credentials: PusherCredentials,
        door: Door,
    ) -> Receipt:
        assert message.recipient is not None
        name = "notification.repeated" if message.round else "notification.created"
        event = Event(name, [f"private-user-{message.recipient.user_id}"], data_of(message))
        reply = await publish([event], settings, credentials, door)
        return Receipt(delivered=False, status=reply.status, answer=reply.text(ANSWER_LIMIT))

    async def verify(self, settings: PusherSettings, credentials: PusherCredentials, door: Door) -> Account:
        """Ask who is on a channel that nobody is on."""
        await _called(door, settings, credentials, "GET", f"channels/{NOBODYS_CHANNEL}")
        return Account(id=settings.app_id, name=f"App {settings.app_id}")

    async def check(self, settings: PusherSettings, credentials: PusherCredentials, door: Door) -> list[FieldError]:
        return await url_problems(door, settings.url, "/settings/url") if settings.url else []


async def publish(
    events: Sequence[Event], settings: PusherSettings, credentials: PusherCredentials, door: Door
) -> Reply:
    """One event for up to ``MOST_CHANNELS``, or up to ``MOST_EVENTS`` for one channel each. Raises as ``send`` does."""
    if len(events) == 1:
        return await _called(door, settings, credentials, "POST", "events", msgspec.json.encode(events[0]))
    batch = [{"name": each.name, "channel": channel, "data": each.data} for each in events for channel in each.channels]
    return await _called(door, settings, credentials, "POST", "batch_events", msgspec.json.encode({"batch": batch}))


def data_of(message: Message) -> str:
    """What our own sockets are told of a notification, but for its number in the feed: at most 10 KiB of JSON."""
    data = _encoded(message, message.message)
    over = len(data.encode()) - MAX_DATA_BYTES
    if over <= 0:
        return data
    return _encoded(message, shortened(message.message, max(1, len(message.message) - over - _ELLIPSIS_BYTES)))


def _encoded(message: Message, text: str) -> str:
    event = message.event
    shown: dict[str, Any] = {
        "id": message.notification_id,
        "title": message.title,
        "message": text,
        "sound": message.sound,
        "soundUrl": message.sound_url,
        "silent": False,
        "priority": message.priority,
        "action": {"url": message.action.url, "label": message.action.label} if message.action else None,
        "requireAck": message.require_ack,
        "createdAt": iso(message.created_at),
        "event": {"id": event.id, "type": event.type, "clientEventId": event.client_event_id} if event else None,
    }
    return msgspec.json.encode(shown).decode()


async def _called(
    door: Door, settings: PusherSettings, credentials: PusherCredentials, method: str, what: str, body: bytes = b""
) -> Reply:
    path = f"/apps/{settings.app_id}/{what}"
    query = signed_query(settings.key, credentials.secret.get_secret_value(), method, path, body)
    reply = await call(
        door, method, f"{settings.base}{path}?{urlencode(query)}", json=msgspec.Raw(body) if body else None
    )
    _check_words(reply)
    return reply


def _check_words(reply: Reply) -> None:
    """A refusal that came with 200, as from soketi 1.6; a true answer is an object without ``error``."""
    try:
        said = msgspec.json.decode(reply.body, type=_Refusal)
    except msgspec.MsgspecError:
        answer = reply.text(ANSWER_LIMIT)
        raise Unavailable("The answer is not the provider's.", status=reply.status, answer=answer) from None
    if said.error is None:
        return
    failure = BadCredentials if said.code in OWN_FAULT else Rejected if said.code in REFUSED else Unavailable
    raise failure(f"The provider answered {said.code}.", status=said.code, answer=reply.text(ANSWER_LIMIT))
