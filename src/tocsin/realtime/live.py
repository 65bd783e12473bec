"""From a signal of the worker to the sockets of this process (W2).

A project's signals are heard while one of its sockets is here. They are worked on in order, several waiting
ones in one read; the sockets of other projects do not wait for that. After a gap between processes everybody
connected is sent what came into their feed beyond what they were sent last, and what was acknowledged meanwhile.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, cast
from uuid import UUID

import asyncpg
import structlog

from tocsin.kit.away import is_away
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database, Env
from tocsin.kit.loops import again_and_again, ended
from tocsin.realtime import announcement, protocol, reading
from tocsin.realtime.hub import Hub
from tocsin.realtime.relay import Relay
from tocsin.realtime.room import Room, user_channel
from tocsin.realtime.server import App
from tocsin.realtime.signal import Kind, Signal, channel_of, read_signal
from tocsin.sounds.links import SoundLinks

SWEEP_SECONDS = 10.0
RETRY_SECONDS = 0.25
PEOPLE_A_READ = 500
MARGIN_SECONDS = 20.0
"""Before a gap was found, it may have been there for so long, here or at whoever publishes."""
FRAMES_A_TURN = 200
"""Frames written before everybody else in this process has a turn."""

log = structlog.get_logger(__name__)


class Live:
    """The rooms of one process, one per app with a socket. Takes over the hub's word of who joins and leaves."""

    def __init__(self, db: Database, broker: Broker, hub: Hub, relay: Relay, sounds: SoundLinks) -> None:
        self._db = db
        self._broker = broker
        self._hub = hub
        self._relay = relay
        self._sounds = sounds
        self._rooms: dict[str, Room] = {}
        self._whole_at = time.monotonic()
        hub.on_occupied = self._occupied
        hub.on_vacated = self._vacated

    async def attend(self, app: App) -> None:
        """Listen to an app's project; returns once everything signalled from now on will be heard."""
        room = self._rooms.get(app.app_id)
        if room is None:
            room = self._rooms[app.app_id] = Room(app)
            room.opening = asyncio.create_task(self._open(room), name=f"open room {app.app_id}")
        assert room.opening is not None
        await asyncio.shield(room.opening)

    async def sweep_forever(self) -> None:
        """Leave the projects whose last socket went, a while after it did, since most come back."""
        await again_and_again(SWEEP_SECONDS, self.sweep)

    async def sweep(self) -> None:
        """Close the rooms that were empty at the last sweep and still are. Note that the broker has told everything."""
        if self._broker.healthy:
            self._whole_at = time.monotonic()
        for app_id, room in list(self._rooms.items()):
            empty = self._hub.is_empty(app_id)
            if empty and room.was_empty:
                await self._close(self._rooms.pop(app_id))
            room.was_empty = empty

    async def close(self) -> None:
        while self._rooms:
            await self._close(self._rooms.popitem()[1])

    def revoked(self, project_id: UUID, kind: str, ref: str) -> None:
        """End the sockets that stand on what was taken back.

        Who only may less than before, and whose project changed, comes back at once and is looked at anew. So does
        an admin whose visit is over, since a new visit ends the one before.
        """
        if kind == "public_key":
            self._hub.close_key(ref)
        elif kind in ("session", "revoked_key"):
            self._hub.take_back(ref, protocol.UNAUTHORIZED)
        elif kind in ("access", "visit"):
            self._hub.take_back(ref, protocol.SIGN_AGAIN)
        elif kind == "user":
            self._hub.take_back(ref, protocol.UNAUTHORIZED)
            for app_id in self._apps_of(project_id):
                # What the project's own backend signed for the person stands on no session of ours.
                self._hub.close_channel(app_id, f"{protocol.USER_PREFIX}{ref}")
                self._hub.terminate_user(app_id, ref)
        elif kind in ("project", "everything"):
            for app_id in self._apps_of(project_id) if kind == "project" else list(self._rooms):
                self._hub.close_app(app_id, protocol.ASK_AGAIN)

    def _apps_of(self, project_id: UUID) -> list[str]:
        return [app_id for app_id, room in self._rooms.items() if room.app.project_id == project_id]

    async def _open(self, room: Room) -> None:
        app = room.app
        signals = channel_of(app.project_id, app.env)
        heard, missed = partial(self._heard, room), partial(self._missed, room)
        room.subscriptions.append(await self._broker.subscribe(signals, heard, missed))
        told = self._relay.channel_of(app.project_id, app.env)
        room.subscriptions.append(await self._broker.subscribe(told, partial(self._relay.heard, app.app_id)))

    async def _close(self, room: Room) -> None:
        await ended(*filter(None, (room.opening, room.worker)))
        for subscription in room.subscriptions:
            await self._broker.unsubscribe(subscription)

    def _occupied(self, app_id: str, channel: str) -> None:
        if room := self._rooms.get(app_id):
            room.occupied(channel)
            self._work_on(room)

    def _vacated(self, app_id: str, channel: str) -> None:
        if room := self._rooms.get(app_id):
            room.vacated(channel)

    def _heard(self, room: Room, message: bytes) -> None:
        if room.people or self._panel_listens(room):
            room.add(read_signal(message))
            self._work_on(room)

    def _missed(self, room: Room) -> None:
        room.miss(self._whole_at)
        self._work_on(room)

    def _work_on(self, room: Room) -> None:
        if room.worker is None and room.waits:
            room.worker = asyncio.create_task(self._work(room), name=f"room {room.app.app_id}")

    async def _work(self, room: Room) -> None:
        """Read and tell until nothing waits. While the database is away, try again and catch up afterwards."""
        while room.waits:
            try:
                await self._catch_up(room)
                await self._tell(room)
                await self._learn(room)
            except Exception as error:  # one bad turn must not silence the room for good
                if is_away(error):
                    room.miss(time.monotonic())
                else:
                    log.error("live signals were not told", project=str(room.app.project_id), exc_info=error)
                    room.drop()
                await asyncio.sleep(RETRY_SECONDS)
        room.caught_up.clear()
        room.worker = None

    async def _catch_up(self, room: Room) -> None:
        """Send everybody what is newer than the last they were sent, then what has been acknowledged meanwhile."""
        since, room.missed_since = room.missed_since, None
        if since is None:
            return
        try:
            acknowledged = await self._catch_up_feeds(room)
            if room.people:
                async with self._db.unit(room.app.project_id, _env(room)) as connection:
                    seconds = time.monotonic() - since + MARGIN_SECONDS
                    acknowledged.update(
                        await reading.acknowledged_within(connection, room.app.project_id, room.app.env, seconds)
                    )
        except Exception:
            room.miss(since)
            raise
        room.tell_acknowledged(sorted(acknowledged))

    async def _catch_up_feeds(self, room: Room) -> set[UUID]:
        """Send everybody what is newer; what of that is acknowledged already."""
        known, acknowledged = room.known(), set[UUID]()
        for start in range(0, len(known), PEOPLE_A_READ):
            async with self._db.unit(room.app.project_id, _env(room)) as connection:
                rows = await reading.newer(
                    connection, room.app.project_id, room.app.env, known[start : start + PEOPLE_A_READ]
                )
            for row in rows:
                person = row["user_id"]
                data = self._created(room, row).to(person, silent=row["silent"])
                self._send(room, "created", person, data, row["feed_seq"])
                room.caught_up.add((person, row["feed_seq"]))
                if row["acked_at"] is not None:
                    acknowledged.add(row["id"])
        return acknowledged

    async def _tell(self, room: Room) -> None:
        """Read what the waiting signals are about, and send it."""
        signals = room.next_signals()
        if not signals:
            return
        async with self._db.unit(room.app.project_id, _env(room)) as connection:
            await self._tell_owners(room, connection, _ids(signals, "connection"))
            rows = await reading.notifications(
                connection,
                room.app.project_id,
                _ids([signal for signal in signals if signal.kind != "connection"]),
                people=list(room.people),
                counted=self._panel_listens(room),
                acknowledged=_ids(signals, "acknowledged"),
            )
            # Sent before the read-only transaction ends, which would cost two more round trips.
            room.done(signals)
            found = {row["id"]: row for row in rows}
            for signal in signals:
                for row in [found[id_] for id_ in signal.ids if id_ in found]:
                    await self._tell_of(room, signal.kind, row)

    async def _tell_owners(self, room: Room, connection: asyncpg.Connection, ids: Sequence[UUID]) -> None:
        """Of connections whose status has changed: a person of their own, the panel of the project's."""
        for row in await reading.connections(connection, room.app.project_id, ids) if ids else ():
            channel = user_channel(row["user_id"]) if row["user_id"] else room.panel_channel
            data = announcement.connection_status(row)
            self._hub.broadcast(room.app.app_id, channel, "connection.status_changed", data)

    async def _tell_of(self, room: Room, kind: Kind, row: Any) -> None:
        """What is acknowledged comes again no more, though the worker's signal did after that of whoever
        acknowledged; and it comes without a sound, and is then told of as acknowledged, when they overtook its first.
        """
        if kind != "acknowledged" and row["acked_at"] is not None:
            if kind == "repeated":
                return
            room.tell_acknowledged([row["id"]])
        if kind == "created" and row["recipients"] is not None:
            self._broadcast(room, room.panel_channel, kind, announcement.summary(row))
        data = announcement.acknowledged(row) if kind == "acknowledged" else None
        told = self._created(room, row)
        people = zip(row["people"] or (), row["seqs"] or (), row["silent"] or (), strict=True)
        for number, (person, seq, silent) in enumerate(people, start=1):
            if kind == "created" and (person, seq) in room.caught_up:
                continue
            self._send(room, kind, person, data or told.to(person, silent=silent), seq)
            if number % FRAMES_A_TURN == 0:
                await asyncio.sleep(0)

    def _created(self, room: Room, row: Any) -> announcement.Created:
        return announcement.Created(row, self._sounds.make(room.app.project_id, _env(room), row["sound_digest"]))

    async def _learn(self, room: Room) -> None:
        """Note how far the feeds of those who arrived have counted; what is there already, they ask for."""
        arrived = list(room.arrived)[:PEOPLE_A_READ]
        if not arrived:
            return
        async with self._db.unit(room.app.project_id, _env(room)) as connection:
            ends = await reading.feed_ends(connection, room.app.project_id, room.app.env, arrived)
        room.learn(arrived, ends)

    def _send(self, room: Room, kind: Kind, person: UUID, data: str, seq: int) -> None:
        if person not in room.people:
            return
        if kind == "repeated" and room.is_news(person, seq):
            kind = "created"
        self._broadcast(room, user_channel(person), kind, announcement.with_seq(data, seq))
        if kind == "created":
            room.sent(person, seq)

    def _broadcast(self, room: Room, channel: str, kind: Kind, data: str) -> None:
        self._hub.broadcast(room.app.app_id, channel, f"notification.{kind}", data)

    def _panel_listens(self, room: Room) -> bool:
        return self._hub.occupancy(room.app.app_id, room.panel_channel) is not None


def _ids(signals: Iterable[Signal], kind: Kind | None = None) -> Sequence[UUID]:
    """Every id once, in order; of one kind, or of all."""
    return list(dict.fromkeys(id_ for signal in signals if kind in (None, signal.kind) for id_ in signal.ids))


def _env(room: Room) -> Env:
    return cast(Env, room.app.env)
