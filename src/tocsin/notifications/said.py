"""What people say to Tocsin over their sockets: that they see to a notification, or have seen it (R2, R3).

A client event on their own channel, which nobody else can join; its data is ``{"id": ...}`` of the notification. It is
passed on to nobody: who is told of an acknowledgement hears ``notification.acknowledged``, its sender included.
"""

from typing import Any, cast
from uuid import UUID

import msgspec
from sqlalchemy import text

from tocsin.audit.record import Actor
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database, Env
from tocsin.notifications.acknowledge import set_acknowledged, tell
from tocsin.notifications.seen import note_seen
from tocsin.realtime.away import away_is_unavailable
from tocsin.realtime.server import App, Hear

VIA = "realtime"
ACKNOWLEDGE, SEEN = "client-acknowledge", "client-seen"
NOT_THEIRS = "This person did not receive the notification."

_THEIRS = text("""
SELECT 1 FROM tocsin.notification_recipients r
JOIN tocsin.users u ON u.project_id = r.project_id AND u.id = r.user_id
WHERE r.notification_id = :id AND r.user_id = :user AND u.status = 'active'
""")


class _About(msgspec.Struct):
    id: UUID
    read: bool = False


class SaidBySocket:
    def __init__(self, db: Database, broker: Broker) -> None:
        self._db = db
        self._broker = broker

    @property
    def heard(self) -> dict[str, Hear]:
        """What is listened to, by event."""
        return {ACKNOWLEDGE: self.acknowledge, SEEN: self.seen}

    async def acknowledge(self, app: App, user_id: UUID, data: bytes) -> str | None:
        """What is wrong with it, or None; saying it again changes nothing. Raises Unavailable."""
        about = _read(data)
        if about is None:
            return _MALFORMED
        env = cast(Env, app.env)
        with away_is_unavailable():
            async with self._db.scope(app.project_id, env) as session:
                if not await _is_theirs(session, about, user_id):
                    return NOT_THEIRS
                who = Actor("user", str(user_id))
                new = await set_acknowledged(session, app.project_id, env, who, about.id, user_id, None, VIA)
        if new:
            tell(self._broker, app.project_id, env, about.id)
        return None

    async def seen(self, app: App, user_id: UUID, data: bytes) -> str | None:
        """The same for having seen it, with ``read`` for having read it."""
        about = _read(data)
        if about is None:
            return _MALFORMED
        with away_is_unavailable():
            async with self._db.scope(app.project_id, cast(Env, app.env)) as session:
                theirs = await _is_theirs(session, about, user_id)
                return None if theirs and await note_seen(session, about.id, user_id, about.read) else NOT_THEIRS


_MALFORMED = 'Its data is {"id": ...}, the id of a notification.'


def _read(data: bytes) -> _About | None:
    try:
        return msgspec.json.decode(data, type=_About)
    except (msgspec.DecodeError, ValueError):
        return None


async def _is_theirs(session: Any, about: _About, user_id: UUID) -> bool:
    return (await session.execute(_THEIRS, {"id": about.id, "user": user_id})).first() is not None
