"""Every socket, channel and person of this process, and what reaches whom. In memory, in one thread."""

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tocsin.kit.loops import again_and_again
from tocsin.realtime import protocol
from tocsin.realtime.activity import ActivityWheel
from tocsin.realtime.channel import Channel
from tocsin.realtime.client import Client, Link
from tocsin.realtime.frame import text_frame
from tocsin.realtime.grants import Grant, Grants
from tocsin.realtime.protocol import Member, Refusal


@dataclass(frozen=True, slots=True)
class Limits:
    """What one socket, channel or second may hold. Times are seconds."""

    activity_timeout: int = 120
    """Silence after which a client is asked whether it lives; told to clients. Pusher's default."""
    pong_timeout: int = 30
    client_events_per_second: int = 10
    channels_per_socket: int = 100
    presence_members: int = 100
    """Pusher's own limit: each arrival is told the whole list."""


@dataclass(frozen=True, slots=True)
class Stats:
    sockets: int
    channels: int
    subscriptions: int


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How many sockets a channel has, and how many people when it is a presence channel."""

    subscriptions: int
    users: int | None


class _App:
    __slots__ = ("channels", "clients", "users")

    def __init__(self) -> None:
        self.clients: dict[str, Client] = {}
        self.channels: dict[str, Channel] = {}
        self.users: dict[str, set[Client]] = {}


class Hub:
    """Apps by id; an app exists here while it has a socket. ``clock`` counts seconds and never steps back."""

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits or Limits()
        self.clock = clock
        self.draining = False
        self.on_occupied: Callable[[str, str], None] | None = None
        """Called with app id and channel when the first socket joins a channel, within that socket's turn."""
        self.on_vacated: Callable[[str, str], None] | None = None
        """Called with app id and channel when the last one has left."""
        self._apps: dict[str, _App] = {}
        self._held: dict[str, set[Client]] = {}
        self._grants = Grants()
        self._wheel = ActivityWheel()

    def connect(self, app_id: str, key: str, link: Link, max_connections: int | None) -> Client | Refusal:
        """Take in a new socket and greet it, or say why not."""
        if self.draining:
            return protocol.OVER_CAPACITY
        if max_connections is not None and self.stats(app_id).sockets >= max_connections:
            return protocol.OVER_QUOTA
        now = self.clock()
        client = Client(_new_socket_id(), app_id, key, link, now)
        self._apps.setdefault(app_id, _App()).clients[client.id] = client
        self._wheel.put(client, now + self.limits.activity_timeout)
        send(client, protocol.connection_established(client.id, self.limits.activity_timeout))
        return client

    def disconnect(self, client: Client) -> None:
        """Forget a socket, everywhere; those it was present with hear of it. Twice is once."""
        app = self._apps.get(client.app_id)
        if app is None or app.clients.pop(client.id, None) is None:
            return
        client.closing = True
        self._wheel.remove(client)
        self._sign_out(app, client)
        self._let_go(client)
        for name in list(client.channels):
            self._leave(app, client, name)
        if not app.clients:
            del self._apps[client.app_id]

    def close(self, client: Client, refusal: Refusal) -> None:
        """End a socket: forget it at once, then an error frame (protocol 5 reads that) and the code."""
        if client.closing:
            return
        self.disconnect(client)
        send(client, protocol.error(refusal.code, refusal.reason))
        client.link.close(refusal.code, refusal.reason)

    def subscribe(self, client: Client, name: str, member: Member | None = None) -> None:
        """Put an authorized client into a channel and acknowledge; ``member`` on presence channels.

        A second time is acknowledged again and changes nothing.
        """
        if client.closing:
            return
        app = self._apps[client.app_id]
        channel = app.channels.get(name)
        if channel is None:
            channel = app.channels[name] = Channel(name)
            if self.on_occupied:
                self.on_occupied(client.app_id, name)
        arrived = False
        if name not in client.channels:
            client.channels[channel.name] = member.user_id if member else None
            arrived = channel.join(client, member)
        send(client, protocol.subscription_succeeded(name, channel.members if member else None))
        if arrived and member:
            _fan_out(channel.clients, protocol.member_added(name, member), exclude=client)

    def stand_on(self, client: Client, grant: Grant) -> bool:
        """Note whose rights a socket uses from now on; False when they have them no longer, which ends it."""
        refusal = self._grants.refusal(grant)
        if refusal is not None:
            self.close(client, refusal)
        elif not client.closing and not client.holders.issuperset(grant.holders):
            self._grants.use(grant)
            client.holders = client.holders.union(grant.holders)
            for holder in grant.holders:
                self._held.setdefault(holder, set()).add(client)
        return not client.closing

    def take_back(self, holder: str, refusal: Refusal) -> int:
        """End every socket that stands on this key, user, session or visit, and what was signed for them; how many."""
        self._grants.take_back(holder, refusal)
        return self._close_all(self._held.get(holder, ()), refusal)

    def is_full(self, app_id: str, name: str, user_id: str) -> bool:
        """Whether a presence channel has no room for this person, who may be in it already."""
        channel = self._channel(app_id, name)
        if channel is None or user_id in channel.members:
            return False
        return len(channel.members) >= self.limits.presence_members

    def unsubscribe(self, client: Client, name: str) -> None:
        """Take a client out of a channel; nothing happens when it is not in it."""
        if name in client.channels:
            self._leave(self._apps[client.app_id], client, name)

    def sign_in(self, client: Client, user_id: str) -> None:
        """Bind a socket to a user of its app, instead of the one it was bound to."""
        if client.closing:
            return
        app = self._apps[client.app_id]
        self._sign_out(app, client)
        client.user_id = user_id
        app.users.setdefault(user_id, set()).add(client)

    def broadcast(self, app_id: str, channel: str, event: str, data: str, exclude_socket_id: str | None = None) -> int:
        """Publish to everybody on a channel of this process; how many sockets were sent to.

        ``data`` arrives as that string. ``#server-to-user-<id>`` reaches a signed-in user.
        """
        return self.send_frame(app_id, channel, protocol.event(event, channel, data), exclude_socket_id)

    def send_frame(self, app_id: str, name: str, payload: bytes, exclude_socket_id: str | None = None) -> int:
        """Send one ready protocol message to everybody on a channel; how many sockets were sent to."""
        if name.startswith(protocol.USER_CHANNEL):
            return _fan_out(self._signed_in(app_id, name.removeprefix(protocol.USER_CHANNEL)), payload)
        channel = self._channel(app_id, name)
        if channel is None:
            return 0
        exclude = self._apps[app_id].clients.get(exclude_socket_id) if exclude_socket_id else None
        return _fan_out(channel.clients, payload, exclude)

    def send_to_user(self, app_id: str, user_id: str, event: str, data: str) -> int:
        """Publish to every socket a user is signed in on; how many those were."""
        return self.broadcast(app_id, f"{protocol.USER_CHANNEL}{user_id}", event, data)

    def terminate_user(self, app_id: str, user_id: str) -> int:
        """End every socket a user is signed in on, for good; how many those were."""
        return self._close_all(self._signed_in(app_id, user_id), protocol.UNAUTHORIZED)

    def close_channel(self, app_id: str, name: str) -> int:
        """End every socket on a channel, because nobody may hear it any more; how many those were."""
        channel = self._channel(app_id, name)
        return self._close_all(channel.clients, protocol.UNAUTHORIZED) if channel else 0

    def close_app(self, app_id: str, refusal: Refusal) -> int:
        """End every socket of an app; how many those were."""
        app = self._apps.get(app_id)
        return self._close_all(app.clients.values(), refusal) if app else 0

    def close_key(self, key: str) -> int:
        """End every socket that a public key opened, because the key was revoked; how many those were."""
        opened = [client for client in self._clients() if client.key == key]
        return self._close_all(opened, protocol.UNAUTHORIZED)

    async def drain(self, seconds: float = 5.0) -> None:
        """Refuse new sockets and send the others away to back off, spread over about that time.

        4100 and not 42xx: with the latter every client would be back at once, here.
        """
        self.draining = True
        leaving = list(self._clients())
        step = 0.05
        batch = max(1, math.ceil(len(leaving) * step / seconds)) if seconds > 0 else len(leaving)
        for start in range(0, len(leaving), max(batch, 1)):
            self._close_all(leaving[start : start + batch], protocol.OVER_CAPACITY)
            await asyncio.sleep(min(step, seconds))

    async def watch_activity(self) -> None:
        """Look for silent clients and for visits that are over every second, until cancelled.

        One such task serves the whole hub.
        """
        await again_and_again(1, self._look_around)

    async def _look_around(self) -> None:
        self.end_visits()
        self.check_activity()

    def check_activity(self) -> None:
        """Ask clients that were silent for long whether they live; end those that did not answer (4201)."""
        now = self.clock()
        for client in list(self._wheel.due(now)):
            silent = now - client.seen
            if silent < self.limits.activity_timeout:
                client.pinged = False
                self._wheel.put(client, client.seen + self.limits.activity_timeout)
            elif not client.pinged:
                client.pinged = True
                send(client, protocol.PING)
                self._wheel.put(client, now + self.limits.pong_timeout)
            else:
                self.close(client, protocol.NO_PONG)

    def end_visits(self) -> None:
        """End the sockets that stand on a visit whose time has come."""
        for visit in self._grants.over():
            self.take_back(visit, protocol.SIGN_AGAIN)

    def is_empty(self, app_id: str) -> bool:
        """Whether an app has no socket here."""
        return app_id not in self._apps

    def stats(self, app_id: str) -> Stats:
        app = self._apps.get(app_id)
        if app is None:
            return Stats(0, 0, 0)
        subscriptions = sum(len(channel.clients) for channel in app.channels.values())
        return Stats(len(app.clients), len(app.channels), subscriptions)

    def channels(self, app_id: str, prefix: str = "") -> dict[str, Occupancy]:
        """The occupied channels whose names begin with a prefix."""
        app = self._apps.get(app_id)
        if app is None:
            return {}
        return {name: _occupancy(each) for name, each in app.channels.items() if name.startswith(prefix)}

    def occupancy(self, app_id: str, name: str) -> Occupancy | None:
        """Of one channel; None when nobody is on it."""
        channel = self._channel(app_id, name)
        return _occupancy(channel) if channel else None

    def members(self, app_id: str, name: str) -> list[str]:
        """User ids on a presence channel, first come first."""
        channel = self._channel(app_id, name)
        return list(channel.members) if channel else []

    def _leave(self, app: _App, client: Client, name: str) -> None:
        channel = app.channels[name]
        user_id = client.channels.pop(name)
        gone = channel.leave(client, user_id)
        if not channel.clients:
            del app.channels[name]
            if self.on_vacated:
                self.on_vacated(client.app_id, name)
        elif gone and user_id is not None:
            _fan_out(channel.clients, protocol.member_removed(name, user_id))

    def _sign_out(self, app: _App, client: Client) -> None:
        if client.user_id is None:
            return
        sockets = app.users[client.user_id]
        sockets.discard(client)
        if not sockets:
            del app.users[client.user_id]
        client.user_id = None

    def _let_go(self, client: Client) -> None:
        for holder in client.holders:
            sockets = self._held[holder]
            sockets.discard(client)
            if not sockets:
                del self._held[holder]
        client.holders = frozenset()

    def _close_all(self, clients: Iterable[Client], refusal: Refusal) -> int:
        leaving = [client for client in clients if not client.closing]
        for client in leaving:
            self.close(client, refusal)
        return len(leaving)

    def _channel(self, app_id: str, name: str) -> Channel | None:
        app = self._apps.get(app_id)
        return app.channels.get(name) if app else None

    def _signed_in(self, app_id: str, user_id: str) -> set[Client]:
        app = self._apps.get(app_id)
        return app.users.get(user_id, set()) if app else set()

    def _clients(self) -> Iterable[Client]:
        return (client for app in self._apps.values() for client in app.clients.values())


def send(client: Client, payload: bytes) -> None:
    """Send one ready protocol message to one client."""
    client.link.send(text_frame(payload))


def _fan_out(clients: Iterable[Client], payload: bytes, exclude: Client | None = None) -> int:
    """Encode once, write to each. A link never calls back into the hub from ``send``."""
    frame = text_frame(payload)
    sent = 0
    for client in clients:
        if client is not exclude:
            client.link.send(frame)
            sent += 1
    return sent


def _occupancy(channel: Channel) -> Occupancy:
    users = len(channel.members) if protocol.is_presence(channel.name) else None
    return Occupancy(len(channel.clients), users)


def _new_socket_id() -> str:
    return f"{secrets.randbelow(10**10)}.{secrets.randbelow(10**10)}"
