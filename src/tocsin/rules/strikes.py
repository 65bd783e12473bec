"""How often a rule's evaluation had to be stopped of late; whoever has had enough is switched off (design 4)."""

import time
from collections.abc import Callable
from uuid import UUID

MOST = 5
WITHIN_SECONDS = 3600.0
"""A rule that is stopped once in a while, for a machine that stood still, goes on."""


class Strikes:
    """As one process has seen them. ``clock`` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[UUID, list[float]] = {}

    def add(self, rule_id: UUID) -> bool:
        """Count one more; whether these were too many, after which counting begins anew."""
        now = self._clock()
        self._seen.setdefault(rule_id, []).append(now)
        self._seen = {each: late for each, times in self._seen.items() if (late := _since(now - WITHIN_SECONDS, times))}
        if len(self._seen[rule_id]) < MOST:
            return False
        del self._seen[rule_id]
        return True


def _since(moment: float, times: list[float]) -> list[float]:
    return [each for each in times if each > moment]
