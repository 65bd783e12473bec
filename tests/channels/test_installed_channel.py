"""C1: a package of somebody else's, built and installed by pip, sends beside ours; nothing of ours names it."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.channels.far_end import answering
from tests.client import Client, sign_up
from tests.engines import fresh_database
from tests.pipeline import ended, make_rule, send_event
from tests.running import Site, running, running_api
from tocsin.kit.postgres import Running

PACKAGE = Path(__file__).parent / "pigeon_post"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the package is installed; nothing is fetched for that."""
    into = tmp_path_factory.mktemp("packages")
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, "--target", into, PACKAGE], check=True, timeout=120
    )
    return into


@pytest.fixture(scope="module")
async def extended(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession, packages: Path
) -> AsyncIterator[Client]:
    """An installation with one package more."""
    path = os.pathsep.join([str(packages), *sys.path])
    async with fresh_database(cluster, template) as url:
        site = Site(url, home, settings={"TOCSIN_SLOTS": "8", "PYTHONPATH": path})
        with running_api(site) as process, running(site, "worker"):
            yield Client(http, process.url)


async def test_its_form_is_validated_and_described_like_ours(extended: Client) -> None:
    shop = await sign_up(extended, "Shop")
    [pigeon] = [each for each in (await shop.key.get("/providers")).json if each["provider"] == "pigeon"]
    assert pigeon["credentialsSchema"]["properties"]["tune"]["writeOnly"] is True
    body = {"provider": "pigeon", "name": "p", "settings": {}, "credentials": {"tune": "la", "key": "x"}}
    refused = await shop.key.post("/connections", body)
    assert (refused.status, set(refused.pointers)) == (422, {"/settings/url", "/credentials/key"})
    inside = {**body, "settings": {"url": "http://10.0.0.1/"}, "credentials": {"tune": "la"}}
    assert (await shop.key.post("/connections", inside)).pointers == ["/settings/url"]


async def test_it_sends_for_the_project_that_connected_it_and_keeps_its_secret(extended: Client) -> None:
    shop, rival = [await sign_up(extended, name) for name in ("Shop", "Rival")]
    for project in (shop, rival):
        await make_rule(project, "pigeon")
    async with answering(200) as far:
        body = {
            "provider": "pigeon",
            "name": "Loft",
            "settings": {"url": f"{far.url}/loft"},
            "credentials": {"tune": "canary-of-the-pigeon"},
        }
        made = await shop.key.post("/connections", body)
        assert (made.status, made.json["credentials"]) == (201, {"tune": "****geon"})
        verified = await shop.key.post(f"/connections/{made.json['id']}/verify")
        assert verified.json["account"]["name"] == "A loft"
        done = await ended(shop.key, await send_event(shop.key, order=7), "pigeon")
        untold = await ended(rival.key, await send_event(rival.key, order=8), "pigeon")
    assert (done["state"], done["providerMessageId"]) == ("delivered", done["id"])
    assert [asked.json for asked in far.asked if asked.method == "POST"] == [{"title": "Order 7"}]
    assert far.asked[-1].headers["X-Tune"] == "canary-of-the-pigeon"
    assert untold["state"] == "failed"
