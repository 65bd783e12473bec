"""In the sandbox everything runs and nothing leaves; what would have been sent can be read (A2)."""

import pytest

from tests.client import Project
from tests.connections.build import mail_server, make_mail
from tests.endpoint import endpoint
from tests.people import join
from tests.pipeline import Working, ended, make_rule, notified, send_event
from tests.realtime.pusher_js import pusher_js

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")


async def test_what_would_have_been_sent_can_be_read(working: Working, shop: Project) -> None:
    ann = await shop.add_user(email="ann@shop.example.com")
    await make_rule(
        shop,
        "webhook",
        "email",
        "realtime",
        targetUsers=[ann["id"]],
        message="It is worth {{ payload.amount }}.",
        action={"url": "https://shop.example.com/{{ payload.order }}", "label": "Open"},
    )
    async with endpoint() as served, mail_server() as mail:
        await served.connect(shop)
        made = await make_mail(shop.key, port=mail.port)
        assert (await shop.key.post(f"/connections/{made['id']}/verify")).status == 200
        logins = len(mail.logins)
        event_id = await send_event(shop.test_key, order="T-1", amount=7)
        hook = await ended(shop.test_key, event_id, "webhook")
        letter = await ended(shop.test_key, event_id, "email")
        live_id = await send_event(shop.key, order="L-1", amount=7)
        await ended(shop.key, live_id, "webhook")
        await ended(shop.key, live_id, "email")
        assert len(mail.logins) == logins + 1
        assert [(call.data["env"], call.data["title"]) for call in served.calls] == [("live", "Order L-1")]
        assert [message["Subject"] for _, message in mail.taken] == ["Order L-1"]
    assert (hook["state"], letter["state"], letter["env"]) == ("captured", "captured", "test")
    assert letter["captured"] == {
        "title": "Order T-1",
        "message": "It is worth 7.",
        "address": "ann@shop.example.com",
        "action": {"url": "https://shop.example.com/T-1", "label": "Open"},
    }
    assert [attempt["outcome"] for attempt in letter["attempts"]] == ["captured"]
    assert (await ended(shop.test_key, event_id, "realtime"))["state"] == "sent"
    assert (await shop.key.get(f"/deliveries/{letter['id']}")).status == 404
    assert (await shop.test_key.post(f"/deliveries/{letter['id']}/retry")).code == "not_retryable"


async def test_sockets_of_the_test_app_hear_test_events_and_no_others(working: Working, shop: Project) -> None:
    ann = await join(working.api, shop, "test")
    await make_rule(shop, "realtime", targetPayloadUser=True)
    bob = await join(working.api, shop, "live", name="Bob")
    async with pusher_js(working.process) as js:
        for name, person in (("ann", ann), ("bob", bob)):
            await person.connect(js, name)
            await js.subscribe(name, person.channel)
        await notified(shop.test_key, await send_event(shop.test_key, order="T-1", userId=ann.external_id))
        await notified(shop.key, await send_event(shop.key, order="L-1", userId=bob.external_id))
        for name, title in (("ann", "Order T-1"), ("bob", "Order L-1")):
            assert (await js.fact(client=name, event="notification.created"))["data"]["title"] == title
            await js.settle(name)
            assert len(js.told(client=name, event="notification.created")) == 1
