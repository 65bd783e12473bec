"""What was sent and what arrived, matched by the event's id, whichever is known first."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Arrival:
    """A notification on somebody's socket, ``seconds`` after its event was sent."""

    person: str
    seconds: float
    notification: dict[str, Any]


@dataclass(slots=True)
class Ledger:
    """``shown`` is called once for each arrival, as soon as its event's id is known too."""

    shown: Callable[[Arrival], None]
    sent: dict[str, float] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    _early: dict[str, list[tuple[str, float, dict[str, Any]]]] = field(default_factory=dict)

    def note_sent(self, event_id: str, at: float) -> None:
        self.sent[event_id] = at
        for person, arrived, notification in self._early.pop(event_id, ()):
            self._note(person, arrived - at, notification)

    def note_arrival(self, person: str, notification: dict[str, Any], at: float) -> None:
        event_id = (notification.get("event") or {}).get("id")
        if event_id in self.sent:
            self._note(person, at - self.sent[event_id], notification)
        elif event_id is not None:
            self._early.setdefault(event_id, []).append((person, at, notification))

    def percentile(self, share: float) -> float:
        """Seconds within which this share of the arrivals came; 0 without any."""
        ordered = sorted(arrival.seconds for arrival in self.arrivals)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0

    def _note(self, person: str, seconds: float, notification: dict[str, Any]) -> None:
        arrival = Arrival(person, seconds, notification)
        self.arrivals.append(arrival)
        self.shown(arrival)
