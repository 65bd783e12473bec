"""What every broker must do, over PostgreSQL and over Redis alike."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis

from tests.kit.broker_servers import Postgres, Server, Valkey
from tocsin.kit.broker import Broker, connect, project_key
from tocsin.kit.broker.broker import OUTBOX_BYTES, WAKE_INTERVAL
from tocsin.kit.broker.postgres_link import _lock_key
from tocsin.kit.ids import new_id

PEER = Path(__file__).with_name("broker_peer.py")


@dataclass
class Setup:
    """One kind of broker with the server under it."""

    kind: str
    server: Server
    redis_url: str | None
    dsn: str

    def broker(self) -> Broker:
        return connect(self.redis_url, self.dsn)

    async def cut_connections(self) -> None:
        if self.redis_url:
            async with Redis.from_url(self.redis_url) as redis:
                await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        else:
            connection = await asyncpg.connect(self.dsn)
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tocsin broker'"
            )
            await connection.close()

    async def connections(self) -> int:
        if self.redis_url:
            async with Redis.from_url(self.redis_url) as redis:
                return len(await redis.client_list()) - 1
        connection = await asyncpg.connect(self.dsn)
        query = "select count(*) from pg_stat_activity where application_name = 'tocsin broker'"
        count = await connection.fetchval(query)
        await connection.close()
        return int(count)


@pytest.fixture(scope="module", params=["postgres", "redis"])
def setup(request: pytest.FixtureRequest) -> Iterator[Setup]:
    server: Postgres | Valkey = Postgres() if request.param == "postgres" else Valkey()
    try:
        server.start()
        if isinstance(server, Postgres):
            yield Setup("postgres", server, None, server.dsn)
        else:
            yield Setup("redis", server, server.url, "postgresql://nobody@127.0.0.1:1/none")
    finally:
        server.remove()


@pytest.fixture
async def broker(setup: Setup) -> AsyncIterator[Broker]:
    broker = setup.broker()
    await broker.start()
    yield broker
    await broker.close()


class Peer:
    """Another process with a broker of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    async def says(self, within: float = 10) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(within):
            return (await self._process.stdout.readline()).decode().strip()

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(10):
            await self._process.wait()


@contextlib.asynccontextmanager
async def peer_of(setup: Setup) -> AsyncIterator[Peer]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, PEER, setup.redis_url or "", setup.dsn, stdin=-1, stdout=-1
    )
    peer = Peer(process)
    try:
        assert await peer.says() == "ready"
        yield peer
        await peer.end()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def deaf_proxy(server_port: int) -> AsyncIterator[tuple[int, Callable[[], None]]]:
    """A way to a Redis that can lose, on the connections subscribed so far, all that the server says."""
    subscribed: set[asyncio.StreamWriter] = set()
    deaf: set[asyncio.StreamWriter] = set()
    pumps: set[asyncio.Task[None]] = set()

    async def carry(source: asyncio.StreamReader, to: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            if b"SUBSCRIBE" in data:
                subscribed.add(back)
            if to not in deaf:
                to.write(data)
        to.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", server_port)
        pumps.add(asyncio.create_task(carry(reader, far_writer, writer)))
        pumps.add(asyncio.create_task(carry(far_reader, writer, far_writer)))

    proxy = await asyncio.start_server(connected, "127.0.0.1", 0)
    yield proxy.sockets[0].getsockname()[1], lambda: deaf.update(subscribed)
    proxy.close()
    await asyncio.wait(pumps, timeout=5)


async def until(condition: Callable[[], bool], within: float = 15) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_wake_reaches_a_waiter_in_another_process(setup: Setup, broker: Broker) -> None:
    async with peer_of(setup) as peer:
        peer.tell("wait events")
        assert await peer.says() == "waiting events"
        assert await peer.says() == "woken events"  # a new waiter is awake
        broker.wake("deliveries")
        broker.wake("events")
        assert await peer.says() == "woken events"


async def test_a_wake_from_another_process_reaches_us(setup: Setup, broker: Broker) -> None:
    waiter = await broker.waiter("events")
    async with peer_of(setup) as peer:
        peer.tell("wake events")
        assert await waiter.wait(10)


async def test_a_wake_reaches_waiters_of_its_own_process_once(broker: Broker) -> None:
    waiter = await broker.waiter("own")
    await waiter.wait(0)
    broker.wake("own")
    assert await waiter.wait(0.0)
    received = broker.counters.received
    await until(lambda: broker.counters.received > received)
    assert not await waiter.wait(0.1), "the echo of an own hint must not cause a second look"


async def test_a_wake_that_comes_while_the_consumer_is_busy_is_remembered(broker: Broker) -> None:
    waiter = await broker.waiter("busy")
    await waiter.wait(0)
    broker.wake("busy")
    broker.wake("busy")
    assert await waiter.wait(0)
    assert not await waiter.wait(0.05)


async def test_many_wakes_become_few_hints(broker: Broker) -> None:
    before, started = broker.counters.sent, time.monotonic()
    while time.monotonic() - started < 0.3:
        broker.wake("busy-topic")
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    hints = broker.counters.sent - before
    elapsed = time.monotonic() - started
    assert 2 <= hints <= elapsed / WAKE_INTERVAL + 3


async def test_the_last_of_many_wakes_is_not_lost(setup: Setup, broker: Broker) -> None:
    other = setup.broker()
    await other.start()
    waiter = await other.waiter("last")
    broker.wake("last")
    assert await waiter.wait(10)
    while await waiter.wait(0.1):
        pass
    broker.wake("last")
    assert await waiter.wait(10)
    broker.wake("last")  # inside the interval of the one before
    assert await waiter.wait(10)
    await other.close()


async def test_messages_reach_three_processes_in_order(setup: Setup, broker: Broker) -> None:
    channel = project_key(new_id(), "realtime")
    own: list[int] = []
    await broker.subscribe(channel, lambda message: own.append(int(message)))
    async with peer_of(setup) as first, peer_of(setup) as second:
        for peer in (first, second):
            peer.tell(f"subscribe {channel}")
            assert await peer.says() == f"subscribed {channel}"
        for number in range(2_000):
            broker.publish(channel, str(number).encode())
        for peer in (first, second):
            assert [await peer.says() for _ in range(2_000)] == [f"got {number}" for number in range(2_000)]
        await until(lambda: len(own) == 2_000)
        assert own == list(range(2_000))


async def test_equal_messages_all_arrive(broker: Broker) -> None:
    channel = project_key(new_id(), "same")
    got: list[bytes] = []
    await broker.subscribe(channel, got.append)
    message = b"x" * 5_000  # one message per notification, so that a whole payload repeats
    for _ in range(5):
        broker.publish(channel, message)
    await until(lambda: len(got) == 5)
    assert got == [message] * 5


async def test_any_bytes_up_to_the_limit_arrive_unchanged(broker: Broker) -> None:
    channel = "c" * 200
    got: list[bytes] = []
    await broker.subscribe(channel, got.append)
    largest = bytes(range(256)) * (broker.max_message_bytes // 256 + 1)
    messages = [b"", b"\n \0\xff", largest[: broker.max_message_bytes]]
    for message in messages:
        broker.publish(channel, message)
    await until(lambda: len(got) == 3)
    assert got == messages


async def test_a_message_over_the_limit_is_the_callers_mistake(broker: Broker) -> None:
    with pytest.raises(ValueError, match="bytes at most"):
        broker.publish("channel", b"x" * (broker.max_message_bytes + 1))


@pytest.mark.parametrize("channel", ["", "two words", "line\nbreak", "ünicode", "c" * 201])
async def test_a_channel_that_cannot_be_written_is_refused(broker: Broker, channel: str) -> None:
    with pytest.raises(ValueError, match="channel"):
        broker.publish(channel, b"")
    with pytest.raises(ValueError, match="channel"):
        await broker.subscribe(channel, lambda _: None)


async def test_after_unsubscribing_nothing_arrives(setup: Setup, broker: Broker) -> None:
    ended, kept = [], []
    channel = project_key(new_id(), "left")
    subscription = await broker.subscribe(channel, ended.append)
    other = await broker.subscribe(channel, kept.append)
    await broker.unsubscribe(subscription)
    broker.publish(channel, b"1")
    await until(lambda: kept == [b"1"])
    await broker.unsubscribe(other)
    marker = await broker.subscribe(project_key(new_id(), "marker"), ended.append)
    broker.publish(channel, b"2")
    broker.publish(marker.channel, b"end")
    await until(lambda: ended == [b"end"])
    assert kept == [b"1"]


async def test_a_handler_that_raises_does_not_silence_the_others(broker: Broker) -> None:
    channel = project_key(new_id(), "fragile")
    got: list[bytes] = []

    def fail(message: bytes = b"") -> None:
        raise RuntimeError(f"a mistake of a subscriber: {message!r}")

    await broker.subscribe(channel, fail, on_gap=fail)
    await broker.subscribe(channel, got.append)
    waiter = await broker.waiter("fragile")
    for message in (b"1", b"2"):
        broker.publish(channel, message)
    await until(lambda: got == [b"1", b"2"])
    broker.wake("fragile")
    assert await waiter.wait(1)
    assert broker.counters.reconnects == 0


async def test_a_cut_connection_is_replaced_and_the_gap_is_told(setup: Setup, broker: Broker) -> None:
    channel = project_key(new_id(), "cut")
    got: list[bytes] = []
    gaps: list[float] = []
    await broker.subscribe(channel, got.append, on_gap=lambda: gaps.append(time.monotonic()))
    waiter = await broker.waiter("cut")
    await setup.cut_connections()
    await until(lambda: len(gaps) == 1)
    assert await waiter.wait(1), "hints were missed, so every waiter must look"
    assert broker.counters.reconnects == 1
    broker.publish(channel, b"again")
    await until(lambda: got == [b"again"])
    assert broker.healthy


async def test_a_restarted_server_is_found_again_without_a_busy_loop(setup: Setup, broker: Broker) -> None:
    channel = project_key(new_id(), "restart")
    got: list[bytes] = []
    gaps: list[float] = []
    await broker.subscribe(channel, got.append, on_gap=lambda: gaps.append(time.monotonic()))
    setup.server.stop()
    await until(lambda: not broker.healthy)
    cpu = _cpu_seconds()
    for number in range(10):
        broker.publish(channel, str(number).encode())
        broker.wake("restart")
    await asyncio.sleep(2)
    assert _cpu_seconds() - cpu < 0.5, "waiting for a server must not burn the processor"
    assert not broker.healthy
    setup.server.start()
    await until(lambda: broker.healthy)
    await until(lambda: len(got) == 10)
    assert got == [str(number).encode() for number in range(10)]
    assert gaps


async def test_messages_beyond_the_bound_are_dropped_oldest_first_and_all_are_told(setup: Setup) -> None:
    channel = project_key(new_id(), "flood")
    got: list[bytes] = []
    broker = setup.broker()
    async with peer_of(setup) as peer:
        peer.tell(f"subscribe {channel}")
        assert await peer.says() == f"subscribed {channel}"
        await broker.subscribe(channel, got.append)
        size = 5_000
        count = OUTBOX_BYTES // size + 100
        for number in range(count):
            broker.publish(channel, str(number).encode().ljust(size))
        assert 0 < broker.counters.dropped < count
        dropped = broker.counters.dropped
        await broker.start()
        await until(lambda: len(got) == count - dropped, within=30)
        assert [int(message) for message in got] == list(range(dropped, count))
        heard = [await peer.says() for _ in range(count - dropped + 1)]
        assert f"gap {channel}" in heard, "a process whose own connection never broke must hear of the loss"
    await broker.close()


async def test_a_server_that_stops_for_two_seconds_loses_nothing(setup: Setup, broker: Broker) -> None:
    channel = project_key(new_id(), "pause")
    got: list[bytes] = []
    await broker.subscribe(channel, got.append)
    setup.server.pause()
    for number in range(100):
        broker.publish(channel, str(number).encode())
        await asyncio.sleep(0.02)
    setup.server.resume()
    await until(lambda: len(got) == 100)
    assert got == [str(number).encode() for number in range(100)]
    assert broker.counters.reconnects == 0


async def test_a_server_that_hangs_counts_as_lost_and_is_found_again(setup: Setup, broker: Broker) -> None:
    gaps: list[float] = []
    await broker.subscribe("hang", lambda _: None, on_gap=lambda: gaps.append(time.monotonic()))
    setup.server.pause()
    try:
        await until(lambda: broker.counters.reconnects > 0, within=45)
        assert not broker.healthy
    finally:
        setup.server.resume()
    await until(lambda: broker.healthy and len(gaps) > 0)


@pytest.mark.parametrize("setup", ["redis"], indirect=True)
async def test_a_connection_that_went_deaf_is_replaced_though_sending_works(setup: Setup) -> None:
    async with deaf_proxy(setup.server.port) as (port, deafen):
        broker = connect(f"redis://127.0.0.1:{port}", setup.dsn)
        await broker.start()
        gaps: list[float] = []
        await broker.subscribe("deaf", lambda _: None, on_gap=lambda: gaps.append(time.monotonic()))
        deafen()
        await until(lambda: len(gaps) == 1)
        assert broker.counters.reconnects == 1
        await broker.close()


async def test_without_a_server_start_returns_and_the_link_comes_later(setup: Setup) -> None:
    setup.server.stop()
    broker = setup.broker()
    waiter = await broker.waiter("late")
    async with asyncio.timeout(5):
        await broker.start(patience=0.3)
    assert not broker.healthy
    broker.wake("late")
    assert await waiter.wait(0), "wakes inside the process need no server"
    setup.server.start()
    await until(lambda: broker.healthy)
    assert await waiter.wait(1)
    await broker.close()


async def test_closing_sends_what_is_queued_and_leaves_nothing_behind(setup: Setup, broker: Broker) -> None:
    channel = project_key(new_id(), "parting")
    got: list[bytes] = []
    await broker.subscribe(channel, got.append)
    tasks, connections = asyncio.all_tasks(), await setup.connections()
    leaving = setup.broker()
    await leaving.start()
    assert await setup.connections() > connections
    for number in range(500):
        leaving.publish(channel, str(number).encode())
    leaving.wake("parting")
    await leaving.close()
    await until(lambda: len(got) == 500)
    assert asyncio.all_tasks() <= tasks
    async with asyncio.timeout(5):
        while await setup.connections() > connections:
            await asyncio.sleep(0.02)


async def test_closing_without_a_server_ends_at_once(setup: Setup) -> None:
    setup.server.stop()
    broker = setup.broker()
    await broker.start(patience=0.1)
    broker.publish("nowhere", b"")
    async with asyncio.timeout(5):
        await broker.close()
    setup.server.start()


async def test_only_one_process_has_an_exclusive_role_without_redis(setup: Setup, broker: Broker) -> None:
    async with peer_of(setup) as peer:
        peer.tell("claim sockets")
        assert await peer.says() == "claimed True"
        assert await broker.claim_exclusive("sockets", lambda: None) is (setup.kind == "redis")
        assert await broker.claim_exclusive("another", lambda: None)
    await _granted(broker, "sockets")


async def test_anybody_can_ask_how_many_have_a_role(setup: Setup, broker: Broker) -> None:
    assert await broker.holders("counted") == 0
    async with peer_of(setup) as peer:
        peer.tell("claim counted")
        assert await peer.says() == "claimed True"
        assert await broker.holders("counted") == 1
        both = await broker.claim_exclusive("counted", lambda: None)
        assert await broker.holders("counted") == (2 if both else 1)
    async with asyncio.timeout(10):
        while await broker.holders("counted") != both:
            await asyncio.sleep(0.05)
    await setup.cut_connections()
    await until(lambda: broker.counters.reconnects == 1 and broker.healthy)
    async with asyncio.timeout(10):
        while await broker.holders("counted") != both:
            await asyncio.sleep(0.05)
    with pytest.raises(ConnectionError):
        await setup.broker().holders("counted")


async def test_a_role_is_kept_over_a_cut_connection(setup: Setup, broker: Broker) -> None:
    lost: list[str] = []
    assert await broker.claim_exclusive("kept", lambda: lost.append("kept"))
    await setup.cut_connections()
    await until(lambda: broker.counters.reconnects == 1 and broker.healthy)
    await asyncio.sleep(0.2)
    assert lost == []
    async with peer_of(setup) as peer:
        peer.tell("claim kept")
        assert await peer.says() == f"claimed {setup.kind == 'redis'}"


@pytest.mark.parametrize("setup", ["postgres"], indirect=True)
async def test_who_loses_a_role_to_a_faster_process_is_told(setup: Setup, broker: Broker) -> None:
    lost: list[str] = []
    assert await broker.claim_exclusive("contested", lambda: lost.append("contested"))
    rival = await asyncpg.connect(setup.dsn)
    waiting = asyncio.create_task(_take_lock_of(rival, "contested"))
    await asyncio.sleep(0.2)
    await setup.cut_connections()
    await waiting
    await until(lambda: lost == ["contested"])
    assert broker.healthy
    await rival.close()


async def test_a_role_cannot_be_claimed_without_a_link(setup: Setup) -> None:
    with pytest.raises(ConnectionError):
        await setup.broker().claim_exclusive("early", lambda: None)


@pytest.mark.parametrize("setup", ["redis"], indirect=True)
async def test_flushed_redis_changes_nothing(setup: Setup, broker: Broker) -> None:
    assert setup.redis_url
    got: list[bytes] = []
    await broker.subscribe("flushed", got.append)
    async with Redis.from_url(setup.redis_url) as redis:
        await redis.flushall()
        assert await redis.dbsize() == 0
        broker.publish("flushed", b"1")
        await until(lambda: got == [b"1"])
        assert await redis.dbsize() == 0, "nothing is kept in Redis"


async def test_a_strangers_notification_does_no_harm(setup: Setup, broker: Broker) -> None:
    got: list[bytes] = []
    await broker.subscribe("stranger", got.append)
    if setup.redis_url:
        async with Redis.from_url(setup.redis_url) as redis:
            await redis.publish(project_key(new_id(), "other"), b"\xff")
    else:
        connection = await asyncpg.connect(setup.dsn)
        for payload in ("", "no frames", "1\nother b25l", "1\n\n \n"):
            await connection.execute("select pg_notify('tocsin', $1)", payload)
        await connection.close()
    broker.publish("stranger", b"after")
    await until(lambda: got == [b"after"])
    assert broker.counters.reconnects == 0


def test_a_key_begins_with_its_project_in_braces() -> None:
    project = new_id()
    assert project_key(project, "channel", "presence-room") == f"project:{{{project}}}:channel:presence-room"


async def _granted(broker: Broker, name: str) -> None:
    async with asyncio.timeout(5):
        while not await broker.claim_exclusive(name, lambda: None):
            await asyncio.sleep(0.05)


async def _take_lock_of(connection: asyncpg.Connection, role: str) -> None:
    await connection.execute("select pg_advisory_lock($1)", _lock_key(role))


def _cpu_seconds() -> float:
    times = psutil.Process().cpu_times()
    return times.user + times.system
