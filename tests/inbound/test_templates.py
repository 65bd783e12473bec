"""Templates with the status that Meta says they have: read from the account, and changed by what it tells (C8, W17)."""

from typing import Any

from tests.client import Client
from tests.inbound.numbers import TEMPLATE, Number, make_number, wamid
from tests.inbound.shops import Installed, Shop, make_shop, worked_on
from tests.inbound.test_meta_apps import make_app
from tests.pipeline import checked


def template(status: str = "APPROVED", **fields: Any) -> dict[str, Any]:
    """.../templates/template-management: one of an account."""
    body = {"type": "BODY", "text": "{{1}}: {{2}}"}
    known = {"name": TEMPLATE, "language": "en_US", "status": status, "category": "UTILITY", "components": [body]}
    return {**known, "id": wamid(), **fields}


def changed(number: Number, event: str, at: int = 1, **fields: Any) -> dict[str, Any]:
    """.../webhooks/reference/message_template_status_update: about an account, and about no number of it."""
    told = {"message_template_id": 1, "message_template_name": TEMPLATE, "message_template_language": "en-US"}
    change = {"field": "message_template_status_update", "value": {**told, "event": event, "reason": None, **fields}}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": number.account, "time": at, "changes": [change]}],
    }


async def known(caller: Client, number: Number) -> dict[str, str]:
    reply = await caller.get(f"/connections/{number.connection['id']}/templates")
    assert reply.status == 200, reply.json
    return {each["name"]: each["status"] for each in reply.json["items"]}


async def is_approved(caller: Client, number: Number) -> bool:
    """The mark at that step of the set-up."""
    [found] = [step["done"] for step in (await setup(caller, number))["steps"] if step["key"] == "template"]
    return bool(found)


async def setup(caller: Client, number: Number) -> Any:
    return (await caller.get(f"/connections/{number.connection['id']}/setup")).json


async def verified_anew(installed: Installed, shop: Shop, *templates: Any) -> None:
    installed.meta.templates[shop.number.account] = list(templates)
    reply = await shop.project.key.post(f"/connections/{shop.number.connection['id']}/verify")
    assert reply.status == 200, reply.json


async def test_verifying_reads_the_templates_of_the_account(installed: Installed, shop: Shop) -> None:
    assert await is_approved(shop.project.key, shop.number) is False
    await verified_anew(installed, shop, template(), template("REJECTED", name="other"))
    assert await known(shop.project.key, shop.number) == {TEMPLATE: "APPROVED", "other": "REJECTED"}
    assert await is_approved(shop.project.key, shop.number) is True
    await verified_anew(installed, shop, template(language="de"), template("PENDING"))
    assert await is_approved(shop.project.key, shop.number) is False
    await verified_anew(installed, shop)
    assert await known(shop.project.key, shop.number) == {}


async def test_a_list_that_cannot_be_read_leaves_what_was_known(installed: Installed, shop: Shop) -> None:
    await verified_anew(installed, shop, template())
    await verified_anew(installed, shop, "no template")
    assert await known(shop.project.key, shop.number) == {TEMPLATE: "APPROVED"}


async def test_a_scheduled_check_reads_them_too(installed: Installed, shop: Shop) -> None:
    await verified_anew(installed, shop, template("PENDING"))
    installed.meta.templates[shop.number.account] = [template()]
    await checked(installed.sql, shop.number.connection["id"])
    assert await is_approved(shop.project.key, shop.number) is True


async def test_what_meta_tells_changes_it_at_once_however_often(installed: Installed, shop: Shop) -> None:
    await verified_anew(installed, shop, template())
    for at, event in enumerate(("PAUSED", "REINSTATED", "PAUSED", "FLAGGED"), 1):
        assert (await shop.number.call(changed(shop.number, event, at))).status == 200
        await worked_on(installed, shop.number, at)
        now = "APPROVED" if event == "REINSTATED" else "PAUSED"
        assert await known(shop.project.key, shop.number) == {TEMPLATE: now}
    assert await is_approved(shop.project.key, shop.number) is False


async def test_nobody_speaks_for_the_account_of_another(installed: Installed, shop: Shop) -> None:
    """A project signs with a secret of its own whatever it likes, also about another one's account (W9)."""
    rival = await make_shop(installed, "Rival")
    for each in (shop, rival):
        await verified_anew(installed, each, template())
    assert (await rival.number.call(changed(shop.number, "DISABLED"))).status == 200
    [item] = await worked_on(installed, rival.number, 1)
    assert (item["state"], "another account" in item["last_error"]) == ("ignored", True)
    for each in (shop, rival):
        assert await known(each.project.key, each.number) == {TEMPLATE: "APPROVED"}
    foreign = await rival.project.key.get(f"/connections/{shop.number.connection['id']}/templates")
    assert foreign.status == 404


async def test_an_app_tells_all_its_numbers_of_the_account_and_no_others(installed: Installed, shop: Shop) -> None:
    """What is about an account always comes to the app's own address (W9)."""
    rival = await make_shop(installed, "Rival")
    other = await make_number(shop.project.key, installed.site, installed.sql)
    same = await make_number(shop.project.key, installed.site, installed.sql, businessAccountId=shop.number.account)
    app = await make_app(shop.project, shop.number, same, other)
    assert (await app.call(changed(shop.number, "APPROVED"))).status == 200
    assert (await app.call(changed(rival.number, "APPROVED"))).status == 200
    for number in (shop.number, same):
        await worked_on(installed, number, 1)
        assert await known(shop.project.key, number) == {TEMPLATE: "APPROVED"}
    assert await known(shop.project.key, other) == await known(rival.project.key, rival.number) == {}


async def test_the_set_up_of_a_number_under_an_app_is_the_apps(installed: Installed, shop: Shop) -> None:
    own = await setup(shop.project.key, shop.number)
    app = await make_app(shop.project, shop.number)
    before = await setup(shop.project.key, shop.number)
    assert before["verifyToken"] == app.shown["verifyToken"] != own["verifyToken"]
    assert [step["done"] for step in before["steps"]] == [True, True, True, False, False, False]
    asked = {"hub.mode": "subscribe", "hub.verify_token": app.shown["verifyToken"], "hub.challenge": "1"}
    assert (await Client(app.api.http, app.api.base).get(app.path, **asked)).status == 200
    assert (await app.call(changed(shop.number, "APPROVED"))).status == 200
    await worked_on(installed, shop.number, 1)
    after = await setup(shop.project.key, shop.number)
    assert [step["done"] for step in after["steps"]] == [True] * 6
    assert after["registeredAt"] is not None and after["lastReceivedAt"] is not None
