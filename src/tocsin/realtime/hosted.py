"""A stage of the worker: what else than notifications a Pusher app that is not ours is told (W3).

Rules that name ``pusher`` make deliveries, which carry ``notification.created`` and ``.repeated`` to each person. The
rest of what our own sockets say is told here, from the same signals: acknowledgements to whoever was sent the
notification there, statuses of connections to their owners, live activity to the project's channel.

One worker of the installation does that for all such projects: whoever holds a lock of the database, on a connection
that is opened only where there is such a project. Like a frame on a socket such an event is told once or, when a
process ends in between, not at all; what it is about is read with the API. A project whose app is slow, away or paused
waits alone: ``MOST_WAITING`` signals of it, and then the oldest go.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter

from tocsin.channels.contract import BadCredentials, SendFailure, Unavailable
from tocsin.channels.masking import without_secrets
from tocsin.channels.pusher import MAX_DATA_BYTES, MOST_CHANNELS, MOST_EVENTS, Event, Pusher, publish
from tocsin.channels.registry import sender
from tocsin.connections.announce import Changed
from tocsin.connections.levels import SENDS
from tocsin.connections.opened import Closed, Opened, OpenedConnections, opened
from tocsin.connections.standing import mark_error
from tocsin.kit.broker import Broker, Subscription
from tocsin.kit.db import Database, Env
from tocsin.kit.http import Door
from tocsin.kit.loops import ended
from tocsin.kit.vault import Vault
from tocsin.realtime import announcement, reading
from tocsin.realtime.room import panel_channel, user_channel
from tocsin.realtime.signal import Signal, channel_of, read_signal

EVERY_SECONDS = 5.0
MOST_WAITING = 1_000
IDS_AT_ONCE = 100
WAITS = (1.0, 5.0, 15.0)
"""Seconds before each further try; a provider that names a time is given up to the last of them."""
MOST_PAUSE = 5.0
"""Seconds until a connection that is paused is looked at again."""
MOST_ACKNOWLEDGED = 50

LIVE: Env = "live"

TOLD = Counter("tocsin_hosted_events_total", "Events to Pusher apps elsewhere by what became of them.", ["outcome"])

log = structlog.get_logger(__name__)


@dataclass
class _Project:
    """A project with an app elsewhere, and what it is still to be told."""

    id: UUID
    subscription: Subscription | None = None
    waiting: deque[Signal] = field(default_factory=lambda: deque(maxlen=MOST_WAITING))
    worker: asyncio.Task[None] | None = None


class _App(NamedTuple):
    """``pause`` is for how many seconds more it is to be told nothing."""

    connection_id: UUID
    opened: Opened
    pause: float


class HostedStage:
    """The projects that this process tells for, none unless it has the lock."""

    def __init__(self, db: Database, broker: Broker, door: Door, vault: Vault, changed: Changed) -> None:
        self._db = db
        self._broker = broker
        self._door = door
        self._vault = vault
        self._changed = changed
        self._kept = OpenedConnections()
        self._lock: asyncpg.Connection | None = None
        self._projects: dict[UUID, _Project] = {}

    async def run_once(self) -> bool:
        """Listen for those who have an app elsewhere now, and for nobody else; never more to do at once."""
        wanted = {row["project_id"] for row in await self._db.hot.fetch("SELECT * FROM tocsin.hosted_projects()")}
        if not wanted or not await self._leads():
            await self.leave()
            return False
        for project_id in self._projects.keys() - wanted:
            await self._forget(self._projects.pop(project_id))
        for project_id in wanted - self._projects.keys():
            project = self._projects[project_id] = _Project(project_id)
            heard = partial(self._heard, project)
            project.subscription = await self._broker.subscribe(channel_of(project_id, LIVE), heard)
        await self._kept.look_over()
        return False

    async def leave(self) -> None:
        """Tell nothing more, and let another worker."""
        while self._projects:
            await self._forget(self._projects.popitem()[1])
        if self._lock is not None:
            lock, self._lock = self._lock, None
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await lock.close(timeout=2)

    async def _leads(self) -> bool:
        """Whether this process has the lock. A connection that broke has lost it, and finds out here."""
        if self._lock is None:
            self._lock = await asyncpg.connect(self._db.url, timeout=5, command_timeout=5)
        try:
            return bool(await self._lock.fetchval(_LOCK))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await self.leave()
            return False

    async def _forget(self, project: _Project) -> None:
        if project.subscription is not None:
            await self._broker.unsubscribe(project.subscription)
        if project.worker is not None:
            await ended(project.worker)

    def _heard(self, project: _Project, message: bytes) -> None:
        signal = read_signal(message)
        if signal.kind == "repeated":
            return
        if len(project.waiting) == MOST_WAITING:
            TOLD.labels("dropped").inc()
        project.waiting.append(signal)
        if project.worker is None:
            project.worker = asyncio.create_task(self._work(project), name=f"hosted {project.id}")

    async def _work(self, project: _Project) -> None:
        try:
            while project.waiting:
                await self._tell(project)
        except Exception:  # one bad turn must not end the process's other work
            log.exception("not told to an app elsewhere", project=str(project.id))
        finally:
            project.worker = None

    async def _tell(self, project: _Project) -> None:
        """Read what the next signals are about, and send it with what the connection has at this moment."""
        async with self._db.unit(project.id, LIVE) as connection:
            app = await self._app(connection, project.id)
            signals = _next(project.waiting) if app is None or app.pause <= 0 else []
            events = [event async for event in _events(connection, project.id, signals)] if app and signals else []
        if app is None:
            TOLD.labels("dropped").inc(len(signals))
            return
        if app.pause > 0:
            await asyncio.sleep(min(app.pause, MOST_PAUSE))
        for group in _groups(events):
            if not await self._sent(project.id, app, group):
                return

    async def _app(self, connection: asyncpg.Connection, project_id: UUID) -> _App | None:
        row = await connection.fetchrow(_APP, project_id)
        if row is None:
            return None
        found = self._kept.find(project_id, row["id"], row["updated_at"])
        if found is None:
            try:
                found = await opened(connection, self._vault, project_id, row["id"], sender(Pusher.provider))
            except Closed as closed:
                await mark_error(connection, project_id, row["id"], closed.version, str(closed))
                return None
            if found is not None:
                self._kept.keep(project_id, row["id"], found)
        return _App(row["id"], found, row["pause"]) if found is not None else None

    async def _sent(self, project_id: UUID, app: _App, events: list[Event]) -> bool:
        """Whether the app may be told more. What it does not take in some tries is given up, and said in the log."""
        settings: Any = app.opened.settings
        credentials: Any = app.opened.credentials
        for wait in (*WAITS, None):
            try:
                await publish(events, settings, credentials, self._door)
            except SendFailure as failure:
                reason = without_secrets(failure.reason, credentials)
                if isinstance(failure, BadCredentials):
                    await self._stop(project_id, app, reason)
                    return False
                if isinstance(failure, Unavailable) and wait is not None:
                    await asyncio.sleep(min(failure.retry_after or wait, WAITS[-1]))
                    continue
                log.warning("not told to an app elsewhere", project=str(project_id), error=reason)
                TOLD.labels("failed").inc(len(events))
            else:
                TOLD.labels("sent").inc(len(events))
            return True
        return True

    async def _stop(self, project_id: UUID, app: _App, reason: str) -> None:
        async with self._db.unit(project_id, LIVE) as connection:
            await mark_error(connection, project_id, app.connection_id, app.opened.version, reason)
        self._changed(project_id, LIVE, app.connection_id)


def _next(waiting: deque[Signal]) -> list[Signal]:
    """The next signals, about as many things as are read at once."""
    taken: list[Signal] = []
    while waiting and (not taken or sum(len(each.ids) for each in [*taken, waiting[0]]) <= IDS_AT_ONCE):
        taken.append(waiting.popleft())
    return taken


async def _events(connection: asyncpg.Connection, project_id: UUID, signals: Sequence[Signal]) -> Any:
    """What our own sockets would be told, in the order of the signals."""
    owners = _ids(signals, "connection")
    statuses = {row["id"]: row for row in await reading.connections(connection, project_id, owners)} if owners else {}
    acknowledged, made = _ids(signals, "acknowledged"), _ids(signals, "created")
    rows = await reading.notifications(
        connection,
        project_id,
        list(dict.fromkeys([*made, *acknowledged])),
        people=[],
        counted=True,
        acknowledged=acknowledged,
    )
    found = {row["id"]: row for row in rows}
    told = {row["id"]: row["people"] for row in await connection.fetch(_TOLD_THERE, project_id, acknowledged)}
    for signal in signals:
        for id_ in signal.ids:
            if signal.kind == "connection" and id_ in statuses:
                yield _status(project_id, statuses[id_])
            elif signal.kind == "created" and id_ in found:
                summary = announcement.summary(found[id_])
                yield Event("notification.created", [panel_channel(project_id)], summary)
            elif signal.kind == "acknowledged" and id_ in found and id_ in told:
                for people in _parts(told[id_]):
                    yield Event("notification.acknowledged", people, _acknowledged(found[id_]))


def _ids(signals: Sequence[Signal], kind: str) -> list[UUID]:
    return list(dict.fromkeys(id_ for signal in signals if signal.kind == kind for id_ in signal.ids))


def _status(project_id: UUID, row: Any) -> Event:
    channel = user_channel(row["user_id"]) if row["user_id"] else panel_channel(project_id)
    return Event("connection.status_changed", [channel], announcement.connection_status(row))


def _acknowledged(row: Any) -> str:
    """The first of them where all would be more than Pusher takes."""
    data = announcement.acknowledged(row)
    if len(data.encode()) <= MAX_DATA_BYTES:
        return data
    return announcement.acknowledged({**row, "acknowledged": row["acknowledged"][:MOST_ACKNOWLEDGED]})


def _parts(people: Sequence[UUID]) -> Iterator[list[str]]:
    for start in range(0, len(people), MOST_CHANNELS):
        yield [user_channel(person) for person in people[start : start + MOST_CHANNELS]]


def _groups(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Events for one channel travel together as far as they follow each other, one for several channels alone."""
    group: list[Event] = []
    for event in events:
        if group and (len(event.channels) > 1 or len(group) == MOST_EVENTS):
            yield group
            group = []
        group.append(event)
        if len(event.channels) > 1:
            yield group
            group = []
    if group:
        yield group


_LOCK = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.pid = pg_catalog.pg_backend_pid())
    OR pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext('tocsin hosted apps'))
"""
_APP = f"""
SELECT c.id, c.updated_at, CASE WHEN c.status = 'rate_limited'
    THEN coalesce(extract(epoch FROM c.paused_until - now()), 0) ELSE 0 END::double precision AS pause
FROM tocsin.connections c
WHERE c.project_id = $1 AND c.provider = 'pusher' AND c.owner = 'project' AND c.env = 'live' AND c.status IN {SENDS!r}
ORDER BY c.is_default DESC, c.created_at LIMIT 1
"""  # noqa: S608 - made of constants
_TOLD_THERE = """
SELECT d.notification_id AS id, array_agg(DISTINCT d.user_id) AS people FROM tocsin.deliveries d
WHERE d.project_id = $1 AND d.notification_id = ANY($2) AND d.channel = 'pusher' AND d.user_id IS NOT NULL
GROUP BY d.notification_id
"""
