"""Several numbers under one app of Meta's: what it signs goes to its own numbers and to nobody else's (C8, W9)."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from tests.client import Client, Project, Reply
from tests.inbound.numbers import Number, make_number, payload, reported, signature, written
from tests.inbound.shops import Installed, Shop, items, make_shop, windows, worked_on
from tests.running import Site, running_api

SECRET = "canary-of-the-app-0123456789"


@dataclass
class App:
    """An app as the API shows it, and Meta calling about it."""

    shown: Any
    api: Client
    secret: str = SECRET

    @property
    def path(self) -> str:
        return str(self.shown["callbackUrl"].split("/api/v1")[1])

    async def call(self, body: Any, secret: str | None = None) -> Reply:
        raw = msgspec.json.encode(body)
        signed = {"X_Hub_Signature_256": signature(raw, secret or self.secret)}
        return await Client(self.api.http, self.api.base).post(self.path, raw, **signed)


async def make_app(project: Project, *numbers: Number, secret: str = SECRET) -> App:
    body = {"name": "app", "appSecret": secret, "connectionIds": [number.connection["id"] for number in numbers]}
    reply = await project.key.post("/meta-apps", body)
    assert reply.status == 201, reply.json
    return App(reply.json, project.key, secret)


async def read(app: App) -> Any:
    reply = await app.api.get(f"/meta-apps/{app.shown['id']}")
    assert reply.status == 200, reply.json
    return reply.json


async def test_each_element_goes_to_the_number_it_is_about(installed: Installed, shop: Shop) -> None:
    second = await make_number(shop.project.key, installed.site, installed.sql)
    app = await make_app(shop.project, shop.number, second)
    done = await shop.sent()
    told = {"messages": [written("16505550001")], "statuses": [reported(done["providerMessageId"], "delivered")]}
    assert (await app.call(payload(shop.number, **told))).status == 200
    assert (await app.call(payload(second, messages=[written("16505550002")]))).status == 200
    await shop.becomes(done, "delivered")
    await worked_on(installed, shop.number, 2)
    await worked_on(installed, second, 1)
    assert set(await windows(installed, shop.number)) == {"16505550001"}
    assert set(await windows(installed, second)) == {"16505550002"}
    assert (await read(app))["unknownNumbers"] == []


async def test_one_call_about_several_numbers_is_parted(installed: Installed, shop: Shop) -> None:
    second = await make_number(shop.project.key, installed.site, installed.sql)
    app = await make_app(shop.project, shop.number, second)
    body = payload(shop.number, second, messages=[written()])
    assert (await app.call(body)).status == 200
    for number in (shop.number, second):
        assert len(await worked_on(installed, number, 1)) == 1


async def test_a_call_that_came_both_ways_is_worked_on_once(installed: Installed, shop: Shop) -> None:
    app = await make_app(shop.project, shop.number)
    body = payload(shop.number, messages=[written()])
    assert {(await app.call(body)).status, (await shop.number.call(body)).status} == {200}
    await worked_on(installed, shop.number, 1)
    assert len(await items(installed, shop.number)) == 1


async def test_a_number_of_the_project_that_is_not_under_the_app_is_unknown_to_it(
    installed: Installed, shop: Shop
) -> None:
    other = await make_number(shop.project.key, installed.site, installed.sql)
    app = await make_app(shop.project, shop.number)
    assert (await app.call(payload(other, messages=[written(), written()]))).status == 200
    [unknown] = (await read(app))["unknownNumbers"]
    assert (unknown["phoneNumberId"], unknown["items"]) == (other.id, 2)
    assert await items(installed, other) == []
    kept = await installed.sql.fetch(
        "SELECT state, last_error, payload::text FROM tocsin.inbound_raw WHERE connection_id = $1", app.shown["id"]
    )
    assert {row["state"] for row in kept} == {"ignored"} and all(other.id in row["payload"] for row in kept)


async def test_an_app_reaches_no_number_of_another_project(installed: Installed, shop: Shop) -> None:
    """W9: its owner knows its secret, and so can sign what they like."""
    rival = await make_shop(installed, "Rival")
    app = await make_app(rival.project, rival.number)
    done = await shop.sent()
    forged = payload(shop.number, messages=[written()], statuses=[reported(done["providerMessageId"], "read")])
    assert (await app.call(forged)).status == 200
    own = payload(rival.number, statuses=[reported(done["providerMessageId"], "read")])
    assert (await app.call(own)).status == 200
    [unknown] = (await read(app))["unknownNumbers"]
    assert unknown["phoneNumberId"] == shop.number.id
    assert (await shop.delivery(done))["state"] == "sent"
    assert await windows(installed, shop.number) == {} and await items(installed, shop.number) == []


async def test_a_connection_of_another_project_cannot_be_put_under_an_app(installed: Installed, shop: Shop) -> None:
    rival = await make_shop(installed, "Rival")
    app = await make_app(rival.project)
    foreign = {"connectionIds": [shop.number.connection["id"]]}
    unknown = {"connectionIds": [app.shown["id"]]}
    replies = [await rival.project.key.put(f"/meta-apps/{app.shown['id']}", body) for body in (foreign, unknown)]
    assert [reply.status for reply in replies] == [422, 422]
    assert replies[0].json["errors"] == replies[1].json["errors"]


@pytest.mark.parametrize("secret", ["wrong" * 8, "of the number", "of the rival"])
async def test_only_its_own_secret_signs_for_an_app(installed: Installed, shop: Shop, secret: str) -> None:
    rival = await make_shop(installed, "Rival")
    theirs = await make_app(rival.project, rival.number, secret="canary-of-the-rival-0123456789")
    app = await make_app(shop.project, shop.number)
    known = {"of the number": shop.number.app_secret, "of the rival": theirs.secret}
    assert (await app.call(payload(shop.number, messages=[written()]), known.get(secret, secret))).status == 401
    assert await items(installed, shop.number) == []


async def test_a_wrong_secret_looks_like_an_unknown_address(shop: Shop) -> None:
    app = await make_app(shop.project, shop.number)
    lost = App({**app.shown, "callbackUrl": f"/api/v1/hooks/whatsapp/app/{'x' * 32}"}, app.api)
    replies = [await app.call({}, "wrong" * 8), await lost.call({})]
    told = [{name: value for name, value in reply.json.items() if name != "requestId"} for reply in replies]
    assert told[0] == told[1] and told[0]["status"] == 401


@pytest.mark.parametrize("body", [[], 7, {"entry": "x"}, {"object": "page"}])
async def test_what_is_no_call_of_meta_is_refused(shop: Shop, body: Any) -> None:
    app = await make_app(shop.project, shop.number)
    assert (await app.call(body)).status == 400


async def test_one_call_may_say_the_same_twice(installed: Installed, shop: Shop) -> None:
    app = await make_app(shop.project, shop.number)
    message = written()
    assert (await app.call(payload(shop.number, shop.number, messages=[message, message]))).status == 200
    assert len(await worked_on(installed, shop.number, 1)) == 1


async def test_the_handshake_knows_the_verify_token_and_is_noted(shop: Shop) -> None:
    app = await make_app(shop.project, shop.number)
    assert app.shown["handshakeAt"] is None
    api, asked = Client(app.api.http, app.api.base), {"hub.mode": "subscribe", "hub.challenge": "42"}
    wrong = await api.get(app.path, **asked, **{"hub.verify_token": shop.number.verify_token})
    right = await api.get(app.path, **asked, **{"hub.verify_token": app.shown["verifyToken"]})
    assert (wrong.status, right.status, str(right.json)) == (403, 200, "42")
    assert (await read(app))["handshakeAt"] is not None


async def test_a_regenerated_address_leaves_the_old_one_dead(shop: Shop) -> None:
    app = await make_app(shop.project, shop.number)
    renewed = await app.api.post(f"/meta-apps/{app.shown['id']}/regenerate")
    assert renewed.status == 200 and renewed.json["verifyToken"] != app.shown["verifyToken"]
    assert (await app.call(payload(shop.number, messages=[written()]))).status == 401
    assert (await App(renewed.json, app.api).call(payload(shop.number, messages=[written()]))).status == 200


async def test_an_app_is_changed_and_removed_and_its_numbers_stay(installed: Installed, shop: Shop) -> None:
    app = await make_app(shop.project, shop.number)
    where = f"/meta-apps/{app.shown['id']}"
    body = {"name": "renamed", "appSecret": "another-secret-0123456789", "connectionIds": []}
    changed = (await app.api.put(where, body)).json
    assert (changed["name"], changed["appSecret"], changed["connectionIds"]) == ("renamed", "****6789", [])
    assert [each["name"] for each in (await app.api.get("/meta-apps")).json["items"]] == ["renamed"]
    assert (await app.api.delete(where)).status == 204
    assert (await app.api.get(where)).status == 404
    assert (await shop.number.told(messages=[written()])).status == 200


async def test_a_list_shows_no_verify_token(shop: Shop) -> None:
    app = await make_app(shop.project, shop.number)
    reply = await app.api.get("/meta-apps")
    assert app.shown["verifyToken"] not in str(reply.json) and SECRET not in str(reply.json)


async def test_one_number_is_under_one_app(shop: Shop) -> None:
    await make_app(shop.project, shop.number)
    body = {"name": "second", "appSecret": SECRET, "connectionIds": [shop.number.connection["id"]]}
    reply = await shop.project.key.post("/meta-apps", body)
    assert (reply.status, reply.pointers) == (422, ["/connectionIds/0"])


async def test_the_only_project_of_an_installation_gets_what_is_about_any_of_its_numbers(
    installed: Installed, shop: Shop
) -> None:
    """Another process over the same database, which knows this one project alone."""
    other = await make_number(shop.project.key, installed.site, installed.sql)
    app = await make_app(shop.project, shop.number)
    settings = {**installed.site.settings, "TOCSIN_SINGLE_PROJECT": shop.project.slug, "TOCSIN_REALTIME": "0"}
    with running_api(Site(installed.site.installer_url, installed.site.home, settings=settings)) as process:
        single = App(app.shown, Client(app.api.http, process.url))
        assert (await single.call(payload(other, messages=[written()]))).status == 200
    await worked_on(installed, other, 1)
    assert set(await windows(installed, other)) == {"16505551234"}
