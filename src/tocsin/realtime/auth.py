"""Signatures of the Pusher protocol: made by whoever holds the app's secret, checked by the server.

HMAC-SHA256 in hex over ``socket_id:channel[:channel_data]`` or ``socket_id::user::user_data``. The JSON in
them is signed as the very string that travels, so both sides agree whatever their spacing.

What is signed for a person has their grant and ``#`` before that (see ``grants``); an app that signs with the
secret itself has none.
"""

import hmac
from collections.abc import Iterable
from typing import Any

import msgspec

from tocsin.kit.errors import FieldError, Invalid
from tocsin.realtime.grants import Grant, read_grant
from tocsin.realtime.protocol import MAX_USER_ID, is_channel_name, is_presence, is_socket_id, needs_signature


def authorize(
    key: str,
    secret: str,
    socket_id: str,
    channel: str,
    *,
    user_id: str | None = None,
    user_info: dict[str, Any] | None = None,
    grant: Grant | None = None,
) -> dict[str, str]:
    """The answer of an auth endpoint: ``{"auth"}``, on presence channels with ``channel_data``.

    Whether this user may hear this channel has been decided by the caller. ``user_id`` is needed on presence
    channels only. Raises ``Invalid`` for a socket id or channel that cannot be signed.
    """
    _check_socket_id(socket_id)
    if not (is_channel_name(channel) and needs_signature(channel)):
        raise Invalid([FieldError("/channel_name", "channel_name", "Not the name of a private or presence channel.")])
    if not is_presence(channel):
        return {"auth": f"{key}:{_signed(secret, f'{socket_id}:{channel}', grant)}"}
    _check_user_id(user_id)
    channel_data = msgspec.json.encode({"user_id": user_id, "user_info": user_info or {}}).decode()
    signed = _signed(secret, f"{socket_id}:{channel}:{channel_data}", grant)
    return {"auth": f"{key}:{signed}", "channel_data": channel_data}


def sign_in(
    key: str,
    secret: str,
    socket_id: str,
    user_id: str,
    user_info: dict[str, Any] | None = None,
    grant: Grant | None = None,
) -> dict[str, str]:
    """The answer of a user-authentication endpoint: ``{"auth", "user_data"}``. Raises ``Invalid``."""
    _check_socket_id(socket_id)
    _check_user_id(user_id)
    user_data = msgspec.json.encode({"id": user_id, "user_info": user_info or {}}).decode()
    return {"auth": f"{key}:{_signed(secret, f'{socket_id}::user::{user_data}', grant)}", "user_data": user_data}


def _signed(secret: str, text: str, grant: Grant | None) -> str:
    if grant is None:
        return _hmac(secret, text)
    granted = grant.text()
    return f"{granted}.{_hmac(secret, f'{granted}#{text}')}"


def channel_signature(secret: str, socket_id: str, channel: str, channel_data: str | None = None) -> str:
    return _hmac(secret, _channel_text(socket_id, channel, channel_data))


def user_signature(secret: str, socket_id: str, user_data: str) -> str:
    return _hmac(secret, f"{socket_id}::user::{user_data}")


def _channel_text(socket_id: str, channel: str, channel_data: str | None) -> str:
    return f"{socket_id}:{channel}" if channel_data is None else f"{socket_id}:{channel}:{channel_data}"


def is_channel_auth(
    auth: str | None, secrets: Iterable[str], socket_id: str, channel: str, channel_data: str | None = None
) -> bool:
    """Whether one of the secrets signed this subscription, found out in constant time per secret."""
    return _is_signed(auth or "", secrets, _channel_text(socket_id, channel, channel_data))


def is_user_auth(auth: str, secrets: Iterable[str], socket_id: str, user_data: str) -> bool:
    return _is_signed(auth, secrets, f"{socket_id}::user::{user_data}")


def grant_in(auth: str | None) -> Grant | None:
    """Whose rights a genuine signature passes on; None when the app itself signed."""
    granted, dot, _ = _proof(auth or "")
    return read_grant(granted) if dot else None


def _is_signed(auth: str, secrets: Iterable[str], text: str) -> bool:
    granted, dot, signature = _proof(auth)
    signed = f"{granted}#{text}" if dot else text
    return any(hmac.compare_digest(signature.encode(), _hmac(each, signed).encode()) for each in secrets)


def _proof(auth: str) -> tuple[str, str, str]:
    """The key before the colon proves nothing and several keys open one app, so it is not looked at."""
    return auth.rpartition(":")[2].rpartition(".")


def _hmac(secret: str, text: str) -> str:
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()


def _check_socket_id(socket_id: str) -> None:
    if not is_socket_id(socket_id):
        raise Invalid([FieldError("/socket_id", "socket_id", "A socket id looks like 123.456.")])


def _check_user_id(user_id: str | None) -> None:
    if not user_id or len(user_id) > MAX_USER_ID:
        raise Invalid([FieldError("/user_id", "user_id", f"A user id has 1 to {MAX_USER_ID} characters.")])
