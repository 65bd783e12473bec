"""An installation for one project (T6): nothing to name, nobody else served, and opened to many without moving data."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import aiohttp
import pytest
from websockets.asyncio.client import connect

from tests.client import PASSWORD, Client, Project, sign_up
from tests.operators import Operator, operator
from tests.realtime.serving import read
from tests.running import Site, running_api, without_sockets

EMAIL = "both@single.example"


@dataclass
class Narrowed:
    """The same database served for many projects and for one."""

    many: Client
    one: Client
    served: Project
    other: Project
    admin: Operator


@pytest.fixture(scope="module")
async def narrowed(database: str, site: Site, http: aiohttp.ClientSession) -> AsyncIterator[Narrowed]:
    own = without_sockets(replace(site, installer_url=database))
    with running_api(own) as wide:
        many = Client(http, wide.url)
        served, other = [await sign_up(many, name, email=EMAIL) for name in ("Served", "Other")]
        admin = await operator(many, own)
        alone = {**site.settings, "TOCSIN_SINGLE_PROJECT": served.slug}
        only = replace(site, installer_url=database, settings=alone)
        with running_api(only) as narrow:
            yield Narrowed(many, Client(http, narrow.url), served, other, admin)


async def test_nobody_signs_up(narrowed: Narrowed) -> None:
    body = {"email": "new@single.example", "password": PASSWORD, "projectName": "New"}
    reply = await narrowed.one.post("/signup", body)
    assert (reply.status, reply.code) == (403, "signup_closed")


async def test_people_sign_in_without_naming_the_project(narrowed: Narrowed) -> None:
    body = {"email": EMAIL, "password": PASSWORD}
    assert (await narrowed.many.post("/auth/login", body)).code == "project_required"
    reply = await narrowed.one.post("/auth/login", body)
    assert reply.json["project"]["id"] == narrowed.served.id
    refresh = {"refreshToken": reply.json["tokens"]["refreshToken"]}
    assert (await narrowed.one.post("/auth/refresh", refresh)).status == 200


async def test_another_project_is_not_served_here(narrowed: Narrowed) -> None:
    other, event = narrowed.other, {"type": "a", "payload": {}}
    for caller in (other.key.at(narrowed.one), other.owner.at(narrowed.one)):
        for reply in (await caller.get("/users"), await caller.post("/events", event)):
            assert (reply.status, reply.code) == (403, "tenant_mismatch")
    body = {"email": EMAIL, "password": PASSWORD, "project": other.slug}
    assert (await narrowed.one.post("/auth/login", body)).code == "tenant_mismatch"
    refresh = {"refreshToken": other.signed_up["tokens"]["refreshToken"]}
    assert (await narrowed.one.post("/auth/refresh", refresh)).code == "tenant_mismatch"


async def test_another_project_has_no_sockets_here(narrowed: Narrowed) -> None:
    heard = []
    for project in (narrowed.other, narrowed.served):
        key = project.signed_up["apiKeys"]["live"]["key"]
        url = f"{narrowed.one.base.replace('http', 'ws')}/app/{key}?protocol=7"
        async with connect(url, compression=None) as connection:
            heard.append(await read(connection))
    assert heard[0]["data"]["code"] == 4010
    assert heard[1]["event"] == "pusher:connection_established"


async def test_the_one_project_works_as_ever(narrowed: Narrowed) -> None:
    for caller in (narrowed.served.key, narrowed.served.owner):
        here = caller.at(narrowed.one)
        assert (await here.get("/projects/me")).json["id"] == narrowed.served.id
        assert (await here.post("/events", {"type": "a", "payload": {}})).status == 202


async def test_the_platform_is_still_let_in(narrowed: Narrowed) -> None:
    body = {"email": narrowed.admin.email, "password": PASSWORD, "project": "platform"}
    reply = await narrowed.one.post("/auth/login", body)
    assert reply.status == 200
    assert (await narrowed.admin.client.at(narrowed.one).get("/auth/me")).status == 200
    refresh = {"refreshToken": reply.json["tokens"]["refreshToken"]}
    assert (await narrowed.one.post("/auth/refresh", refresh)).status == 200


async def test_opened_again_everything_is_where_it_was(narrowed: Narrowed) -> None:
    made = (await narrowed.served.key.at(narrowed.one).post("/users", {"name": "Made while single"})).json
    shown = await narrowed.served.key.at(narrowed.many).get(f"/users/{made['id']}")
    assert shown.json == made
    assert (await narrowed.other.key.get("/projects/me")).status == 200
    assert (await sign_up(narrowed.many, "Third")).id
