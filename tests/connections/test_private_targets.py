"""No connection leads inside, when it is made or changed (H3; bad inputs 62 to 67 and 74).

Names that only a name server can unmask are tested with the door itself; here nothing is asked of any.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from tests.client import Client, Project, sign_up
from tests.connections.build import HOOK, LOGIN, MAIL, make_hook
from tests.running import Site, running_api

INSIDE = [
    # 62: loopback in every notation
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://0/",
    # 63: the same through IPv6
    "http://[::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[::127.0.0.1]/",
    "http://[fec0::1]/",
    # 64: metadata services
    "http://169.254.169.254/latest/meta-data",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://168.63.129.16/",
    "http://metadata.google.internal/",
    # 65: the same in other letters, and names of the inside
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://localhost./",
    "http://x.localhost/",
    "http://10.0.0.8/",
    "http://192.168.1.1/",
    "http://printer/",
]
NO_URL = [
    # 66
    "file:///etc/passwd",
    "gopher://203.0.113.7/",
    "ftp://203.0.113.7/",
    "javascript:alert(1)",
    "//203.0.113.7/",
    "https:///x",
    "https://a@203.0.113.7/",
    "https://a\\@203.0.113.7/",
    "https://203.0.113.7/\tx",
    "https://203.0.113.7/\nx",
    "https://203.0.113.7:0x50/",
    # 67, where the number is no port at all
    "https://203.0.113.7:65536/",
]
PORTS = [22, 6379, 5432, 0]


@pytest.fixture(scope="module")
async def strict(site: Site, http: aiohttp.ClientSession) -> AsyncIterator[Project]:
    """A project of an installation whose operator opened no private network."""
    with running_api(replace(site, settings={"TOCSIN_ALLOW_PRIVATE_TARGETS": ""})) as process:
        yield await sign_up(Client(http, process.url), "Strict")


@pytest.fixture(scope="module")
async def hook(strict: Project) -> str:
    return str((await make_hook(strict.key, HOOK["url"]))["id"])


@pytest.mark.parametrize(
    ("url", "codes"),
    [(url, {"address_not_allowed"}) for url in INSIDE]
    + [(url, {"url_invalid"}) for url in NO_URL]
    + [(f"https://203.0.113.7:{port}/", {"port_not_allowed", "url_invalid"}) for port in PORTS],
)
async def test_no_webhook_leads_inside(strict: Project, hook: str, url: str, codes: set[str]) -> None:
    made = await strict.key.post("/connections", {"provider": "webhook", "name": "x", "settings": {"url": url}})
    changed = await strict.key.put(f"/connections/{hook}", {"settings": {"url": url}})
    for reply in (made, changed):
        assert reply.status == 422
        assert [(error["pointer"], error["code"] in codes) for error in reply.json["errors"]] == [
            ("/settings/url", True)
        ], reply.json
    assert (await strict.key.get(f"/connections/{hook}")).json["settings"]["url"] == HOOK["url"]


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
    settings = {**MAIL, "host": "203.0.113.7", **change}
    body = {"provider": "smtp", "name": "x", "settings": settings, "credentials": LOGIN}
    reply = await strict.key.post("/connections", body)
    assert reply.status == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]


async def test_refused_connections_leave_nothing_behind(strict: Project, hook: str) -> None:
    listed = await strict.key.get("/connections")
    assert [item["id"] for item in listed.json["items"]] == [hook]
