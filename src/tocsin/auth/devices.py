"""Device cookies: a browser in which somebody signed in before has guess counters of its own.

The cookie opens nothing. It says "this browser knew the password of that account", so that strangers who guess
cannot use up the tries of its owner (``tries``). Its value is made and checked with a key of the installation:
a moment, a random id, and which accounts it is for, newest first.
"""

import base64
import os
import struct
import time
from dataclasses import dataclass
from hmac import compare_digest
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from tocsin.kit.crypto import MasterKey, fingerprint

LIFETIME_SECONDS = 365 * 24 * 3600
ACCOUNTS_AT_MOST = 8
"""Of people who sign in to several projects in one browser."""

_PURPOSE = "device-cookie"
_ID, _TAG, _MAC = 16, 16, 32
_HEAD = struct.Struct(f">Q{_ID}s")


@dataclass(frozen=True, slots=True)
class Device:
    """A browser that was here before. ``id`` is new at every sign-in."""

    id: str
    accounts: tuple[bytes, ...]


class Devices:
    """``secure`` where the world reaches us by https: the cookie's name then keeps other hosts from setting it."""

    def __init__(self, master: MasterKey, *, secure: bool) -> None:
        self._master = master
        self._secure = secure
        self.cookie = "__Host-tocsin_device" if secure else "tocsin_device"

    def of(self, request: Request) -> Device | None:
        """The device of a request, or None when it shows no cookie of ours."""
        try:
            shown = request.cookies.get(self.cookie, "")
            raw = base64.b64decode(shown + "=" * (-len(shown) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        body, mac = raw[:-_MAC], raw[-_MAC:]
        if len(body) < _HEAD.size:
            return None
        if not any(compare_digest(mac, fingerprint(key, body.hex())) for key in self._master.tries(_PURPOSE)):
            return None
        made, id_ = _HEAD.unpack_from(body)
        if made + LIFETIME_SECONDS < time.time():
            return None
        tags = body[_HEAD.size :]
        return Device(id_.hex(), tuple(tags[at : at + _TAG] for at in range(0, len(tags), _TAG)))

    def knows(self, device: Device | None, project_id: UUID, user_id: UUID) -> bool:
        """Whether this account was signed in to on this device."""
        if device is None:
            return False
        return any(_tag(key, project_id, user_id) in device.accounts for key in self._master.derived(_PURPOSE))

    def remember(self, response: Response, device: Device | None, project_id: UUID, user_id: UUID) -> None:
        """Have the browser show next time that this account was signed in to here."""
        key = self._master.derive(_PURPOSE)
        tag = _tag(key, project_id, user_id)
        others = [other for other in (device.accounts if device else ()) if other != tag]
        tags = b"".join([tag, *others][:ACCOUNTS_AT_MOST])
        body = _HEAD.pack(int(time.time()), os.urandom(_ID)) + tags
        value = base64.urlsafe_b64encode(body + fingerprint(key, body.hex())).decode().rstrip("=")
        response.set_cookie(
            self.cookie,
            value,
            max_age=LIFETIME_SECONDS,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )


def _tag(key: bytes, project_id: UUID, user_id: UUID) -> bytes:
    return fingerprint(key, f"{project_id}:{user_id}")[:_TAG]
