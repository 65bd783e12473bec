"""Frames, names and codes of the Pusher Channels protocol: what is written and read on the wire.

Source: Pusher's protocol document, version 7 (github.com/pusher/docs, ``pusher-websockets-protocol.md``).
``data`` of everything a server publishes is a string, JSON inside JSON when it is structured.
"""

import re
from typing import NamedTuple, TypeVar

import msgspec

PROTOCOLS = range(5, 8)
"""Versions served. Before 5 a client need not answer pings, so its death would go unseen."""

MAX_FRAME_BYTES = 65_536
MAX_CLIENT_DATA_BYTES = 10_240
"""Payload of one client event; Pusher's own limit for any event."""
MAX_NAME = 200
"""Characters of a channel or event name; Pusher's own limit for events, and for channels since 2014."""
MAX_USER_ID = 128

USER_CHANNEL = "#server-to-user-"
"""Prefix of the channel that carries events to one signed-in user. Nobody subscribes to it."""

PING = b'{"event":"pusher:ping","data":{}}'
PONG = b'{"event":"pusher:pong","data":{}}'

Data = TypeVar("Data")

_CHANNEL_NAME = re.compile(r"[-a-zA-Z0-9_=@,.;]{1,200}")
_SOCKET_ID = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")


class Refusal(NamedTuple):
    """Why the server ends a connection. 40xx: do not come back; 41xx: back off; 42xx: come back at once."""

    code: int
    reason: str


NO_SUCH_APP = Refusal(4001, "There is no app with this key.")
APP_DISABLED = Refusal(4003, "The app is disabled.")
OVER_QUOTA = Refusal(4004, "The app is over its connection quota.")
NO_SUCH_PATH = Refusal(4005, "The path is not /app/{key}.")
BAD_VERSION = Refusal(4006, "The protocol version is not a number.")
UNSUPPORTED_VERSION = Refusal(4007, "The protocol version is not supported; use 5, 6 or 7.")
NO_VERSION = Refusal(4008, "No protocol version was given.")
UNAUTHORIZED = Refusal(4009, "The connection is not authorized.")
TENANT_MISMATCH = Refusal(4010, "tenant_mismatch: the request names another project than its key.")
OVER_CAPACITY = Refusal(4100, "The server cannot serve this connection now; come back in a while.")
ASK_AGAIN = Refusal(4101, "The project has changed; come back in a while and be admitted anew.")
SIGN_AGAIN = Refusal(4200, "Rights have changed; come back and have your subscriptions signed anew.")
NO_PONG = Refusal(4201, "A ping was not answered.")

RATE_LIMITED, NOT_HEARD = 4301, 4302
"""Codes of a ``pusher:error`` after which the socket stays open: a client event that was not passed on, and one to
Tocsin itself that came to nothing. Pusher leaves 4300 to 4399 for errors of other kinds."""

USER_PREFIX = "private-user-"
"""Of the channel that is a person's own."""


class ClientFrame(msgspec.Struct):
    """A message from a client. ``data`` is its JSON, unread."""

    event: str
    channel: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


class Subscribe(msgspec.Struct):
    channel: str
    auth: str | None = None
    channel_data: str | None = None


class Unsubscribe(msgspec.Struct):
    channel: str


class SignIn(msgspec.Struct):
    auth: str
    user_data: str


class Member(msgspec.Struct, frozen=True):
    """One person on a presence channel: an id, and what the app's backend tells the others about them."""

    user_id: str
    user_info: msgspec.Raw = msgspec.Raw(b"{}")


class _ChannelData(msgspec.Struct):
    user_id: str | int
    user_info: msgspec.Raw = msgspec.Raw(b"{}")


class _UserData(msgspec.Struct):
    id: str


_frames = msgspec.json.Decoder(ClientFrame)
_channel_data = msgspec.json.Decoder(_ChannelData)
_user_data = msgspec.json.Decoder(_UserData)
_encode = msgspec.json.Encoder().encode


def version_refusal(protocol: str | None) -> Refusal | None:
    """What is wrong with the query parameter ``protocol``, if anything."""
    if not protocol:
        return NO_VERSION
    if not (protocol.isascii() and protocol.isdigit() and len(protocol) < 6):
        return BAD_VERSION
    return None if int(protocol) in PROTOCOLS else UNSUPPORTED_VERSION


def is_channel_name(name: str) -> bool:
    """Whether a client may name this channel at all (so never a user's own channel)."""
    return _CHANNEL_NAME.fullmatch(name) is not None


def is_socket_id(text: str) -> bool:
    return _SOCKET_ID.fullmatch(text) is not None


def is_presence(channel: str) -> bool:
    return channel.startswith("presence-")


def needs_signature(channel: str) -> bool:
    return channel.startswith(("private-", "presence-"))


def read_frame(text: bytes) -> ClientFrame | None:
    """The message, or None when it is not one."""
    try:
        return _frames.decode(text)
    except msgspec.DecodeError:
        return None


def read_data(frame: ClientFrame, kind: type[Data]) -> Data | None:
    """``data`` as that kind, also when it was encoded twice, or None."""
    raw = bytes(frame.data)
    try:
        return msgspec.json.decode(msgspec.json.decode(raw) if raw[:1] == b'"' else raw, type=kind)
    except msgspec.DecodeError:
        return None


def read_member(channel_data: str) -> Member | None:
    """The person in a signed ``channel_data``; numeric ids become text. None when there is no usable id."""
    try:
        data = _channel_data.decode(channel_data)
    except msgspec.DecodeError:
        return None
    user_id = str(data.user_id)
    if not 0 < len(user_id) <= MAX_USER_ID:
        return None
    return Member(user_id, data.user_info.copy())


def read_user_id(user_data: str) -> str | None:
    """The id in a signed ``user_data``, or None when there is no usable one."""
    try:
        user_id = _user_data.decode(user_data).id
    except msgspec.DecodeError:
        return None
    return user_id if 0 < len(user_id) <= MAX_USER_ID else None


def connection_established(socket_id: str, activity_timeout: int) -> bytes:
    inner = {"socket_id": socket_id, "activity_timeout": activity_timeout}
    return _encode({"event": "pusher:connection_established", "data": _text(inner)})


def subscription_succeeded(channel: str, members: dict[str, Member] | None = None) -> bytes:
    """The acknowledgement of a subscription, with everybody present when it is a presence channel."""
    inner: dict[str, object] = {}
    if members is not None:
        infos = {user_id: member.user_info for user_id, member in members.items()}
        inner = {"presence": {"ids": list(members), "hash": infos, "count": len(members)}}
    return event("pusher_internal:subscription_succeeded", channel, _text(inner))


def member_added(channel: str, member: Member) -> bytes:
    return event("pusher_internal:member_added", channel, _text(member))


def member_removed(channel: str, user_id: str) -> bytes:
    return event("pusher_internal:member_removed", channel, _text({"user_id": user_id}))


def subscription_error(channel: str, kind: str, message: str, status: int) -> bytes:
    """A refused subscription; the socket stays. Official clients hear this only under ``pusher:``."""
    data = {"type": kind, "error": message, "status": status}
    return _encode({"event": "pusher:subscription_error", "channel": channel, "data": data})


def signin_success(sign_in: SignIn) -> bytes:
    return _encode({"event": "pusher:signin_success", "data": sign_in})


def error(code: int, message: str, channel: str | None = None) -> bytes:
    frame: dict[str, object] = {"event": "pusher:error", "data": {"code": code, "message": message}}
    if channel is not None:
        frame["channel"] = channel
    return _encode(frame)


def event(name: str, channel: str, data: str) -> bytes:
    """Something published; ``data`` goes out as the string it came in as."""
    return _encode({"event": name, "channel": channel, "data": data})


def client_event(name: str, channel: str, data: msgspec.Raw, user_id: str | None) -> bytes:
    """A client's message to the others, ``data`` untouched; ``user_id`` on presence channels only."""
    frame: dict[str, object] = {"event": name, "channel": channel, "data": data}
    if user_id is not None:
        frame["user_id"] = user_id
    return _encode(frame)


def _text(value: object) -> str:
    return _encode(value).decode()
