"""Each device of a person is a delivery of its own: sent, tried again and removed alone (C9, D1, D2). Two projects."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

from tests.channels.browser import Browser
from tests.channels.far_end import answering
from tests.channels.google import Google, google_on_loopback, refused, service_account
from tests.channels.http2_server import Answer, Http2Server, http2_server
from tests.channels.test_apns import p8
from tests.client import Client, Project, sign_up
from tests.engines import fresh_database
from tests.pipeline import ENDED, Working, deliveries_of, fall_due, make_rule, send_event, tried, until
from tests.running import Site, running, running_api
from tocsin.kit.postgres import Running

SUBJECT = {"subject": "mailto:ops@acme.example.com"}


async def connected(project: Project, provider: str, **body: Any) -> Any:
    made = await project.key.post("/connections", {"provider": provider, "name": provider, **body})
    assert made.status == 201, made.json
    if made.json["status"] != "active":
        reply = await project.key.post(f"/connections/{made.json['id']}/verify")
        assert reply.status == 200, reply.json
    return made.json


async def registered(project: Project, user: Any, kind: str, value: str, caller: Client | None = None) -> Any:
    reply = await (caller or project.key).post(f"/users/{user['id']}/addresses", {"channel": kind, "value": value})
    assert reply.status in (200, 201), reply.json
    return reply.json


async def all_ended(caller: Client, event_id: str, channel: str) -> list[Any]:
    async def look() -> Any:
        found = await deliveries_of(caller, event_id, channel)
        return found if found and all(each["state"] in ENDED for each in found) else None

    return list(await until(look))


async def kept(project: Project, user: Any) -> list[str]:
    return [row["id"] for row in (await project.key.get(f"/users/{user['id']}/addresses")).json]


async def test_every_browser_of_a_person_gets_it_and_nobody_elses(working: Working, shop: Project) -> None:
    rival = await sign_up(working.api, "Rival")
    ann, theirs = await shop.add_user(), await rival.add_user()
    for project, user in ((shop, ann), (rival, theirs)):
        await connected(project, "webpush", settings=SUBJECT)
        await make_rule(project, "web_push", targetUsers=[user["id"]])
    async with answering(201) as far:
        browsers = [Browser(f"{far.url}/{name}") for name in ("laptop", "phone")]
        for browser in browsers:
            await registered(shop, ann, "webpush", browser.address)
        [untold] = await all_ended(rival.key, await send_event(rival.key, order=1), "web_push")
        assert (untold["state"], untold["lastError"]) == ("suppressed", "the person has no address for web_push")
        assert far.asked == []
        done = await all_ended(shop.key, await send_event(shop.key, order=7), "web_push")
    assert [each["state"] for each in done] == ["sent", "sent"]
    assert sorted(each["address"][-4:] for each in done) == ["hone", "ptop"]
    bodies = {f"{far.url}{asked.path}": asked.body for asked in far.asked}
    assert [browser.read(bodies[browser.endpoint])["title"] for browser in browsers] == ["Order 7"] * 2


async def test_a_browser_that_unsubscribed_is_removed_and_never_tried_again(working: Working, shop: Project) -> None:
    ann = await shop.add_user()
    await connected(shop, "webpush", settings=SUBJECT)
    await make_rule(shop, "web_push", targetUsers=[ann["id"]], eventTypes=["order.*"])
    async with answering(410, "gone") as gone, answering(201) as there:
        dead = await registered(shop, ann, "webpush", Browser(f"{gone.url}/x").address)
        alive = await registered(shop, ann, "webpush", Browser(f"{there.url}/y").address)
        done = await all_ended(shop.key, await send_event(shop.key, order=1), "web_push")
        assert sorted(each["state"] for each in done) == ["failed", "sent"]
        assert await kept(shop, ann) == [alive["id"]]
        [again] = await all_ended(shop.key, await send_event(shop.key, order=2), "web_push")
        assert (again["state"], len(gone.asked), len(there.asked)) == ("sent", 1, 2)
        failed = next(each for each in done if each["state"] == "failed")
        await shop.owner.post(f"/deliveries/{failed['id']}/retry")
        replayed = await until(lambda: suppressed(shop, failed["id"]))
        assert len(gone.asked) == 1
        assert replayed["lastError"] == "the device is not registered for this person any more"
    entry = next(each for each in (await shop.owner.get("/audit")).json["items"] if each["action"] == "address.expired")
    assert (entry["resourceId"], entry["metadata"]["before"]["channel"]) == (ann["id"], "webpush")
    assert dead["id"] not in await kept(shop, ann)


async def suppressed(project: Project, delivery_id: str) -> Any:
    found = (await project.key.get(f"/deliveries/{delivery_id}")).json
    return found if found["state"] == "suppressed" else None


async def test_a_device_that_is_away_is_tried_again_alone(working: Working, shop: Project) -> None:
    ann = await shop.add_user()
    await connected(shop, "webpush", settings=SUBJECT)
    await make_rule(shop, "web_push", targetUsers=[ann["id"]])
    async with answering(503) as away, answering(201) as there:
        await registered(shop, ann, "webpush", Browser(f"{away.url}/x").address)
        await registered(shop, ann, "webpush", Browser(f"{there.url}/y").address)
        event_id = await send_event(shop.key, order=1)

        async def apart() -> Any:
            found = await deliveries_of(shop.key, event_id, "web_push")
            waiting = [each for each in found if each["state"] == "queued" and each["attempts"]]
            return waiting if sorted(each["state"] for each in found) == ["queued", "sent"] and waiting else None

        [waiting] = await until(apart)
        away.status = 201
        await fall_due(working.sql, waiting)
        done = await all_ended(shop.key, event_id, "web_push")
        assert [each["state"] for each in done] == ["sent", "sent"]
        assert (len(away.asked), len(there.asked)) == (2, 1)


async def test_a_device_that_moved_to_another_person_gets_nothing_meant_for_the_first(
    working: Working, shop: Project
) -> None:
    ann, bob = await shop.add_user(), await shop.add_user()
    await connected(shop, "webpush", settings=SUBJECT)
    await make_rule(shop, "web_push", targetUsers=[ann["id"]])
    async with answering(503) as far:
        browser = Browser(f"{far.url}/x")
        await registered(shop, ann, "webpush", browser.address)
        event_id = await send_event(shop.key, order=1)
        waiting = await tried(shop.key, event_id, 1, "web_push")
        await registered(shop, bob, "webpush", browser.address)
        far.status = 201
        await fall_due(working.sql, waiting)
        [done] = await all_ended(shop.key, event_id, "web_push")
    assert (done["state"], len(far.asked)) == ("suppressed", 1)
    assert done["lastError"] == "the device is not registered for this person any more"


async def test_a_device_that_registers_again_while_it_is_called_gone_is_kept(working: Working, shop: Project) -> None:
    ann = await shop.add_user()
    await connected(shop, "webpush", settings=SUBJECT)
    await make_rule(shop, "web_push", targetUsers=[ann["id"]])
    async with answering(410) as far:
        browser = Browser(f"{far.url}/x")
        known = await registered(shop, ann, "webpush", browser.address)
        far.meanwhile = lambda: registered(shop, ann, "webpush", browser.address)
        [done] = await all_ended(shop.key, await send_event(shop.key, order=1), "web_push")
    assert done["state"] == "failed"
    assert await kept(shop, ann) == [known["id"]]


async def test_in_the_sandbox_each_device_has_its_capture_and_no_token_is_kept(shop: Project) -> None:
    ann = await shop.test_key.post("/users", {"externalUserId": "ann-test"})
    for name in ("laptop", "canary-phone"):
        browser = Browser(f"https://push.example.com/canary/{name}")
        await registered(shop, ann.json, "webpush", browser.address, shop.test_key)
    body = {"name": "t", "eventTypes": ["*"], "title": "T", "channels": ["web_push"], "targetUsers": [ann.json["id"]]}
    assert (await shop.test_key.post("/rules", body)).status == 201
    done = await all_ended(shop.test_key, await send_event(shop.test_key, order=1), "web_push")
    assert [each["state"] for each in done] == ["captured", "captured"]
    assert "canary" not in str(done)


@dataclass
class Pushing:
    """An installation whose Google and Apple are on loopback."""

    api: Client
    google: Google
    apple: Http2Server


@pytest.fixture(scope="module")
async def pushing(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Pushing]:
    authority = trustme.CA()
    trusted = tmp_path_factory.mktemp("apple") / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    async with (
        google_on_loopback() as google,
        http2_server(authority) as apple,
        fresh_database(cluster, template) as url,
    ):
        places = {"TOCSIN_FCM_API_URL": google.url, "TOCSIN_APNS_API_URL": apple.url, "SSL_CERT_FILE": str(trusted)}
        site = Site(url, home, settings={"TOCSIN_SLOTS": "8", **places})
        with running_api(site) as process, running(site, "worker"):
            yield Pushing(Client(http, process.url), google, apple)


async def test_phones_of_both_kinds_hear_over_one_channel(pushing: Pushing) -> None:
    shop, rival = await sign_up(pushing.api, "Shop"), await sign_up(pushing.api, "Rival")
    pushing.apple.answers = [Answer(400, b'{"reason":"BadDeviceToken"}'), Answer()]
    p8_file = p8(ec.generate_private_key(ec.SECP256R1()))
    keys = {"teamId": "TEAM123456", "kid": "KEY1234567", "privateKey": p8_file}
    made = [
        await connected(shop, "fcm", credentials={"serviceAccount": service_account(pushing.google)}),
        await connected(shop, "apns", settings={"topic": "com.example.acme"}, credentials=keys),
    ]
    assert "PRIVATE KEY" not in str(made)
    pushing.google.asked.clear()
    pushing.apple.asked.clear()
    people = [await shop.add_user(), await rival.add_user()]
    for project, user in zip((shop, rival), people, strict=True):
        await registered(project, user, "fcm", "installation_x:APA91b" + "y" * 130)
        await registered(project, user, "apns", "0a" * 32)
        await make_rule(project, "push", targetUsers=[user["id"]])
    untold = await all_ended(rival.key, await send_event(rival.key, order=1), "push")
    assert sorted(each["lastError"] for each in untold) == ["no connection for apns", "no connection for fcm"]
    assert (pushing.google.asked, pushing.apple.asked) == ([], [])
    done = await all_ended(shop.key, await send_event(shop.key, order=7), "push")
    assert [each["state"] for each in done] == ["sent", "sent"]
    [to_google], [to_apple] = pushing.google.asked, pushing.apple.asked
    assert to_google.json["message"]["notification"]["title"] == "Order 7"
    assert to_apple.json["aps"]["alert"]["title"] == "Order 7"
    assert {to_google.json["message"]["data"]["deliveryId"], to_apple.headers["apns-id"]} == {
        each["id"] for each in done
    }


async def test_a_phone_that_uninstalled_the_app_is_removed_and_the_other_stays(pushing: Pushing) -> None:
    shop = await sign_up(pushing.api, "Shop")
    await connected(shop, "fcm", credentials={"serviceAccount": service_account(pushing.google)})
    ann = await shop.add_user()
    for name in "ab":
        await registered(shop, ann, "fcm", f"installation_{name}:APA91b" + name * 130)
    await make_rule(shop, "push", targetUsers=[ann["id"]])
    pushing.google.answers = [refused(404, "NOT_FOUND", "UNREGISTERED"), (200, {"name": "projects/a/messages/1"})]
    done = await all_ended(shop.key, await send_event(shop.key, order=1), "push")
    assert sorted(each["state"] for each in done) == ["failed", "sent"]
    assert len(await kept(shop, ann)) == 1
    assert len(await all_ended(shop.key, await send_event(shop.key, order=2), "push")) == 1


async def test_a_phone_that_came_back_after_apple_missed_it_is_kept(pushing: Pushing) -> None:
    """Apple goes on naming the time at which it last found nobody (R77); what is older than that is removed."""
    shop = await sign_up(pushing.api, "Shop")
    pushing.apple.answers = [Answer(400, b'{"reason":"BadDeviceToken"}'), Answer()]
    keys = {
        "teamId": "TEAM123456",
        "kid": "KEY1234567",
        "privateKey": p8(ec.generate_private_key(ec.SECP256R1())),
    }
    await connected(shop, "apns", settings={"topic": "com.example.acme"}, credentials=keys)
    ann = await shop.add_user()
    await registered(shop, ann, "apns", "0b" * 32)
    await make_rule(shop, "push", targetUsers=[ann["id"]])
    for hours, left in ((-1, 1), (1, 0)):
        missed = round((time.time() + hours * 3_600) * 1_000)
        pushing.apple.answers = [Answer(410, b'{"reason":"Unregistered","timestamp":%d}' % missed)]
        [done] = await all_ended(shop.key, await send_event(shop.key, order=1), "push")
        assert (done["state"], len(await kept(shop, ann))) == ("failed", left)


async def test_a_rule_whose_address_never_fits_is_refused(shop: Project) -> None:
    body = {"name": "r", "eventTypes": ["*"], "title": "T", "channels": ["realtime", "push"]}
    far = {"url": f"https://acme.example.com/{{{{ payload.id }}}}/{'x' * 2_000}"}
    reply = await shop.owner.post("/rules", {**body, "action": far})
    assert (reply.status, reply.pointers) == (422, ["/action/url"])
    assert "too_long_for_channel" in str(reply.json)
    saved = await shop.owner.post("/rules", {**body, "channels": ["realtime"], "action": far})
    assert saved.status == 201
    changed = await shop.owner.put(f"/rules/{saved.json['id']}", {"channels": ["push"]})
    assert (changed.status, changed.pointers) == (422, ["/action/url"])
