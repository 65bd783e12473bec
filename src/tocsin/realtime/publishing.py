"""What a project's server may publish: the bodies of Pusher's HTTP API, within Pusher's limits.

A project owns the channels of its app, those of its users too. What Tocsin itself says there cannot be said by
anybody else: events named ``notification.*`` and ``connection.*`` on ``private-user-...`` and
``private-project-...``, everything on ``private-platform``, and the protocol's own events.
"""

from typing import TypeVar

import msgspec

from tocsin.kit.errors import BadRequest, Forbidden, TooLarge
from tocsin.realtime.access import of_tocsin
from tocsin.realtime.protocol import MAX_NAME, MAX_USER_ID, USER_CHANNEL, is_channel_name, is_presence, is_socket_id

MOST_CHANNELS = 100
MOST_EVENTS = 10
MAX_DATA_BYTES = 10_240
MAX_BODY_BYTES = 1024 * 1024
"""Ten events of data, each byte of it escaped in JSON."""

_ATTRIBUTES = frozenset({"user_count", "subscription_count"})
_PROTOCOLS_OWN = ("pusher:", "pusher_internal:")

Body = TypeVar("Body", bound=msgspec.Struct)


class Event(msgspec.Struct):
    """One event for one channel or several."""

    name: str
    data: str
    channel: str | None = None
    channels: list[str] | None = None
    socket_id: str | None = None
    info: str | None = None

    @property
    def to(self) -> list[str]:
        return list(dict.fromkeys([*(self.channels or ()), *([self.channel] if self.channel is not None else ())]))


class Batch(msgspec.Struct):
    batch: list[Event]


def read_event(body: bytes) -> Event:
    """Raises BadRequest, Forbidden or TooLarge."""
    event = _read(body, Event)
    _check(event, MOST_CHANNELS)
    return event


def read_batch(body: bytes) -> list[Event]:
    """Events for one channel each; all of them, or the error of the first that is wrong."""
    events = _read(body, Batch).batch
    if len(events) > MOST_EVENTS:
        raise BadRequest("too_many_events", f"A batch has {MOST_EVENTS} events at most.")
    for event in events:
        _check(event, 1)
    return events


def read_info(text: str | None, *channels: str) -> frozenset[str]:
    """The attributes asked for of channels; ``user_count`` is only for presence channels. Raises BadRequest."""
    asked = frozenset(part.strip() for part in (text or "").split(",")) - {""}
    if asked - _ATTRIBUTES:
        raise BadRequest("unknown_attribute", "info is a list of user_count and subscription_count.")
    if "user_count" in asked and not all(is_presence(channel) for channel in channels):
        raise BadRequest("not_a_presence_channel", "user_count is only for presence channels.")
    return asked


def check_channel(name: str) -> None:
    """Raises BadRequest for what names no channel that a client could be on."""
    if not is_channel_name(name):
        raise BadRequest("channel_name", f"A channel name has 1 to {MAX_NAME} of the characters A-Z a-z 0-9 -_=@,.;")


def _read(body: bytes, kind: type[Body]) -> Body:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise BadRequest("malformed_body", f"The body is not what this call takes: {error}.") from None


def _check(event: Event, most_channels: int) -> None:
    if not 0 < len(event.name) <= MAX_NAME:
        raise BadRequest("event_name", f"An event name has 1 to {MAX_NAME} characters.")
    if not 0 < len(event.to) <= most_channels:
        raise BadRequest("channels", f"An event goes to 1 to {most_channels} channels.")
    for channel in event.to:
        _check_target(channel)
        _check_ours(event.name, channel)
    if len(event.data.encode()) > MAX_DATA_BYTES:
        raise TooLarge("data_too_large", f"The data of an event has {MAX_DATA_BYTES} bytes at most.")
    if event.socket_id and not is_socket_id(event.socket_id):
        raise BadRequest("socket_id", "A socket id looks like 123.456.")
    read_info(event.info, *event.to)


def _check_target(channel: str) -> None:
    if not channel.startswith(USER_CHANNEL):
        check_channel(channel)
    elif not 0 < len(channel.removeprefix(USER_CHANNEL)) <= MAX_USER_ID:
        raise BadRequest("user_id", f"A user id has 1 to {MAX_USER_ID} characters.")


def _check_ours(event: str, channel: str) -> None:
    if event.startswith(_PROTOCOLS_OWN):
        raise Forbidden("event_reserved", f"Events named {_PROTOCOLS_OWN[0]}... are the protocol's own.")
    if of_tocsin(event, channel):
        raise Forbidden("event_reserved", "On this channel Tocsin alone sends events of this name.")
