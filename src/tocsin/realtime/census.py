"""Who is on which channel, counted over every process that has sockets: a whole answer or none.

The processes with sockets have a role, so whoever asks knows how many answers there are to come. Somebody who is
connected to two processes is one person.
"""

import asyncio
import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from tocsin.kit.broker import Broker, project_key
from tocsin.kit.errors import Unavailable
from tocsin.kit.ids import PLATFORM_ID
from tocsin.realtime.hub import Hub, Stats
from tocsin.realtime.pieces import MOST_BYTES, Pieces

ROLE = "realtime"
ANSWER_SECONDS = 1.0

_QUESTIONS = project_key(PLATFORM_ID, "census")


class _Question(msgspec.Struct, frozen=True, array_like=True):
    number: int
    answer_to: str
    app_id: str
    name: str
    exact: bool


class Headcount(msgspec.Struct, array_like=True):
    """Of one channel: its sockets, and who is on it when it is a presence channel, first come first."""

    subscriptions: int = 0
    members: list[str] = []

    def add(self, other: "Headcount") -> None:
        self.subscriptions += other.subscriptions
        self.members = list(dict.fromkeys([*self.members, *other.members]))


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    """``channels`` is None when there were too many for one message. ``sockets`` are those of the whole app."""

    number: int
    channels: dict[str, Headcount] | None
    sockets: int = 0


@dataclass
class _Asked:
    """A question under way."""

    expected: int
    answers: list[_Answer] = field(default_factory=list)
    complete: asyncio.Event = field(default_factory=asyncio.Event)


_encode = msgspec.msgpack.Encoder().encode
_questions = msgspec.msgpack.Decoder(_Question)
_answers = msgspec.msgpack.Decoder(_Answer)


class Census:
    """``serving`` says that this process has sockets itself."""

    def __init__(self, broker: Broker, hub: Hub) -> None:
        self.serving = False
        self._broker = broker
        self._hub = hub
        self._pieces = Pieces(broker.max_message_bytes)
        self._answer_to = project_key(PLATFORM_ID, "census", os.urandom(8).hex())
        self._numbers = itertools.count(1)
        self._asked: dict[int, _Asked] = {}

    async def listen(self) -> None:
        """Hear questions and answers from now on."""
        await self._broker.subscribe(_QUESTIONS, self._question_heard)
        await self._broker.subscribe(self._answer_to, self._answer_heard)

    async def channels(self, app_id: str, prefix: str = "") -> Mapping[str, Headcount]:
        """The occupied channels whose names begin with a prefix. Raises Unavailable unless all processes answered."""
        return await self._ask(app_id, prefix, exact=False)

    async def channel(self, app_id: str, name: str) -> Headcount:
        """One channel, perhaps with nobody on it. Raises Unavailable unless all processes answered."""
        return (await self._ask(app_id, name, exact=True)).get(name) or Headcount()

    async def stats(self, app_id: str) -> Stats:
        """Of the whole app. Raises Unavailable unless all processes answered."""
        counted, sockets = await self._counted(app_id, "", exact=False)
        return Stats(sockets, len(counted), sum(heads.subscriptions for heads in counted.values()))

    async def _ask(self, app_id: str, name: str, *, exact: bool) -> dict[str, Headcount]:
        return (await self._counted(app_id, name, exact=exact))[0]

    async def _counted(self, app_id: str, name: str, *, exact: bool) -> tuple[dict[str, Headcount], int]:
        """The channels, and how many sockets the app has."""
        counted = self._count(app_id, name, exact=exact) if self.serving else {}
        sockets = self._hub.stats(app_id).sockets if self.serving else 0
        for answer in await self._asked_others(app_id, name, exact=exact):
            if answer.channels is None:
                raise Unavailable("too_many_channels", "There are too many channels; name a prefix.")
            for channel, heads in answer.channels.items():
                counted.setdefault(channel, Headcount()).add(heads)
            sockets += answer.sockets
        return counted, sockets

    async def _asked_others(self, app_id: str, name: str, *, exact: bool) -> list[_Answer]:
        try:
            others = await self._broker.holders(ROLE) - self.serving
        except (ConnectionError, TimeoutError):
            raise _incomplete() from None
        if others <= 0:
            return []
        number, asked = next(self._numbers), _Asked(others)
        self._asked[number] = asked
        try:
            for piece in self._pieces.cut(_encode(_Question(number, self._answer_to, app_id, name, exact))):
                self._broker.publish(_QUESTIONS, piece)
            async with asyncio.timeout(ANSWER_SECONDS):
                await asked.complete.wait()
        except TimeoutError:
            raise _incomplete() from None
        finally:
            del self._asked[number]
        return asked.answers

    def _question_heard(self, piece: bytes) -> None:
        message = self._pieces.join(piece)
        if message is None or not self.serving:
            return
        question = _questions.decode(message)
        counted = self._count(question.app_id, question.name, exact=question.exact)
        sockets = self._hub.stats(question.app_id).sockets
        answer = _encode(_Answer(question.number, counted, sockets))
        if len(answer) > MOST_BYTES:
            answer = _encode(_Answer(question.number, None))
        for part in self._pieces.cut(answer):
            self._broker.publish(question.answer_to, part)

    def _answer_heard(self, piece: bytes) -> None:
        message = self._pieces.join(piece)
        if message is None:
            return
        answer = _answers.decode(message)
        asked = self._asked.get(answer.number)
        if asked is not None:
            asked.answers.append(answer)
            if len(asked.answers) >= asked.expected:
                asked.complete.set()

    def _count(self, app_id: str, name: str, *, exact: bool) -> dict[str, Headcount]:
        if exact:
            only = self._hub.occupancy(app_id, name)
            found = {name: only} if only else {}
        else:
            found = self._hub.channels(app_id, name)
        return {
            channel: Headcount(occupancy.subscriptions, self._hub.members(app_id, channel))
            for channel, occupancy in found.items()
        }


def _incomplete() -> Unavailable:
    detail = "Not every process that serves sockets has answered; try again in a second."
    return Unavailable("census_incomplete", detail, retry_after=1)
