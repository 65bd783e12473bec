"""Layouts of mails over HTTP, and in the mails that notifications are (P4)."""

from typing import Any

import pytest

from tests.channels.test_mail import links_and_tags, part
from tests.client import Project, sign_up
from tests.connections.build import MailServer, mail_server
from tests.deliveries.test_not_sent import connected_mail
from tests.pipeline import Working, make_rule, send_event, until

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

READERS = ("en", "de-AT", "fr")
LAYOUT = '<div title="own"><p>Shop, {{ project.name }}</p><div>{{ content }}</div></div>'


def layout(**fields: Any) -> dict[str, Any]:
    return {"kind": "layout", "name": "mail", "language": "en", "body": LAYOUT, **fields}


async def put(project: Project, **fields: Any) -> Any:
    reply = await project.owner.put("/templates", layout(**fields))
    assert reply.status == 200, reply.json
    return reply.json


async def test_mails_are_in_the_layout_of_their_project_and_their_reader(working: Working) -> None:
    shop, rival = await sign_up(working.api, "Shop"), await sign_up(working.api, "Rival")
    await put(rival, body="<p>RIVAL</p>{{ content }}")
    people = [await shop.add_user(email=f"{tag}@shop.example.com", locale=tag) for tag in READERS]
    await make_rule(shop, "email", targetUsers=[each["id"] for each in people], message="<b>{{ payload.order }}</b>")
    async with mail_server() as server:
        await connected_mail(working, shop, server)
        assert not [html for html in (await told(shop, server)).values() if "RIVAL" in html or 'title="own"' in html]
        english = await put(shop)
        await put(shop, language="de", body="<p>Geschäft</p>{{ content }}")
        shown = await told(shop, server)
        assert "Geschäft" in shown["de-at"]
        assert "Shop, Shop" in shown["en"]
        assert "Shop, Shop" in shown["fr"]  # the one that was written first
        for html in shown.values():
            assert "&lt;b&gt;{{ content }}&lt;/b&gt;" in html
            assert "b" not in links_and_tags(html)[1]
        assert (await shop.owner.delete(f"/templates/{english['id']}")).status == 204
        assert all("Geschäft" in html for html in (await told(shop, server)).values())


async def told(shop: Project, server: MailServer) -> dict[str, str]:
    """What each reader's mail program shows of one event, by the first part of the address."""
    server.taken.clear()
    await send_event(shop.key, order="{{ content }}")

    async def look() -> dict[str, str] | None:
        shown = {to[0].partition("@")[0]: part(mail, "html") for to, mail in server.taken}
        return shown if len(shown) == len(READERS) else None

    return await until(look)


async def test_the_default_is_a_layout_like_any_other(acme: Project) -> None:
    (standing,) = [each for each in (await acme.owner.get("/templates/defaults")).json if each["kind"] == "layout"]
    assert standing["mustSay"] == ["content"]
    assert "unsubscribeUrl" in standing["variables"]
    made = await put(acme, body=standing["body"])
    assert made["body"] == standing["body"]
    assert (await acme.owner.delete(f"/templates/{made['id']}")).status == 204


async def test_a_layout_is_shown_with_the_looks_of_its_project(acme: Project, rival: Project) -> None:
    looks = {"brandColor": "#FFCC00", "emailFooter": "Acme, Vienna"}
    assert (await acme.owner.put("/projects/me/branding", looks)).status == 200
    body = LAYOUT + '<img src="{{ branding.logoUrl }}"><p>{{ branding.emailFooter }}</p>'
    draft = {name: value for name, value in layout(body=body).items() if name != "language"}
    hers = (await acme.owner.post("/templates/preview", draft)).json
    assert "#FFCC00" in hers["body"]
    assert "Acme, Vienna" in hers["body"]
    assert hers["missing"] == ["branding.logoUrl"]
    theirs = (await rival.owner.post("/templates/preview", draft)).json
    assert "Vienna" not in theirs["body"]
    assert "[title]" in theirs["body"]
    made = await put(acme, body=body)
    assert (await acme.owner.post(f"/templates/{made['id']}/preview")).json == hers
    assert (await rival.owner.post(f"/templates/{made['id']}/preview")).status == 404
    event = await acme.key.post("/events", {"type": "a.b", "payload": {}})
    refused = await acme.owner.post(f"/templates/{made['id']}/preview", {"eventId": event.json["id"]})
    assert (refused.status, refused.pointers) == (422, ["/eventId"])


async def test_a_mistake_in_a_layout_is_told_by_line_and_column(acme: Project) -> None:
    reply = await acme.owner.put("/templates", layout(body="<div>\n  <script>x</script>{{ content }}</div>"))
    assert reply.status == 422
    (error,) = reply.json["errors"]
    assert (error["pointer"], error["code"], error["line"], error["column"]) == ("/body", "element", 2, 3)
    assert (await acme.owner.put("/templates", layout(name="other"))).pointers == ["/name"]
    assert (await acme.owner.put("/templates", layout(subject="S"))).pointers == ["/subject"]
    assert (await acme.owner.put("/templates", layout(channel="email"))).pointers == ["/channel"]
    words = layout(kind="notification", name="placed", body="B")
    assert (await acme.owner.put("/templates", words)).pointers == ["/subject"]
