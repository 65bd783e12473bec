"""A pause that a provider asked for with one address, and when that is a pause of the whole account (D4).

Telegram limits a bot and each of its chats, a group to 20 messages a minute, and its 429 does not say which limit was
met. So it counts for the chat alone, until ``SEVERAL`` chats of one bot have met it at the same time. Kept in each
process: another one learns of it by one call that is refused.
"""

import time
from collections import OrderedDict
from uuid import UUID

from tocsin.connections.standing import pause_of

SEVERAL = 3
REMEMBERED = 1_000


class AddressPauses:
    def __init__(self) -> None:
        self._until: OrderedDict[tuple[UUID, str], float] = OrderedDict()

    def note(self, connection_id: UUID, address: str, seconds: float | None) -> bool:
        """Pause one address for as long as the provider asked for; whether it is the connection that has to pause."""
        now = time.monotonic()
        self._until[connection_id, address] = now + pause_of(seconds).total_seconds()
        self._until.move_to_end((connection_id, address))
        if len(self._until) > REMEMBERED:
            self._until.popitem(last=False)
        paused = (until for (whose, _), until in self._until.items() if whose == connection_id)
        return sum(until > now for until in paused) >= SEVERAL

    def left(self, connection_id: UUID, address: str) -> float:
        """For how many seconds more nothing is sent to an address over a connection."""
        return max(self._until.get((connection_id, address), 0.0) - time.monotonic(), 0.0)
