"""What a sound may be, and what comes of a file that was decoded."""

import msgspec

MOST_SECONDS = 30.0
"""Longer ones iOS replaces by its default: developer.apple.com/documentation/usernotifications/unnotificationsound"""
MOST_CHANNELS = 2
LEAST_RATE, MOST_RATE = 8_000, 192_000


class Outcome(msgspec.Struct):
    """A file that was made, and how long it plays; or what is wrong with the one that was sent.

    ``problem`` is ``unknown_format``, ``damaged``, ``empty``, ``too_long``, ``channels``, ``rate`` or ``unplayable``.
    """

    problem: str = ""
    file: bytes = b""
    milliseconds: int = 0
