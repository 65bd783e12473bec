"""Writing notifications: those of a whole batch, with their recipients and deliveries, by one statement."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from tocsin.channels.registry import device_kinds, kinds
from tocsin.deliveries.queue import RANKS
from tocsin.kit.db import json_text
from tocsin.kit.ids import new_id, new_id_texts

Devices = Mapping[tuple[str, UUID], Sequence[UUID | None]]
"""The addresses of a channel that a person has, by both."""

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
    devices = await devices_of(connection, project_id, env, made)
    await connection.execute("SELECT tocsin.write_notifications($1, $2, $3)", project_id, env, rows(made, devices))


async def devices_of(
    connection: asyncpg.Connection | asyncpg.Pool, project_id: UUID, env: str, made: Sequence[NewNotification]
) -> Devices:
    """The devices of those whom a channel tells on each of theirs; one query at most."""
    people = {
        user_id
        for notification in made
        if any(kinds()[channel].each_address for channel in notification.channels)
        for user_id in notification.recipients
    }
    if not people:
        return {}
    devices: defaultdict[tuple[str, UUID], list[UUID]] = defaultdict(list)
    for user_id, kind, id_ in await connection.fetch(_DEVICES, project_id, env, list(device_kinds()), list(people)):
        devices[device_kinds()[kind].channel, user_id].append(id_)
    return devices


_DEVICES = "SELECT user_id, channel, id FROM tocsin.devices_of($1, $2, $3, $4)"


def rows(made: Sequence[NewNotification], devices: Devices) -> str:
    """Notifications as the database's functions take them."""
    return json_text([_row(notification, devices) for notification in made])


def _row(notification: NewNotification, devices: Devices) -> dict[str, Any]:
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
        "deliveries": [*(_deliveries(n, channel, devices) for channel in n.channels), *map(_to_place, n.destinations)],
    }


def _deliveries(notification: NewNotification, channel: str, devices: Devices) -> dict[str, Any]:
    """Those of one channel: one for each recipient, in their order, or one for all where it reaches the project.

    Where each device gets one, people and devices are named; somebody without a device has a delivery that says so.
    """
    kind = kinds()[channel]
    personal = kind.reaches == "person"
    told: dict[str, Any] = {"channel": channel, "personal": personal, "instant": kind.instant}
    if not kind.each_address:
        return {**told, "ids": new_id_texts(len(notification.recipients) if personal else 1)}
    each = [(person, device) for person in notification.recipients for device in devices.get((channel, person), [None])]
    people, named = [person for person, _ in each], [device for _, device in each]
    return {**told, "ids": new_id_texts(len(each)), "people": people, "devices": named}


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
