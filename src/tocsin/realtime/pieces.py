"""Messages longer than the broker carries, cut for the way and joined on arrival.

A piece begins with who sent it, the number of its message, its own place and how many there are. The pieces of a
message arrive in order or, where the broker dropped some, not all of them.
"""

import os
import struct
from collections import OrderedDict
from collections.abc import Iterator

MOST_BYTES = 4 * 1024 * 1024
"""Of one message."""
MOST_UNFINISHED = 64
"""Messages of which further pieces are awaited; the oldest are given up first."""

_HEAD = struct.Struct(">8sIHH")


class Pieces:
    """The messages of one process to the others, and theirs to it."""

    def __init__(self, most: int) -> None:
        """``most`` bytes fit one piece."""
        self._room = most - _HEAD.size
        self._origin = os.urandom(8)
        self._number = 0
        self._unfinished: OrderedDict[tuple[bytes, int], list[bytes]] = OrderedDict()

    def cut(self, message: bytes) -> Iterator[bytes]:
        """The pieces of a message of ``MOST_BYTES`` at most."""
        self._number = (self._number + 1) % (1 << 32)
        count = max(1, -(-len(message) // self._room))
        for place in range(count):
            head = _HEAD.pack(self._origin, self._number, place, count)
            yield head + message[place * self._room : (place + 1) * self._room]

    def join(self, piece: bytes) -> bytes | None:
        """The message that this piece completes; None for one that completes none, and for our own."""
        origin, number, place, count = _HEAD.unpack_from(piece)
        if origin == self._origin:
            return None
        body = piece[_HEAD.size :]
        if count == 1:
            return body
        return self._add((origin, number), place, count, body)

    def _add(self, name: tuple[bytes, int], place: int, count: int, body: bytes) -> bytes | None:
        parts = self._unfinished.pop(name, [])
        if len(parts) != place or sum(map(len, parts)) + len(body) > MOST_BYTES:
            return None
        parts.append(body)
        if len(parts) == count:
            return b"".join(parts)
        self._unfinished[name] = parts
        if len(self._unfinished) > MOST_UNFINISHED:
            self._unfinished.popitem(last=False)
        return None
