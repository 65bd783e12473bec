"""Conformance: the official pusher-js client, unchanged, against our server (W1, W2)."""

import asyncio
import contextlib
import time

from tests.realtime.pusher_js import pusher_js
from tests.realtime.serving import eventually, serving
from tocsin.realtime.hub import Limits


async def test_it_connects_and_hears_public_events_as_json_or_text() -> None:
    async with serving() as served, pusher_js(served) as js:
        await js.connect("ann")
        await js.subscribe("ann", "news")
        assert served.hub.broadcast("1001", "news", "e", '{"a": 1}') == 1
        assert (await js.fact(event="e"))["data"] == {"a": 1}
        served.hub.broadcast("1001", "news", "f", "plain")
        assert (await js.fact(event="f"))["data"] == "plain"


async def test_it_hears_notifications_on_a_users_private_channel() -> None:
    async with serving() as served, pusher_js(served) as js:
        await js.connect("ann")
        channel = "private-user-0192f0a0-7000-7000-8000-000000000001"
        await js.subscribe("ann", channel)
        served.hub.broadcast("1001", channel, "notification.created", '{"title":"Grüße","seq":7}')
        assert (await js.fact(event="notification.created"))["data"] == {"title": "Grüße", "seq": 7}


async def test_a_bad_signature_is_a_subscription_error_and_the_connection_stays() -> None:
    async with serving() as served, pusher_js(served) as js:
        await js.connect("ann")
        js.secret = "wrong"
        await js.do("subscribe", "ann", channel="private-x")
        error = await js.fact(event="pusher:subscription_error")
        assert (error["data"]["type"], error["data"]["status"]) == ("AuthError", 401)
        await js.settle("ann")


async def test_presence_counts_people_and_not_sockets() -> None:
    async with serving() as served, pusher_js(served) as js:
        js.people = {"bob-phone": "bob", "bob-laptop": "bob"}
        for client in ("ann", "bob-phone", "bob-laptop"):
            await js.connect(client)
        alone = await js.subscribe("ann", "presence-room")
        assert alone["members"] == {"ann": {"name": "Ann"}}
        both = await js.subscribe("bob-phone", "presence-room")
        assert (both["count"], set(both["members"])) == (2, {"ann", "bob"})
        added = await js.fact(client="ann", event="pusher:member_added")
        assert added["data"] == {"id": "bob", "info": {"name": "Bob"}}
        assert (await js.subscribe("bob-laptop", "presence-room"))["count"] == 2
        await js.do("disconnect", "bob-phone")
        await eventually(lambda: served.hub.stats("1001").sockets == 2)
        await js.settle("ann")
        assert len(js.told(client="ann", event="pusher:member_added")) == 1
        assert not js.told(client="ann", event="pusher:member_removed")
        await js.do("unsubscribe", "bob-laptop", channel="presence-room")
        removed = await js.fact(client="ann", event="pusher:member_removed")
        assert removed["data"]["id"] == "bob"
        await js.do("members", "ann", channel="presence-room")
        assert (await js.fact(asked="members"))["count"] == 1


async def test_a_client_event_reaches_the_others_with_its_senders_user_id() -> None:
    async with serving() as served, pusher_js(served) as js:
        for client in ("ann", "bob"):
            await js.connect(client)
            await js.subscribe(client, "presence-room", "client-wave")
        await js.do("trigger", "bob", channel="presence-room", event="client-wave", data={"x": 1})
        assert (await js.fact(client="ann", event="client-wave"))["data"] == {"x": 1}
        assert (await js.fact(client="ann", bound="client-wave"))["metadata"] == {"user_id": "bob"}
        await js.settle("bob")
        assert not js.told(client="bob", event="client-wave")


async def test_too_many_client_events_are_an_error_and_the_socket_stays() -> None:
    async with serving(Limits(client_events_per_second=1)) as served, pusher_js(served) as js:
        await js.connect("ann")
        await js.subscribe("ann", "private-a")
        for _ in range(4):
            await js.do("trigger", "ann", channel="private-a", event="client-x", data={})
        await js.settle("ann")
        assert len(js.told(client="ann", error=True, code=4301)) in (2, 3)
        assert served.hub.stats("1001").sockets == 1


async def test_the_publishing_socket_can_be_left_out() -> None:
    async with serving() as served, pusher_js(served) as js:
        ids = {}
        for client in ("ann", "bob"):
            ids[client] = await js.connect(client)
            await js.subscribe(client, "news")
        assert served.hub.broadcast("1001", "news", "e", "1", exclude_socket_id=ids["ann"]) == 1
        await js.fact(client="bob", event="e")
        await js.settle("ann")
        assert not js.told(client="ann", event="e")


async def test_a_signed_in_user_is_reached_on_every_device() -> None:
    async with serving() as served, pusher_js(served) as js:
        js.people = {"phone": "u9", "laptop": "u9", "other": "u8"}
        for client in js.people:
            await js.connect(client)
            await js.do("signin", client)
            await js.fact(client=client, message="pusher:signin_success")
        assert served.hub.send_to_user("1001", "u9", "hey", '{"z": 1}') == 2
        for client in ("phone", "laptop"):
            assert (await js.fact(client=client, userEvent="hey"))["data"] == {"z": 1}
        await js.settle("other")
        assert not js.told(client="other", userEvent="hey")


async def test_a_terminated_user_stays_away() -> None:
    async with serving() as served, pusher_js(served) as js:
        await js.connect("ann")
        await js.do("signin", "ann")
        await js.fact(client="ann", message="pusher:signin_success")
        assert served.hub.terminate_user("1001", "ann") == 1
        await js.fact(client="ann", state="disconnected")
        await asyncio.sleep(1.5)
        assert served.hub.stats("1001").sockets == 0


async def test_an_unknown_key_is_an_error_and_it_never_comes_back() -> None:
    async with serving() as served, pusher_js(served) as js:
        await js.do("connect", "ann", key="nokey", port=served.port, options={})
        await js.fact(client="ann", state="disconnected")
        assert [fact.get("code") for fact in js.told(error=True)] == [4001]
        await asyncio.sleep(1.5)
        assert not js.told(state="connecting")


async def test_a_revoked_key_ends_its_clients_for_good() -> None:
    async with serving() as served, pusher_js(served) as js:
        await js.connect("ann")
        assert served.hub.close_key("pk_live_one") == 1
        await js.fact(client="ann", state="disconnected")


async def test_pings_go_both_ways_and_keep_an_idle_connection() -> None:
    """The client asks after its own timeout; the server asks a client that has other ideas."""
    async with serving(Limits(activity_timeout=1, pong_timeout=1)) as served, pusher_js(served) as js:
        await js.connect("ann")
        await js.fact(client="ann", message="pusher:pong")
        await asyncio.sleep(4)
        assert served.hub.stats("1001").sockets == 1
        assert not js.told(client="ann", state="disconnected")


async def test_it_answers_our_pings() -> None:
    async with serving() as served, pusher_js(served) as js:
        await js.connect("ann")
        served.hub.clock = lambda: time.monotonic() + 130
        await js.fact(client="ann", message="pusher:ping")
        await js.settle("ann")
        served.hub.clock = lambda: time.monotonic() + 200
        await asyncio.sleep(1.5)
        assert served.hub.stats("1001").sockets == 1


async def test_after_a_restart_it_comes_back_to_its_channels() -> None:
    async with contextlib.AsyncExitStack() as until_the_end:
        async with serving() as first:
            js = await until_the_end.enter_async_context(pusher_js(first))
            await js.connect("ann")
            await js.subscribe("ann", "private-a")
            since = len(js.facts)
        async with serving(port=first.port) as second:
            again = "pusher:subscription_succeeded"
            await js.fact(client="ann", channel="private-a", event=again, since=since)
            assert second.hub.broadcast("1001", "private-a", "news", "{}") == 1
            await js.fact(client="ann", event="news")


async def test_while_draining_it_backs_off_and_does_not_storm() -> None:
    async with serving() as served, pusher_js(served) as js:
        await js.connect("ann")
        since = len(js.facts)
        await served.hub.drain(seconds=0.1)
        await asyncio.sleep(4)
        tries = len(js.told(since, client="ann", state="connecting"))
        assert 1 <= tries <= 6
        assert served.hub.stats("1001").sockets == 0
        served.hub.draining = False
        await js.fact(client="ann", state="connected", since=since)
