"""Signatures of the Pusher protocol: made by whoever holds the app's secret, checked by the server.

HMAC-SHA256 in hex over ``socket_id:channel[:channel_data]`` or ``socket_id::user::user_data``. The JSON in
them is signed as the very string that travels, so both sides agree whatever their spacing.
"""

import hmac
from collections.abc import Iterable
from typing import Any

import msgspec

from tocsin.kit.errors import FieldError, Invalid
from tocsin.realtime.protocol import MAX_USER_ID, is_channel_name, is_presence, is_socket_id, needs_signature


def authorize(
    key: str,
    secret: str,
    socket_id: str,
    channel: str,
    *,
    user_id: str | None = None,
    user_info: dict[str, Any] | None = None,
) -> dict[str, str]:
    """The answer of an auth endpoint: ``{"auth"}``, on presence channels with ``channel_data``.

    Whether this user may hear this channel has been decided by the caller. ``user_id`` is needed on presence
    channels only. Raises ``Invalid`` for a socket id or channel that cannot be signed.
    """
    _check_socket_id(socket_id)
    if not (is_channel_name(channel) and needs_signature(channel)):
        raise Invalid([FieldError("/channel_name", "channel_name", "Not the name of a private or presence channel.")])
    if not is_presence(channel):
        return {"auth": f"{key}:{channel_signature(secret, socket_id, channel)}"}
    _check_user_id(user_id)
    channel_data = msgspec.json.encode({"user_id": user_id, "user_info": user_info or {}}).decode()
    signature = channel_signature(secret, socket_id, channel, channel_data)
    return {"auth": f"{key}:{signature}", "channel_data": channel_data}


def sign_in(
    key: str, secret: str, socket_id: str, user_id: str, user_info: dict[str, Any] | None = None
) -> dict[str, str]:
    """The answer of a user-authentication endpoint: ``{"auth", "user_data"}``. Raises ``Invalid``."""
    _check_socket_id(socket_id)
    _check_user_id(user_id)
    user_data = msgspec.json.encode({"id": user_id, "user_info": user_info or {}}).decode()
    return {"auth": f"{key}:{user_signature(secret, socket_id, user_data)}", "user_data": user_data}


def channel_signature(secret: str, socket_id: str, channel: str, channel_data: str | None = None) -> str:
    signed = f"{socket_id}:{channel}" if channel_data is None else f"{socket_id}:{channel}:{channel_data}"
    return _hmac(secret, signed)


def user_signature(secret: str, socket_id: str, user_data: str) -> str:
    return _hmac(secret, f"{socket_id}::user::{user_data}")


def is_channel_auth(
    auth: str | None, secrets: Iterable[str], socket_id: str, channel: str, channel_data: str | None = None
) -> bool:
    """Whether one of the secrets signed this subscription, found out in constant time per secret."""
    return any(_matches(auth, channel_signature(each, socket_id, channel, channel_data)) for each in secrets)


def is_user_auth(auth: str, secrets: Iterable[str], socket_id: str, user_data: str) -> bool:
    return any(_matches(auth, user_signature(each, socket_id, user_data)) for each in secrets)


def _matches(auth: str | None, signature: str) -> bool:
    """The key before the colon proves nothing and several keys open one app, so only the signature counts."""
    given = (auth or "").rpartition(":")[2]
    return hmac.compare_digest(given.encode(), signature.encode())


def _hmac(secret: str, text: str) -> str:
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()


def _check_socket_id(socket_id: str) -> None:
    if not is_socket_id(socket_id):
        raise Invalid([FieldError("/socket_id", "socket_id", "A socket id looks like 123.456.")])


def _check_user_id(user_id: str | None) -> None:
    if not user_id or len(user_id) > MAX_USER_ID:
        raise Invalid([FieldError("/user_id", "user_id", f"A user id has 1 to {MAX_USER_ID} characters.")])
