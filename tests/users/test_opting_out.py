"""One click in a mail program ends the notifications that come to a mailbox (C10, RFC 8058)."""

from typing import Any

from tests.client import Project
from tests.mail.posted import PUBLIC_URL, Posted
from tests.pipeline import ended, make_rule, send_event


async def told(posted: Posted, project: Project, user: Any) -> str:
    """The path of the opt-out of the mail that a person gets, whose headers are as RFC 8058 has them."""
    done = await ended(project.key, await send_event(project.key, order=7), "email")
    assert done["state"] == "sent", done
    mail = await posted.boxes.next(user["email"], "Order 7")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = str(mail["List-Unsubscribe"]).strip("<>")
    assert url in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert url.startswith(f"{PUBLIC_URL}/api/v1/opt-out/") and user["email"] not in url
    return url.removeprefix(PUBLIC_URL)


async def reader(posted: Posted, name: str, **fields: Any) -> tuple[Project, Any]:
    project = await posted.sign_up(name)
    user = await project.add_user(**fields)
    await make_rule(project, "email", targetUsers=[user["id"]])
    return project, user


async def click(posted: Posted, path: str) -> int:
    async with posted.api.http.post(f"{posted.api.base}{path}", data={"List-Unsubscribe": "One-Click"}) as reply:
        return reply.status


async def state_of_the_next(project: Project) -> tuple[str, str | None]:
    done = await ended(project.key, await send_event(project.key, order=8), "email")
    return done["state"], done["lastError"]


async def test_one_click_without_a_login_ends_the_mails_of_one_project(posted: Posted) -> None:
    """Of the same mailbox in another project nothing is said."""
    shop, ann = await reader(posted, "Shop")
    mill, ann_there = await reader(posted, "Mill", email=ann["email"])
    path = await told(posted, shop, ann)
    assert await click(posted, path) == 200
    assert await state_of_the_next(shop) == ("suppressed", "the person has no address for email")
    assert (await state_of_the_next(mill))[0] == "sent" and ann_there["id"] != ann["id"]
    listed = (await shop.key.get(f"/users/{ann['id']}/addresses")).json
    assert [(each["value"], each["optedOutAt"] is None) for each in listed] == [(ann["email"], False)]
    assert (await posted.actions(shop)).count("address.opted_out") == 1


async def test_opening_the_address_does_nothing_and_pressing_twice_is_pressing_once(posted: Posted) -> None:
    shop, ann = await reader(posted, "Shop")
    path = await told(posted, shop, ann)
    async with posted.api.http.get(f"{posted.api.base}{path}") as page:
        assert page.status == 200 and '<form method="post">' in await page.text()
        assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert (await state_of_the_next(shop))[0] == "sent"
    assert [await click(posted, path), await click(posted, path)] == [200, 200]
    assert (await state_of_the_next(shop))[0] == "suppressed"
    assert (await posted.actions(shop)).count("address.opted_out") == 1


async def test_the_mailbox_that_got_the_mail_is_ended_and_another_of_the_person_is_not(posted: Posted) -> None:
    shop, ann = await reader(posted, "Shop", addresses={"email": "first@ann.example.com"})
    path = await told(posted, shop, {**ann, "email": "first@ann.example.com"})
    assert await click(posted, path) == 200
    later = await ended(shop.key, await send_event(shop.key, order=8), "email")
    assert (later["state"], later["address"]) == ("sent", ann["email"])


async def test_nobody_makes_such_an_address(posted: Posted) -> None:
    """Not by changing one character of a genuine one, of which the first ones say whose it is."""
    shop, ann = await reader(posted, "Shop")
    path = await told(posted, shop, ann)
    start, token = path.rsplit("/", 1)
    for place in (0, 24, 40, 60, len(token) - 1):
        other = "A" if token[place] != "A" else "B"
        assert await click(posted, f"{start}/{token[:place]}{other}{token[place + 1 :]}") == 404
    assert await click(posted, f"{start}/x") == 404
    assert (await state_of_the_next(shop))[0] == "sent"


async def opened(posted: Posted, path: str) -> str:
    async with posted.api.http.get(f"{posted.api.base}{path}") as page:
        assert page.status == 200
        return await page.text()


async def save(posted: Posted, path: str, shown: list[str], on: list[str]) -> int:
    form = [("save", "1"), *(("shown", name) for name in shown), *(("on", name) for name in on)]
    async with posted.api.http.post(f"{posted.api.base}{path}", data=form) as reply:
        return reply.status


async def test_the_page_shows_the_persons_topics_and_switches_them_without_a_login(posted: Posted) -> None:
    shop, ann = await reader(posted, "Shop", roles=["viewer"])
    await make_rule(shop, "email", targetUsers=[ann["id"]], topic="stock & <news>", eventTypes=["stock"])
    await make_rule(shop, "email", targetRoles=["viewer"], topic="orders", eventTypes=["orders"])
    await make_rule(shop, "email", targetRoles=["owner"], topic="layoffs", eventTypes=["layoffs"])
    path = await told(posted, shop, ann)
    page = await opened(posted, path)
    assert "Shop: what is" in page and "stock &amp; &lt;news&gt;" in page and "layoffs" not in page
    assert page.count(" checked>") == 2
    assert await save(posted, path, ["orders", "stock & <news>"], ["stock & <news>"]) == 200
    wishes = (await shop.key.get(f"/users/{ann['id']}/preferences")).json["topics"]
    assert wishes == {"orders": {"muted": True, "subscribed": False, "channels": None, "ignoreQuietHours": False}}
    assert (await opened(posted, path)).count(" checked>") == 1
    assert (await posted.actions(shop)).count("preferences.updated") == 1
    assert await save(posted, path, ["orders", "stock & <news>"], ["orders", "stock & <news>"]) == 200
    wishes = (await shop.key.get(f"/users/{ann['id']}/preferences")).json["topics"]
    assert wishes["orders"]["muted"] is False


async def test_the_page_subscribes_to_topics_that_ask_for_it(posted: Posted) -> None:
    shop, ann = await reader(posted, "Shop")
    await make_rule(shop, "email", targetUsers=[ann["id"]], topic="news", eventTypes=["news"])
    assert (await shop.owner.put("/projects/me/settings", {"optInTopics": ["news"]})).status == 200
    path = await told(posted, shop, ann)
    assert (await opened(posted, path)).count(" checked>") == 0
    for on, subscribed in ((["news"], True), ([], False)):
        assert await save(posted, path, ["news"], on) == 200
        (wish,) = (await shop.key.get(f"/users/{ann['id']}/preferences")).json["topics"].values()
        assert (wish["subscribed"], wish["muted"]) == (subscribed, False)
        assert (await opened(posted, path)).count(" checked>") == len(on)


async def test_what_the_page_did_not_show_is_not_switched(posted: Posted) -> None:
    """Neither a topic that came later, nor one that is not the person's."""
    shop, ann = await reader(posted, "Shop")
    await make_rule(shop, "email", targetUsers=[ann["id"]], topic="orders", eventTypes=["orders"])
    path = await told(posted, shop, ann)
    assert await save(posted, path, ["nothing of hers"], []) == 200
    assert (await shop.key.get(f"/users/{ann['id']}/preferences")).json["topics"] == {}


async def test_a_link_of_another_projects_person_says_and_switches_nothing_here(posted: Posted) -> None:
    shop, ann = await reader(posted, "Shop")
    mill, there = await reader(posted, "Mill", email=ann["email"])
    for project, person, topic in ((shop, ann, "orders"), (mill, there, "flour")):
        await make_rule(project, "email", targetUsers=[person["id"]], topic=topic, eventTypes=[topic])
    path = await told(posted, mill, there)
    page = await opened(posted, path)
    assert "flour" in page and "orders" not in page
    assert await save(posted, path, ["flour", "orders"], []) == 200
    assert (await shop.key.get(f"/users/{ann['id']}/preferences")).json["topics"] == {}
    assert "flour" in (await mill.key.get(f"/users/{there['id']}/preferences")).json["topics"]


async def test_the_link_switches_nothing_once_the_mailbox_is_another_persons(posted: Posted) -> None:
    shop, ann = await reader(posted, "Shop")
    await make_rule(shop, "email", targetUsers=[ann["id"]], topic="orders", eventTypes=["orders"])
    path = await told(posted, shop, ann)
    reply = await shop.key.put(f"/users/{ann['id']}", {"email": "else@shop.example.com"})
    assert reply.status == 200
    assert "orders" not in await opened(posted, path)
    assert await save(posted, path, ["orders"], []) == 404
