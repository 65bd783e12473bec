"""Reading what was claimed: everything one send needs, for a batch of one project in one round trip."""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tocsin.channels.contract import Action, Branding, Message, Priority, Provider, Recipient, SourceEvent
from tocsin.channels.registry import device_kinds, kinds
from tocsin.connections.choose import Choice, Route, Wanted
from tocsin.connections.levels import Candidate, NoRoute, line_of
from tocsin.deliveries.pace import Limits
from tocsin.kit.db import Env
from tocsin.kit.together import Calls, uuids
from tocsin.sounds.links import SoundLinks
from tocsin.users.language import Words, best, words_in


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One claimed delivery, ready for its attempt, or with the reason why it cannot be tried.

    ``age_seconds`` is by the database's clock. ``shown`` is as much of the address as may be kept with the delivery: of
    a device not the whole.
    """

    id: UUID
    age_seconds: float
    attempt: int
    rank: int
    message: Message | None
    address: str | None
    route: Route | NoRoute
    limits: Limits | None = None
    refusal: str | None = None
    over: str | None = None
    """Why it need not be sent any more."""
    address_id: UUID | None = None
    shown: str | None = None


class _Delivery(msgspec.Struct):
    id: UUID
    notification_id: UUID | None
    user_id: UUID | None
    channel: str
    address_id: UUID | None
    attempts: int
    rank: int
    round: int
    created_at: datetime


class _Notification(msgspec.Struct):
    id: UUID
    title: str
    message: str
    action: dict[str, Any] | None
    sound: str | None
    sound_digest: str | None
    priority: Priority
    require_ack: bool
    created_at: datetime
    event_id: UUID | None
    event_type: str | None
    client_event_id: str | None
    acknowledged: bool
    hops: int
    translations: dict[str, dict[str, Any]] | None = None


class _Person(msgspec.Struct):
    id: UUID
    external_user_id: str | None
    name: str | None
    email: str | None
    email_proven: bool
    phone: str | None
    locale: str | None
    status: str
    way: str


class _Address(msgspec.Struct):
    id: UUID | None
    user_id: UUID
    channel: str
    value: str
    refused: bool
    proven: bool


class _Read(msgspec.Struct):
    """The answer of ``read_outgoing``. ``to_proven_only``: the project sends to no mailbox or telephone that nobody has
    shown to be the person's."""

    project_name: str
    to_proven_only: bool
    deliveries: list[_Delivery]
    notifications: list[_Notification]
    people: list[_Person]
    recipients: dict[UUID, list[UUID]]
    addresses: list[_Address]
    connections: list[Candidate]
    language: str | None = None
    branding: dict[str, Any] | None = None
    layouts: dict[str, str] | None = None


class _Destination(msgspec.Struct):
    name: str
    address: str
    enabled: bool
    connection: Candidate


class _Sending(msgspec.Struct):
    """The answer of ``read_sending``. ``destinations`` are those of deliveries that go to one, null where it is
    gone."""

    outgoing: _Read
    destinations: dict[UUID, _Destination | None]
    limits: dict[UUID, Limits]


_read = msgspec.json.Decoder(_Sending)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What deliveries that were read together share, by the ids they name it with."""

    project_id: UUID
    project_name: str
    to_proven_only: bool
    language: str | None
    branding: Branding
    layouts: Mapping[str, str]
    env: Env
    sounds: SoundLinks
    read_at: datetime
    notifications: Mapping[UUID | None, _Notification]
    people: Mapping[UUID | None, _Person]
    everybody: Mapping[UUID, tuple[Recipient, ...]]
    addresses: Mapping[tuple[UUID, str], _Address]
    known: Mapping[tuple[UUID, str], _Address]
    """By person and channel, where that sends to known addresses alone."""
    devices: Mapping[UUID | None, _Address]

    def age_seconds(self, delivery: _Delivery) -> float:
        return (self.read_at - delivery.created_at).total_seconds()

    def address_of(self, delivery: _Delivery) -> _Address | None:
        """Where it goes: to the device it was made for, if that is still this person's, or to the one address."""
        if delivery.user_id is None:
            return None
        if delivery.address_id is not None:
            device = self.devices.get(delivery.address_id)
            return device if device and device.user_id == delivery.user_id else None
        if known := self.known.get((delivery.user_id, delivery.channel)):
            return known
        found = (self.addresses.get((delivery.user_id, kind)) for kind in _address_kinds(delivery.channel))
        return next((address for address in found if address), None)


def _address_kinds(channel: str) -> list[str]:
    """What a person may be reached at over a channel."""
    kind = kinds()[channel]
    if kind.each_address:
        return [name for name, sender in device_kinds().items() if sender.channel == channel]
    return [kind.address_kind] if kind.address_kind else []


READ_SENDING = """
SELECT c.number, tocsin.read_sending(c.project, c.env, c.ids::uuid[], c.token, c.addressed::text[]), now()
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[])
    WITH ORDINALITY AS c (project, env, ids, token, addressed, number)
"""


async def load(
    reading: Calls,
    choice: Choice,
    sounds: SoundLinks,
    project_id: UUID,
    env: Env,
    ids: Sequence[UUID],
    token: UUID,
) -> list[Outgoing]:
    """The deliveries whose lease is still ours."""
    addressed = [channel for channel, kind in kinds().items() if kind.address_kind]
    listed = "{" + ",".join(addressed) + "}"
    (row,) = await reading.call(project_id, env, uuids(ids), token, listed, weight=len(ids))
    sending = _read.decode(row[1])
    read, places = sending.outgoing, sending.destinations
    batch = _batch(project_id, env, sounds, read, row[2])
    addressed_to = {each.id: batch.address_of(each) for each in read.deliveries}
    wanted = {each.id: _wanted(each, addressed_to[each.id]) for each in read.deliveries if each.id not in places}
    routes = await choice.routes(project_id, env, read.connections, set(wanted.values()))
    outgoing = []
    for each in read.deliveries:
        if each.id in places:
            found = await _to_destination(batch, choice, each, places[each.id])
        else:
            found = _outgoing(batch, each, addressed_to[each.id], routes[wanted[each.id]])
        route = found.route
        limits = sending.limits.get(route.id) if isinstance(route, Route) and route.id else None
        outgoing.append(replace(found, limits=limits and limits.as_of(row[2])))
    return outgoing


def _wanted(delivery: _Delivery, address: _Address | None) -> Wanted:
    device_kind = address.channel if address and kinds()[delivery.channel].each_address else None
    return Wanted(delivery.channel, delivery.user_id, address.value if address else None, device_kind)


def _batch(project_id: UUID, env: Env, sounds: SoundLinks, read: _Read, read_at: datetime) -> _Batch:
    people: dict[UUID | None, _Person] = {person.id: person for person in read.people}
    return _Batch(
        project_id,
        read.project_name,
        read.to_proven_only,
        read.language,
        Branding.of(read.branding or {}),
        read.layouts or {},
        env,
        sounds,
        read_at,
        notifications={notification.id: notification for notification in read.notifications},
        people=people,
        everybody={
            id_: tuple(_recipient(people[user_id]) for user_id in user_ids if user_id in people)
            for id_, user_ids in read.recipients.items()
        },
        addresses=_addresses(read.people, read.addresses, proven_first=read.to_proven_only),
        known=_known(read),
        devices={address.id: address for address in read.addresses if not address.refused},
    )


def _addresses(
    people: Iterable[_Person], addresses: Collection[_Address], *, proven_first: bool
) -> Mapping[tuple[UUID, str], _Address]:
    """Of each person and kind the one to send to: the newest, or the profile's own. Those refused come first."""
    found: dict[tuple[UUID, str], _Address] = {}
    for person in people:
        for kind, value, proven in (("email", person.email, person.email_proven), ("phone", person.phone, False)):
            if value:
                found[person.id, kind] = _Address(None, person.id, kind, value, refused=False, proven=proven)
    for address in addresses:
        key = (address.user_id, address.channel)
        if not address.refused:
            if not (proven_first and key in found and found[key].proven and not address.proven):
                found[key] = address
        elif key in found and found[key].value == address.value:
            del found[key]  # an opt-out from the address of the profile counts as well
    return _standing_in(found, {(each.user_id, each.channel, each.value) for each in addresses if each.refused}) | found


def _known(read: _Read) -> Mapping[tuple[UUID, str], _Address]:
    """The newest of several addresses of which anything is known to who may send: one that nothing is known of hides
    none that is reached. A block or an opt-out is known too, and ends the search: nobody is reached around it."""
    deliveries = [each for each in read.deliveries if kinds()[each.channel].known_only]
    several: defaultdict[tuple[UUID, str | None], list[_Address]] = defaultdict(list)
    for address in read.addresses if deliveries else ():
        if not address.refused:
            several[address.user_id, address.channel].append(address)
    found: dict[tuple[UUID, str], _Address] = {}
    for delivery in deliveries:
        kind, user_id = kinds()[delivery.channel], delivery.user_id
        if user_id is not None and len(several[user_id, kind.address_kind]) > 1:
            line = line_of([each for each in read.connections if each.channel == delivery.channel], user_id)
            of_them = {value for each in line for value in each.reach}
            known = [each for each in several[user_id, kind.address_kind] if each.value in of_them]
            if known:
                found[user_id, delivery.channel] = known[-1]
    return found


def _standing_in(
    found: Mapping[tuple[UUID, str], _Address], refused: Container[tuple[UUID, str, str]]
) -> dict[tuple[UUID, str], _Address]:
    """Addresses of another kind, for channels that make do with one, unless the person refused just that."""
    kinds_else = [(kind.address_kind, kind.address_else) for kind in kinds().values() if kind.address_kind]
    return {
        (user_id, wanted): address
        for (user_id, kind), address in found.items()
        for wanted, other in kinds_else
        if kind == other and (user_id, wanted, address.value) not in refused
    }


def _outgoing(batch: _Batch, delivery: _Delivery, address: _Address | None, route: Route | NoRoute) -> Outgoing:
    kind = kinds()[delivery.channel]
    person = batch.people.get(delivery.user_id)
    message = _message(batch, delivery, person)
    return Outgoing(
        delivery.id,
        batch.age_seconds(delivery),
        delivery.attempts + 1,
        delivery.rank,
        message,
        address.value if address else None,
        route,
        refusal=_refusal(message, kind, person, address, gone=delivery.address_id is not None)
        or _unproven(batch, kind, address),
        over=_over(batch, delivery),
        address_id=address.id if address else None,
        shown=_shown(address) if address else None,
    )


def _shown(address: _Address) -> str:
    sender = device_kinds().get(address.channel)
    return sender.device(address.value).shown if sender else address.value


async def _to_destination(
    batch: _Batch, choice: Choice, delivery: _Delivery, destination: _Destination | None
) -> Outgoing:
    """A delivery to a place that is no person: over the connection of the destination, whatever else there is."""
    message = _message(batch, delivery, None)
    ids = delivery.id, batch.age_seconds(delivery), delivery.attempts + 1, delivery.rank
    if destination is None:
        gone = NoRoute("its destination does not exist any more", waits=False)
        return Outgoing(*ids, message, None, gone, refusal=gone.reason)
    route = await choice.to_destination(batch.env, destination.name, destination.connection)
    refusal = None if message is not None else "its notification does not exist any more"
    over = _over(batch, delivery)
    if not destination.enabled:
        refusal = f"the destination {destination.name} is switched off"
    return Outgoing(*ids, message, destination.address, route, refusal=refusal, over=over, shown=destination.address)


def _over(batch: _Batch, delivery: _Delivery) -> str | None:
    """Why a repeat need not be sent any more (R3). What was first told is told whoever has acknowledged meanwhile."""
    notification = batch.notifications.get(delivery.notification_id)
    return "acknowledged" if delivery.round and notification and notification.acknowledged else None


def _message(batch: _Batch, delivery: _Delivery, person: _Person | None) -> Message | None:
    notification = batch.notifications.get(delivery.notification_id)
    if notification is None:
        return None
    written = Words(notification.title, notification.message, notification.action)
    words = words_in(
        written,
        notification.translations,
        person.locale if person else None,
        batch.language,
        channel=delivery.channel,
        way=person.way if person else None,
    )
    action = words.action
    return Message(
        delivery_id=delivery.id,
        notification_id=notification.id,
        project_id=batch.project_id,
        project_name=batch.project_name,
        env=batch.env,
        title=words.title,
        message=words.message,
        priority=notification.priority,
        created_at=notification.created_at,
        sound=notification.sound,
        sound_url=batch.sounds.make(batch.project_id, batch.env, notification.sound_digest),
        action=Action(url=action["url"], label=action.get("label")) if action else None,
        require_ack=notification.require_ack and not notification.acknowledged,
        event=_source(notification),
        recipient=_recipient(person) if person else None,
        recipients=batch.everybody.get(notification.id, ()) if delivery.user_id is None else (),
        attempt=delivery.attempts + 1,
        round=delivery.round,
        hops=notification.hops,
        branding=_branding(batch, person),
    )


def _branding(batch: _Batch, person: _Person | None) -> Branding:
    """With the layout in the reader's language, else the project's, else the one that was written first."""
    if not batch.layouts:
        return batch.branding
    language = best(batch.layouts, person.locale if person else None, batch.language) or next(iter(batch.layouts))
    return replace(batch.branding, layout=batch.layouts[language])


def _source(notification: _Notification) -> SourceEvent | None:
    if notification.event_id is None or notification.event_type is None:
        return None
    return SourceEvent(
        id=notification.event_id, type=notification.event_type, client_event_id=notification.client_event_id
    )


_PROVABLE = {"email": "the e-mail address", "phone": "the phone number"}
"""What a person may be asked to prove, of the kinds of addresses."""


def _unproven(batch: _Batch, kind: Provider, address: _Address | None) -> str | None:
    """Why nothing is sent to an address that nobody has proven, where the project asks for that (C10)."""
    if not batch.to_proven_only or address is None or address.proven or kind.address_kind not in _PROVABLE:
        return None
    return f"{_PROVABLE[kind.address_kind]} is not verified"


def _recipient(person: _Person) -> Recipient:
    return Recipient(
        user_id=person.id,
        external_user_id=person.external_user_id,
        name=person.name,
        email=person.email,
        locale=person.locale,
    )


def _refusal(
    message: Message | None, kind: Provider, person: _Person | None, address: _Address | None, *, gone: bool
) -> str | None:
    """Why this must not be sent at all, or None. ``gone``: it had an address."""
    if message is None:
        return "its notification does not exist any more"
    if kind.reaches == "project":
        return None
    if person is None:
        return "the person does not exist any more"
    if person.status != "active":
        return f"the person is {person.status}"
    if kind.address_kind is not None and address is None:
        if gone:
            return "the device is not registered for this person any more"
        return f"the person has no address for {kind.channel if kind.each_address else kind.address_kind}"
    return None
