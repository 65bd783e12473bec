"""A rule says the same in several languages, and each person reads theirs (R1)."""

from typing import Any

import asyncpg
import pytest

from tests.client import Project, sign_up
from tests.people import Person, join
from tests.pipeline import Working, ended, make_rule, notified, send_event, until
from tests.plans.build import put_on
from tests.realtime.pusher_js import pusher_js
from tocsin.users.language import Words, best, words_in

GERMAN = {
    "title": "Bestellung {{ payload.order }}",
    "message": "{{ payload.amount }} Euro",
    "action": {"url": "https://example.com/de/{{ payload.order }}", "label": "Öffnen"},
}


async def reader(working: Working, project: Project, locale: str) -> Person:
    person = await join(working.api, project)
    reply = await project.key.put(f"/users/{person.id}", {"locale": locale})
    assert reply.status == 200, reply.json
    return person


async def told(person: Person) -> Any:
    """The newest notification of a person's own feed."""

    async def look() -> Any:
        items = (await person.client.get("/notifications")).json["items"]
        return items[0] if items else None

    return await until(look)


async def test_everybody_reads_their_own_language(working: Working) -> None:
    shop = await sign_up(working.api)
    ann, bob = await reader(working, shop, "de-AT"), await reader(working, shop, "fr")
    await make_rule(
        shop,
        "realtime",
        targetUsers=[ann.id, bob.id],
        message="{{ payload.amount }} euros",
        translations={"de": GERMAN, "it": {"title": "Ordine"}},
    )
    async with pusher_js(working.process) as js:
        for name, person in (("ann", ann), ("bob", bob)):
            await person.connect(js, name)
            await js.subscribe(name, person.channel)
        made = await notified(shop.key, await send_event(shop.key, order="A-1", amount=5))
        frames = [(await js.fact(client=name, event="notification.created"))["data"] for name in ("ann", "bob")]
    assert [frame["title"] for frame in frames] == ["Bestellung A-1", "Order A-1"]
    assert frames[0]["action"] == {"url": "https://example.com/de/A-1", "label": "Öffnen"}
    hers, his = await told(ann), await told(bob)
    assert (hers["title"], hers["message"], hers["translations"]) == ("Bestellung A-1", "5 Euro", None)
    assert (his["title"], his["message"], his["action"]) == ("Order A-1", "5 euros", None)
    assert made["title"] == "Order A-1"
    assert made["translations"]["it"] == {"title": "Ordine"}
    assert (await shop.key.get("/notifications", userId=ann.id)).json["items"][0]["title"] == "Bestellung A-1"


async def test_what_is_sent_is_in_the_language_of_its_reader_or_the_project(working: Working) -> None:
    shop = await sign_up(working.api)
    ann = await shop.add_user(env="test", email="ann@example.com", locale="de_AT")
    bob = await shop.add_user(env="test", email="bob@example.com", locale="fi")
    body = {
        "name": "R",
        "eventTypes": ["*"],
        "channels": ["email"],
        "title": "Order {{ payload.order }}",
        "translations": {"de": {"title": GERMAN["title"]}, "it": {"title": "Ordine {{ payload.order }}"}},
    }
    mail = {
        "provider": "smtp",
        "name": "Mail",
        "settings": {"host": "mail.example.com", "fromAddress": "shop@example.com"},
        "credentials": {"username": "shop", "password": "secret"},
    }
    assert (await shop.test_key.post("/connections", mail)).status == 201
    for person, language, title in (
        (ann, "it", "Bestellung T-1"),
        (bob, "it-IT", "Ordine T-1"),
        (bob, "en", "Order T-1"),
    ):
        assert (await shop.owner.put("/projects/me/settings", {"language": language})).status == 200
        rule = await shop.test_key.post("/rules", {**body, "targetUsers": [person["id"]]})
        assert rule.status == 201, rule.json
        sent = await ended(shop.test_key, await send_event(shop.test_key, order="T-1"), "email")
        assert (sent["state"], sent["captured"]["title"]) == ("captured", title), sent
        assert (await shop.test_key.delete(f"/rules/{rule.json['id']}")).status == 204


async def test_translations_are_checked_kept_and_tried(acme: Project, rival: Project) -> None:
    rule = {"name": "R", "eventTypes": ["a.b"], "title": "T", "translations": {"de": {"title": "{{ payload.x"}}}
    refused = await acme.key.post("/rules", rule)
    assert (refused.status, refused.pointers) == (422, ["/translations/de/title"])
    assert (await acme.key.post("/rules", {**rule, "translations": {"Deutsch!": {}}})).status == 422
    long = {language: {"message": "x" * 50_000} for language in ("de", "it", "fr")}
    refused = await acme.key.post("/rules", {**rule, "translations": long})
    assert (refused.status, refused.pointers) == (422, ["/translations"])
    saved = await acme.key.post("/rules", {**rule, "translations": {"de": GERMAN}})
    assert saved.json["translations"] == {"de": GERMAN}
    tried = await acme.key.post(
        f"/rules/{saved.json['id']}/test", {"event": {"type": "a.b", "payload": {"order": 1, "amount": 2}}}
    )
    assert tried.json["rendered"]["translations"]["de"]["title"] == "Bestellung 1"
    cleared = await acme.key.put(f"/rules/{saved.json['id']}", {"translations": None})
    assert cleared.json["translations"] is None
    assert (await rival.key.get(f"/rules/{saved.json['id']}")).status == 404


async def test_further_languages_belong_to_some_plans(acme: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, acme, "starter")
    try:
        body = {"name": "R", "eventTypes": ["a.b"], "title": "T", "translations": {"de": {"title": "T"}}}
        assert (await acme.key.post("/rules", body)).code == "feature_not_in_plan"
    finally:
        await put_on(sql, acme, "enterprise")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (("de-AT", None), "de-AT"),
        (("de_at",), "de-AT"),
        (("de-CH", None), "de"),
        (("de-Latn-CH",), "de"),
        (("fr", "it"), "it"),
        ((None, "it-IT"), "it"),
        (("fr", None), None),
        (("d",), None),
    ],
)
def test_the_language_that_serves_best(wanted: tuple[str | None, ...], found: str | None) -> None:
    assert best(["de", "de-AT", "it"], *wanted) == found


def test_what_a_translation_leaves_out_stays() -> None:
    written = Words("T", "M", {"url": "u"})
    assert words_in(written, {"de": {"title": "", "message": None}}, "de") == Words("", "M", {"url": "u"})
    assert words_in(written, None, "de") == written
