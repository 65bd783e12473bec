"""How long events waited from the time they were to be sent until they arrived, before and beside something else."""

from bench.results import Line, part_of
from bench.streams import Kept

MOST_TIMES, MOST_MORE_MS = 1.5, 50.0
"""The bar: so many times what it was before, and so much on top."""


def held(
    what: str, before: Kept, beside: Kept, times: dict[str, float], fault: str | None, *, barred: bool = True
) -> Line:
    """The p99 beside it against the p99 before; ``times`` maps marks to when they arrived, seconds since 1970."""
    alone, meanwhile = (
        sorted((times[mark] - due) * 1000 for mark, due in kept.due.items() if mark in times)
        for kept in (before, beside)
    )
    if not (alone and meanwhile):
        return Line(what, 0, "ms", void=fault or "nothing arrived")
    details = {
        "before": part_of(alone, 0.99),
        "median before": part_of(alone, 0.5),
        "median": part_of(meanwhile, 0.5),
        "max": meanwhile[-1],
        "events": len(meanwhile),
        "faults": len(before.faults) + len(beside.faults),
    }
    bar = details["before"] * MOST_TIMES + MOST_MORE_MS if barred else None
    return Line(f"{what}, 99 of 100", part_of(meanwhile, 0.99), "ms", None, bar, "most", fault, details)
