"""Calls that came again although one before them had been taken: which fault explains each, and who could have known.

Whoever ends while a provider works on a call cannot know how it ended, so that call comes again: at least once is all
that anybody can promise. A call whose answer was there, and was not written down in time, is ours to avoid.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.crash.nemesis import FAR_END, Fault
from tests.crash.sink import Hit, Sink

MARGIN_SECONDS = 0.02
"""On a busy machine an answer takes so long from the sink to whoever called."""
LATE_LEASES = 3
"""A fault is felt for so many leases after its end, by a machine that has all at once to catch up with."""
NOTHING = "no fault"
"""A machine that is too busy for a lease makes such repeats as well, so they are told and not held against a round."""


@dataclass
class Repeats:
    """``unknowable`` calls were under way when a fault struck, ``known`` ones had been answered. By kind of fault."""

    unknowable: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.unknowable.total() + self.known.total()


def explained(sink: Sink, faults: Sequence[Fault], lease_seconds: float) -> Repeats:
    """Every repeat beside the fault that explains it: one that struck while the call before it was under way, else one
    before whose end the answer could not be recorded. Far ends explain none: what they took they took."""
    found = Repeats()
    deeds = [fault for fault in faults if not fault.kind.startswith(FAR_END)]
    for calls in sink.hits.values():
        taken = [hit for hit in calls if hit.answered < 300]
        for before in taken[:-1]:
            struck = _struck(before, deeds)
            if struck:
                found.unknowable[struck.kind] += 1
            else:
                found.known[_unrecorded(before, deeds, lease_seconds)] += 1
    return found


def _struck(call: Hit, faults: Sequence[Fault]) -> Fault | None:
    return next((each for each in faults if call.came <= each.began <= call.at + MARGIN_SECONDS), None)


def _unrecorded(call: Hit, faults: Sequence[Fault], lease_seconds: float) -> str:
    near = (
        each.kind for each in faults if each.began - lease_seconds <= call.at <= each.over + LATE_LEASES * lease_seconds
    )
    return next(near, NOTHING)
