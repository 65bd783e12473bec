"""What sockets hear of an acknowledgement that was lost on its way, or overtaken: nobody rings for what is over (W2).

An acknowledgement is lost here as when the process that wrote it down ends before it has told of it.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import pytest

from tests.client import Project, sign_up
from tests.realtime.conftest import Place
from tests.realtime.recorder import Recorder, connected
from tests.realtime.serving import eventually
from tocsin.audit.record import Actor
from tocsin.kit import broker as brokers
from tocsin.kit.broker import Broker
from tocsin.notifications.acknowledge import set_acknowledged
from tocsin.realtime.hub import Hub
from tocsin.realtime.live import Live
from tocsin.realtime.reading import acknowledged_within
from tocsin.realtime.relay import Relay
from tocsin.realtime.room import MOST_WAITING
from tocsin.realtime.server import App
from tocsin.realtime.signal import Signal
from tocsin.sounds.links import SoundLinks


@dataclass
class Ear:
    """Somebody of a project on a socket of this process."""

    place: Place
    project: Project
    person: str
    broker: Broker
    live: Live
    link: Recorder

    async def heard(self, kind: str, id_: UUID) -> dict[str, Any]:
        """The data of the first such event; waits for it."""
        await eventually(lambda: (f"notification.{kind}", str(id_)) in self.told())
        return next(data for event, data in self._frames() if (event, data["id"]) == (f"notification.{kind}", str(id_)))

    def told(self) -> list[tuple[str, str]]:
        return [(event, data["id"]) for event, data in self._frames()]

    def of(self, id_: UUID) -> list[str]:
        return [event.removeprefix("notification.") for event, told in self.told() if told == str(id_)]

    def _frames(self) -> list[tuple[str, Any]]:
        frames = [frame for frame in self.link.sent if frame["event"].startswith("notification.")]
        return [(frame["event"], _decoded(frame["data"])) for frame in frames]

    async def acknowledge(self, id_: UUID) -> None:
        """Written down, and nobody is told."""
        project = UUID(self.project.id)
        async with self.place.hand.db.scope(project, "live") as session:
            actor = Actor("user", self.person)
            assert await set_acknowledged(session, project, "live", actor, id_, UUID(self.person), None, "panel")

    def lose_the_link(self) -> None:
        """The broker notices, and comes up again."""
        cast(Any, self.broker)._link._connection.terminate()


def _decoded(data: Any) -> Any:
    return json.loads(data) if isinstance(data, str) else data


@asynccontextmanager
async def listening(place: Place, name: str) -> AsyncIterator[Ear]:
    project = await sign_up(place.api, name)
    person = (await project.add_user())["id"]
    app = App(project.signed_up["realtime"]["live"]["appId"], UUID(project.id), name.lower(), "live", ("s",))
    hub, broker = Hub(), brokers.connect(None, place.site.app_url)
    await broker.start()
    sounds = SoundLinks(place.site.master, "https://tocsin.example.com")
    live = Live(place.hand.db, broker, hub, Relay(broker, hub), sounds)
    try:
        await live.attend(app)
        client, link = connected(hub, app.app_id)
        hub.subscribe(client, f"private-user-{person}")
        ear = Ear(place, project, person, broker, live, link)
        await ear.heard("created", await place.hand.tell(project, person))
        yield ear
    finally:
        await live.close()
        await broker.close()


@pytest.fixture
async def ann(place: Place) -> AsyncIterator[Ear]:
    async with listening(place, "Acme") as ear:
        yield ear


async def test_what_is_acknowledged_comes_again_no_more(place: Place, ann: Ear) -> None:
    """The worker tells of a repeat after its commit, so an acknowledgement may be first."""
    over = await place.hand.tell(ann.project, ann.person)
    await ann.heard("created", over)
    await ann.acknowledge(over)
    place.hand.signal(ann.project, "acknowledged", over)
    place.hand.signal(ann.project, "repeated", over)
    await ann.heard("created", await place.hand.tell(ann.project, ann.person))
    assert ann.of(over) == ["created", "acknowledged"]


async def test_what_was_acknowledged_before_it_was_told_rings_nowhere(place: Place, ann: Ear) -> None:
    over = await place.hand.write(ann.project, ann.person)
    await ann.acknowledge(over)
    place.hand.signal(ann.project, "acknowledged", over)
    place.hand.signal(ann.project, "created", over)
    data = await ann.heard("created", over)
    assert (data["silent"], data["sound"], data["soundUrl"]) == (True, None, None)
    await eventually(lambda: ann.of(over)[-1] == "acknowledged")


async def test_after_a_gap_it_is_told_what_was_acknowledged_meanwhile(place: Place, ann: Ear) -> None:
    async with listening(place, "Rival") as eve:
        ids = {ear.person: await place.hand.tell(ear.project, ear.person) for ear in (ann, eve)}
        for ear in (ann, eve):
            await ear.heard("created", ids[ear.person])
            await ear.acknowledge(ids[ear.person])
        ann.lose_the_link()
        data = await ann.heard("acknowledged", ids[ann.person])
        assert [each["userId"] for each in data["acknowledgedBy"]] == [ann.person]
        await ann.heard("created", await place.hand.tell(ann.project, ann.person))
        assert str(ids[eve.person]) not in [id_ for _, id_ in ann.told()]
        assert eve.of(ids[eve.person]) == ["created"]


async def test_what_came_and_was_acknowledged_in_a_gap_rings_nowhere(place: Place, ann: Ear) -> None:
    over, open_ = [await place.hand.write(ann.project, ann.person) for _ in range(2)]
    await ann.acknowledge(over)
    ann.lose_the_link()
    data = await ann.heard("created", over)
    assert (data["silent"], data["sound"], data["soundUrl"]) == (True, None, None)
    await ann.heard("acknowledged", over)
    assert not (await ann.heard("created", open_))["silent"] and ann.of(open_) == ["created"]


async def test_signals_beyond_the_bound_lose_no_acknowledgement(place: Place, ann: Ear) -> None:
    over = await place.hand.tell(ann.project, ann.person)
    await ann.heard("created", over)
    await ann.acknowledge(over)
    [room] = ann.live._rooms.values()
    room.signals += [Signal("repeated", [over])] * MOST_WAITING
    place.hand.signal(ann.project, "acknowledged", over)
    await ann.heard("acknowledged", over)


async def test_only_what_is_as_new_as_the_gap_is_told_again(place: Place, ann: Ear) -> None:
    over = await place.hand.write(ann.project, ann.person)
    await ann.acknowledge(over)
    project = UUID(ann.project.id)
    async with place.hand.db.unit(project, "live") as connection:
        assert await acknowledged_within(connection, project, "live", 60) == [over]
        assert await acknowledged_within(connection, project, "live", -60) == []
        assert await acknowledged_within(connection, project, "test", 60) == []
