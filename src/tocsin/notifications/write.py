"""Writing notifications: those of a whole batch, with their recipients and deliveries, by one statement."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from tocsin.channels.registry import kinds
from tocsin.deliveries.queue import RANKS
from tocsin.kit.db import json_text
from tocsin.kit.ids import new_id, new_id_texts

OVER_QUOTA = "quota: the notifications of this month that the plan allows are used up"
"""Why a delivery was dropped, as its ``lastError`` says it."""


class Place(Protocol):
    """A destination that it goes to beside its recipients."""

    @property
    def id(self) -> UUID: ...
    @property
    def channel(self) -> str: ...
    @property
    def address(self) -> str: ...


@dataclass(frozen=True, slots=True)
class NewNotification:
    """What a matched rule decided, before it is a row."""

    event_id: UUID
    event_type: str
    client_event_id: str | None
    rule_id: UUID
    rule_version: int
    title: str
    message: str
    action: dict[str, Any] | None
    sound: str | None
    priority: str
    require_ack: bool
    topic: str | None
    channels: Sequence[str]
    recipients: dict[UUID, str]
    destinations: Sequence[Place] = ()
    internal: bool = False
    """Made of one of Tocsin's own occurrences: no quota counts it."""
    over_quota: bool = False
    """Nothing was left of the month's quota: it is kept, and its deliveries are dropped."""
    id: UUID = field(default_factory=new_id)


async def write_notifications(
    connection: asyncpg.Connection, project_id: UUID, env: str, made: Sequence[NewNotification]
) -> None:
    """Insert notifications with their recipients and deliveries, in the caller's transaction."""
    await connection.execute("SELECT tocsin.write_notifications($1, $2, $3)", project_id, env, rows(made))


def rows(made: Sequence[NewNotification]) -> str:
    """Notifications as the database's functions take them."""
    return json_text([_row(notification) for notification in made])


def _row(notification: NewNotification) -> dict[str, Any]:
    n = notification
    return {
        "id": n.id,
        "event_id": n.event_id,
        "event_type": n.event_type,
        "client_event_id": n.client_event_id,
        "rule_id": n.rule_id,
        "rule_version": n.rule_version,
        "title": n.title,
        "message": n.message,
        "action": n.action,
        "sound": n.sound,
        "priority": n.priority,
        "require_ack": n.require_ack,
        "topic": n.topic,
        "internal": n.internal,
        "over_quota": n.over_quota,
        "rank": RANKS[n.priority],
        "dropped": OVER_QUOTA if n.over_quota else None,
        "recipients": n.recipients,
        "deliveries": [*(_deliveries(n, channel) for channel in n.channels), *map(_to_place, n.destinations)],
    }


def _deliveries(notification: NewNotification, channel: str) -> dict[str, Any]:
    """Those of one channel: one for each recipient, in their order, or one for all where it reaches the project."""
    kind = kinds()[channel]
    personal = kind.reaches == "person"
    ids = new_id_texts(len(notification.recipients) if personal else 1)
    return {"channel": channel, "personal": personal, "instant": kind.instant, "ids": ids}


def _to_place(place: Place) -> dict[str, Any]:
    """The one to a destination. Its address is kept with it, so that it goes nowhere else should the place go."""
    ids = new_id_texts(1)
    to = {"destination": place.id, "address": place.address}
    return {"channel": place.channel, "personal": False, "instant": False, "ids": ids, **to}


def waits_to_be_sent(notification: NewNotification) -> bool:
    """Whether any of its deliveries does; instant ones (realtime) count as sent when they are written."""
    known = kinds()
    return not notification.over_quota and (
        bool(notification.destinations)
        or any(
            not known[channel].instant and (notification.recipients or known[channel].reaches == "project")
            for channel in notification.channels
        )
    )
