"""What a broker needs of the thing that carries its messages: one connection at a time, no more promises."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, NamedTuple


class Frame(NamedTuple):
    channel: str
    message: bytes


Receive = Callable[[str, bytes], None]


class Link(ABC):
    """A connection that can be opened again after it was lost.

    Every method but ``close`` may raise one of ``errors``; the broker then closes the link and opens it anew.
    """

    errors: ClassVar[tuple[type[Exception], ...]]
    max_message_bytes: ClassVar[int]
    pace: ClassVar[float]
    """Seconds to rest after each ``send``, for a link where every send costs its server dear."""

    @abstractmethod
    async def open(self, receive: Receive) -> None:
        """Connect. ``receive`` gets each message of a listened channel, in order, in the event loop."""

    @abstractmethod
    async def run(self) -> None:
        """Receive until the connection is lost, then raise."""

    @abstractmethod
    async def listen(self, channels: Collection[str]) -> None:
        """Return once everything published from now on will arrive. Needs ``run`` running."""

    @abstractmethod
    async def unlisten(self, channel: str) -> None: ...

    @abstractmethod
    async def send(self, frames: Sequence[Frame]) -> None:
        """Publish to every process that listens, this one included, keeping the order."""

    @abstractmethod
    async def claim(self, name: str) -> bool:
        """Take an exclusive role for as long as this connection lives; False if another connection has it."""

    @abstractmethod
    async def holders(self, name: str) -> int:
        """How many connections have this role now."""

    @abstractmethod
    async def close(self) -> None:
        """Drop the connection within a second, whatever its state. Raises nothing."""
