"""The broker: a supervised link, the waiters and subscribers of this process, and what is on its way out."""

import asyncio
import math
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from tocsin.kit import crash
from tocsin.kit.broker.keys import project_key
from tocsin.kit.broker.leading_edge import LeadingEdge
from tocsin.kit.broker.link import Frame, Link
from tocsin.kit.broker.outbox import Outbox
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.loops import ended

_log = structlog.get_logger()

WAKE_INTERVAL = 0.003
"""Seconds between two hints of one topic and process: NOTIFY takes a lock of the whole server at commit."""

HEARTBEAT_INTERVAL = 2.0
SILENCE_LIMIT = 5.0
"""Seconds without a finished round trip after which a link counts as lost, though its sockets look alive."""

STEP_LIMIT = 5.0
FLUSH_LIMIT = 1.0
FIRST_BACKOFF, LAST_BACKOFF = 0.1, 5.0
RECLAIM_LIMIT, RECLAIM_INTERVAL = 3.0, 0.1
BATCH = 1_000
OUTBOX_BYTES = 8 * 1024 * 1024
MAX_CHANNEL_CHARS = 200

_GAP = project_key(PLATFORM_ID, "gap")

Handler = Callable[[bytes], None]
Callback = Callable[[], None]


@dataclass(slots=True)
class Counters:
    """Since the start of the process; frames include hints and heartbeats."""

    sent: int = 0
    received: int = 0
    dropped: int = 0
    reconnects: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    channel: str
    handler: Handler
    on_gap: Callback | None


class Waiter:
    """One consumer's ear for one topic. A wake that comes while the consumer is busy is remembered.

    A new waiter is awake, since work may lie there already.
    """

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._woken.set()

    def wake(self) -> None:
        self._woken.set()

    async def wait(self, timeout: float) -> bool:
        """Sleep until woken (True) or until ``timeout`` seconds have passed (False)."""
        try:
            async with asyncio.timeout(timeout):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True


class Broker:
    """Used from one event loop. Nothing here raises because the other side is down.

    Messages arrive at most once and in the order in which one process published them. Whoever may have missed
    some is told by ``on_gap``; after a gap every waiter is woken too.
    """

    def __init__(self, link: Link) -> None:
        self.counters = Counters()
        self._link = link
        self._origin = os.urandom(8).hex()
        self._echo_channel = project_key(PLATFORM_ID, "echo", self._origin)
        self._waiters: dict[str, list[Waiter]] = {}
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._claims: dict[str, Callback] = {}
        self._outbox = Outbox(OUTBOX_BYTES)
        self._hint_others = LeadingEdge(self._send_hint, WAKE_INTERVAL)
        self._supervisor: asyncio.Task[None] | None = None
        self._linked = asyncio.Event()
        self._listening = asyncio.Lock()
        self._heard_at = -math.inf
        self._owes_gap = False

    @property
    def healthy(self) -> bool:
        return self._linked.is_set() and self.silent_for < SILENCE_LIMIT

    @property
    def silent_for(self) -> float:
        """Seconds since the last finished round trip; infinite before the first."""
        return time.monotonic() - self._heard_at

    @property
    def max_message_bytes(self) -> int:
        """Over PostgreSQL only ids fit; over Redis whole payloads do."""
        return self._link.max_message_bytes

    async def start(self, patience: float = 2.0) -> None:
        """Begin to link, for ever, in the background; wait up to ``patience`` seconds for the first time."""
        self._supervisor = asyncio.create_task(self._stay_linked(), name="broker")
        try:
            async with asyncio.timeout(patience):
                await self._linked.wait()
        except TimeoutError:
            _log.warning("broker.not_linked_at_start", link=type(self._link).__name__)

    async def close(self) -> None:
        """Send what is queued if that takes under a second, then drop the link and everything that waits."""
        if self._supervisor is None:
            return
        if self.healthy:
            try:
                async with asyncio.timeout(FLUSH_LIMIT):
                    await self._outbox.emptied()
            except TimeoutError:
                _log.warning("broker.closed_unsent")
        self._hint_others.stop()
        await ended(self._supervisor)
        self._supervisor = None

    async def waiter(self, topic: str) -> Waiter:
        """A consumer's ear for ``topic``, kept as long as the broker."""
        waiter = Waiter()
        self._waiters.setdefault(topic, []).append(waiter)
        await self.subscribe(_wake_channel(topic), partial(self._hinted, waiter), on_gap=waiter.wake)
        return waiter

    def wake(self, topic: str) -> None:
        """Say that there is work of this kind: here at once, elsewhere at once and then each 3 ms at most.

        Losing one is harmless, since every consumer also polls.
        """
        for waiter in self._waiters.get(topic, ()):
            waiter.wake()
        self._hint_others(topic)

    def publish(self, channel: str, message: bytes) -> None:
        """Queue ``message`` for every subscriber of ``channel`` in every process, this one included.

        Raises ValueError for a message over ``max_message_bytes`` or a channel name that cannot be written.
        """
        _check_channel(channel)
        if len(message) > self.max_message_bytes:
            raise ValueError(f"a message has {self.max_message_bytes} bytes at most, not {len(message)}")
        self._count_dropped(self._outbox.put(Frame(channel, message)))

    async def subscribe(self, channel: str, handler: Handler, on_gap: Callback | None = None) -> Subscription:
        """Call ``handler`` with every message published to ``channel`` after this returns.

        Without a link it returns at once and takes effect when there is one. ``on_gap`` is called each time
        messages may have been missed, also when the link comes up first. Both run in the event loop and must
        not block; what they raise is logged.
        """
        _check_channel(channel)
        subscription = Subscription(channel, handler, on_gap)
        async with self._listening:
            peers = self._subscriptions.setdefault(channel, [])
            peers.append(subscription)
            if len(peers) == 1 and self._linked.is_set():
                await self._listen_or_drop_link(channel)
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        async with self._listening:
            peers = self._subscriptions[subscription.channel]
            peers.remove(subscription)
            if peers:
                return
            del self._subscriptions[subscription.channel]
            if self._linked.is_set():
                await self._unlisten_or_drop_link(subscription.channel)

    async def claim_exclusive(self, name: str, on_lost: Callback) -> bool:
        """Take a role that one process of the installation may have; False if another has it.

        Over Redis several processes may serve, so there it is always granted. The role is taken again after a
        lost connection; ``on_lost`` is called if another process was faster. Raises ConnectionError without
        a link.
        """
        if not self._linked.is_set():
            raise ConnectionError("the broker has no link to claim a role through")
        try:
            async with asyncio.timeout(STEP_LIMIT):
                granted = await self._link.claim(name)
        except self._link.errors as error:
            raise ConnectionError(f"the link broke while claiming {name}") from error
        if granted:
            self._claims[name] = on_lost
        return granted

    async def holders(self, name: str) -> int:
        """How many processes have a role now, this one included. Raises ConnectionError when that cannot be known."""
        if not self._linked.is_set():
            raise ConnectionError("the broker has no link to ask through")
        try:
            async with asyncio.timeout(STEP_LIMIT):
                return await self._link.holders(name)
        except self._link.errors as error:
            raise ConnectionError(f"the link broke while asking for {name}") from error

    async def _stay_linked(self) -> None:
        backoff = FIRST_BACKOFF
        while True:
            try:
                await self._one_link()
            except Exception as error:  # noqa: BLE001  the loop outlives whatever ends one link
                self._log_lost(error)
            if self.silent_for < SILENCE_LIMIT:
                backoff = FIRST_BACKOFF
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))
            backoff = min(2 * backoff, LAST_BACKOFF)

    async def _one_link(self) -> None:
        """Open the link, use it until it breaks, close it. Always ends by raising."""
        try:
            async with asyncio.timeout(STEP_LIMIT):
                await self._link.open(self._receive)
            # In a task of its own: until Python 3.11.3 a group that failed left its task as if it were being cancelled,
            # and the first timeout after that, the one of closing, then ended the supervisor instead of raising.
            await asyncio.create_task(self._use_link(), name="broker link")
        finally:
            self._linked.clear()
            self._count_dropped(self._outbox.lost())
            await self._link.close()

    async def _use_link(self) -> None:
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._link.run())
            async with asyncio.timeout(STEP_LIMIT):
                await self._come_up()
            loops.create_task(self._send_forever())
            loops.create_task(self._prove_round_trips())
            loops.create_task(self._take_roles_again())

    async def _come_up(self) -> None:
        async with self._listening:
            await self._link.listen({_GAP, self._echo_channel, *self._subscriptions})
            self._heard_at = time.monotonic()
            self._linked.set()
        self._tell_of_gap()

    async def _send_forever(self) -> None:
        while True:
            frames = await self._outbox.take(BATCH)
            if self._owes_gap:
                frames.append(Frame(_GAP, b""))
            crash.here("broker.before_send")
            async with asyncio.timeout(STEP_LIMIT):
                await self._link.send(frames)
            crash.here("broker.after_send")
            self._owes_gap = False
            self._outbox.sent()
            self.counters.sent += len(frames)
            await asyncio.sleep(self._link.pace)

    async def _prove_round_trips(self) -> None:
        """A message to ourselves travels the whole way, so its echo proves sending and receiving."""
        while self.silent_for < SILENCE_LIMIT:
            self._outbox.put_hint(Frame(self._echo_channel, b""))
            await asyncio.sleep(HEARTBEAT_INTERVAL)
        raise ConnectionError("no echo over the link")

    async def _take_roles_again(self) -> None:
        """Patient for a moment, since the server may not yet have noticed the end of our last connection."""
        give_up_at = time.monotonic() + RECLAIM_LIMIT
        for name in list(self._claims):
            if not await self._taken_before(give_up_at, name):
                _guarded(self._claims.pop(name))

    async def _taken_before(self, give_up_at: float, name: str) -> bool:
        while time.monotonic() < give_up_at:
            if await self._link.claim(name):
                return True
            await asyncio.sleep(RECLAIM_INTERVAL)
        return False

    def _receive(self, channel: str, message: bytes) -> None:
        self.counters.received += 1
        if channel == self._echo_channel:
            self._heard_at = time.monotonic()
        elif channel == _GAP:
            self._tell_of_gap()
        for subscription in tuple(self._subscriptions.get(channel, ())):
            _guarded(partial(subscription.handler, message))

    def _tell_of_gap(self) -> None:
        subscriptions = [each for peers in self._subscriptions.values() for each in peers]
        for subscription in subscriptions:
            if subscription.on_gap is not None:
                _guarded(subscription.on_gap)

    def _send_hint(self, topic: str) -> None:
        self._outbox.put_hint(Frame(_wake_channel(topic), self._origin.encode()))

    def _hinted(self, waiter: Waiter, origin: bytes) -> None:
        if origin != self._origin.encode():  # our own waiters were woken without the detour
            waiter.wake()

    def _count_dropped(self, count: int) -> None:
        """Subscribers elsewhere cannot know what never reached them: the next send tells them of a gap."""
        if count:
            self.counters.dropped += count
            self._owes_gap = True

    async def _listen_or_drop_link(self, channel: str) -> None:
        try:
            async with asyncio.timeout(STEP_LIMIT):
                await self._link.listen([channel])
        except self._link.errors:
            self._heard_at = -math.inf  # the next heartbeat ends this link, and the next link listens to all

    async def _unlisten_or_drop_link(self, channel: str) -> None:
        try:
            async with asyncio.timeout(STEP_LIMIT):
                await self._link.unlisten(channel)
        except self._link.errors:
            self._heard_at = -math.inf

    def _log_lost(self, error: Exception) -> None:
        self.counters.reconnects += 1
        causes = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
        if all(isinstance(cause, self._link.errors) for cause in causes):
            _log.warning("broker.link_lost", causes=[repr(cause) for cause in causes])
        else:
            _log.error("broker.link_failed", exc_info=error)


def _wake_channel(topic: str) -> str:
    return project_key(PLATFORM_ID, "wake", topic)


def _check_channel(channel: str) -> None:
    if not channel or len(channel) > MAX_CHANNEL_CHARS or not channel.isascii() or not channel.isprintable():
        raise ValueError(f"a channel is named by 1 to {MAX_CHANNEL_CHARS} printable ASCII characters: {channel!r}")
    if " " in channel:
        raise ValueError(f"a channel name has no spaces: {channel!r}")


def _guarded(callback: Callback) -> None:
    try:
        callback()
    except Exception:  # noqa: BLE001  one subscriber's mistake must not end the link of all
        _log.exception("broker.handler_failed")
