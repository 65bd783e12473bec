"""The door over HTTP/2: the same judgement of addresses, one connection for many exchanges."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from tests.channels.conftest import LOOPBACK
from tests.channels.http2_server import Answer, Http2Server, http2_server
from tocsin.kit import http2
from tocsin.kit.http import Blocked, Door, Reply, Unreachable


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def door(authority: trustme.CA) -> AsyncIterator[Door]:
    async with Door(allowed=LOOPBACK, tls=trusting(authority)) as door:
        yield door


@pytest.fixture
async def far(authority: trustme.CA) -> AsyncIterator[Http2Server]:
    async with http2_server(authority) as served:
        yield served


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def post(door: Door, url: str, body: bytes = b"x", *, pool: str = "p", timeout: float = 5) -> Reply:
    return await door.request_http2("POST", f"{url}/a?b=c", pool=pool, headers={"X-A": "1"}, body=body, timeout=timeout)


async def test_an_exchange_has_headers_and_bodies_both_ways(door: Door, far: Http2Server) -> None:
    far.answers = [Answer(418, b"tea" * 100, {"x-b": "2"})]
    reply = await post(door, far.url, b"y" * 20_000)
    [asked] = far.asked
    assert (asked.headers[":path"], asked.headers["x-a"], len(asked.body)) == ("/a?b=c", "1", 20_000)
    assert asked.headers["user-agent"].startswith("Tocsin/")
    assert (reply.status, reply.headers["x-b"], reply.body, reply.cut) == (418, "2", b"tea" * 100, False)


async def test_bodies_wait_for_the_room_that_the_other_end_gives(door: Door, far: Http2Server) -> None:
    replies = await asyncio.gather(*(post(door, far.url, b"y" * 30_000) for _ in range(12)))
    assert [reply.status for reply in replies] == [200] * 12
    assert {len(asked.body) for asked in far.asked} == {30_000}
    assert far.connections == 1


async def test_no_more_streams_are_opened_than_the_other_end_takes(door: Door, authority: trustme.CA) -> None:
    async with http2_server(authority, most_streams=2) as far:
        await post(door, far.url)
        far.hold.clear()
        calls = [asyncio.create_task(post(door, far.url)) for _ in range(5)]
        await asyncio.sleep(0.2)
        assert len(far.asked) == 1 + 2
        far.hold.set()
        assert [(await call).status for call in calls] == [200] * 5


@pytest.mark.parametrize("url", ["https://localhost:8443", "https://127.0.0.1", "https://[::1]", "https://10.0.0.1"])
async def test_nothing_leads_inside(url: str) -> None:
    async with Door() as strict:
        with pytest.raises(Blocked) as refusal:
            await post(strict, url)
    assert refusal.value.code == "address_not_allowed"


async def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(far: Http2Server) -> None:
    async def inside(host: str) -> list[str]:
        return ["8.8.8.8", "127.0.0.1"]

    async with Door(resolve=inside) as strict:
        with pytest.raises(Blocked):
            await post(strict, "https://push.example.com")
    assert far.connections == 0


async def test_it_is_spoken_over_https_alone(door: Door) -> None:
    with pytest.raises(Blocked):
        await post(door, "http://localhost:8443")


async def test_a_stranger_who_is_not_trusted_gets_nothing(far: Http2Server) -> None:
    async with Door(allowed=LOOPBACK) as distrustful:
        with pytest.raises(Unreachable) as failure:
            await post(distrustful, far.url)
    assert (failure.value.kind, far.asked) == ("tls", [])


async def test_a_server_that_speaks_something_else_is_unreachable(door: Door, authority: trustme.CA) -> None:
    async with http2_server(authority, alpn="http/1.1") as far:
        with pytest.raises(Unreachable) as failure:
            await post(door, far.url)
    assert failure.value.kind == "tls"


async def test_an_answer_that_does_not_come_in_time_ends_its_connection_for_later_calls(
    door: Door, far: Http2Server
) -> None:
    far.answers = [Answer(), Answer(silent=True), Answer()]
    await post(door, far.url)
    with pytest.raises(Unreachable) as failure:
        await post(door, far.url, timeout=1)
    assert failure.value.kind == "timeout"
    assert (await post(door, far.url)).status == 200
    assert far.connections == 2


async def test_a_connection_that_was_quiet_is_asked_whether_it_is_there(
    door: Door, far: Http2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post(door, far.url)
    monkeypatch.setattr(http2, "QUIET_SECONDS", 0.0)
    await post(door, far.url)
    assert (far.pings, far.connections) == (1, 1)


async def test_connections_over_the_limit_give_way(
    door: Door, far: Http2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2, "MOST_CONNECTIONS", 2)
    for pool in ("a", "b", "c", "b", "a"):
        assert (await post(door, far.url, pool=pool)).status == 200
    assert far.connections == 4


async def test_what_is_under_way_when_the_door_closes_is_unreachable(authority: trustme.CA, far: Http2Server) -> None:
    far.answers = [Answer(silent=True)]
    async with Door(allowed=LOOPBACK, tls=trusting(authority)) as door:
        call = asyncio.create_task(post(door, far.url))
        while not far.asked:
            await asyncio.sleep(0.01)
    with pytest.raises(Unreachable):
        await call
