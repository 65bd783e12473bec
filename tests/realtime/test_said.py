"""What people say to Tocsin over their sockets, with the official client (R2, R3)."""

import pytest

from tests.client import Project, sign_up
from tests.realtime.conftest import Place, join
from tests.realtime.pusher_js import PusherJs
from tocsin.kit.ids import new_id


@pytest.fixture(scope="module")
async def acme(place: Place) -> Project:
    return await sign_up(place.api, "Acme")


@pytest.fixture(scope="module")
async def rival(place: Place) -> Project:
    return await sign_up(place.api, "Rival")


async def test_a_person_acknowledges_over_the_socket_and_everybody_hears(
    place: Place, acme: Project, js: PusherJs
) -> None:
    people = {"ann": await join(place, acme), "ben": await join(place, acme)}
    for name, person in people.items():
        await person.connect(js, name)
        await js.subscribe(name, person.channel)
    id_ = await place.hand.tell(acme, *[person.id for person in people.values()])
    await js.fact(client="ann", event="notification.created")
    for _ in range(2):  # the second time changes nothing
        await js.do("trigger", "ann", channel=people["ann"].channel, event="client-acknowledge", data={"id": str(id_)})
    for name in people:
        by = (await js.fact(client=name, event="notification.acknowledged"))["data"]["acknowledgedBy"]
        assert [(each["userId"], each["via"]) for each in by] == [(people["ann"].id, "realtime")]
    for name in people:
        await js.settle(name)
        assert len(js.told(client=name, event="notification.acknowledged")) == 1
        assert not js.told(client=name, event="pusher:error")
    entries = (await acme.owner.get("/audit", action="notification.acknowledged")).json["items"]
    assert [entry["resourceId"] for entry in entries].count(str(id_)) == 1


async def test_a_person_says_that_they_have_seen_or_read_it(place: Place, acme: Project, js: PusherJs) -> None:
    ann = await join(place, acme)
    await ann.connect(js, "ann")
    await js.subscribe("ann", ann.channel)
    seen, read = await place.hand.tell(acme, ann.id), await place.hand.tell(acme, ann.id)
    await js.do("trigger", "ann", channel=ann.channel, event="client-seen", data={"id": str(seen)})
    await js.do("trigger", "ann", channel=ann.channel, event="client-seen", data={"id": str(read), "read": True})
    await js.settle("ann")
    told = []
    for id_ in (seen, read):
        (mine,) = (await ann.client.get(f"/notifications/{id_}")).json["recipients"]
        told.append((mine["seenAt"] is None, mine["readAt"] is None))
    assert told == [(False, True), (False, False)]


async def test_nobody_speaks_of_what_they_did_not_receive(
    place: Place, acme: Project, rival: Project, js: PusherJs
) -> None:
    ann, ben, eve = await join(place, acme), await join(place, acme), await join(place, rival)
    for name, person in (("ann", ann), ("eve", eve)):
        await person.connect(js, name)
        await js.subscribe(name, person.channel)
    bens = await place.hand.tell(acme, ben.id)
    wrong = [{"id": str(bens)}, {"id": str(new_id())}, {"id": "x"}, {}, []]
    for name, person in (("ann", ann), ("eve", eve)):
        for event in ("client-acknowledge", "client-seen"):
            for data in wrong:
                since = len(js.facts)
                await js.do("trigger", name, channel=person.channel, event=event, data=data)
                error = await js.fact(since, client=name, event="pusher:error")
                assert error["data"]["code"] == 4302
    shown = (await ben.client.get(f"/notifications/{bens}")).json
    assert (shown["acknowledgedBy"], shown["recipients"][0]["seenAt"]) == ([], None)


async def test_who_is_not_active_any_more_acknowledges_nothing(place: Place, acme: Project, js: PusherJs) -> None:
    ann = await join(place, acme)
    id_ = await place.hand.tell(acme, ann.id)
    await ann.connect(js, "ann")
    await js.subscribe("ann", ann.channel)
    assert (await acme.owner.put(f"/users/{ann.id}", {"status": "disabled"})).status == 200
    await js.do("trigger", "ann", channel=ann.channel, event="client-acknowledge", data={"id": str(id_)})
    shown = (await acme.key.get(f"/notifications/{id_}")).json
    assert shown["acknowledgedBy"] == []


async def test_elsewhere_it_is_a_client_event_like_any_other(place: Place, acme: Project, js: PusherJs) -> None:
    ann, ben = await join(place, acme), await join(place, acme)
    for name, person in (("ann", ann), ("ben", ben)):
        await person.connect(js, name)
        await js.subscribe(name, "private-room-1", "client-acknowledge")
    id_ = await place.hand.tell(acme, ann.id)
    await js.do("trigger", "ann", channel="private-room-1", event="client-acknowledge", data={"id": str(id_)})
    assert (await js.fact(client="ben", event="client-acknowledge"))["data"] == {"id": str(id_)}
    shown = (await acme.key.get(f"/notifications/{id_}")).json
    assert shown["acknowledgedBy"] == []
