"""A project may send to proven addresses alone; what is proven, and by whom (C10)."""

from typing import Any
from uuid import UUID

import pytest

from tests import people
from tests.client import Client, Project, sign_up
from tests.connections.build import mail_server
from tests.deliveries.test_not_sent import connected_mail
from tests.pipeline import Working, ended, make_rule, send_event

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

MAILBOX, NUMBER = "ann@shop.example.com", "+436601234567"


async def require(project: Project, required: bool = True) -> None:
    body = {"connections": {"requireVerifiedAddresses": required}}
    assert (await project.owner.put("/projects/me/settings", body)).status == 200


async def vouch(caller: Client, person: Any, channel: str, value: str) -> Any:
    body = {"channel": channel, "value": value, "verified": True}
    return await caller.post(f"/users/{person['id']}/addresses", body)


async def told(project: Project, channel: str, env: str = "live") -> Any:
    key = project.key if env == "live" else project.test_key
    return await ended(key, await send_event(key), channel)


async def test_mail_goes_to_a_proven_mailbox_alone(working: Working, shop: Project) -> None:
    ann = await shop.add_user(email=MAILBOX)
    await make_rule(shop, "email", targetUsers=[ann["id"]])
    async with mail_server() as mail:
        await connected_mail(working, shop, mail)
        assert (await told(shop, "email"))["state"] == "sent"
        await require(shop)
        held = await told(shop, "email")
        assert (held["state"], held["lastError"]) == ("suppressed", "the e-mail address is not verified")
        assert held["attempts"] == []
        await working.sql.execute("UPDATE tocsin.users SET email_verified_at = now() WHERE id = $1", UUID(ann["id"]))
        assert (await told(shop, "email"))["state"] == "sent"


async def test_what_one_project_asks_for_binds_no_other(working: Working, shop: Project) -> None:
    rival = await sign_up(working.api, "Rival")
    await require(rival)
    ann = await shop.add_user(email=MAILBOX)
    await make_rule(shop, "email", targetUsers=[ann["id"]])
    async with mail_server() as mail:
        await connected_mail(working, shop, mail)
        assert (await told(shop, "email"))["state"] == "sent"


async def test_a_backend_vouches_for_a_number_it_has_proven(shop: Project) -> None:
    await require(shop)
    ann = await shop.add_user(email=None, externalUserId="ann", phone=NUMBER)
    await make_rule(shop, "sms", targetUsers=[ann["id"]])
    held = await told(shop, "sms", "test")
    assert (held["state"], held["lastError"]) == ("suppressed", "the phone number is not verified")
    assert (await vouch(shop.key, ann, "phone", NUMBER)).json["verifiedAt"]
    sent = await told(shop, "sms", "test")
    assert (sent["state"], sent["address"]) == ("captured", NUMBER)


async def test_a_proven_address_is_taken_before_a_newer_one_that_is_not(shop: Project) -> None:
    await require(shop)
    ann = await shop.add_user(email=None, externalUserId="ann")
    await vouch(shop.key, ann, "email", MAILBOX)
    newer = {"channel": "email", "value": "else@shop.example.com"}
    assert (await shop.key.post(f"/users/{ann['id']}/addresses", newer)).status == 201
    await make_rule(shop, "email", targetUsers=[ann["id"]])
    assert (await told(shop, "email", "test"))["address"] == MAILBOX


async def test_an_address_that_is_there_is_vouched_for_once(shop: Project) -> None:
    ann = await shop.add_user(email=None, externalUserId="ann", addresses={"phone": NUMBER})
    first = await vouch(shop.key, ann, "phone", NUMBER)
    assert first.status == 200 and first.json["verifiedAt"]
    assert (await vouch(shop.key, ann, "phone", NUMBER)).code == "address_taken"
    actions = [entry["action"] for entry in (await shop.owner.get("/audit", limit=200)).json["items"]]
    assert actions.count("address.verified") == 1


async def test_people_do_not_vouch_for_themselves(working: Working, shop: Project) -> None:
    ann = await people.join(working.api, shop)
    refused = await vouch(ann.client, {"id": ann.id}, "phone", NUMBER)
    assert (refused.status, refused.code) == (403, "cannot_vouch")
    listed = await shop.key.get(f"/users/{ann.id}/addresses")
    assert listed.json == []
    stranger = await sign_up(working.api, "Rival")
    assert (await vouch(stranger.key, {"id": ann.id}, "phone", NUMBER)).status == 404


async def test_a_telegram_chat_is_no_matter_of_this_setting(working: Working, shop: Project) -> None:
    """Who has not written to the bot is not known to be reached, whatever the setting."""
    await require(shop)
    ann = await shop.add_user(addresses={"telegram": "4711"})
    await make_rule(shop, "telegram", targetUsers=[ann["id"]])
    assert (await told(shop, "telegram", "test"))["state"] == "captured"
