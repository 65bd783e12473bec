"""What channels in order and digests make keeps quiet hours and preferences like everything else (R2, R4)."""

from tests.client import Project
from tests.notifications.silence import hours, prefer
from tests.notifications.test_channel_order import ORDER, are_told, fall_due, has_turns, with_addresses
from tests.notifications.test_digests import HOUR, deliveries, digests, end_windows, ended, happened
from tests.people import Person
from tests.pipeline import Working, make_rule, notified, send_event, until

_PUT_OFF = "SELECT due_at > now() + interval '1 hour' FROM tocsin.channel_turns WHERE notification_id = $1"


async def test_a_later_channel_waits_for_the_end_of_quiet_hours(working: Working, shop: Project, ann: Person) -> None:
    sandbox = shop.test_key
    await with_addresses(working, shop, ann)
    await make_rule(shop, "realtime", "email", "sms", targetUsers=[ann.id], channelOrder=ORDER)
    made = await notified(sandbox, await send_event(sandbox))
    await prefer(shop.key, ann.id, quietHours=hours(-1, 2))
    await fall_due(working.sql, made)
    await are_told(sandbox, made, ("realtime", "sent"), ("email", "held"))
    await fall_due(working.sql, made)  # its turn is not over while it is held

    async def put_off() -> bool:
        return bool(await working.sql.fetchval(_PUT_OFF, made["id"]))

    await until(put_off)
    await are_told(sandbox, made, ("realtime", "sent"), ("email", "held"))


async def test_who_wants_nothing_by_one_channel_is_told_by_the_next_at_once(
    working: Working, shop: Project, ann: Person
) -> None:
    sandbox = shop.test_key
    await with_addresses(working, shop, ann)
    await prefer(shop.key, ann.id, channels={"email": False, "sms": False})
    await make_rule(shop, "email", "sms", "realtime", targetUsers=[ann.id], channelOrder=ORDER)
    made = await notified(sandbox, await send_event(sandbox))
    await are_told(sandbox, made, ("email", "dropped"), ("sms", "dropped"), ("realtime", "sent"))
    assert await has_turns(working.sql, made) == 0


async def test_a_digest_waits_for_the_end_of_quiet_hours(working: Working, shop: Project, ann: Person) -> None:
    sandbox = shop.test_key
    await with_addresses(working, shop, ann)
    await prefer(shop.key, ann.id, quietHours=hours(-1, 2))
    await make_rule(shop, "realtime", "email", targetUsers=[ann.id], digest=HOUR, eventTypes=["order.*"])
    for each in await happened(sandbox, 1, 2):
        await ended(sandbox, each, "gathered")
    assert await end_windows(working.sql, shop) == 1
    [digest] = await digests(sandbox)
    await ended(sandbox, digest, "held")
    live = await ended(sandbox, digest, "sent", "realtime")
    assert live["lastError"].startswith("silently: quiet hours until ")


async def test_a_digest_of_a_muted_topic_is_told_to_nobody(working: Working, shop: Project, ann: Person) -> None:
    sandbox = shop.test_key
    await with_addresses(working, shop, ann)
    await make_rule(
        shop, "realtime", "email", targetUsers=[ann.id], digest=HOUR, eventTypes=["order.*"], topic="orders"
    )
    await happened(sandbox, 1)
    await prefer(shop.key, ann.id, topics={"orders": {"muted": True}})
    assert await end_windows(working.sql, shop) == 1
    [digest] = await digests(sandbox)
    dropped = await ended(sandbox, digest, "dropped")
    assert dropped["lastError"] == "preferences: the topic orders is muted"


async def test_repeats_and_digests_keep_to_topics_that_nobody_subscribed_to(
    working: Working, shop: Project, ann: Person, bob: Person
) -> None:
    sandbox = shop.test_key
    await with_addresses(working, shop, ann)
    await with_addresses(working, shop, bob)
    assert (await shop.owner.put("/projects/me/settings", {"optInTopics": ["news"]})).status == 200
    await prefer(shop.key, bob.id, topics={"news": {"subscribed": True}})
    again = {"requireAck": True, "repeat": {"everySeconds": 60, "maxTimes": 3}}
    await make_rule(shop, "email", targetUsers=[ann.id, bob.id], topic="news", eventTypes=["news.urgent"], **again)
    urgent = await notified(sandbox, await send_event(sandbox, "news.urgent"))

    async def told() -> list[tuple[bool, str]]:
        return sorted((each["userId"] == ann.id, each["state"]) for each in await deliveries(sandbox, urgent))

    async def told_once() -> bool:
        return await told() == [(False, "captured"), (True, "dropped")]

    async def told_again() -> bool:
        return await told() == [(False, "captured"), (False, "captured"), (True, "dropped")]

    await until(told_once)
    await working.sql.execute(
        "UPDATE tocsin.insistences SET repeats_at = now(), due_at = now() WHERE notification_id = $1", urgent["id"]
    )
    await until(told_again)
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR, eventTypes=["order.*"], topic="news")
    await happened(sandbox, 1)
    assert await end_windows(working.sql, shop) == 1
    [digest] = await digests(sandbox)
    dropped = await ended(sandbox, digest, "dropped")
    assert dropped["lastError"] == "preferences: not subscribed to the topic news"
