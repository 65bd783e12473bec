"""Acting at once on the first call and then at most once per interval, without losing the last call."""

import asyncio
from collections.abc import Callable


class LeadingEdge:
    def __init__(self, act: Callable[[str], None], interval: float) -> None:
        self._act = act
        self._interval = interval
        self._resting: dict[str, asyncio.TimerHandle] = {}
        self._again: set[str] = set()

    def __call__(self, name: str) -> None:
        """Act on ``name`` now, or at the end of its interval if it was acted on a moment ago."""
        if name in self._resting:
            self._again.add(name)
            return
        self._resting[name] = asyncio.get_running_loop().call_later(self._interval, self._rested, name)
        self._act(name)

    def stop(self) -> None:
        for timer in self._resting.values():
            timer.cancel()
        self._resting.clear()
        self._again.clear()

    def _rested(self, name: str) -> None:
        del self._resting[name]
        if name in self._again:
            self._again.discard(name)
            self(name)
