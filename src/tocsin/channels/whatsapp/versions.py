"""The versions of the Graph API and the days on which they end.

https://developers.facebook.com/docs/graph-api/changelog/versions, as of July 2026; an ended version is answered
by the oldest one that still works, which may not understand what was sent.
"""

from datetime import date, timedelta

CURRENT = "v26.0"

ENDS = {
    "v21.0": date(2027, 1, 21),
    "v22.0": date(2027, 5, 20),
    "v23.0": date(2027, 10, 8),
    "v24.0": date(2028, 2, 18),
    "v25.0": date(2028, 7, 29),
}
"""Of the current version Meta names no day yet."""

WARNED = timedelta(days=90)


def warning(version: str, today: date) -> str | None:
    """What its owner should know about the version of a connection, from 90 days before its end."""
    end = ENDS.get(version)
    if end is None or today < end - WARNED:
        return None
    verb = "ended" if today >= end else "ends"
    return f"Version {version} of the Graph API {verb} on {end.isoformat()}; choose {CURRENT} in the settings."
