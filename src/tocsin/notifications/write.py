"""Writing notifications: those of a whole batch, with their recipients and deliveries, by one statement."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from tocsin.channels.contract import Provider
from tocsin.channels.registry import device_kinds, kinds
from tocsin.deliveries.queue import RANKS
from tocsin.kit.db import json_text
from tocsin.kit.ids import new_id, new_id_texts
from tocsin.kit.together import Calls, uuids

Devices = Mapping[tuple[str, UUID], Sequence[UUID | None]]
"""The addresses of a channel that a person has, by both."""

MOST_GATHERED = 10_000
"""Notifications in one digest; one that is full is not waited for."""

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
class Insist:
    """How it insists until somebody acknowledges (R3): ``repeat`` has ``every_seconds`` and ``max_times``, a step
    ``after_seconds`` and the ids of ``roles`` and ``users``."""

    repeat: Mapping[str, int] | None
    steps: Sequence[Mapping[str, Any]]
    loops: int


@dataclass(frozen=True, slots=True)
class Gather:
    """How it waits for a digest (R4): with the others of its rule and person, for ``window_seconds`` from the first one
    on. The first is told at once where it is ``leading``. The digest lists ``most_items`` of them."""

    rule_name: str
    window_seconds: int
    most_items: int
    leading: bool
    sound: str | None
    after_seconds: int | None


@dataclass(frozen=True, slots=True)
class NewNotification:
    """What a matched rule decided, before it is a row; or a digest, which has no event, and no rule if that is gone."""

    event_id: UUID | None
    event_type: str | None
    client_event_id: str | None
    rule_id: UUID | None
    rule_version: int | None
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
    devices: Devices = field(default_factory=dict)
    """Where a channel tells people on each of theirs; of other people too."""
    translations: Mapping[str, Mapping[str, Any]] | None = None
    """By language what differs from ``title``, ``message`` and ``action`` (`users.language`)."""
    insist: "Insist | None" = None
    after_seconds: int | None = None
    """Channels that reach people are told in order, each so long after the one before (R2); None: all at once."""
    gather: Gather | None = None
    gathers: int | None = None
    """A digest of so many."""
    internal: bool = False
    """Made of one of Tocsin's own occurrences, or of what was counted already: no quota counts it."""
    sound_digest: str | None = None
    """Of the content that the sound's name stands for now."""
    over_quota: bool = False
    """Nothing was left of the month's quota: it is kept, and its deliveries are dropped."""
    id: UUID = field(default_factory=new_id)

    @property
    def in_order(self) -> bool:
        """Whether further channels are left for its recipients; an installation may have lost some."""
        return self.after_seconds is not None and len(personal_channels(self.channels)) > 1

    @property
    def first_channels(self) -> Sequence[str]:
        """Those that are told with the notification itself."""
        if not self.in_order:
            return self.channels
        later = personal_channels(self.channels)[1:]
        return [channel for channel in self.channels if channel not in later]


def personal_channels(channels: Sequence[str]) -> list[str]:
    """Those that reach people one by one."""
    return [channel for channel in channels if kinds()[channel].reaches == "person"]


async def write_notifications(
    connection: asyncpg.Connection, project_id: UUID, env: str, made: Sequence[NewNotification]
) -> None:
    """Insert notifications with their recipients and deliveries, in the caller's transaction."""
    await connection.execute("SELECT tocsin.write_notifications($1, $2, $3)", project_id, env, rows(made))


async def with_devices(asked: Calls, project_id: UUID, env: str, made: list[NewNotification]) -> list[NewNotification]:
    """The same, knowing the devices of those whom a channel tells on each of theirs; one query at most."""
    people = {
        user_id
        for notification in made
        if any(kinds()[channel].each_address for channel in notification.channels)
        for user_id in notification.recipients
    }
    if not people:
        return made
    kinds_asked = "{" + ",".join(device_kinds()) + "}"
    devices: defaultdict[tuple[str, UUID], list[UUID]] = defaultdict(list)
    found = await asked.call(project_id, env, kinds_asked, uuids(sorted(people)), weight=len(people))
    for _, user_id, kind, id_ in found:
        devices[device_kinds()[kind].channel, user_id].append(id_)
    return [replace(notification, devices=devices) for notification in made]


DEVICES_OF = """
SELECT c.number, d.user_id, d.channel, d.id
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
    WITH ORDINALITY AS c (project, env, kinds, people, number)
CROSS JOIN LATERAL tocsin.devices_of(c.project, c.env, c.kinds::text[], c.people::uuid[]) AS d
"""


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
        "translations": n.translations,
        "sound": n.sound,
        "sound_digest": n.sound_digest,
        "priority": n.priority,
        "require_ack": n.require_ack,
        "topic": n.topic,
        "internal": n.internal,
        "over_quota": n.over_quota,
        "rank": RANKS[n.priority],
        "dropped": OVER_QUOTA if n.over_quota else None,
        "insist": _insist(n, n.insist) if n.insist else None,
        "digest": _digest(n, n.gather) if n.gather else None,
        "gathers": n.gathers,
        "in_order": {"after_seconds": n.after_seconds, "personal": _personal(n)} if n.in_order else None,
        "recipients": n.recipients,
        "deliveries": [*(_deliveries(n, channel) for channel in n.first_channels), *map(_to_place, n.destinations)],
    }


def _deliveries(notification: NewNotification, channel: str) -> dict[str, Any]:
    """Those of one channel: one for each recipient, in their order, or one for all where it reaches the project.

    Where each device gets one, people and devices are named; somebody without a device has a delivery that says so.
    """
    kind = kinds()[channel]
    personal = kind.reaches == "person"
    told: dict[str, Any] = {"channel": channel, "personal": personal, "instant": kind.instant}
    if not kind.each_address:
        return {**told, "ids": new_id_texts(len(notification.recipients) if personal else 1)}
    devices = notification.devices
    each = [(person, device) for person in notification.recipients for device in devices.get((channel, person), [None])]
    people, named = [person for person, _ in each], [device for _, device in each]
    return {**told, "ids": new_id_texts(len(each)), "people": people, "devices": named}


def _digest(notification: NewNotification, gather: Gather) -> dict[str, Any]:
    """What its digest will need, should its rule not be there any more."""
    return {
        "rule_name": gather.rule_name,
        "channels": personal_channels(notification.channels),
        "after_seconds": gather.after_seconds,
        "sound": gather.sound,
        "window_seconds": gather.window_seconds,
        "most_items": gather.most_items,
        "first_at_once": gather.leading,
        "full_at": MOST_GATHERED,
    }


def _insist(notification: NewNotification, insist: Insist) -> dict[str, Any]:
    """How it insists, with the channels by which a step may reach people."""
    repeat = insist.repeat or {}
    return {
        "every_seconds": repeat.get("every_seconds"),
        "most_times": repeat.get("max_times"),
        "steps": insist.steps,
        "loops": insist.loops,
        "instant": [channel for channel in notification.channels if kinds()[channel].instant],
        "personal": _personal(notification),
    }


def _personal(notification: NewNotification) -> list[dict[str, Any]]:
    """Its channels that reach people, with the kinds of devices of which each gets one."""
    known = [kinds()[channel] for channel in personal_channels(notification.channels)]
    return [{"channel": each.channel, "kinds": _device_kinds(each), "instant": each.instant} for each in known]


def _device_kinds(kind: Provider) -> list[str] | None:
    if not kind.each_address:
        return None
    return [name for name, sender in device_kinds().items() if sender.channel == kind.channel]


def _to_place(place: Place) -> dict[str, Any]:
    """The one to a destination. Its address is kept with it, so that it goes nowhere else should the place go."""
    ids = new_id_texts(1)
    to = {"destination": place.id, "address": place.address}
    return {"channel": place.channel, "personal": False, "instant": False, "ids": ids, **to}


def to_be_sent(notification: NewNotification) -> int:
    """How many of its deliveries are; instant ones (realtime) count as sent when they are written."""
    if notification.over_quota:
        return 0
    waiting = [channel for channel in notification.first_channels if not kinds()[channel].instant]
    return len(notification.destinations) + sum(_places(notification, channel) for channel in waiting)


def _places(notification: NewNotification, channel: str) -> int:
    """How many deliveries one channel makes."""
    kind = kinds()[channel]
    if kind.reaches != "person":
        return 1
    if not kind.each_address:
        return len(notification.recipients)
    return sum(len(notification.devices.get((channel, person), [None])) for person in notification.recipients)
