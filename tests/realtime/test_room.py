"""What waits in a room, and whose word counts; and rooms that close when nobody is left."""

from uuid import UUID

from tests.client import sign_up
from tests.realtime.conftest import Place
from tests.realtime.recorder import Recorder
from tests.realtime.serving import APP, eventually
from tocsin.kit.ids import new_id
from tocsin.realtime.client import Client
from tocsin.realtime.hub import Hub
from tocsin.realtime.live import Live
from tocsin.realtime.relay import Relay
from tocsin.realtime.room import MOST_WAITING, Room, user_channel
from tocsin.realtime.server import App
from tocsin.realtime.signal import Signal
from tocsin.sounds.links import SoundLinks

ANN = new_id()


def test_people_are_those_on_their_own_channel() -> None:
    room = Room(APP)
    for channel in (user_channel(ANN), "private-user-nobody", "presence-room-1"):
        room.occupied(channel)
    assert room.people == {ANN: None} and room.arrived == {ANN} and room.waits
    room.vacated(user_channel(ANN))
    assert not room.people and not room.waits


def test_a_feeds_end_is_learned_once_and_what_was_sent_counts_more() -> None:
    room = Room(APP)
    room.occupied(user_channel(ANN))
    room.sent(ANN, 7)
    room.learn([ANN], {ANN: 5})
    assert room.known() == [(ANN, 7)] and not room.waits
    room.sent(ANN, 6)
    assert room.known() == [(ANN, 7)]


def test_signals_are_read_together_up_to_a_hundred_ids_and_stay_until_done() -> None:
    room = Room(APP)
    for size in (60, 40, 1):
        room.add(Signal("created", [new_id() for _ in range(size)]))
    taken = room.next_signals()
    assert [len(signal.ids) for signal in taken] == [60, 40]
    assert room.next_signals() == taken
    room.done(taken)
    assert [len(signal.ids) for signal in room.next_signals()] == [1]


def test_signals_beyond_the_bound_are_caught_up_with_later() -> None:
    room = Room(APP)
    for _ in range(MOST_WAITING + 1):
        room.add(Signal("created", [ANN]))
    assert len(room.signals) == MOST_WAITING and room.missed_since is not None


def test_an_acknowledgement_that_was_missed_waits_once_behind_all_others() -> None:
    room = Room(APP)
    for _ in range(MOST_WAITING):
        room.add(Signal("created", [ANN]))
    ids = [new_id() for _ in range(150)]
    for _ in range(2):
        room.tell_acknowledged(ids)
    assert [id_ for signal in room.signals[MOST_WAITING:] for id_ in signal.ids] == ids


async def test_a_project_is_listened_to_while_a_socket_is_here(place: Place) -> None:
    project = await sign_up(place.api, "Swept")
    app = App(project.signed_up["realtime"]["live"]["appId"], UUID(project.id), "acme", "live", ("s",))
    hub = Hub()
    live = Live(
        place.hand.db,
        place.hand.broker,
        hub,
        Relay(place.hand.broker, hub),
        SoundLinks(place.site.master, "https://tocsin.example.com"),
    )
    await live.attend(app)
    link = Recorder()
    client = hub.connect(app.app_id, "pk", link, None)
    assert isinstance(client, Client)
    user = await project.add_user()
    hub.subscribe(client, f"private-user-{user['id']}")
    for _ in range(3):
        await live.sweep()
    await place.hand.tell(project, user["id"])
    await eventually(lambda: "notification.created" in link.events())
    hub.disconnect(client)
    before = len(place.hand.broker._subscriptions)
    await live.sweep()
    await live.sweep()
    assert len(place.hand.broker._subscriptions) == before - 2
    await live.attend(app)
    assert len(place.hand.broker._subscriptions) == before
    await live.close()
