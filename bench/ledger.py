"""What was acknowledged against what is there, and what was to arrive against what arrived."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass
class Ledger:
    acknowledged: int = 0
    under_way: int = 0

    def add(self, acknowledged: int, under_way: int = 0) -> None:
        """One load: the events it saw acknowledged, and the most that it left unanswered at its end."""
        self.acknowledged += acknowledged
        self.under_way += under_way

    def fault(self, there: int) -> str | None:
        """Why it does not balance, or None. What was under way when a load ended may be there or not."""
        if there < self.acknowledged:
            return f"{self.acknowledged - there:,} acknowledged events are not there"
        if there > self.acknowledged + self.under_way:
            return f"{there - self.acknowledged:,} events are there that nobody saw acknowledged"
        return None


def fault_of_arrivals(awaited: Collection[str], arrived: Iterable[str]) -> str | None:
    """Why it does not balance that each of these marks arrives exactly once, or None. Others are not looked at."""
    times = Counter(mark for mark in arrived if mark in awaited)
    if lost := len(awaited) - len(times):
        return f"{lost:,} of {len(awaited):,} did not arrive"
    if doubled := sum(1 for count in times.values() if count > 1):
        return f"{doubled:,} of {len(awaited):,} arrived more than once"
    return None
