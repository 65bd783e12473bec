"""What was sent on a schedule against what arrived: whether the ledger balances, and how long each took."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from bench.results import part_of
from bench.sender import Schedule, Sent

CURVE = (0.01, 0.05, *(tenth / 10 for tenth in range(1, 10)), 0.95, 0.98, 0.99, 0.995, 0.999)


class Arrival(NamedTuple):
    """``title`` is the number of the event, ``at`` milliseconds since 1970."""

    title: str
    at: float


def fault(sent: Sent, arrived: Sequence[Arrival]) -> str | None:
    """Why the ledger does not balance, or None: what is accepted arrives exactly once."""
    times = Counter(int(title) for title, _ in arrived)
    if lost := set(sent.accepted) - times.keys():
        return f"{len(lost):,} accepted events did not arrive"
    if doubled := [number for number, count in times.items() if count > 1]:
        return f"{len(doubled):,} events arrived more than once"
    return None


def latencies(schedule: Schedule, sent: Sent, arrived: Sequence[Arrival]) -> list[float]:
    """Milliseconds from the time an event was due to be sent to its arrival, the shortest first."""
    return sorted(at - (sent.began + schedule.due(int(title))) * 1000 for title, at in arrived)


def curve(name: str, ordered: list[float]) -> dict[str, Any]:
    """Shares of all and the value that each stays under, to be drawn; the last is the largest there was."""
    return {"name": name, "points": [*((share, part_of(ordered, share)) for share in CURVE), (1.0, ordered[-1])]}
