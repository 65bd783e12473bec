"""A number at WhatsApp has one connection in the installation, and who comes second does not learn whose (T2, C8)."""

import asyncio
from typing import Any

from tests.client import Client, Reply, sign_up
from tests.connections.build import created
from tests.inbound.numbers import TEMPLATE, Number, written
from tests.inbound.shops import Installed, Shop, make_shop, windows, worked_on


async def same_number(caller: Client, number: Number, where: str = "/connections") -> Any:
    """A further connection to that number, not verified."""
    body = {
        "provider": "whatsapp",
        "name": "the same",
        "settings": {"phoneNumberId": number.id, "businessAccountId": number.account, "template": TEMPLATE},
        "credentials": {"accessToken": "canary-access-token-same", "appSecret": "canary-app-secret-same-number"},
    }
    return created(await caller.post(where, body))


async def verify(caller: Client, connection: Any) -> Reply:
    return await caller.post(f"/connections/{connection['id']}/verify")


async def test_the_second_claim_is_refused_and_says_not_whose_it_is(installed: Installed, shop: Shop) -> None:
    rival = await sign_up(installed.api, "Rival")
    second = await same_number(rival.key, shop.number)
    refused = await verify(rival.key, second)
    assert (refused.status, refused.code) == (409, "account_taken")
    for word in (shop.project.id, shop.project.slug, shop.number.connection["id"], "Shop"):
        assert word not in str(refused.json)
    row = (await rival.key.get(f"/connections/{second['id']}")).json
    assert (row["status"], row["verified"]) == ("pending", False)
    assert (await shop.delivery(await shop.sent()))["state"] == "sent"


async def test_of_two_who_claim_at_once_one_has_it(installed: Installed, shop: Shop) -> None:
    one, other = [await sign_up(installed.api, name) for name in ("One", "Other")]
    number = shop.number
    assert (await shop.project.key.delete(f"/connections/{number.connection['id']}")).status == 204
    claims = [(project.key, await same_number(project.key, number)) for project in (one, other)]
    replies = await asyncio.gather(*[verify(caller, connection) for caller, connection in claims])
    assert sorted(reply.status for reply in replies) == [200, 409]


async def test_a_suspended_connection_keeps_its_number_and_a_deleted_one_leaves_it(
    installed: Installed, shop: Shop
) -> None:
    rival = await sign_up(installed.api, "Rival")
    second = await same_number(rival.key, shop.number)
    where = f"/connections/{shop.number.connection['id']}"
    body = {"reason": "looked into"}
    assert (await shop.project.owner.send("PATCH", f"{where}/suspend", body)).status == 200
    assert (await verify(rival.key, second)).code == "account_taken"
    assert (await shop.project.key.delete(where)).status == 204
    assert (await verify(rival.key, second)).json["status"] == "active"


async def test_what_meta_tells_reaches_the_one_who_has_the_number_alone(installed: Installed, shop: Shop) -> None:
    rival = await make_shop(installed, "Rival")
    assert (await verify(rival.project.key, await same_number(rival.project.key, shop.number))).code == "account_taken"
    await shop.number.told(messages=[written()])
    await worked_on(installed, shop.number, 1)
    assert await windows(installed, shop.number)
    assert await windows(installed, rival.number) == {}
