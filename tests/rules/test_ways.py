"""What a rule says to several people is written as each of them reads times and numbers (R4)."""

from typing import Any

import pytest

from tests.client import Project, sign_up
from tests.connections.build import mail_server
from tests.deliveries.test_not_sent import connected_mail
from tests.people import Person, join
from tests.pipeline import Working, make_rule, notified, send_event, send_events, story, until
from tests.realtime.pusher_js import pusher_js
from tocsin.rules import strikes
from tocsin.rules.ways import MOST_WAYS

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

SAYS = {
    "title": "Due {{ payload.at | clock: reader }}",
    "message": "{{ payload.amount | number: reader }} left",
    "translations": {"de": {"message": "Noch {{ payload.amount | number: reader }}"}},
}
HAPPENED: dict[str, Any] = {"at": "2026-07-01T12:05:00Z", "amount": 1234.5}


async def reads(project: Project, person: Person, timezone: str | None = None, **wishes: str) -> None:
    locale = wishes.pop("locale", None)
    assert (await project.key.put(f"/users/{person.id}", {"timezone": timezone, "locale": locale})).status == 200
    assert (await project.key.put(f"/users/{person.id}/preferences", {"format": wishes})).status == 200


async def seen(person: Person, id_: str) -> tuple[str, str]:
    shown = (await person.client.get(f"/notifications/{id_}")).json
    assert shown["translations"] is None
    return shown["title"], shown["message"]


async def test_each_reads_the_same_notification_in_their_own_way(working: Working) -> None:
    shop, rival = await sign_up(working.api), await sign_up(working.api)
    ann, bob, carl = [await join(working.api, shop) for _ in range(3)]
    eve = await join(working.api, rival)
    await reads(shop, ann, "America/New_York", time="12h")
    await reads(shop, bob, "Europe/Vienna", number="1.234,5", locale="de-AT")
    await make_rule(shop, "realtime", targetUsers=[ann.id, bob.id, carl.id], **SAYS)
    async with pusher_js(working.process) as js:
        for name, person in (("ann", ann), ("bob", bob)):
            await person.connect(js, name)
            await js.subscribe(name, person.channel)
        made = await notified(shop.key, await send_event(shop.key, **HAPPENED))
        frames = [(await js.fact(client=name, event="notification.created"))["data"] for name in ("ann", "bob")]
    assert [each["title"] for each in frames] == ["Due 8:05 am", "Due 14:05"]
    assert [each["message"] for each in frames] == ["1,234.5 left", "Noch 1.234,5"]
    assert await seen(ann, made["id"]) == ("Due 8:05 am", "1,234.5 left")
    assert await seen(bob, made["id"]) == ("Due 14:05", "Noch 1.234,5")
    assert await seen(carl, made["id"]) == ("Due 12:05", "1,234.5 left")
    assert (await eve.client.get(f"/notifications/{made['id']}")).status == 404
    assert made["title"] == "Due 12:05"
    assert list(made["translations"]) == ["de"]


async def test_of_an_action_only_what_asks_is_written_anew(working: Working) -> None:
    shop = await sign_up(working.api)
    ann = await join(working.api, shop)
    await reads(shop, ann, "Asia/Tokyo", time="12h")
    action = {"url": "https://example.com/{{ payload.amount }}", "label": "By {{ payload.at | clock: reader }}"}
    await make_rule(shop, "realtime", targetUsers=[ann.id], title="Due", action=action)
    made = await notified(shop.key, await send_event(shop.key, **HAPPENED))
    assert made["action"] == {"url": "https://example.com/1234.5", "label": "By 12:05"}
    hers = (await ann.client.get(f"/notifications/{made['id']}")).json
    assert hers["action"] == {"url": "https://example.com/1234.5", "label": "By 9:05 pm"}


async def test_the_first_words_are_for_whoever_reads_as_nobody_in_particular(working: Working) -> None:
    shop = await sign_up(working.api)
    ann, bob = await join(working.api, shop), await join(working.api, shop)
    await reads(shop, bob, "Asia/Tokyo", length="short")
    title = "{% if reader.format.length == 'full' %}All of it{% elsif reader %}Short{% endif %}, {{ reader.timezone }}"
    await make_rule(shop, "realtime", targetUsers=[ann.id, bob.id], title=title)
    made = await notified(shop.key, await send_event(shop.key, **HAPPENED))
    assert made["title"] == (await seen(ann, made["id"]))[0] == "All of it, UTC"
    assert (await seen(bob, made["id"]))[0] == "Short, Asia/Tokyo"


async def test_what_cannot_be_printed_for_a_way_is_read_in_the_first_words(working: Working) -> None:
    shop = await sign_up(working.api)
    ann, bob, carl = [await join(working.api, shop) for _ in range(3)]
    await reads(shop, ann, "Asia/Tokyo", time="12h")
    await reads(shop, bob, "America/New_York")
    fails = "{% if reader.timezone == 'Asia/Tokyo' %}{{ 1 | divided_by: 0 }}{% endif %}"
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id, bob.id], title=fails + SAYS["title"])
    event = await send_event(shop.key, **HAPPENED)
    made = await notified(shop.key, event)
    assert [(await seen(person, made["id"]))[0] for person in (ann, bob)] == ["Due 12:05", "Due 08:05"]
    (told,) = (await story(shop.key, event))["trace"]
    assert (told["matched"], told["error"]) == (True, "render_error")
    assert "in the first words for 1 of 2 ways of reading: title: divided_by" in told["reason"]
    (explained,) = (await shop.key.get(f"/events/{event}/explain", userId=carl.id)).json["rules"]
    assert (explained["ruleId"], explained["code"]) == (rule["id"], "not_targeted")


async def test_a_rule_that_has_to_be_stopped_for_its_readers_is_switched_off(working: Working) -> None:
    shop = await sign_up(working.api)
    ann, bob = await join(working.api, shop), await join(working.api, shop)
    await reads(shop, ann, "Asia/Tokyo")
    await reads(shop, bob, "America/New_York")
    hangs = "{% if reader.timezone == 'Asia/Tokyo' %}{% if (1..9000000000) contains 'x' %}{% endif %}{% endif %}"
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id, bob.id], title=hangs + SAYS["title"])
    events = await send_events(shop.key, *[HAPPENED] * strikes.MOST)

    async def stopped() -> Any:
        return (await shop.key.get(f"/rules/{rule['id']}")).json["suspendedReason"]

    assert "the templates were stopped after taking too long" in await until(stopped, 60)
    (told,) = (await story(shop.key, events[0]))["trace"]
    assert (told["matched"], told["error"]) == (True, "render_error")
    assert "for 1 of 2 ways of reading: the templates were stopped after taking too long" in told["reason"]
    titles = [(await seen(person, told["notificationId"]))[0] for person in (ann, bob)]
    assert titles == ["Due 12:05", "Due 08:05"]


async def test_whoever_has_no_timezone_reads_in_that_of_the_project(working: Working) -> None:
    shop = await sign_up(working.api)
    ann = await join(working.api, shop)
    assert (await shop.owner.put("/projects/me/settings", {"timezone": "Asia/Tokyo"})).status == 200
    await make_rule(shop, "realtime", targetUsers=[ann.id], **SAYS)
    made = await notified(shop.key, await send_event(shop.key, **HAPPENED))
    assert await seen(ann, made["id"]) == ("Due 21:05", "1,234.5 left")


async def test_mails_are_written_in_it_too(working: Working) -> None:
    shop = await sign_up(working.api)
    people = {"us": ("America/New_York", "12h"), "at": ("Europe/Vienna", "24h")}
    ids = {}
    for name, (timezone, time) in people.items():
        made = await shop.add_user(email=f"{name}@shop.example.com", timezone=timezone)
        ids[name] = made["id"]
        reply = await shop.key.put(f"/users/{made['id']}/preferences", {"format": {"time": time}})
        assert reply.status == 200
    await make_rule(shop, "email", targetUsers=list(ids.values()), **SAYS)
    async with mail_server() as server:
        await connected_mail(working, shop, server)
        await send_event(shop.key, **HAPPENED)

        async def look() -> dict[str, str] | None:
            subjects = {to[0].partition("@")[0]: str(mail["Subject"]) for to, mail in server.taken}
            return subjects if len(subjects) == len(people) else None

        assert await until(look) == {"us": "Due 8:05 am", "at": "Due 14:05"}


async def test_there_are_so_many_ways_however_many_read(working: Working) -> None:
    shop = await sign_up(working.api)
    people = [await shop.add_user(timezone=f"Etc/GMT-{n % 14 + 1}") for n in range(14)]
    people += [await shop.add_user(timezone=f"Etc/GMT+{n % 12 + 1}") for n in range(12)]
    await make_rule(shop, "realtime", targetUsers=[each["id"] for each in people], title=SAYS["title"])
    made = await notified(shop.key, await send_event(shop.key, **HAPPENED))
    kept = await working.sql.fetchval("SELECT translations::text FROM tocsin.notifications WHERE id = $1", made["id"])
    assert kept.count("#full|24h|") == MOST_WAYS
    assert made["translations"] is None


async def test_what_asks_nobody_is_printed_once(working: Working) -> None:
    shop = await sign_up(working.api)
    ann = await join(working.api, shop)
    await reads(shop, ann, "Asia/Tokyo", time="12h")
    await make_rule(shop, "realtime", targetUsers=[ann.id], title="Due {{ payload.at | clock }}")
    made = await notified(shop.key, await send_event(shop.key, **HAPPENED))
    kept = await working.sql.fetchval("SELECT translations FROM tocsin.notifications WHERE id = $1", made["id"])
    assert kept is None
