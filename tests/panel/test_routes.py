"""The addresses of the panel, as a running API answers them."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.client import Client, sign_up
from tests.hosted import BASE, Hosted, prove
from tests.running import Site, running_api, without_sockets


@pytest.fixture(scope="module")
async def panel(dist: Path, site: Site, http: aiohttp.ClientSession) -> AsyncIterator[Client]:
    """An API that was started after the panel was built."""
    with running_api(without_sockets(site)) as process:
        yield Client(http, process.url)


async def _get(panel: Client, path: str, **headers: str) -> tuple[int, Any, bytes]:
    url = URL(f"{panel.base}{path}", encoded=True)
    async with panel.http.get(url, headers=headers, allow_redirects=False) as answer:
        return answer.status, answer.headers, await answer.read()


def _boot(page: bytes) -> Any:
    found = re.search(rb'id="boot">(.*?)</script>', page)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.parametrize("path", ["/panel/", "/panel/events", "/panel/rules/0198-x", "/panel/signin?next=%2Fevents"])
async def test_every_path_of_the_panel_is_its_page(panel: Client, path: str) -> None:
    status, headers, body = await _get(panel, path)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'id="root"' in body


@pytest.mark.parametrize("path", ["/platform/", "/platform/projects", "/platform/signin?next=%2Fusage"])
async def test_every_path_of_the_platform_is_its_own_page_under_the_same_policy(panel: Client, path: str) -> None:
    status, headers, body = await _get(panel, path)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<title>Platform</title>" in body
    _, others, _ = await _get(panel, "/panel/")
    assert headers["content-security-policy"] == others["content-security-policy"]
    assert headers["cache-control"] == "no-cache"


async def test_a_visit_is_the_page_of_a_projects_panel(panel: Client) -> None:
    visit = (await _get(panel, "/platform/visit/01a202de-fe15-7000-9426-3cc6fbba7766/rules"))[2]
    assert visit == (await _get(panel, "/panel/"))[2]


async def test_the_platform_without_a_slash_leads_there(panel: Client) -> None:
    status, headers, _ = await _get(panel, "/platform")
    assert (status, headers["location"]) == (302, "/platform/")


@pytest.mark.parametrize("path", ["/", "/panel"])
async def test_the_root_leads_to_the_panel_whatever_the_host_says(panel: Client, path: str) -> None:
    status, headers, _ = await _get(panel, path)
    assert (status, headers["location"]) == (302, "/panel/")


async def test_scripts_come_from_our_own_files_alone(panel: Client) -> None:
    _, headers, body = await _get(panel, "/panel/")
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["cache-control"] == "no-cache"
    assert headers.getall("x-content-type-options") == ["nosniff"]
    inline = re.findall(rb"<script(?![^>]*(?:src=|application/json))[^>]*>", body)
    assert inline == []


async def test_assets_are_compressed_and_kept_for_ever(panel: Client) -> None:
    _, _, page = await _get(panel, "/panel/")
    found = re.search(rb'src="(/panel/assets/[^"]+\.js)"', page)
    assert found is not None
    script = found[1].decode()
    status, headers, _ = await _get(panel, script, **{"Accept-Encoding": "gzip"})
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert headers["content-type"].startswith("text/javascript")
    assert "immutable" in headers["cache-control"]
    status, _, body = await _get(panel, script, **{"If-None-Match": headers["etag"]})
    assert (status, body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/panel/assets/index-gone.js",
        "/panel/assets/page",
        "/panel/favicon.ico",
        "/panel/manifest.json",
        "/panel/assets/../../files.py",
        "/panel/%2e%2e/files.py",
        "/panel/platform.html",
        "/platform/assets/index-gone.js",
        "/platform/early.js",
        "/platform/visit/platform.html",
    ],
)
async def test_what_is_no_page_and_no_file_is_404_and_never_a_page(panel: Client, path: str) -> None:
    status, headers, _ = await _get(panel, path)
    assert status == 404
    assert headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/app/nothing", "/apps/1/nothing", "/docs/nothing", "/nothing"])
async def test_nothing_else_is_shadowed(panel: Client, path: str) -> None:
    status, headers, _ = await _get(panel, path)
    assert status in (401, 404)
    assert not headers["content-type"].startswith("text/html")


async def test_the_docs_and_other_pages_are_still_there(panel: Client) -> None:
    for path in ("/docs", "/setup", "/account/verify", "/openapi.json", "/health/live"):
        assert (await _get(panel, path))[0] == 200, path


async def test_only_reading_is_taken(panel: Client) -> None:
    async with panel.http.post(f"{panel.base}/panel/events", data=b"{}") as answer:
        assert answer.status == 405


async def test_without_a_name_in_the_address_nobody_is_shown(panel: Client) -> None:
    await sign_up(panel, "Shown")
    for path in ("/panel/", "/panel/?tenant=shown"):
        boot = _boot((await _get(panel, path))[2])
        assert (boot["signup"], boot["project"]) == ("open", None)
    boot = _boot((await _get(panel, "/panel/", **{"X-Tenant-Id": "shown"}))[2])
    assert boot["project"] is None


async def test_a_host_name_shows_its_own_project_and_no_other(dist: Path, hosted: Hosted) -> None:
    """P4, T1: by subdomain and by proven domain; an address of nobody's shows nobody."""
    acme, rival = await sign_up(hosted.api, "Acme"), await sign_up(hosted.api, "Rival")
    await acme.owner.put("/projects/me/branding", {"brandColor": "#0F7B6C", "customCss": ".brand-a { color: red }"})
    await prove(hosted, acme, "alerts.acme-panel.example")
    with running_api(without_sockets(hosted.site)) as process:
        panel = Client(acme.owner.http, process.url)
        for host in (f"{acme.slug}.{BASE}", "alerts.acme-panel.example"):
            boot = _boot((await _get(panel, f"/panel/?tenant={rival.slug}", Host=host))[2])
            assert boot["project"] == {"slug": acme.slug, "name": "Acme", "branding": {"brandColor": "#0F7B6C"}}
        assert _boot((await _get(panel, "/panel/", Host=f"{rival.slug}.{BASE}"))[2])["project"]["name"] == "Rival"
        for host in (f"nobody-here.{BASE}", "alerts.nobody.example"):
            assert _boot((await _get(panel, "/panel/", Host=host))[2])["project"] is None
        for host in (f"{acme.slug}.{BASE}", "alerts.acme-panel.example", f"nobody-here.{BASE}"):
            for path in ("/platform/", "/platform/visit/01a202de-fe15-7000-9426-3cc6fbba7766/"):
                assert (await _get(panel, path, Host=host))[0] == 404, host
        for host in (BASE, f"app.{BASE}", f"platform.{BASE}", "127.0.0.1"):
            assert (await _get(panel, "/platform/", Host=host))[0] == 200, host
