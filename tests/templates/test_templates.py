"""Templates: words that rules name, by language and channel, and mails in a project's own words (R1, P4)."""

import itertools
from typing import Any

import asyncpg
import pytest

from tests.client import Project, sign_up
from tests.mail.mailbox import text_of, token_in
from tests.mail.posted import Posted
from tests.people import join
from tests.pipeline import Working, make_rule, notified, send_event
from tests.plans.build import put_on

_numbers = itertools.count(1)


def words(**fields: Any) -> dict[str, Any]:
    return {
        "kind": "notification",
        "name": f"words-{next(_numbers)}",
        "language": "de",
        "subject": "Bestellung {{ payload.order }}",
        "body": "Für {{ payload.customer }}",
        **fields,
    }


async def put(project: Project, **fields: Any) -> Any:
    reply = await project.owner.put("/templates", words(**fields))
    assert reply.status == 200, reply.json
    return reply.json


async def test_a_template_is_written_over_and_taken_away(acme: Project, rival: Project) -> None:
    first = await put(acme, name="placed")
    again = await put(acme, name="placed", body="Danke")
    assert (again["id"], again["version"], again["body"]) == (first["id"], 2, "Danke")
    assert (await acme.owner.get(f"/templates/{first['id']}")).json == again
    theirs = await put(rival, name="placed")
    assert theirs["version"] == 1
    assert (await rival.owner.get(f"/templates/{first['id']}")).status == 404
    assert (await rival.owner.delete(f"/templates/{first['id']}")).status == 404
    assert [each["id"] for each in (await acme.owner.get("/templates", name="placed")).json["items"]] == [first["id"]]
    assert (await acme.owner.delete(f"/templates/{first['id']}")).status == 204
    assert (await acme.owner.get(f"/templates/{first['id']}")).status == 404


async def test_a_rule_says_what_the_template_says_for_its_language_and_channel(working: Working) -> None:
    shop = await sign_up(working.api)
    await put(shop, name="placed")
    await put(shop, name="placed", channel="realtime", subject="Live {{ payload.order }}")
    await put(shop, name="placed", language="it", subject="Ordine {{ payload.order }}", body="")
    ann, bob = await join(working.api, shop), await join(working.api, shop)
    assert (await shop.key.put(f"/users/{ann.id}", {"locale": "de-AT"})).status == 200
    await make_rule(shop, "realtime", targetUsers=[ann.id, bob.id], template="placed")
    made = await notified(shop.key, await send_event(shop.key, order="A-1", customer="Ann"))
    assert (made["title"], made["translations"]["it"]["title"]) == ("Order A-1", "Ordine A-1")
    hers = (await ann.client.get(f"/notifications/{made['id']}")).json
    assert (hers["title"], hers["message"]) == ("Live A-1", "Für Ann")
    his = (await bob.client.get(f"/notifications/{made['id']}")).json
    assert (his["title"], his["message"]) == ("Order A-1", "")
    await put(shop, name="placed", channel="realtime", subject="Neu {{ payload.order }}")
    later = await notified(shop.key, await send_event(shop.key, order="A-2"))
    assert (await ann.client.get(f"/notifications/{later['id']}")).json["title"] == "Neu A-2"


async def test_words_see_how_their_project_looks(working: Working) -> None:
    """In a template, in the words of a rule and in a trial; each project its own, and one without any none."""
    shop, rival, plain = [await sign_up(working.api) for _ in range(3)]
    looks = {"brandColor": "#112233", "logoUrl": "https://shop.example/logo.png", "emailFooter": "Shop Ltd"}
    for project, look in ((shop, looks), (rival, {"brandColor": "#445566"})):
        assert (await project.owner.put("/projects/me/branding", look)).status == 200
    said = "{{ branding.brandColor }} {{ branding.logoUrl }} {{ branding.emailFooter }} {{ project.branding }}"
    events = []
    for project in (shop, rival, plain):
        await put(project, name="looks", language="it", subject="I {{ branding.brandColor }}", body=said)
        rule = {"targetRoles": ["owner"], "title": "T {{ branding.brandColor }}", "message": said, "template": "looks"}
        made = await make_rule(project, "realtime", **rule)
        events.append((project, made, await send_event(project.key)))
    for (project, rule, event), color, message in zip(
        events,
        ("#112233", "#445566", ""),
        ("#112233 https://shop.example/logo.png Shop Ltd ", "#445566   ", "   "),
        strict=True,
    ):
        told = await notified(project.key, event)
        assert (told["title"].strip(), told["message"].strip()) == (f"T {color}".strip(), message.strip())
        assert told["translations"]["it"]["title"].strip() == f"I {color}".strip()
        trial = await project.key.post(f"/rules/{rule['id']}/test", {"event": {"type": "a", "payload": {}}})
        assert trial.json["rendered"]["title"].strip() == f"T {color}".strip()


async def test_mails_to_strangers_say_nothing_of_it(acme: Project) -> None:
    mail = {"kind": "system_mail", "name": "invitation", "subject": "Hello", "body": "{{ branding.logoUrl }}"}
    reply = await acme.owner.put("/templates", words(**mail))
    assert (reply.status, reply.json["errors"][0]["code"]) == (422, "unknown_name")


async def test_a_rule_names_what_there_is_and_keeps_it(acme: Project, rival: Project) -> None:
    made = await put(acme)
    rule = {"name": "R", "eventTypes": ["a.b"], "title": "T", "template": made["name"]}
    refused = await rival.key.post("/rules", rule)
    assert (refused.status, refused.pointers) == (422, ["/template"])
    saved = await acme.key.post("/rules", rule)
    assert saved.json["template"] == made["name"]
    tried = await acme.key.post(f"/rules/{saved.json['id']}/test", {"event": {"type": "a.b", "payload": {"order": 1}}})
    assert tried.json["rendered"]["translations"]["de"]["title"] == "Bestellung 1"
    assert (await acme.owner.delete(f"/templates/{made['id']}")).code == "template_in_use"
    assert (await acme.key.delete(f"/rules/{saved.json['id']}")).status == 204
    assert (await acme.owner.delete(f"/templates/{made['id']}")).status == 204


async def test_a_preview_prints_a_stored_event(acme: Project, rival: Project) -> None:
    made = await put(acme, body="{{ payload.customer }} {{ payload.absent }}")
    event = await acme.key.post("/events", {"type": "a.b", "payload": {"order": "<b>7</b>", "customer": "{{ 7 }}"}})
    shown = await acme.owner.post(f"/templates/{made['id']}/preview", {"eventId": event.json["id"]})
    assert shown.json == {"subject": "Bestellung <b>7</b>", "body": "{{ 7 }} ", "missing": ["payload.absent"]}
    theirs = await put(rival)
    refused = await rival.owner.post(f"/templates/{theirs['id']}/preview", {"eventId": event.json["id"]})
    assert (refused.status, refused.pointers) == (422, ["/eventId"])
    assert (await rival.owner.post(f"/templates/{made['id']}/preview")).status == 404


async def test_words_are_shown_before_they_are_saved(acme: Project, rival: Project) -> None:
    event = await acme.key.post("/events", {"type": "a.b", "payload": {"order": 7}})
    draft = {name: value for name, value in words().items() if name != "language"}
    shown = await acme.owner.post("/templates/preview", {**draft, "eventId": event.json["id"]})
    assert shown.json == {"subject": "Bestellung 7", "body": "Für ", "missing": ["payload.customer"]}
    refused = await rival.owner.post("/templates/preview", {**draft, "eventId": event.json["id"]})
    assert (refused.status, refused.pointers) == (422, ["/eventId"])
    broken = await acme.owner.post("/templates/preview", {**draft, "body": "{% if %}"})
    assert (broken.status, broken.pointers) == (422, ["/body"])
    mail = {"kind": "system_mail", "name": "invitation", "subject": "S", "body": "{{ payload.inviter }}"}
    assert (await acme.owner.post("/templates/preview", mail)).json["body"] == "[inviter]"
    assert (await acme.owner.get("/templates", name=draft["name"])).json["items"] == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"body": "{{ payload.x"}, "/body"),
        ({"subject": "{{ ''.__class__ }}"}, "/subject"),
        ({"body": "{% include 'a' %}"}, "/body"),
        ({"kind": "system_mail", "name": "no_such_mail"}, "/name"),
        ({"kind": "system_mail", "name": "invitation", "body": "{{ payload.secret }}", "subject": "S"}, "/body"),
        (
            {"kind": "system_mail", "name": "connection_suspended", "body": "{{ payload.reason }}", "subject": "S"},
            "/body",
        ),
        ({"kind": "system_mail", "name": "invitation", "body": "B", "subject": "S", "channel": "email"}, "/channel"),
        ({"channel": "pigeon"}, "/channel"),
        ({"language": "Deutsch"}, "/language"),
    ],
)
async def test_what_could_not_be_printed_is_refused(acme: Project, fields: dict[str, Any], pointer: str) -> None:
    reply = await acme.owner.put("/templates", words(**fields))
    assert (reply.status, reply.pointers) == (422, [pointer]), reply.json


async def test_every_default_can_be_saved_as_it_stands(acme: Project) -> None:
    defaults = (await acme.owner.get("/templates/defaults")).json
    assert "admin_invitation" not in [each["name"] for each in defaults]
    looks = {"logoUrl": "https://cdn.example.com/logo.png", "emailFooter": "Acme, Vienna"}
    assert (await acme.owner.put("/projects/me/branding", looks)).status == 200
    for each in defaults:
        kept = {name: each[name] for name in ("kind", "name", "subject", "body")}
        reply = await acme.owner.put("/templates", {**kept, "language": "en"})
        assert reply.status == 200, reply.json
        shown = await acme.owner.post(f"/templates/{reply.json['id']}/preview")
        assert shown.json["missing"] == []


async def test_a_mail_is_in_the_words_of_its_project_and_keeps_its_link(posted: Posted) -> None:
    project, other = await posted.sign_up("Worded"), await posted.sign_up("Plain")
    assert (await project.owner.put("/projects/me/settings", {"language": "de"})).status == 200
    made = await put(
        project,
        kind="system_mail",
        name="invitation",
        subject="Willkommen bei {{ project.name }}",
        body="{{ payload.inviter }} lädt Sie ein.\nMehr: https://shop.example.com",
    )
    for owner in (project, other):
        reply = await owner.owner.post("/invites", {"email": f"guest@{owner.slug}.example"})
        assert reply.status == 201, reply.json
    mail = await posted.boxes.next(f"guest@{project.slug}.example", "Willkommen bei Worded")
    assert token_in(mail).startswith("lk_")
    assert "shop.example.com" in text_of(mail)
    assert "https://shop" not in text_of(mail)
    await posted.boxes.next(f"guest@{other.slug}.example", "You are invited")
    assert (await project.owner.delete(f"/templates/{made['id']}")).status == 204
    assert (await project.owner.post("/invites", {"email": f"late@{project.slug}.example"})).status == 201
    await posted.boxes.next(f"late@{project.slug}.example", "You are invited")


async def test_words_for_mails_belong_to_some_plans(acme: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, acme, "professional")
    try:
        own = words(kind="system_mail", name="invitation", subject="S", body="B")
        assert (await acme.owner.put("/templates", own)).code == "feature_not_in_plan"
        assert (await acme.owner.put("/templates", words())).status == 200
    finally:
        await put_on(sql, acme, "enterprise")


async def test_only_admins_of_the_project_word_its_mails(acme: Project) -> None:
    _, key = await acme.new_key("rules:manage", "rules:read")
    assert (await key.put("/templates", words())).code == "permission_missing"
    assert (await key.get("/templates")).status == 200
    made = await put(acme)
    event = await acme.key.post("/events", {"type": "a.b", "payload": {"order": "secret"}})
    shown = await key.post(f"/templates/{made['id']}/preview", {"eventId": event.json["id"]})
    assert shown.code == "permission_missing"
    assert (await key.post(f"/templates/{made['id']}/preview")).json["subject"] == "Bestellung"


async def test_a_template_has_so_many_languages_and_words(acme: Project) -> None:
    name = (await put(acme, body="x" * 60_000))["name"]
    assert (await acme.owner.put("/templates", words(name=name, language="it", body="x" * 60_000))).status == 200
    over = await acme.owner.put("/templates", words(name=name, language="fr", body="x" * 60_000))
    assert (over.status, over.code) == (409, "template_too_large")
    assert len((await acme.owner.get("/templates", name=name)).json["items"]) == 2
