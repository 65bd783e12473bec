"""A number of the platform's that sends for projects: what it hears concerns the project that sent (C4, C8, D5)."""

from tests.client import sign_up
from tests.inbound.numbers import make_number, reported, written
from tests.inbound.shops import ANN, Installed, Shop, make_shop, worked_on
from tests.operators import operator
from tests.pipeline import make_rule, send_event, until

BEN = "+16505559876"


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


async def test_where_a_lent_number_is_called_stands_before_the_operator_alone(installed: Installed) -> None:
    chief = await operator(installed.api, installed.site)
    number = await make_number(chief.client, installed.site, installed.sql, "/platform/connections")
    path = f"/platform/connections/{number.connection['id']}/setup"
    setup = (await chief.client.get(path)).json
    assert (setup["mode"], setup["verifyToken"]) == ("webhook", number.verify_token)
    assert [step["done"] for step in setup["steps"]] == [True, True, True, False, False, False]
    shop = await make_shop(installed, "One")
    assert (await shop.project.owner.get(path)).status == 403
    theirs = shop.number.connection["id"]
    for elsewhere in (
        await chief.client.get(f"/platform/connections/{theirs}/setup"),
        await shop.project.owner.get(f"/connections/{number.connection['id']}/setup"),
    ):
        assert elsewhere.status == 404
    assert (await chief.client.delete(f"/platform/connections/{number.connection['id']}")).status == 204


async def test_who_tells_a_lent_number_to_stop_hears_of_no_project_over_it_until_they_take_that_back(
    installed: Installed,
) -> None:
    chief = await operator(installed.api, installed.site)
    number = await make_number(chief.client, installed.site, installed.sql, "/platform/connections")
    shops = []
    for name in ("One", "Two"):
        project = await sign_up(installed.api, name)
        ann, ben = await project.add_user(phone=ANN), await project.add_user(phone=BEN)
        await make_rule(project, "whatsapp", targetUsers=[ann["id"]])
        await make_rule(project, "whatsapp", targetUsers=[ben["id"]], eventTypes=["for.ben"])
        shops.append(Shop(project, number, ann))
    assert (await shops[0].sent())["state"] == "sent"
    await number.told(messages=[written(text="STOP")])
    await worked_on(installed, number, 1)
    for shop in shops:
        stopped = await shop.sent()
        assert (stopped["state"], stopped["lastError"]) == (
            "suppressed",
            "the person opted out of the platform's default",
        )
    await send_event(shops[1].project.key, "for.ben")

    async def sent_to() -> set[str]:
        found = (await shops[1].project.key.get("/deliveries", state="sent")).json["items"]
        return {each["userId"] for each in found}

    assert await until(sent_to) == {ben["id"]}
    own = await make_shop(installed, "Three")
    assert (await own.sent())["state"] == "sent", "a number of their own is not the one that was told"
    await number.told(messages=[written(text="start")])
    await worked_on(installed, number, 2)
    assert [(await shop.sent())["state"] for shop in shops] == ["sent", "sent"]
    assert (await chief.client.delete(f"/platform/connections/{number.connection['id']}")).status == 204
