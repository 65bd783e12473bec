"""A notification that leads back to Tocsin and makes an event again comes to an end, under whatever names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from tests.channels.far_end import answering
from tests.client import Project, sign_up
from tests.connections.build import created
from tests.endpoint import endpoint
from tests.pipeline import Working, ended, make_rule, send_event, until
from tests.webhooks.build import listen

VIA = "Tocsin-Via"


@dataclass
class Relay:
    """Makes an event of whatever it is sent, with the key of a project and the header passed on. Until it is open it
    only answers."""

    to: Project
    http: aiohttp.ClientSession
    url: str = ""
    open: bool = False
    vias: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        if not self.open:
            return web.json_response({})
        self.vias.append(request.headers[VIA])
        event = {"type": "order.created", "payload": {}}
        reply = await self.to.key.post("/events", event, tocsin_via=request.headers[VIA])
        if "id" in reply.json:
            self.events.append(reply.json["id"])
        return web.json_response(reply.json, status=reply.status)


@asynccontextmanager
async def relaying(to: Project, http: aiohttp.ClientSession) -> AsyncIterator[Relay]:
    relay = Relay(to, http)
    app = web.Application()
    app.router.add_post("/in", relay.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        relay.url = f"http://127.0.0.1:{runner.addresses[0][1]}/in"
        yield relay
    finally:
        await runner.cleanup()


async def connect(project: Project, url: str, provider: str = "http") -> None:
    """Tell this address of each event; to prove the connection it is called once before."""
    body = {"provider": provider, "name": "onwards", "settings": {"url": url}}
    made = created(await project.owner.post("/connections", body))
    reply = await project.owner.post(f"/connections/{made['id']}/verify", {})
    assert reply.status == 200, reply.json
    await make_rule(project, provider)


@pytest.mark.parametrize("provider", ["http", "webhook"])
async def test_a_loop_over_two_projects_ends_with_a_failed_delivery(
    working: Working, http: aiohttp.ClientSession, provider: str
) -> None:
    shop, kitchen, bystander = [await sign_up(working.api, name) for name in ("Shop", "Kitchen", "Bystander")]
    await make_rule(bystander, "realtime")
    async with relaying(kitchen, http) as there, relaying(shop, http) as back:
        await connect(shop, there.url, provider)
        await connect(kitchen, back.url, provider)
        there.open = back.open = True
        await send_event(shop.key)

        async def stopped() -> bool:
            return len(back.vias) == 2

        await until(stopped)
        assert (there.vias, back.vias) == (["1", "3"], ["2", "4"])
        last = await ended(kitchen.key, there.events[-1], provider)
    assert last["state"] == "failed"
    assert last["lastError"] == "The call led to Tocsin again: a loop."
    assert [each["status"] for each in last["attempts"]] == [508]
    first = await ended(kitchen.key, there.events[0], provider)
    assert first["state"] == "delivered"
    assert (await bystander.owner.get("/events")).json["items"] == []


async def test_an_event_that_came_too_often_is_refused_and_not_kept(acme: Project) -> None:
    event = {"type": "order.created", "payload": {}, "clientEventId": "looped"}
    for path, body in (("/events", event), ("/events/batch", {"events": [event]})):
        refused = await acme.key.post(path, body, tocsin_via="4")
        assert (refused.status, refused.code) == (508, "too_many_hops")
    assert (await acme.key.get("/events", clientEventId="looped")).json["items"] == []
    assert (await acme.key.post("/events", event, tocsin_via="3")).status == 202


@pytest.mark.parametrize("wrong", ["0", "-1", "x", "1, 2", "99999", "٣".encode().decode("latin-1")])
async def test_a_header_that_was_not_passed_on_as_it_came_is_refused(acme: Project, wrong: str) -> None:
    refused = await acme.key.post("/events", {"type": "a.b", "payload": {}}, tocsin_via=wrong)
    assert (refused.status, refused.code) == (400, "invalid_via")


async def test_webhook_endpoints_are_told_how_often_the_event_had_passed(working: Working) -> None:
    shop = await sign_up(working.api, "Shop")
    async with answering() as far, endpoint() as served:
        await connect(shop, far.url)
        await listen(shop, served, "notification.delivered")
        sent = await shop.key.post("/events", {"type": "a.b", "payload": {}}, tocsin_via="2")
        await ended(shop.key, sent.json["id"], "http")

        async def told() -> list[str]:
            return served.vias

        assert await until(told) == ["3"]
        assert far.asked[-1].headers[VIA] == "3"
