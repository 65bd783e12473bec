"""How often a thing has passed through Tocsin: the count that ends loops.

A call that leaves says in ``Tocsin-Via`` which passage it is. Whoever makes an event of such a call passes the header
on; what the event leads to carries one more. So a loop over a relay, another project or another installation comes to
an end after ``MOST_HOPS`` events, whatever names it goes by.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tocsin.kit.errors import BadRequest, LoopDetected

HEADER = "Tocsin-Via"
MOST_HOPS = 3
CODE = "too_many_hops"

_hops: ContextVar[int] = ContextVar("hops", default=0)


@contextmanager
def after(hops: int) -> Iterator[None]:
    """What is called inside was caused by an event that had passed so often before."""
    token = _hops.set(hops)
    try:
        yield
    finally:
        _hops.reset(token)


def passage() -> str:
    """What a call that leaves now says of itself."""
    return str(_hops.get() + 1)


def read_hops(value: bytes | None) -> int:
    """How often what arrives has passed before. Raises LoopDetected beyond ``MOST_HOPS``, BadRequest for no number."""
    if value is None:
        return 0
    if not _NUMBER.fullmatch(value):
        raise BadRequest("invalid_via", f"Pass {HEADER} on as it was received, once.")
    if (hops := int(value)) > MOST_HOPS:
        raise LoopDetected(
            CODE,
            f"This event was caused by {hops} calls of Tocsin in a row, and {MOST_HOPS} are the most: it is a loop.",
        )
    return hops


_NUMBER = re.compile(rb"[1-9][0-9]{0,3}")


def is_end_of_loop(status: int, body: bytes) -> bool:
    """Whether an answer is that refusal, maybe through others."""
    return status == LoopDetected.status and CODE.encode() in body
