"""A number of the platform's that sends for projects: what it hears concerns the project that sent (C4, C8, D5)."""

from typing import Any

from tests.client import Project, sign_up
from tests.inbound.numbers import make_number, reported, written
from tests.inbound.shops import ANN, Installed, Shop, make_shop, worked_on
from tests.operators import operator
from tests.pipeline import make_rule


async def test_a_lent_number_moves_the_deliveries_of_each_project_and_knows_the_window(installed: Installed) -> None:
    chief = await operator(installed.api, installed.site)
    number = await make_number(chief.client, installed.site, installed.sql, "/platform/connections")
    shops = []
    for name in ("One", "Two"):
        project = await sign_up(installed.api, name)
        ann = await project.add_user(phone=ANN)
        await make_rule(project, "whatsapp", targetUsers=[ann["id"]])
        shops.append(Shop(project, number, ann))
    one, two = [await shop.sent() for shop in shops]
    assert {one["connectionReason"], two["connectionReason"]} == {"the platform's default"}
    assert installed.meta.messages[-1]["type"] == "template"
    await number.told(statuses=[reported(one["providerMessageId"], "delivered")], messages=[written()])
    await shops[0].becomes(one, "delivered")
    await worked_on(installed, number, 2)
    assert (await shops[1].delivery(two))["state"] == "sent"
    await shops[1].sent()
    assert installed.meta.messages[-1]["type"] == "text"
    assert (await chief.client.delete(f"/platform/connections/{number.connection['id']}")).status == 204


async def test_who_tells_a_lent_number_to_stop_hears_no_project_over_it_until_they_start_again(
    installed: Installed,
) -> None:
    """Nor around it over the operator's other means; what a project has of its own is another number (C4, C10)."""
    chief = await operator(installed.api, installed.site)
    number = await make_number(chief.client, installed.site, installed.sql, "/platform/connections")
    one, two = [await lent_to(installed, number, name) for name in ("Lent", "Lent2")]
    own = await make_shop(installed, "Own")
    await one.sent()
    await number.told(messages=[written(text="STOP")])
    await worked_on(installed, number, 1)
    for shop in (one, two):
        stopped = await shop.sent()
        assert stopped["state"] == "suppressed", stopped
        assert stopped["lastError"] == "the person opted out of the platform's default"
    assert (await own.sent())["state"] == "sent"
    await number.told(messages=[written(text="Start")])
    await worked_on(installed, number, 2)
    assert (await one.sent())["state"] == "sent"
    assert (await chief.client.delete(f"/platform/connections/{number.connection['id']}")).status == 204


async def lent_to(installed: Installed, number: Any, name: str) -> Shop:
    project: Project = await sign_up(installed.api, name)
    ann = await project.add_user(phone=ANN)
    await make_rule(project, "whatsapp", targetUsers=[ann["id"]])
    return Shop(project, number, ann)
