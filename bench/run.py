"""What a scenario is told: how long and how often to measure, and where to say what it is doing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from bench.running import Broker

Measured = TypeVar("Measured")


@dataclass(frozen=True, slots=True)
class Run:
    """``rounds`` times every contender in turn, ``seconds`` each. What has a worker runs over ``broker``;
    ``events`` fill the month that growth looks at."""

    rounds: int
    seconds: float
    quick: bool
    tell: Callable[[str], None]
    broker: Broker = "postgresql"
    events: int = 1_000_000

    async def alternate(self, *contenders: tuple[str, Callable[[], Awaitable[Measured]]]) -> list[list[Measured]]:
        """A-B-A-B, so that all meet the same moods of the machine; for each contender its results, in order."""
        measured: list[list[Measured]] = [[] for _ in contenders]
        for number in range(1, self.rounds + 1):
            for (name, measure), results in zip(contenders, measured, strict=True):
                self.tell(f"{name}, round {number} of {self.rounds}, {self.seconds:g} s")
                results.append(await measure())
        return measured
