"""A person says that they have seen a notification (R2)."""

from tests.client import Project, sign_up
from tests.people import Person, join
from tests.pipeline import Working, make_rule, notified, send_event


async def test_the_first_time_counts_and_reading_comes_after(shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", targetUsers=[ann.id])
    made = await notified(shop.key, await send_event(shop.key))
    where = f"/notifications/{made['id']}/seen"
    [seen] = (await ann.client.put(where)).json["recipients"]
    assert made["createdAt"] < seen["seenAt"]
    assert (seen["readAt"], seen["acknowledgedAt"]) == (None, None)
    [read] = (await ann.client.put(where, {"read": True})).json["recipients"]
    assert read["seenAt"] == seen["seenAt"] < read["readAt"]
    [again] = (await ann.client.put(where)).json["recipients"]
    assert again == read


async def test_a_backend_says_who(shop: Project, ann: Person, bob: Person) -> None:
    await make_rule(shop, "realtime", targetUsers=[ann.id])
    made = await notified(shop.key, await send_event(shop.key))
    where = f"/notifications/{made['id']}/seen"
    reply = await shop.key.put(where, {"userId": ann.id})
    assert (reply.status, reply.json["recipients"][0]["seenAt"] is not None) == (200, True)
    for body in ({}, {"userId": bob.id}):
        reply = await shop.key.put(where, body)
        assert (reply.status, reply.pointers) == (422, ["/userId"])


async def test_people_speak_for_themselves_and_of_what_they_were_told(
    working: Working, shop: Project, ann: Person, bob: Person
) -> None:
    await make_rule(shop, "realtime", targetUsers=[ann.id])
    made = await notified(shop.key, await send_event(shop.key))
    where = f"/notifications/{made['id']}/seen"
    stranger = await join(working.api, await sign_up(working.api, "Other"))
    for person in (bob, stranger):
        assert (await person.client.put(where)).status == 404
    assert (await bob.client.put(where, {"userId": ann.id})).status == 422
    [untouched] = (await shop.key.get(f"/notifications/{made['id']}")).json["recipients"]
    assert untouched["seenAt"] is None
