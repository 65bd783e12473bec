"""No connection leads inside, when it is made or changed (H3; bad inputs 62 to 67 and 74).

Names that only a name server can unmask are tested with the door itself; here nothing is asked of any.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from tests.client import Client, Project, sign_up
from tests.connections.build import LOGIN, MAIL, make_hook
from tests.hostile_targets import INSIDE, NO_URL, PORTS
from tests.running import Site, running_api

# A public address, so that only the part under test can be wrong; nothing is ever sent there.
PUBLIC = "https://1.1.1.1/"


@pytest.fixture(scope="module")
async def strict(site: Site, http: aiohttp.ClientSession) -> AsyncIterator[Project]:
    """A project of an installation whose operator opened no private network."""
    with running_api(replace(site, settings={"TOCSIN_ALLOW_PRIVATE_TARGETS": "", "TOCSIN_REALTIME": "0"})) as process:
        yield await sign_up(Client(http, process.url), "Strict")


@pytest.fixture(scope="module")
async def hook(strict: Project) -> str:
    return str((await make_hook(strict.key, PUBLIC))["id"])


@pytest.mark.parametrize(
    ("url", "code"),
    [(url, "address_not_allowed") for url in INSIDE]
    + [(url, "url_invalid") for url in NO_URL]
    + [(f"https://1.1.1.1:{port}/", "port_not_allowed") for port in PORTS],
)
async def test_no_webhook_leads_inside(strict: Project, hook: str, url: str, code: str) -> None:
    made = await strict.key.post("/connections", {"provider": "webhook", "name": "x", "settings": {"url": url}})
    changed = await strict.key.put(f"/connections/{hook}", {"settings": {"url": url}})
    for reply in (made, changed):
        assert reply.status == 422
        assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [("/settings/url", code)]
    assert (await strict.key.get(f"/connections/{hook}")).json["settings"]["url"] == PUBLIC


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"host": "127.0.0.1"}, "/settings/host", "address_not_allowed"),
        ({"host": "localhost"}, "/settings/host", "address_not_allowed"),
        ({"host": "0x7f000001"}, "/settings/host", "address_not_allowed"),
        ({"host": "169.254.169.254"}, "/settings/host", "address_not_allowed"),
        ({"host": "mail.internal"}, "/settings/host", "address_not_allowed"),
        ({"port": 6379}, "/settings/port", "port_not_allowed"),
        ({}, "/settings/security", "encryption_required"),
    ],
)
async def test_no_mail_goes_inside(strict: Project, change: dict[str, object], pointer: str, code: str) -> None:
    settings = {**MAIL, "host": "1.1.1.1", **change}
    body = {"provider": "smtp", "name": "x", "settings": settings, "credentials": LOGIN}
    reply = await strict.key.post("/connections", body)
    assert reply.status == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]


async def test_refused_connections_leave_nothing_behind(strict: Project, hook: str) -> None:
    listed = await strict.key.get("/connections")
    assert [item["id"] for item in listed.json["items"]] == [hook]
