"""Whose rights a signature passes on, and whether they still have them.

A signature of the Pusher protocol names no one and is good for ever. What our own endpoint signs for a person
carries a grant: user, session and moment. It is part of what is signed, so nobody can leave it out, and travels
before the signature, ``key:grant.signature``, where clients do not look. Whoever loses the session or the rights
loses the sockets that stand on them, and a signature that was kept for later counts for nothing.
"""

import base64
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from tocsin.realtime.protocol import SIGN_AGAIN, Refusal

LIFETIME_SECONDS = 120.0
"""Between the signature and the subscription; clients take milliseconds."""

_BYTES = 16 + 16 + 8


@dataclass(frozen=True, slots=True)
class Grant:
    """``at`` is seconds of the Unix clock."""

    user_id: UUID
    session_id: UUID
    at: float

    @property
    def holders(self) -> tuple[str, str]:
        return str(self.user_id), str(self.session_id)

    def text(self) -> str:
        raw = self.user_id.bytes + self.session_id.bytes + struct.pack(">d", self.at)
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_grant(text: str) -> Grant | None:
    """The grant in such a text, or None when it is none."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    if len(raw) != _BYTES:
        return None
    (at,) = struct.unpack(">d", raw[32:])
    return Grant(UUID(bytes=raw[:16]), UUID(bytes=raw[16:32]), at)


class Grants:
    """Remembers who lost what, for as long as a grant from before could still be shown."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lost: OrderedDict[str, tuple[float, Refusal]] = OrderedDict()

    def take_back(self, holder: str, refusal: Refusal) -> None:
        """From now on answer grants of this user or session, made until now, with that."""
        now = self._clock()
        self._lost.pop(holder, None)
        self._lost[holder] = now, refusal
        while next(iter(self._lost.values()))[0] < now - LIFETIME_SECONDS:
            self._lost.popitem(last=False)

    def refusal(self, grant: Grant) -> Refusal | None:
        """Why a grant does not count, or None. One that is too old may be had anew."""
        if not abs(self._clock() - grant.at) <= LIFETIME_SECONDS:
            return SIGN_AGAIN
        for holder in grant.holders:
            at, refusal = self._lost.get(holder, (0.0, SIGN_AGAIN))
            if grant.at <= at:
                return refusal
        return None
