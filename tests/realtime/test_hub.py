"""What reaches whom inside one process (W1, W2)."""

import asyncio

from tests.realtime.recorder import Recorder, connected
from tocsin.realtime import protocol
from tocsin.realtime.client import Client
from tocsin.realtime.hub import Hub, Limits, Stats
from tocsin.realtime.protocol import Member


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_broadcast_reaches_subscribers_of_that_app_only() -> None:
    hub = Hub()
    ann, to_ann = connected(hub, "1")
    bob, to_bob = connected(hub, "2")
    hub.subscribe(ann, "news")
    hub.subscribe(bob, "news")
    to_ann.sent.clear()
    to_bob.sent.clear()
    assert hub.broadcast("1", "news", "e", '{"a": 1}') == 1
    assert to_ann.sent == [{"event": "e", "channel": "news", "data": '{"a": 1}'}]
    assert to_bob.sent == []


def test_a_broadcast_to_nobody_counts_nobody() -> None:
    hub = Hub()
    connected(hub)
    assert hub.broadcast("1", "news", "e", "") == hub.broadcast("none", "news", "e", "") == 0


def test_the_named_socket_is_left_out() -> None:
    hub = Hub()
    clients = [connected(hub) for _ in range(3)]
    for client, link in clients:
        hub.subscribe(client, "news")
        link.sent.clear()
    assert hub.broadcast("1", "news", "e", "", exclude_socket_id=clients[1][0].id) == 2
    assert [len(link.sent) for _, link in clients] == [1, 0, 1]
    assert hub.broadcast("1", "news", "e", "", exclude_socket_id="9.9") == 3


def test_subscribing_twice_is_acknowledged_twice_and_delivered_once() -> None:
    hub = Hub()
    client, link = connected(hub)
    hub.subscribe(client, "news")
    hub.subscribe(client, "news")
    hub.broadcast("1", "news", "e", "")
    assert link.events() == ["pusher_internal:subscription_succeeded"] * 2 + ["e"]


def test_an_unsubscribed_client_hears_nothing_and_empty_channels_vanish() -> None:
    hub = Hub()
    client, _ = connected(hub)
    hub.subscribe(client, "news")
    hub.unsubscribe(client, "news")
    hub.unsubscribe(client, "never")
    assert hub.broadcast("1", "news", "e", "") == 0
    assert hub.stats("1") == Stats(sockets=1, channels=0, subscriptions=0)


def test_people_are_announced_once_whatever_their_sockets() -> None:
    hub = Hub()
    watcher, seen = connected(hub)
    hub.subscribe(watcher, "presence-r", Member("watcher"))
    seen.sent.clear()
    first, second = connected(hub)[0], connected(hub)[0]
    hub.subscribe(first, "presence-r", Member("ann"))
    hub.subscribe(second, "presence-r", Member("ann"))
    hub.unsubscribe(first, "presence-r")
    assert seen.events() == ["pusher_internal:member_added"]
    hub.disconnect(second)
    assert seen.events()[1:] == ["pusher_internal:member_removed"]
    assert hub.members("1", "presence-r") == ["watcher"]


def test_a_newcomer_is_told_who_is_there_and_not_that_it_came() -> None:
    hub = Hub()
    hub.subscribe(connected(hub)[0], "presence-r", Member("ann"))
    bob, to_bob = connected(hub)
    hub.subscribe(bob, "presence-r", Member("bob"))
    assert len(to_bob.sent) == 1
    assert '"ids":["ann","bob"]' in to_bob.sent[0]["data"]


def test_a_full_presence_channel_has_room_for_who_is_in_it() -> None:
    hub = Hub(Limits(presence_members=1))
    hub.subscribe(connected(hub)[0], "presence-r", Member("ann"))
    assert hub.is_full("1", "presence-r", "bob")
    assert not hub.is_full("1", "presence-r", "ann")
    assert not hub.is_full("1", "presence-empty", "bob")


def test_a_user_is_reached_on_every_socket_they_signed_in_on() -> None:
    hub = Hub()
    links = []
    for user in ("u1", "u1", "u2"):
        client, link = connected(hub)
        hub.sign_in(client, user)
        links.append(link)
    assert hub.send_to_user("1", "u1", "hey", "{}") == 2
    assert hub.broadcast("1", "#server-to-user-u2", "hey", "{}") == 1
    assert [link.sent[-1]["channel"][-2:] for link in links] == ["u1", "u1", "u2"]
    assert hub.send_to_user("other", "u1", "hey", "{}") == 0


def test_signing_in_as_somebody_else_leaves_the_first() -> None:
    hub = Hub()
    client, _ = connected(hub)
    hub.sign_in(client, "u1")
    hub.sign_in(client, "u2")
    assert hub.send_to_user("1", "u1", "hey", "{}") == 0
    assert hub.send_to_user("1", "u2", "hey", "{}") == 1


def test_a_terminated_user_is_told_not_to_return() -> None:
    hub = Hub()
    client, link = connected(hub)
    hub.sign_in(client, "u1")
    assert hub.terminate_user("1", "u1") == 1
    assert link.closed == 4009 and link.sent[-1]["data"]["code"] == 4009
    assert hub.terminate_user("1", "u1") == 0


def test_a_revoked_key_takes_its_sockets_along_and_no_others() -> None:
    hub = Hub()
    revoked, kept = connected(hub, key="pk_a")[1], connected(hub, key="pk_b")[1]
    assert hub.close_key("pk_a") == 1
    assert (revoked.closed, kept.closed) == (4009, None)
    assert hub.stats("1").sockets == 1


def test_a_closed_client_is_out_of_everything_at_once() -> None:
    hub = Hub()
    watcher, seen = connected(hub)
    hub.subscribe(watcher, "presence-r", Member("watcher"))
    client, _ = connected(hub)
    hub.subscribe(client, "presence-r", Member("ann"))
    hub.close(client, protocol.UNAUTHORIZED)
    assert seen.events()[-1] == "pusher_internal:member_removed"
    hub.subscribe(client, "news")
    hub.sign_in(client, "u1")
    assert hub.stats("1") == Stats(1, 1, 1)
    assert hub.send_to_user("1", "u1", "e", "") == 0


def test_the_last_socket_of_an_app_leaves_nothing_behind() -> None:
    hub = Hub()
    client, _ = connected(hub)
    hub.subscribe(client, "news")
    hub.sign_in(client, "u1")
    hub.disconnect(client)
    hub.disconnect(client)
    assert hub.stats("1") == Stats(0, 0, 0)
    assert hub.channels("1") == {}


def test_an_app_over_its_quota_refuses() -> None:
    hub = Hub()
    assert isinstance(hub.connect("1", "pk", Recorder(), 1), Client)
    assert hub.connect("1", "pk", Recorder(), 1) == protocol.OVER_QUOTA
    assert hub.connect("2", "pk", Recorder(), 0) == protocol.OVER_QUOTA
    assert isinstance(hub.connect("2", "pk", Recorder(), 1), Client)


def test_channels_are_listed_with_how_many_are_on_them() -> None:
    hub = Hub()
    client, _ = connected(hub)
    hub.subscribe(client, "news")
    hub.subscribe(client, "presence-r", Member("ann"))
    hub.subscribe(connected(hub)[0], "presence-r", Member("ann"))
    listed = hub.channels("1", "pres")
    assert list(listed) == ["presence-r"]
    assert (listed["presence-r"].subscriptions, listed["presence-r"].users) == (2, 1)
    news = hub.occupancy("1", "news")
    assert news and news.users is None
    assert hub.occupancy("1", "nobody") is None


def test_a_silent_client_is_asked_and_then_let_go() -> None:
    clock = Clock()
    hub = Hub(Limits(activity_timeout=120, pong_timeout=30), clock)
    _, link = connected(hub)
    clock.now += 119
    hub.check_activity()
    assert link.sent == []
    clock.now += 3
    hub.check_activity()
    assert link.events() == ["pusher:ping"]
    clock.now += 32
    hub.check_activity()
    assert link.closed == 4201
    assert hub.stats("1").sockets == 0


def test_a_client_that_is_heard_of_stays() -> None:
    clock = Clock()
    hub = Hub(Limits(activity_timeout=120, pong_timeout=30), clock)
    client, link = connected(hub)
    for _ in range(50):
        clock.now += 15
        client.seen = clock.now
        hub.check_activity()
    assert link.sent == [] and link.closed is None
    clock.now += 125
    hub.check_activity()
    assert link.events() == ["pusher:ping"]
    client.seen = clock.now + 1
    clock.now += 31
    hub.check_activity()
    assert link.closed is None


def test_after_a_long_pause_nobody_is_looked_at_twice() -> None:
    clock = Clock()
    hub = Hub(Limits(activity_timeout=10, pong_timeout=5), clock)
    links = [connected(hub)[1] for _ in range(3)]
    clock.now += 86_400
    hub.check_activity()
    assert [link.events() for link in links] == [["pusher:ping"]] * 3
    assert [link.closed for link in links] == [None] * 3


async def test_draining_sends_everybody_away_to_back_off() -> None:
    hub = Hub()
    links = [connected(hub, app)[1] for app in "112"]
    await asyncio.wait_for(hub.drain(seconds=0.2), 10)
    assert [link.closed for link in links] == [4100] * 3
    assert hub.connect("1", "pk", Recorder(), None) == protocol.OVER_CAPACITY


async def test_draining_an_empty_hub_ends() -> None:
    await asyncio.wait_for(Hub().drain(), 10)
    await asyncio.wait_for(Hub().drain(seconds=0), 10)


async def test_draining_takes_its_time() -> None:
    hub = Hub()
    links = [connected(hub)[1] for _ in range(100)]
    draining = asyncio.create_task(hub.drain(seconds=60))
    await asyncio.sleep(0.01)
    assert 0 < sum(link.closed is not None for link in links) < 100
    draining.cancel()
