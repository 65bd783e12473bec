"""One sign-up, one rule, one event: everything the rule named has the notification, and nobody else."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.client import Project, sign_up
from tests.connections.build import MailServer, mail_server, make_mail
from tests.endpoint import Endpoint, endpoint
from tests.people import Person, join
from tests.pipeline import Working, delivery_of, ended, make_rule, send_event, story, until
from tests.realtime.pusher_js import PusherJs, pusher_js

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")


@dataclass
class Side:
    """A project with everything that could hear something."""

    project: Project
    person: Person
    mailbox: MailServer
    endpoint: Endpoint
    name: str


async def arranged(working: Working, js: PusherJs, mailbox: MailServer, far_end: Endpoint, name: str) -> Side:
    project = await sign_up(working.api, name)
    person = await join(working.api, project)
    named = await project.key.put(f"/users/{person.id}", {"email": f"ann@{name.lower()}.example.com"})
    assert named.status == 200, named.json
    mail = await make_mail(project.key, port=mailbox.port)
    assert (await project.key.post(f"/connections/{mail['id']}/verify")).json["status"] == "active"
    await far_end.connect(project)
    await person.connect(js, name)
    await js.subscribe(name, person.channel)
    return Side(project, person, mailbox, far_end, name)


@pytest.fixture(scope="module")
async def js(working: Working) -> AsyncIterator[PusherJs]:
    async with pusher_js(working.process) as clients:
        yield clients


@pytest.fixture(scope="module")
async def sides(working: Working, js: PusherJs) -> AsyncIterator[tuple[Side, Side]]:
    """Two projects that are alike; only the first gets a rule and an event."""
    async with mail_server() as one, mail_server() as other, endpoint() as here, endpoint() as there:
        ours = await arranged(working, js, one, here, "Acme")
        rival = await arranged(working, js, other, there, "Rival")
        await make_rule(rival.project, "realtime", "webhook", "email", targetUsers=[rival.person.id])
        yield ours, rival


@pytest.fixture(scope="module")
async def event_id(sides: tuple[Side, Side]) -> str:
    """The one event, after everything it set off has come to its end."""
    ours = sides[0]
    await make_rule(
        ours.project,
        "realtime",
        "webhook",
        "email",
        targetUsers=[ours.person.id],
        condition="payload.amount > 1000",
        title="Order {{ payload.order }}",
        message="It is worth {{ payload.amount }}.",
        requireAck=True,
    )
    id_ = await send_event(ours.project.key, order="A-1", amount=4200)
    await ended(ours.project.key, id_, "webhook")
    await ended(ours.project.key, id_, "email")
    return id_


async def test_the_official_client_the_backend_and_the_mailbox_have_it(
    js: PusherJs, sides: tuple[Side, Side], event_id: str
) -> None:
    ours = sides[0]
    pushed = (await js.fact(client="Acme", event="notification.created"))["data"]
    [call] = ours.endpoint.calls
    [(recipients, mail)] = ours.mailbox.taken
    assert (pushed["title"], pushed["message"], pushed["seq"]) == ("Order A-1", "It is worth 4200.", 1)
    assert pushed["event"]["id"] == event_id
    assert (call.data["title"], call.data["notificationId"]) == ("Order A-1", pushed["id"])
    assert [user["userId"] for user in call.data["users"]] == [ours.person.id]
    assert (recipients, mail["Subject"]) == (["ann@acme.example.com"], "Order A-1")
    body = mail.get_body(("plain",))
    assert body is not None and "It is worth 4200." in body.get_content()


async def test_the_story_of_the_event_tells_all_of_it(sides: tuple[Side, Side], event_id: str) -> None:
    ours = sides[0]
    told = await story(ours.project.key, event_id)
    [rule] = told["trace"]
    assert (told["outcome"], rule["matched"], rule["reason"]) == ("notified", True, "condition is true")
    [told] = rule["recipients"]
    assert (told["userId"], told["reason"], told["turn"]) == (ours.person.id, "named in the rule", None)
    sent = {each["channel"]: each for each in rule["deliveries"]}
    assert {name: each["state"] for name, each in sent.items()} == {
        "realtime": "sent",
        "webhook": "delivered",
        "email": "sent",
    }
    assert sent["realtime"]["attempts"] == []
    for channel, words in (("webhook", "noted"), ("email", "queued as 4711")):
        [attempt] = sent[channel]["attempts"]
        assert (attempt["number"], attempt["outcome"], attempt["error"]) == (1, "ok", None)
        assert words in attempt["answer"]
        assert attempt["startedAt"] and attempt["durationMs"] >= 0
        assert (sent[channel]["connectionReason"], sent[channel]["dueAt"]) == ("the project's", None)


async def test_an_acknowledgement_is_seen_by_everybody(js: PusherJs, sides: tuple[Side, Side], event_id: str) -> None:
    ours = sides[0]
    [notification] = (await ours.person.client.get("/notifications")).json["items"]
    reply = await ours.person.client.put(f"/notifications/{notification['id']}/acknowledge")
    assert reply.status == 200, reply.json
    heard = (await js.fact(client="Acme", event="notification.acknowledged"))["data"]
    [by] = heard["acknowledgedBy"]
    assert (heard["id"], by["userId"], by["via"]) == (notification["id"], ours.person.id, "panel")
    for caller in (ours.project.key, ours.project.owner, ours.person.client):
        seen = (await caller.get(f"/notifications/{notification['id']}")).json
        assert [(one["userId"], one["at"]) for one in seen["acknowledgedBy"]] == [(ours.person.id, by["at"])]


async def test_the_rival_hears_and_sees_nothing(js: PusherJs, sides: tuple[Side, Side], event_id: str) -> None:
    ours, rival = sides
    delivery = await delivery_of(ours.project.key, event_id, "webhook")
    await js.settle("Rival")
    assert not [fact for fact in js.told(client="Rival") if str(fact.get("event", "")).startswith("notification.")]
    assert (rival.endpoint.calls, rival.mailbox.taken) == ([], [])
    for caller in (rival.project.key, rival.project.owner):
        for path in ("/events", "/notifications", "/deliveries"):
            assert (await caller.get(path)).json == {"items": [], "nextCursor": None}
        for path in (f"/events/{event_id}", f"/deliveries/{delivery['id']}"):
            assert (await caller.get(path)).status == 404


async def test_the_rival_would_have_heard_its_own(js: PusherJs, sides: tuple[Side, Side]) -> None:
    ours, rival = sides
    before = len(ours.endpoint.calls), len(ours.mailbox.taken)
    await send_event(rival.project.key, order="R-1")
    heard = await js.fact(client="Rival", event="notification.created")
    assert heard["data"]["title"] == "Order R-1"

    async def arrived() -> bool:
        return len(rival.endpoint.calls) == 1 and len(rival.mailbox.taken) == 1

    await until(arrived)
    assert (len(ours.endpoint.calls), len(ours.mailbox.taken)) == before
