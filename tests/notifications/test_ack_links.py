"""One tap on a link in a message says "mine", for whom the message was, and nothing else does (R3)."""

import re
import string
from html import unescape
from typing import Any

import pytest

from tests.client import Project
from tests.mail.posted import PUBLIC_URL, Posted
from tests.pipeline import make_rule, notified, send_event

REPEAT = {"everySeconds": 600, "maxTimes": 3}
LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


@pytest.fixture
async def shop(posted: Posted) -> Project:
    return await posted.sign_up("Shop")


@pytest.fixture
async def ann(shop: Project) -> Any:
    return await shop.add_user(name="Ann")


async def told(posted: Posted, project: Project, person: Any, **fields: Any) -> tuple[Any, str]:
    """A notification that asks to be acknowledged, and the path of the link in its mail."""
    await make_rule(project, "email", targetUsers=[person["id"]], requireAck=True, repeat=REPEAT, **fields)
    made = await notified(project.key, await send_event(project.key, order=7))
    mail = await posted.boxes.next(person["email"], "Order 7")
    found = re.search(r"Acknowledge: (\S+)", mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    assert found and found[1].startswith(f"{PUBLIC_URL}/api/v1/ack/")
    return made, found[1].removeprefix(PUBLIC_URL)


async def opened(posted: Posted, path: str) -> tuple[int, str]:
    async with posted.api.http.get(f"{posted.api.base}{path}") as page:
        return page.status, unescape(await page.text())


async def pressed(posted: Posted, path: str) -> tuple[int, str]:
    async with posted.api.http.post(f"{posted.api.base}{path}") as page:
        return page.status, unescape(await page.text())


async def state(project: Project, notification: Any) -> Any:
    return (await project.key.get(f"/notifications/{notification['id']}")).json


async def test_one_tap_acknowledges_for_whom_the_mail_was_and_ends_the_repeats(
    posted: Posted, shop: Project, ann: Any
) -> None:
    made, path = await told(posted, shop, ann)
    assert made["insistence"] is not None
    status, words = await pressed(posted, path)
    assert (status, "Acknowledged" in words) == (200, True)
    now = await state(shop, made)
    assert [(each["userId"], each["via"]) for each in now["acknowledgedBy"]] == [(ann["id"], "link")]
    assert now["insistence"] is None
    assert (await posted.actions(shop)).count("notification.acknowledged") == 1


async def test_opening_it_does_nothing(posted: Posted, shop: Project, ann: Any) -> None:
    """As scanners of mails and previews of chats do."""
    made, path = await told(posted, shop, ann)
    status, words = await opened(posted, path)
    assert (status, "Order 7" in words, '<form method="post">' in words) == (200, True, True)
    assert (await state(shop, made))["acknowledgedBy"] == []


async def test_a_page_takes_no_script_and_shows_no_markup_of_a_tenant(posted: Posted, shop: Project, ann: Any) -> None:
    await make_rule(shop, "email", targetUsers=[ann["id"]], requireAck=True, title="<script>alert(1)</script>")
    await notified(shop.key, await send_event(shop.key))
    mail = await posted.boxes.next(ann["email"], "<script>")
    path = re.search(r"(/api/v1/ack/\S+)", mail.get_body(("plain",)).get_content())[1]  # type: ignore[union-attr,index]
    async with posted.api.http.get(f"{posted.api.base}{path}") as page:
        policy, words = page.headers["Content-Security-Policy"], await page.text()
    assert "&lt;script&gt;" in words and "<script" not in words
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "form-action 'self'" in policy


async def test_who_comes_later_is_told_who_was_first(posted: Posted, shop: Project, ann: Any) -> None:
    ben = await shop.add_user(name="Ben")
    made, path = await told(posted, shop, ann, targetRoles=[])
    await shop.key.put(f"/notifications/{made['id']}/acknowledge", {"userId": ann["id"]})
    assert ben["id"] != ann["id"]
    for answer in (await opened(posted, path), await pressed(posted, path)):
        assert (answer[0], "Acknowledged by Ann, " in answer[1], "<form" in answer[1]) == (200, True, False)
    assert len((await state(shop, made))["acknowledgedBy"]) == 1


@pytest.mark.parametrize(
    ("zone", "hours", "words"),
    [
        ("Asia/Kathmandu", "24h", "Acknowledged by Ann, 2026-11-22 18:45 +0545."),
        (None, "24h", "Acknowledged by Ann, 2026-11-22 07:00 CST."),
        ("Europe/Vienna", "12h", "Acknowledged by Ann, 2026-11-22 2:00 pm CET."),
    ],
)
async def test_who_comes_later_is_told_when_as_they_read_it(
    posted: Posted, shop: Project, ann: Any, zone: str | None, hours: str, words: str
) -> None:
    reply = await shop.owner.put("/projects/me/settings", {"timezone": "America/Chicago"})
    assert reply.status == 200, reply.json
    for path, fields in {"": {"timezone": zone}, "/preferences": {"format": {"time": hours}}}.items():
        reply = await shop.key.put(f"/users/{ann['id']}{path}", fields)
        assert reply.status == 200, reply.json
    made, path = await told(posted, shop, ann)
    assert (await pressed(posted, path))[0] == 200
    moment = "UPDATE tocsin.notifications SET acked_at = '2026-11-22 13:00+00' WHERE project_id = $1 AND id = $2"
    await posted.sql.execute(moment, shop.id, made["id"])
    assert [words in answer[1] for answer in (await opened(posted, path), await pressed(posted, path))] == [True, True]


async def test_it_is_worth_nothing_once_its_person_is_disabled(posted: Posted, shop: Project, ann: Any) -> None:
    made, path = await told(posted, shop, ann)
    reply = await shop.owner.put(f"/users/{ann['id']}", {"status": "disabled"})
    assert reply.status == 200, reply.json
    assert [(await opened(posted, path))[0], (await pressed(posted, path))[0]] == [404, 404]
    assert (await state(shop, made))["acknowledgedBy"] == []


async def test_a_suspended_project_still_takes_it_and_a_cancelled_one_does_not(
    posted: Posted, shop: Project, ann: Any
) -> None:
    made, path = await told(posted, shop, ann)
    halt = "UPDATE tocsin.projects SET status = $2 WHERE id = $1"
    await posted.sql.execute(halt, shop.id, "cancelled")
    assert [(await opened(posted, path))[0], (await pressed(posted, path))[0]] == [404, 404]
    await posted.sql.execute(halt, shop.id, "suspended")
    assert "<form" in (await opened(posted, path))[1]
    assert (await pressed(posted, path))[0] == 200
    assert [each["userId"] for each in (await state(shop, made))["acknowledgedBy"]] == [ann["id"]]


async def test_nobody_makes_such_a_link(posted: Posted, shop: Project, ann: Any) -> None:
    """Not by changing one character of a genuine one, which say whose it is and of what."""
    made, path = await told(posted, shop, ann)
    start, token = path.rsplit("/", 1)
    last = len(token.rstrip("=")) - 1
    for place in (0, 23, 30, 50, 70, last):
        other = LETTERS[LETTERS.index(token[place]) ^ 1]  # of the last one some bits mean nothing
        assert (await pressed(posted, f"{start}/{token[:place]}{other}{token[place + 1 :]}"))[0] == 404
    assert (await pressed(posted, f"{start}/x"))[0] == 404
    assert (await state(shop, made))["acknowledgedBy"] == []


async def test_a_link_of_one_project_says_nothing_in_another(posted: Posted, shop: Project, ann: Any) -> None:
    mill = await posted.sign_up("Mill")
    there = await mill.add_user(name="Ann", email=ann["email"])
    made, path = await told(posted, shop, ann)
    theirs, _ = await told(posted, mill, there)
    assert (await pressed(posted, path))[0] == 200
    assert (await state(mill, theirs))["acknowledgedBy"] == []
    assert len((await state(shop, made))["acknowledgedBy"]) == 1


async def test_what_asks_for_no_acknowledgement_has_no_link(posted: Posted, shop: Project, ann: Any) -> None:
    await make_rule(shop, "email", targetUsers=[ann["id"]])
    await notified(shop.key, await send_event(shop.key, order=8))
    mail = await posted.boxes.next(ann["email"], "Order 8")
    assert "/ack/" not in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
