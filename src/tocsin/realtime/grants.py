"""Whose rights a signature passes on, and whether they still have them.

A signature of the Pusher protocol names no one and is good for ever. What our own endpoint signs carries a grant:
the API key, or the user and the session, and the moment; on a platform admin's visit (T4) also that visit and its
end. It is part of what is signed, so nobody can leave it out, and travels before the signature,
``key:grant.signature``, where clients do not look. Whoever loses the key, the session, the rights or the visit loses
the sockets that stand on them, and a signature that was kept for later counts for nothing.
"""

import base64
import math
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from tocsin.realtime.protocol import SIGN_AGAIN, Refusal

LIFETIME_SECONDS = 120.0
"""Between the signature and the subscription; clients take milliseconds."""

_SHAPES = {24: (1, False), 40: (2, False), 64: (3, True)}
"""By length in bytes: how many ids, and whether an end follows the moment."""


@dataclass(frozen=True, slots=True)
class Grant:
    """``ids`` are those of the key; of user and session; or of an admin, their session and the visit that ends at
    ``until``. ``at`` and ``until`` are seconds of the Unix clock."""

    ids: tuple[UUID, ...]
    at: float
    until: float = math.inf

    @property
    def holders(self) -> tuple[str, ...]:
        return tuple([str(each) for each in self.ids])

    def text(self) -> str:
        times = (self.at,) if math.isinf(self.until) else (self.at, self.until)
        raw = b"".join(each.bytes for each in self.ids) + struct.pack(f">{len(times)}d", *times)
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_grant(text: str) -> Grant | None:
    """The grant in such a text, or None when it is none."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    if len(raw) not in _SHAPES:
        return None
    count, ends = _SHAPES[len(raw)]
    ids = tuple([UUID(bytes=raw[at : at + 16]) for at in range(0, count * 16, 16)])
    return Grant(ids, *struct.unpack_from(">2d" if ends else ">d", raw, count * 16))


class Grants:
    """Remembers who lost what, for as long as a grant from before could still be shown, and what ends by itself."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lost: OrderedDict[str, tuple[float, Refusal]] = OrderedDict()
        self._ends: dict[str, float] = {}
        """Of visits in use here, so never more than were begun within the hour that one lasts at most."""

    def take_back(self, holder: str, refusal: Refusal) -> None:
        """From now on answer grants of this key, user, session or visit, made until now, with that."""
        now = self._clock()
        self._ends.pop(holder, None)
        self._lost.pop(holder, None)
        self._lost[holder] = now, refusal
        while next(iter(self._lost.values()))[0] < now - LIFETIME_SECONDS:
            self._lost.popitem(last=False)

    def refusal(self, grant: Grant) -> Refusal | None:
        """Why a grant does not count, or None. One that is too old may be had anew, if its visit goes on."""
        now = self._clock()
        if not abs(now - grant.at) <= LIFETIME_SECONDS or grant.until <= now:
            return SIGN_AGAIN
        for holder in grant.holders:
            at, refusal = self._lost.get(holder, (0.0, SIGN_AGAIN))
            if grant.at <= at:
                return refusal
        return None

    def use(self, grant: Grant) -> None:
        """A socket stands on this from now on; note when that is over, which no revocation will tell."""
        if not math.isinf(grant.until):
            self._ends[grant.holders[-1]] = grant.until

    def over(self) -> list[str]:
        """The visits in use whose time has come."""
        now = self._clock()
        return [visit for visit, until in self._ends.items() if until <= now]
