"""The Retry-After header as strangers write it (RFC 9110 section 10.2.3)."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_SECONDS = 86_400.0

_SECONDS = re.compile(r"[0-9]{1,300}(?:\.[0-9]{1,300})?(?:[eE][0-9]{1,3})?")


def seconds_to_wait(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds until the named time, at most a day; None for nothing, junk, and what has passed."""
    if header is None:
        return None
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    return min(seconds, MAX_SECONDS) if seconds >= 0 else None
