"""Events that were acknowledged against events that are there."""

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
