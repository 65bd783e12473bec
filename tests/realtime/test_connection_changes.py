"""Of a new status its owner hears whoever made it: admins, the operator, the owner (W2, C5)."""

from typing import Any

import pytest

from tests.client import Client, Project, sign_up
from tests.connections.build import make_hook, make_mail
from tests.operators import Operator, operator
from tests.people import Person
from tests.realtime.conftest import Place, join
from tests.realtime.pusher_js import PusherJs

EVENT = "connection.status_changed"
REASON = {"reason": "Complaints of receivers"}


@pytest.fixture
async def acme(place: Place) -> Project:
    return await sign_up(place.api, "Acme")


@pytest.fixture
async def rival(place: Place) -> Project:
    return await sign_up(place.api, "Rival")


@pytest.fixture
async def support(place: Place) -> Operator:
    return await operator(place.api, place.site, "support")


async def attending(place: Place, js: PusherJs, project: Project, name: str) -> Person:
    person = await join(place, project, name=name)
    await person.connect(js, name)
    await js.subscribe(name, person.channel)
    return person


async def status_after(js: PusherJs, client: str, caller: Client, path: str, body: Any = None) -> str:
    """What the client is told once the call is answered."""
    since = len(js.facts)
    reply = await caller.send("PATCH", path, body)
    assert reply.status == 200, reply.json
    heard: str = (await js.fact(since, client=client, event=EVENT))["data"]["status"]
    return heard


async def test_a_person_hears_that_an_admin_suspends_and_activates_their_connection(
    place: Place, acme: Project, rival: Project, js: PusherJs
) -> None:
    ann = await attending(place, js, acme, "ann")
    for name, project in (("ben", acme), ("eve", rival)):
        await attending(place, js, project, name)
    where = f"/connections/{(await make_mail(ann.client))['id']}"
    assert await status_after(js, "ann", acme.owner, f"{where}/suspend", REASON) == "suspended"
    assert await status_after(js, "ann", acme.owner, f"{where}/activate") == "pending"
    for name in ("ben", "eve"):
        await js.settle(name)
        assert not js.told(client=name, event=EVENT)


async def test_a_person_hears_of_what_the_operator_does_in_their_project(
    place: Place, acme: Project, support: Operator, js: PusherJs
) -> None:
    ann = await attending(place, js, acme, "ann")
    where = f"/platform/connections/{(await make_mail(ann.client))['id']}"
    assert await status_after(js, "ann", support.client, f"{where}/suspend", REASON) == "suspended"
    assert await status_after(js, "ann", support.client, f"{where}/activate") == "pending"


async def test_a_refused_change_of_a_status_is_told_to_nobody(
    place: Place, acme: Project, support: Operator, js: PusherJs
) -> None:
    ann = await attending(place, js, acme, "ann")
    made = await make_mail(ann.client)
    where = f"/connections/{made['id']}"
    await status_after(js, "ann", support.client, f"/platform{where}/suspend", REASON)
    since = len(js.facts)
    assert (await acme.owner.send("PATCH", f"{where}/activate")).code == "suspended_by_platform"
    await js.settle("ann")
    assert not js.told(since, event=EVENT)


async def test_the_project_hears_of_its_own_connections_in_the_panel(
    place: Place, acme: Project, rival: Project, js: PusherJs
) -> None:
    for name, project in (("acme", acme), ("rival", rival)):
        boss = Person(project.signed_up["user"]["id"], project.owner, project.signed_up["apiKeys"]["live"]["key"], name)
        await boss.connect(js, name)
        await js.subscribe(name, f"private-project-{project.id}")
    where = f"/connections/{(await make_hook(acme.key))['id']}"
    assert await status_after(js, "acme", acme.owner, f"{where}/suspend", REASON) == "suspended"
    await js.settle("rival")
    assert not js.told(client="rival", event=EVENT)
