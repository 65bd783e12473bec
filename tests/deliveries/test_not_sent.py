"""What cannot be sent ends with the reason, or waits where somebody may mend it (C4, D2)."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from tests.client import Project
from tests.connections.build import PASSWORD, MailServer, mail_server, make_hook, make_mail
from tests.endpoint import endpoint
from tests.pipeline import (
    Working,
    deliveries_of,
    ended,
    fall_due,
    make_rule,
    send_event,
    send_events,
    tried,
    until,
    waits,
)

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

WRONG = "canary-out-of-date"
PENDING = "no active connection for email: pending"


async def connected_mail(working: Working, project: Project, mail: MailServer, password: str = PASSWORD) -> Any:
    """A mail connection that was verified once, whatever its password is worth today."""
    made = await make_mail(project.key, port=mail.port, login={"username": "acme", "password": password})
    await working.sql.execute("UPDATE tocsin.connections SET status = 'active' WHERE id = $1", made["id"])
    return made


async def test_without_a_connection_it_fails_and_says_so(shop: Project) -> None:
    await make_rule(shop, "webhook")
    done = await ended(shop.key, await send_event(shop.key))
    assert (done["state"], done["lastError"], done["attempts"]) == ("failed", "no connection for webhook", [])


async def test_somebody_without_an_address_gets_nothing_and_the_others_do(working: Working, shop: Project) -> None:
    nobody = await shop.add_user(email=None, externalUserId="no-mail")
    ann = await shop.add_user(email="ann@shop.example.com")
    await make_rule(shop, "email", targetUsers=[nobody["id"], ann["id"]])
    async with mail_server() as mail:
        await connected_mail(working, shop, mail)
        event_id = await send_event(shop.key)

        async def all_ended() -> Any:
            found = {each["userId"]: each for each in await deliveries_of(shop.key, event_id)}
            return found if all(each["state"] != "queued" for each in found.values()) else None

        found = await until(all_ended)
    assert (found[nobody["id"]]["state"], found[ann["id"]]["state"]) == ("suppressed", "sent")
    assert found[nobody["id"]]["lastError"] == "the person has no address for email"
    assert found[nobody["id"]]["attempts"] == []
    assert [recipients for recipients, _ in mail.taken] == [["ann@shop.example.com"]]


async def test_an_opt_out_counts_for_the_address_of_the_profile_too(working: Working, shop: Project) -> None:
    ann = await shop.add_user(email="ann@shop.example.com", addresses={"email": "ann@shop.example.com"})
    await working.sql.execute("UPDATE tocsin.addresses SET opted_out_at = now() WHERE user_id = $1", UUID(ann["id"]))
    await make_rule(shop, "email", targetUsers=[ann["id"]])
    async with mail_server() as mail:
        await connected_mail(working, shop, mail)
        done = await ended(shop.key, await send_event(shop.key), "email")
    assert (done["state"], done["lastError"]) == ("suppressed", "the person has no address for email")
    assert mail.taken == []


async def test_who_is_disabled_or_deleted_meanwhile_gets_nothing(working: Working, shop: Project) -> None:
    leaving = await shop.add_user(email="leaving@shop.example.com")
    gone = await shop.add_user(email="gone@shop.example.com")
    for person in (leaving, gone):
        await make_rule(shop, "email", eventTypes=[f"for.{person['id']}"], targetUsers=[person["id"]])
    async with mail_server() as mail:
        await make_mail(shop.key, port=mail.port)
        events = [await send_event(shop.key, f"for.{person['id']}") for person in (leaving, gone)]
        waiting = [await waits(shop.key, event_id, PENDING, "email") for event_id in events]
        disabled = await shop.owner.put(f"/users/{leaving['id']}", {"status": "disabled"})
        assert disabled.status == 200, disabled.json
        assert (await shop.owner.delete(f"/users/{gone['id']}")).status == 204
        for delivery in waiting:
            await fall_due(working.sql, delivery)
        done = [await ended(shop.key, event_id, "email") for event_id in events]
    assert [(each["state"], each["lastError"]) for each in done] == [
        ("suppressed", "the person is disabled"),
        ("suppressed", "the person does not exist any more"),
    ]
    assert mail.taken == []


async def test_a_refused_login_stops_the_connection_and_what_waits_goes_out_once_it_is_mended(
    working: Working, shop: Project
) -> None:
    ann = await shop.add_user(email="ann@shop.example.com")
    await make_rule(shop, "email", targetUsers=[ann["id"]])
    async with mail_server() as mail:
        made = await connected_mail(working, shop, mail, WRONG)
        first = await tried(shop.key, await send_event(shop.key, order="A-1"), 1, "email")
        broken = (await shop.key.get(f"/connections/{made['id']}")).json
        logins = len(mail.logins)
        events = await send_events(shop.key, {"order": "A-2"}, {"order": "A-3"})
        for event_id in events:
            await waits(shop.key, event_id, "no active connection for email: error", "email")
        assert len(mail.logins) == logins, "a connection in error was used"
        await mended(shop, made)
        for event_id in events:
            assert (await ended(shop.key, event_id, "email"))["state"] == "sent"
        taken = await until(lambda: all_of(mail, 3))
    assert (first["state"], first["attempts"][0]["outcome"]) == ("queued", "credentials")
    assert (broken["status"], broken["healthStatus"]) == ("error", "failing")
    assert "refused the login" in broken["statusReason"]
    assert WRONG not in str(broken) + str(first)
    assert sorted(message["Subject"] for _, message in taken) == ["Order A-1", "Order A-2", "Order A-3"]


async def test_waiting_for_a_connection_costs_no_try(working: Working, shop: Project) -> None:
    ann = await shop.add_user(email="ann@shop.example.com")
    await make_rule(shop, "email", targetUsers=[ann["id"]])
    async with mail_server() as mail:
        made = await make_mail(shop.key, port=mail.port)
        event_id = await send_event(shop.key)

        for _ in range(3):
            waiting = await waits(shop.key, event_id, PENDING, "email")
            assert waiting["attempts"] == []
            await working.sql.execute("UPDATE tocsin.deliveries SET last_error = NULL WHERE id = $1", waiting["id"])
            await fall_due(working.sql, waiting)
        await waits(shop.key, event_id, PENDING, "email")
        assert (await shop.key.post(f"/connections/{made['id']}/verify")).status == 200
        done = await ended(shop.key, event_id, "email")
    assert (done["state"], [each["number"] for each in done["attempts"]]) == ("sent", [1])


async def test_nobody_waits_for_a_connection_longer_than_a_day(working: Working, shop: Project) -> None:
    ann = await shop.add_user(email="ann@shop.example.com")
    await make_rule(shop, "email", targetUsers=[ann["id"]])
    await make_mail(shop.key)
    event_id = await send_event(shop.key)

    waiting = await waits(shop.key, event_id, PENDING, "email")
    await working.sql.execute(
        "UPDATE tocsin.deliveries SET created_at = now() - interval '25 hours', due_at = now() WHERE id = $1",
        waiting["id"],
    )
    done = await ended(shop.key, event_id, "email")
    assert (done["state"], done["lastError"]) == ("failed", PENDING)


async def test_a_send_that_outlives_the_mending_does_not_stop_the_mended_connection(
    working: Working, shop: Project
) -> None:
    """The old password is refused after the new one was proven."""
    ann = await shop.add_user(email="ann@shop.example.com")
    await make_rule(shop, "email", targetUsers=[ann["id"]])
    async with mail_server() as mail:
        made = await connected_mail(working, shop, mail, WRONG)
        met, mended_now = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            met.set()
            await mended_now.wait()

        mail.greeting = hold
        event_id = await send_event(shop.key)
        await asyncio.wait_for(met.wait(), 15)
        mail.greeting = None
        await mended(shop, made)
        mended_now.set()
        await tried(shop.key, event_id, 1, "email")
        assert (await shop.key.get(f"/connections/{made['id']}")).json["status"] == "active"


async def test_other_peoples_own_connections_are_no_reason_to_wait(working: Working, shop: Project) -> None:
    ann, bob = [await shop.add_user() for _ in range(2)]
    async with mail_server() as mail:
        made = await make_mail(shop.key, port=mail.port)
        await working.sql.execute(
            "UPDATE tocsin.connections SET owner = 'user', user_id = $2 WHERE id = $1", made["id"], bob["id"]
        )
        await make_rule(shop, "email", targetUsers=[ann["id"]])
        done = await ended(shop.key, await send_event(shop.key), "email")
    assert (done["state"], done["lastError"]) == ("failed", "no connection for email")


async def test_a_second_connection_takes_over_what_waits_for_the_first(working: Working, shop: Project) -> None:
    async with endpoint() as served:
        made = await make_hook(shop.key)
        await working.sql.execute("UPDATE tocsin.connections SET status = 'suspended' WHERE id = $1", made["id"])
        await make_rule(shop, "webhook")
        event_id = await send_event(shop.key)

        await waits(shop.key, event_id, "no active connection for webhook: suspended")
        await served.connect(shop)
        assert (await ended(shop.key, event_id))["state"] == "delivered"


async def mended(project: Project, connection: Any) -> None:
    """What its owner does: set the right password and prove it."""
    where = f"/connections/{connection['id']}"
    assert (await project.key.put(where, {"credentials": {"password": PASSWORD}})).status == 200
    reply = await project.key.post(f"{where}/verify")
    assert (reply.status, reply.json["status"]) == (200, "active"), reply.json


async def all_of(mail: MailServer, count: int) -> Any:
    return mail.taken if len(mail.taken) >= count else None
