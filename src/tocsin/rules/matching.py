"""Event types and the patterns that match them: exact, ``prefix.*``, or ``*``."""

from collections.abc import Sequence

from tocsin.clocks import CLOCK_TYPE
from tocsin.event_types.names import valid_event_type

OWN = "tocsin."
"""Types of Tocsin's own occurrences begin with it (R7): they are for rules that name them."""


def valid_pattern(text: str) -> bool:
    """Whether the text is an event type, an event type followed by ``.*``, or ``*`` alone."""
    return text == "*" or valid_event_type(text.removesuffix(".*"))


def patterns_for(event_type: str) -> list[str]:
    """Every pattern that matches an event type, most specific first.

    ``order.item.added`` is matched by itself, ``order.item.*``, ``order.*`` and ``*``; ``order.*`` does not
    match ``order`` itself. Rules are found by equality with these, so the cost does not grow with the
    number of rules. What clocks make is for the rule of that clock alone, whatever others listen to, and ``*`` stands
    for all that a project sends, not for `OWN`.
    """
    if event_type == CLOCK_TYPE:
        return [CLOCK_TYPE]
    segments = event_type.split(".")
    prefixes = [".".join(segments[:end]) + ".*" for end in range(len(segments) - 1, 0, -1)]
    return [event_type, *prefixes, *([] if event_type.startswith(OWN) else ["*"])]


def widest(patterns: Sequence[str]) -> list[str]:
    """The patterns that no other of them covers; together they match the same types, and each type once."""
    return [pattern for pattern in patterns if not (set(patterns_for(pattern)) - {pattern}) & set(patterns)]
