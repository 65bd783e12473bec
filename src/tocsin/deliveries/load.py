"""Reading what was claimed: everything one send needs, for a batch of one project in one round trip."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tocsin.channels.contract import Action, Message, Priority, Recipient, SourceEvent
from tocsin.channels.registry import kinds
from tocsin.connections.choose import Choice, Route, Wanted
from tocsin.connections.levels import Candidate, NoRoute
from tocsin.kit.db import Env
from tocsin.kit.together import Calls, uuids


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One claimed delivery, ready for its attempt, or with the reason why it cannot be tried."""

    id: UUID
    queued_at: datetime
    attempt: int
    rank: int
    message: Message | None
    address: str | None
    route: Route | NoRoute
    refusal: str | None = None


class _Delivery(msgspec.Struct):
    id: UUID
    notification_id: UUID | None
    user_id: UUID | None
    channel: str
    attempts: int
    rank: int
    created_at: datetime


class _Notification(msgspec.Struct):
    id: UUID
    title: str
    message: str
    action: dict[str, Any] | None
    sound: str | None
    priority: Priority
    require_ack: bool
    created_at: datetime
    event_id: UUID | None
    event_type: str | None
    client_event_id: str | None


class _Person(msgspec.Struct):
    id: UUID
    external_user_id: str | None
    name: str | None
    email: str | None
    phone: str | None
    locale: str | None
    status: str


class _Address(msgspec.Struct):
    user_id: UUID
    channel: str
    value: str
    refused: bool


class _Read(msgspec.Struct):
    """The answer of ``read_outgoing``."""

    project_name: str
    deliveries: list[_Delivery]
    notifications: list[_Notification]
    people: list[_Person]
    recipients: dict[UUID, list[UUID]]
    addresses: list[_Address]
    connections: list[Candidate]


_read = msgspec.json.Decoder(_Read)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What deliveries that were read together share, by the ids they name it with."""

    project_id: UUID
    project_name: str
    env: Env
    notifications: Mapping[UUID | None, _Notification]
    people: Mapping[UUID | None, _Person]
    everybody: Mapping[UUID, tuple[Recipient, ...]]
    addresses: Mapping[tuple[UUID, str], str]


READ_OUTGOING = """
SELECT c.number, tocsin.read_outgoing(c.project, c.env, c.ids::uuid[], c.token, c.addressed::text[])
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[])
    WITH ORDINALITY AS c (project, env, ids, token, addressed, number)
"""


async def load(
    reading: Calls, choice: Choice, project_id: UUID, env: Env, ids: Sequence[UUID], token: UUID
) -> list[Outgoing]:
    """The deliveries whose lease is still ours."""
    addressed = [channel for channel, kind in kinds().items() if kind.address_kind]
    listed = "{" + ",".join(addressed) + "}"
    (row,) = await reading.call(project_id, env, uuids(ids), token, listed, weight=len(ids))
    read = _read.decode(row[1])
    batch = _batch(project_id, env, read)
    wanted = {each.id: _wanted(batch, each) for each in read.deliveries}
    routes = await choice.routes(project_id, env, read.connections, set(wanted.values()))
    return [_outgoing(batch, each, wanted[each.id].address, routes[wanted[each.id]]) for each in read.deliveries]


def _batch(project_id: UUID, env: Env, read: _Read) -> _Batch:
    people: dict[UUID | None, _Person] = {person.id: person for person in read.people}
    return _Batch(
        project_id,
        read.project_name,
        env,
        notifications={notification.id: notification for notification in read.notifications},
        people=people,
        everybody={
            id_: tuple(_recipient(people[user_id]) for user_id in user_ids if user_id in people)
            for id_, user_ids in read.recipients.items()
        },
        addresses=_addresses(read.people, read.addresses),
    )


def _addresses(people: Iterable[_Person], addresses: Iterable[_Address]) -> Mapping[tuple[UUID, str], str]:
    """Of each person and kind the one to send to: the newest, or the profile's own. Those refused come first."""
    found: dict[tuple[UUID, str], str] = {}
    for person in people:
        for kind, value in (("email", person.email), ("phone", person.phone)):
            if value:
                found[person.id, kind] = value
    for address in addresses:
        key = (address.user_id, address.channel)
        if not address.refused:
            found[key] = address.value
        elif found.get(key) == address.value:
            del found[key]  # an opt-out from the address of the profile counts as well
    return found


def _wanted(batch: _Batch, delivery: _Delivery) -> Wanted:
    kind = kinds()[delivery.channel].address_kind
    address = batch.addresses.get((delivery.user_id, kind)) if delivery.user_id and kind else None
    return Wanted(delivery.channel, delivery.user_id, address)


def _outgoing(batch: _Batch, delivery: _Delivery, address: str | None, route: Route | NoRoute) -> Outgoing:
    kind = kinds()[delivery.channel]
    person = batch.people.get(delivery.user_id)
    message = _message(batch, delivery, person)
    return Outgoing(
        delivery.id,
        delivery.created_at,
        delivery.attempts + 1,
        delivery.rank,
        message,
        address,
        route,
        _refusal(message, kind.reaches, person, kind.address_kind, address),
    )


def _message(batch: _Batch, delivery: _Delivery, person: _Person | None) -> Message | None:
    notification = batch.notifications.get(delivery.notification_id)
    if notification is None:
        return None
    action = notification.action
    return Message(
        delivery_id=delivery.id,
        notification_id=notification.id,
        project_id=batch.project_id,
        project_name=batch.project_name,
        env=batch.env,
        title=notification.title,
        message=notification.message,
        priority=notification.priority,
        created_at=notification.created_at,
        sound=notification.sound,
        action=Action(url=action["url"], label=action.get("label")) if action else None,
        require_ack=notification.require_ack,
        event=_source(notification),
        recipient=_recipient(person) if person else None,
        recipients=batch.everybody.get(notification.id, ()) if delivery.user_id is None else (),
        attempt=delivery.attempts + 1,
    )


def _source(notification: _Notification) -> SourceEvent | None:
    if notification.event_id is None or notification.event_type is None:
        return None
    return SourceEvent(
        id=notification.event_id, type=notification.event_type, client_event_id=notification.client_event_id
    )


def _recipient(person: _Person) -> Recipient:
    return Recipient(
        user_id=person.id,
        external_user_id=person.external_user_id,
        name=person.name,
        email=person.email,
        locale=person.locale,
    )


def _refusal(
    message: Message | None, reaches: str, person: _Person | None, address_kind: str | None, address: str | None
) -> str | None:
    """Why this must not be sent at all, or None."""
    if message is None:
        return "its notification does not exist any more"
    if reaches == "project":
        return None
    if person is None:
        return "the person does not exist any more"
    if person.status != "active":
        return f"the person is {person.status}"
    if address_kind is not None and address is None:
        return f"the person has no address for {address_kind}"
    return None
