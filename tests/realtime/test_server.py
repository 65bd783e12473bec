"""The conversation on a real socket, word by word, with a bare WebSocket client (W1)."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.realtime.serving import (
    KEY,
    NEIGHBOUR_KEY,
    NEIGHBOUR_SECRET,
    OLD_SECRET,
    OTHER_KEY,
    SECRET,
    Talker,
    eventually,
    read,
    serving,
    talking,
)
from tocsin.kit.errors import Unavailable
from tocsin.realtime import auth
from tocsin.realtime.hub import Limits
from tocsin.realtime.server import App, Published


def signed(talker: Talker, channel: str, secret: str = SECRET, **member: Any) -> dict[str, str]:
    return auth.authorize(KEY, secret, talker.socket_id, channel, **member)


async def goodbye(url: str) -> tuple[int, int]:
    """The code of the error frame and of the close that a connection ends with."""
    async with connect(url, compression=None) as connection:
        frame = await read(connection)
        with pytest.raises(ConnectionClosed) as closed:
            await read(connection)
    assert closed.value.rcvd and frame["event"] == "pusher:error"
    return frame["data"]["code"], closed.value.rcvd.code


async def test_a_connection_is_greeted_with_a_socket_id_and_the_timeout() -> None:
    async with serving() as served, talking(served) as ann:
        assert ann.greeting == {"socket_id": ann.socket_id, "activity_timeout": 120}
        assert [part.isdigit() for part in ann.socket_id.split(".")] == [True, True]


@pytest.mark.parametrize(
    ("key", "query", "code"),
    [
        ("nokey", "protocol=7", 4001),
        ("pk_disabled", "protocol=7", 4003),
        (f"{KEY}/more", "protocol=7", 4005),
        ("", "protocol=7", 4005),
        (KEY, "protocol=seven", 4006),
        (KEY, "protocol=3", 4007),
        (KEY, "client=js", 4008),
    ],
)
async def test_who_may_not_connect_is_told_the_code_and_closed(key: str, query: str, code: int) -> None:
    async with serving() as served:
        assert await goodbye(served.url(key, query)) == (code, code)
        assert served.hub.stats("1001").sockets == 0


async def test_a_strange_path_is_closed_too() -> None:
    async with serving() as served:
        assert await goodbye(f"ws://127.0.0.1:{served.port}//[?protocol=7") == (4005, 4005)


async def test_an_app_over_its_quota_closes_4004_until_there_is_room() -> None:
    async with serving() as served:
        async with talking(served, "pk_small"):
            assert await goodbye(served.url("pk_small")) == (4004, 4004)
        await eventually(lambda: served.hub.stats("4004").sockets == 0)
        async with talking(served, "pk_small") as ann:
            assert ann.socket_id


async def test_when_apps_cannot_be_found_now_clients_back_off() -> None:
    async with serving() as served:
        served.failure = Unavailable("database", "The database cannot be reached.")
        assert await goodbye(served.url()) == (4100, 4100)


async def test_a_wrong_handshake_is_refused() -> None:
    async with serving() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"GET /app/x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 400")
        writer.close()


async def test_a_ping_is_answered_and_nonsense_is_not() -> None:
    async with serving() as served, talking(served) as ann:
        for text in ("", "nonsense", "[1]", "{}", '{"event":"pusher:subscribe","data":[]}'):
            await ann.connection.send(text)
        await ann.connection.send(b"\x00binary")
        await ann.say("pusher:something_new")
        await ann.say("not-a-client-event", channel="news")
        await ann.hear_nothing()
        assert served.realtime.malformed == 5


async def test_messages_in_one_breath_are_all_answered_in_order() -> None:
    async with serving() as served, talking(served) as ann:
        names = [f"c{number}" for number in range(90)]
        for name in names:
            await ann.say("pusher:subscribe", {"channel": name})
        assert [(await ann.hear())["channel"] for _ in names] == names
        for _ in range(500):
            await ann.say("pusher:ping")
        assert {(await ann.hear())["event"] for _ in range(500)} == {"pusher:pong"}


async def test_a_message_in_fragments_is_one_message() -> None:
    async with serving() as served, talking(served) as ann:
        await ann.connection.send(iter(['{"event":"push', 'er:ping","da', 'ta":{}}']))
        assert (await ann.hear())["event"] == "pusher:pong"


async def test_a_frame_that_is_too_large_ends_the_connection() -> None:
    async with serving() as served, talking(served) as ann:
        await ann.connection.send("x" * 70_000)
        with pytest.raises(ConnectionClosed) as closed:
            await ann.hear()
        assert closed.value.rcvd and closed.value.rcvd.code == 1009
        await eventually(lambda: served.hub.stats("1001").sockets == 0)


async def test_compression_is_not_agreed_to() -> None:
    async with serving() as served, connect(served.url(), compression="deflate") as connection:
        assert connection.response and "Sec-WebSocket-Extensions" not in connection.response.headers


async def test_a_path_without_an_upgrade_is_not_ours() -> None:
    async with serving() as served:
        with pytest.raises(InvalidStatus):
            async with connect(served.url(), additional_headers={"Sec-WebSocket-Version": "8"}):
                pass


async def test_private_channels_open_for_both_secrets_and_no_other() -> None:
    async with serving() as served, talking(served) as ann:
        for number, secret in enumerate((SECRET, OLD_SECRET)):
            answer = await ann.subscribe(f"private-{number}", **signed(ann, f"private-{number}", secret))
            assert answer["event"] == "pusher_internal:subscription_succeeded"
        refused = await ann.subscribe("private-x", **signed(ann, "private-x", NEIGHBOUR_SECRET))
        assert refused["event"] == "pusher:subscription_error"
        assert (refused["data"]["type"], refused["data"]["status"]) == ("AuthError", 401)
        assert (await ann.subscribe("private-y"))["data"]["status"] == 401
        await ann.hear_nothing()


async def test_a_secret_rotated_while_connected_counts_at_once() -> None:
    async with serving() as served, talking(served) as ann:
        served.apps[KEY] = App("1001", served.apps[KEY].project_id, "acme", "live", ("brand-new",))
        assert (await ann.subscribe("private-a", **signed(ann, "private-a")))["data"]["status"] == 401
        answer = await ann.subscribe("private-a", **signed(ann, "private-a", "brand-new"))
        assert answer["event"] == "pusher_internal:subscription_succeeded"


async def test_a_key_revoked_while_connected_opens_nothing_more() -> None:
    async with serving() as served, talking(served) as ann:
        del served.apps[KEY]
        assert (await ann.subscribe("private-a", **signed(ann, "private-a")))["data"]["code"] == 4001
        with pytest.raises(ConnectionClosed):
            await ann.hear()


async def test_what_cannot_be_a_subscription_is_refused_by_name() -> None:
    async with serving() as served, talking(served) as ann:
        assert (await ann.subscribe("#server-to-user-u1"))["data"]["type"] == "InvalidChannel"
        assert len((await ann.subscribe("x" * 300))["channel"]) == 200
        no_member = await ann.subscribe("presence-a", auth=f"k:{_sign(ann, 'presence-a', '{}')}", channel_data="{}")
        assert no_member["data"]["type"] == "InvalidData"


def _sign(talker: Talker, channel: str, channel_data: str) -> str:
    return auth.channel_signature(SECRET, talker.socket_id, channel, channel_data)


async def test_a_presence_subscription_without_its_data_is_not_authorized() -> None:
    """A private signature must not open a presence channel."""
    async with serving() as served, talking(served) as ann:
        signature = auth.channel_signature(SECRET, ann.socket_id, "presence-a")
        assert (await ann.subscribe("presence-a", auth=f"k:{signature}"))["data"]["type"] in (
            "AuthError",
            "InvalidData",
        )
        assert served.hub.stats("1001").subscriptions == 0


async def test_a_full_presence_channel_and_a_full_socket_refuse() -> None:
    limits = Limits(channels_per_socket=2, presence_members=1)
    async with serving(limits) as served, talking(served) as ann, talking(served) as bob:
        await ann.subscribe("presence-a", **signed(ann, "presence-a", user_id="ann"))
        full = await bob.subscribe("presence-a", **signed(bob, "presence-a", user_id="bob"))
        assert (full["event"], full["data"]["type"]) == ("pusher:subscription_error", "LimitReached")
        assert (await ann.subscribe("two"))["event"] == "pusher_internal:subscription_succeeded"
        assert (await ann.subscribe("three"))["data"]["type"] == "LimitReached"
        assert (await ann.subscribe("two"))["event"] == "pusher_internal:subscription_succeeded"


async def test_client_events_go_to_the_others_unchanged() -> None:
    async with serving() as served, talking(served) as ann, talking(served, OTHER_KEY) as bob:
        for talker in (ann, bob):
            await talker.subscribe("private-a", **signed(talker, "private-a"))
        for data in ({"u": 1}, "plain", '{"a":  1}', None, [1.0]):
            await ann.connection.send(json.dumps({"event": "client-x", "channel": "private-a", "data": data}))
            assert await bob.hear() == {"event": "client-x", "channel": "private-a", "data": data}
        await ann.hear_nothing()


async def test_client_events_elsewhere_are_dropped() -> None:
    async with serving() as served, talking(served) as ann, talking(served) as bob:
        await bob.subscribe("private-a", **signed(bob, "private-a"))
        for talker in (ann, bob):
            await talker.subscribe("news")
        await ann.say("client-x", channel="news")
        await ann.say("client-x", channel="private-a")
        await bob.say("x", channel="private-a")
        await ann.say("client-x")
        await ann.hear_nothing()
        await bob.hear_nothing()


async def test_client_events_are_limited_in_rate_and_size() -> None:
    async with serving(Limits(client_events_per_second=3)) as served, talking(served) as ann:
        await ann.subscribe("private-a", **signed(ann, "private-a"))
        await ann.say("client-x", "x" * 10_300, channel="private-a")
        large = await ann.hear()
        assert (large["data"]["code"], large["channel"]) == (4301, "private-a")
        for _ in range(30):
            await ann.say("client-x", channel="private-a")
        warnings = [await ann.hear() for _ in range(24)]
        assert {each["data"]["code"] for each in warnings} == {4301}
        assert (await ann.subscribe("news"))["event"] in (
            "pusher_internal:subscription_succeeded",
            "pusher:error",
        )


async def test_client_events_are_published_for_other_processes() -> None:
    published: list[Published] = []

    async def publish(message: Published) -> None:
        published.append(message)

    async with (
        serving(publish=publish) as here,
        serving() as there,
        talking(here) as ann,
        talking(there) as bob,
    ):
        await ann.subscribe("presence-a", **signed(ann, "presence-a", user_id="ann"))
        await bob.subscribe("presence-a", **signed(bob, "presence-a", user_id="bob"))
        await ann.say("client-wave", {"x": 1}, channel="presence-a")
        await eventually(lambda: published)
        message = published[0]
        there.hub.send_frame(message.app.app_id, message.channel, message.payload)
        wave = {"event": "client-wave", "channel": "presence-a", "data": {"x": 1}, "user_id": "ann"}
        assert await bob.hear() == wave


async def test_two_projects_share_a_channel_name_and_nothing_else() -> None:
    async with serving() as served, talking(served) as ann, talking(served, NEIGHBOUR_KEY) as eve:
        for talker, secret in ((ann, SECRET), (eve, NEIGHBOUR_SECRET)):
            await talker.subscribe("presence-a", **signed(talker, "presence-a", secret, user_id="x"))
        assert served.hub.broadcast("1001", "presence-a", "e", "1") == 1
        await ann.say("client-x", channel="presence-a")
        assert (await ann.hear())["data"] == "1"
        await eve.hear_nothing()


async def test_a_wrong_sign_in_ends_the_socket_for_good() -> None:
    async with serving() as served, talking(served) as ann:
        await ann.say("pusher:signin", {"auth": "k:wrong", "user_data": '{"id":"u1"}'})
        assert (await ann.hear())["data"]["code"] == 4009
        with pytest.raises(ConnectionClosed) as closed:
            await ann.hear()
        assert closed.value.rcvd and closed.value.rcvd.code == 4009
        assert served.hub.send_to_user("1001", "u1", "e", "") == 0


async def test_a_client_that_does_not_read_is_let_go_and_delays_nobody() -> None:
    async with serving() as served, talking(served) as ann:
        await ann.subscribe("news")
        deaf = await _deaf_subscriber(served.port)
        await eventually(lambda: served.hub.stats("1001").subscriptions == 2)
        sent = 0
        while served.hub.stats("1001").sockets == 2:
            assert sent < 2000, "the deaf client was never let go"
            served.hub.broadcast("1001", "news", "e", "x" * 10_000)
            sent += 1
            assert (await ann.hear())["event"] == "e"
        await ann.hear_nothing()
        deaf.close()


async def _deaf_subscriber(port: int) -> asyncio.WriteTransport:
    """A socket that subscribes to ``news`` and from then on reads nothing."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
    transport.write(
        f"GET /app/{KEY}?protocol=7 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    await asyncio.sleep(0.1)
    transport.pause_reading()
    text = b'{"event":"pusher:subscribe","data":{"channel":"news"}}'
    transport.write(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
    return transport


async def test_a_client_that_vanishes_is_forgotten() -> None:
    async with serving() as served, talking(served) as watcher:
        await watcher.subscribe("presence-a", **signed(watcher, "presence-a", user_id="watcher"))
        async with talking(served) as ann:
            await ann.subscribe("presence-a", **signed(ann, "presence-a", user_id="ann"))
            assert (await watcher.hear())["event"] == "pusher_internal:member_added"
            ann.connection.transport.abort()
        assert (await watcher.hear())["event"] == "pusher_internal:member_removed"


async def test_a_client_that_answers_no_ping_is_closed() -> None:
    async with serving(Limits(activity_timeout=1, pong_timeout=1)) as served, talking(served) as ann:
        assert (await ann.hear())["event"] == "pusher:ping"
        assert (await ann.hear())["data"]["code"] == 4201
        with pytest.raises(ConnectionClosed) as closed:
            await ann.hear()
        assert closed.value.rcvd and closed.value.rcvd.code == 4201


async def test_a_server_going_down_sends_its_clients_to_back_off() -> None:
    async with serving() as served:
        connection = await connect(served.url(), compression=None)
        await read(connection)
    assert (await read(connection))["data"]["code"] == 4100
    with pytest.raises(ConnectionClosed) as closed:
        await read(connection)
    assert closed.value.rcvd and closed.value.rcvd.code == 4100


async def test_a_failing_socket_is_logged_and_cut(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as served:
        served.failure = ZeroDivisionError()
        connection = await connect(served.url(), compression=None)
        with pytest.raises(ConnectionClosed):
            await read(connection)
        assert "a realtime socket failed" in caplog.text
