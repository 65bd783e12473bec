"""What an event type may be called."""

import re
from functools import lru_cache

MAX_TYPE_LENGTH = 200

TYPE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def valid_event_type(text: str) -> bool:
    """Whether the text is dotted segments of ASCII letters, digits, ``_``, ``-``; at most 200 characters."""
    return len(text) <= MAX_TYPE_LENGTH and _is_type(text)


@lru_cache(2_048)  # a project sends the same few types again and again
def _is_type(text: str) -> bool:
    return TYPE.fullmatch(text) is not None
