"""Who has been silent too long: one wheel of one-second slots for all sockets instead of a timer each."""

from collections.abc import Iterator

from tocsin.realtime.client import Client


class ActivityWheel:
    """Every client stands in the slot of the second it is next looked at.

    Hearing from a client only stores a time; the wheel finds out when its slot comes round.
    """

    def __init__(self) -> None:
        self._slots: dict[int, set[Client]] = {}
        self._next = 0

    def put(self, client: Client, at: float) -> None:
        """Look at this client at that time (seconds of the hub's clock), rounded up."""
        client.slot = int(at) + 1
        if client.slot < self._next or not self._slots:
            self._next = client.slot
        self._slots.setdefault(client.slot, set()).add(client)

    def remove(self, client: Client) -> None:
        slot = self._slots.get(client.slot)
        if slot is not None:
            slot.discard(client)

    def due(self, now: float) -> Iterator[Client]:
        """Take out and yield the clients whose time has come."""
        while self._slots and self._next <= now:
            yield from self._slots.pop(self._next, ())
            self._next += 1
