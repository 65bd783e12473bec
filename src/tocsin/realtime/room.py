"""One app as the signals of its project see it: who is connected here, how far they heard, what waits to be told."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from uuid import UUID

from tocsin.kit.broker import Subscription
from tocsin.kit.ids import parse_id
from tocsin.realtime.protocol import USER_PREFIX
from tocsin.realtime.server import App
from tocsin.realtime.signal import MOST_IDS, Signal

MOST_WAITING = 100
"""Signals kept while the database is slow; what comes on top is read again."""


def user_channel(user_id: UUID) -> str:
    return f"{USER_PREFIX}{user_id}"


def panel_channel(project_id: UUID) -> str:
    return f"private-project-{project_id}"


class Room:
    """``people`` maps who is on their own channel to the highest ``feed_seq`` they were sent, None until known."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.people: dict[UUID, int | None] = {}
        self.arrived: set[UUID] = set()
        self.signals: list[Signal] = []
        self.missed_since: float | None = None
        """Since when signals may have been lost, by the clock of this process."""
        self.caught_up: set[tuple[UUID, int]] = set()
        """Who was sent what while catching up, so that a signal still in waiting does not tell it twice."""
        self.opening: asyncio.Task[None] | None = None
        self.worker: asyncio.Task[None] | None = None
        self.subscriptions: list[Subscription] = []
        self.was_empty = False

    @property
    def panel_channel(self) -> str:
        return panel_channel(self.app.project_id)

    @property
    def waits(self) -> bool:
        """Whether there is anything to read."""
        return self.missed_since is not None or bool(self.signals) or bool(self.arrived)

    def occupied(self, channel: str) -> None:
        person = _person(channel)
        if person is not None:
            self.people[person] = None
            self.arrived.add(person)

    def vacated(self, channel: str) -> None:
        person = _person(channel)
        if person is not None:
            self.people.pop(person, None)
            self.arrived.discard(person)

    def add(self, signal: Signal) -> None:
        if len(self.signals) < MOST_WAITING:
            self.signals.append(signal)
        else:
            self.miss(time.monotonic())

    def miss(self, since: float) -> None:
        self.missed_since = since if self.missed_since is None else min(since, self.missed_since)

    def tell_acknowledged(self, ids: Sequence[UUID]) -> None:
        """Behind what waits, whatever that is: no signal of these is to be expected. None of them waits twice."""
        waiting = {id_ for signal in self.signals if signal.kind == "acknowledged" for id_ in signal.ids}
        new = [id_ for id_ in ids if id_ not in waiting]
        for start in range(0, len(new), MOST_IDS):
            self.signals.append(Signal("acknowledged", new[start : start + MOST_IDS]))

    def next_signals(self) -> list[Signal]:
        """The oldest ones whose ids fit one read; they wait on until ``done``."""
        taken: list[Signal] = []
        for signal in self.signals:
            if taken and sum(len(each.ids) for each in taken) + len(signal.ids) > MOST_IDS:
                break
            taken.append(signal)
        return taken

    def done(self, signals: list[Signal]) -> None:
        del self.signals[: len(signals)]

    def drop(self) -> None:
        """Forget what waits: telling it failed in a way that trying again does not mend."""
        self.signals.clear()
        self.arrived.clear()
        self.missed_since = None

    def known(self) -> list[tuple[UUID, int]]:
        """How far each person heard, of whom we know it."""
        return [(person, seq) for person, seq in self.people.items() if seq is not None]

    def learn(self, asked: Iterable[UUID], ends: dict[UUID, int]) -> None:
        """Take what the feeds had counted to as heard, for those who arrived; an absent feed is empty."""
        for person in asked:
            self.arrived.discard(person)
            if self.people.get(person, 0) is None:
                self.people[person] = ends.get(person, 0)

    def is_news(self, person: UUID, seq: int) -> bool:
        """Whether a notification reached this person after all that they were sent, as by an escalation."""
        known = self.people.get(person)
        return known is not None and seq > known

    def sent(self, person: UUID, seq: int) -> None:
        if person in self.people:
            self.people[person] = max(self.people[person] or 0, seq)


def _person(channel: str) -> UUID | None:
    return parse_id(channel.removeprefix(USER_PREFIX)) if channel.startswith(USER_PREFIX) else None
