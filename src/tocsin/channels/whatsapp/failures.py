"""What Meta's error codes mean for a delivery.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes says to build on
``code`` and ``error_data.details``, never on titles. The same codes come as an answer, in a status, or in both.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from tocsin.channels.calling import failure_of
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    TOO_MANY,
    BadCredentials,
    OptedOut,
    Rejected,
    SendFailure,
    Unavailable,
)
from tocsin.channels.retry_after import seconds_to_wait
from tocsin.kit.http import Reply

Meaning = Literal["retry", "fail", "suspend", "suppress"]

WINDOW_CLOSED = 131047
UNKNOWN_OBJECT = (100, 33)
"""Code and subcode of an id that does not exist, or that the token may not see."""

RETRY: dict[int, float | None] = {
    1: None,  # temporary, Meta does not say why
    2: None,  # the service is down or overloaded
    4: 60,  # the app made too many calls
    80007: 60,  # the business account did
    130429: 5,  # more messages a second than the number may send
    131000: None,
    131016: None,
    131048: 600,  # limited because people complained
    131056: 6,  # too many messages to this one person: one every 6 s (W3)
    131057: 60,  # the number is being moved to a higher throughput
    131064: 600,  # the messaging limit of the portfolio
    133004: None,
    135000: None,
}
"""Codes that pass, with the seconds to wait at least where Meta says them or the limit does."""

LIMITS = frozenset({4, 80007, 130429, 131048, 131057, 131064})
"""Limits of the app, the account or the number: nothing else leaves over it either. Meta answers 400 as well as 429;
what is written of which code comes as which does not agree."""
PAIR_LIMIT = 131056
"""The limit of one person: everybody else can be written to meanwhile."""

SUSPEND = frozenset(
    {
        0,  # the token cannot be used
        3,
        10,  # a permission is missing
        190,  # the token has expired or was revoked
        *range(200, 300),
        368,  # the account is blocked for its behaviour
        131005,
        131031,  # the account is locked
        131037,  # the name of the number was not approved
        131042,  # there is no way to charge for it
        131045,  # the number's certificate
        133010,  # the number is not registered
    }
)
"""The connection's own fault: nothing it sends will be taken before somebody mends it."""

SUPPRESS = frozenset({131050})
"""The person asked not to get such messages."""

FAIL = frozenset(
    {
        100,
        130472,  # an experiment of Meta's excludes the person
        130497,
        131008,
        131009,
        131021,
        131026,  # cannot be delivered: no account, an old app, terms not accepted
        131030,
        131047,
        131049,  # Meta's own limit of marketing messages to one person: not before a day has passed
        131051,
        131052,
        131053,
        131062,
        131063,
        132000,
        132001,
        132005,
        132007,
        132008,
        132012,
        132015,
        132016,
        132018,
        132068,
        132069,
        137000,
    }
)
"""The same message will not be taken from anybody at any time."""


class MetaError(msgspec.Struct):
    """An error as an answer or a status has it."""

    code: int
    message: str = ""
    title: str = ""
    error_subcode: int | None = None
    is_transient: bool = False
    error_data: dict[str, object] | None = None

    @property
    def words(self) -> str:
        """What a person should read, with the number to look up."""
        details = (self.error_data or {}).get("details")
        text = details if isinstance(details, str) and details else self.message or self.title or "Meta gave no reason"
        return f"{text} ({self.code})"


class WindowClosed(Rejected):
    """Free words came later than 24 hours after the person wrote last, by Meta's clock."""


class UnknownObject(BadCredentials):
    """An id that does not exist, or that the token may not see."""


class _Refused(msgspec.Struct):
    error: MetaError


def meaning(code: int) -> Meaning | None:
    """What to do about a code, or None for one that is not in the table."""
    if code in RETRY:
        return "retry"
    if code in SUSPEND:
        return "suspend"
    if code in SUPPRESS:
        return "suppress"
    return "fail" if code in FAIL else None


def told(reply: Reply) -> MetaError | None:
    """The error in an answer, or None where the answer is not Meta's."""
    try:
        return msgspec.json.decode(reply.body, type=_Refused).error
    except msgspec.MsgspecError:
        return None


def failure(reply: Reply) -> SendFailure:
    """What an answer other than 2xx means. A code nobody knows means what its HTTP status does."""
    error, answer = told(reply), reply.text(ANSWER_LIMIT)
    asked = seconds_to_wait(reply.headers.get("retry-after"))
    known = error and of(error, status=reply.status, answer=answer, asked=asked)
    if known:
        return known
    general = failure_of(reply)
    general.reason = error.words if error else general.reason
    return general


def of(
    error: MetaError, *, status: int | None = None, answer: str = "", asked: float | None = None
) -> SendFailure | None:
    """What an error means wherever it was told; None for a code nobody knows. ``asked`` are seconds to wait."""
    what = meaning(error.code)
    if (error.code, error.error_subcode) == UNKNOWN_OBJECT:
        return UnknownObject(error.words, status=status, answer=answer)
    if error.code == WINDOW_CLOSED:
        return WindowClosed(error.words, status=status, answer=answer)
    if what == "suspend":
        return BadCredentials(error.words, status=status, answer=answer)
    if what == "retry" or (error.is_transient and what in (None, "fail")):
        wait = _longest((RETRY.get(error.code), asked))
        return Unavailable(error.words, retry_after=wait, status=_pace(error.code, status), answer=answer)
    if what == "suppress":
        return OptedOut(error.words, status=status, answer=answer)
    return Rejected(error.words, status=status, answer=answer) if what == "fail" else None


def _pace(code: int, status: int | None) -> int | None:
    """The status by which a connection is paused, where the code is a limit of all of it, and not where it is of one
    person (D4)."""
    if code in LIMITS:
        return TOO_MANY
    return None if code == PAIR_LIMIT and status == TOO_MANY else status


def _longest(waits: Iterable[float | None]) -> float | None:
    return max((wait for wait in waits if wait is not None), default=None)
