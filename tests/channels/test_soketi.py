"""Notifications through soketi, a server of the same protocol that somebody else wrote.

It is large (290 MB of packages), so this runs by ``make soketi``: about a minute for the first time.
"""

import asyncio
import json
import os
import urllib.request
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.channels.conftest import ANN
from tests.engines import free_port, temporary_folder
from tests.node import find_node, installed_packages
from tests.realtime.pusher_js import PusherJs, pusher_js
from tocsin.channels.contract import BadCredentials, Message
from tocsin.channels.pusher import Event, Pusher, PusherCredentials, PusherSettings, publish
from tocsin.kit.http import Door

pytestmark = pytest.mark.skipif("TOCSIN_TEST_SOKETI" not in os.environ, reason="make soketi")

FOLDER = Path(__file__).parent / "soketi"
APP = {"id": "7007", "key": "soketi-key", "secret": "soketi-secret"}
CREDENTIALS = PusherCredentials.model_validate({"secret": APP["secret"]})


@dataclass
class Soketi:
    port: int

    @property
    def settings(self) -> PusherSettings:
        url = f"http://127.0.0.1:{self.port}"
        return PusherSettings.model_validate({"appId": APP["id"], "key": APP["key"], "url": url})


@pytest.fixture(scope="module")
async def soketi() -> AsyncIterator[Soketi]:
    node = find_node()
    packages = await asyncio.to_thread(installed_packages, FOLDER, node)
    server = Soketi(free_port())
    with temporary_folder() as folder:
        config = folder / "config.json"
        config.write_text(json.dumps(_configuration(server.port)))
        script = packages / "node_modules" / "@soketi" / "soketi" / "bin" / "server.js"
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                node.node, str(script), "start", f"--config={config}", stdout=log, stderr=log
            )
        try:
            await _ready(server.port)
            yield server
        finally:
            process.kill()
            await process.wait()


def _configuration(port: int) -> object:
    app = {"enabled": True, "enableClientMessages": True, "maxConnections": 100, "webhooks": []}
    limits = dict.fromkeys(("maxBackendEventsPerSecond", "maxClientEventsPerSecond", "maxReadRequestsPerSecond"), -1)
    # What is given replaces whole parts of its defaults, and without these two it ends at the first connection.
    apps = {"driver": "array", "cache": {"enabled": False, "ttl": -1}, "array": {"apps": [{**APP, **app, **limits}]}}
    metrics = {"enabled": False, "driver": "prometheus", "host": "127.0.0.1", "port": free_port()}
    return {
        "host": "127.0.0.1",
        "port": port,
        "appManager": apps,
        "metrics": {**metrics, "prometheus": {"prefix": "soketi_"}},
    }


async def _ready(port: int) -> None:
    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    async with asyncio.timeout(60):
        while not await asyncio.to_thread(answers):
            await asyncio.sleep(0.2)


@pytest.fixture
async def js(soketi: Soketi) -> AsyncIterator[PusherJs]:
    async with pusher_js(soketi) as clients:
        clients.key, clients.secret = APP["key"], APP["secret"]
        yield clients


async def test_the_official_client_hears_a_notification(
    soketi: Soketi, js: PusherJs, message: Callable[..., Message], door: Door
) -> None:
    channel = f"private-user-{ANN.user_id}"
    await js.connect("ann", key=APP["key"])
    await js.subscribe("ann", channel)
    await Pusher().send(message(), None, soketi.settings, CREDENTIALS, door)
    data = (await js.fact(client="ann", channel=channel, event="notification.created"))["data"]
    assert data["title"] == message().title


async def test_the_official_client_hears_what_else_is_published(soketi: Soketi, js: PusherJs, door: Door) -> None:
    """One event for two channels, and two events in one call."""
    ann, panel = f"private-user-{ANN.user_id}", "private-project-1"
    await js.connect("ann", key=APP["key"])
    for channel in (ann, panel):
        await js.subscribe("ann", channel)
    both = Event("notification.acknowledged", [ann, panel], '{"id":"1"}')
    batch = [Event("connection.status_changed", [channel], '{"status":"error"}') for channel in (ann, panel)]
    await publish([both], soketi.settings, CREDENTIALS, door)
    await publish(batch, soketi.settings, CREDENTIALS, door)
    for channel in (ann, panel):
        acknowledged = await js.fact(client="ann", channel=channel, event="notification.acknowledged")
        assert acknowledged["data"] == {"id": "1"}
        changed = await js.fact(client="ann", channel=channel, event="connection.status_changed")
        assert changed["data"] == {"status": "error"}


async def test_its_refusals_with_200_are_refusals(soketi: Soketi, message: Callable[..., Message], door: Door) -> None:
    assert (await Pusher().verify(soketi.settings, CREDENTIALS, door)).id == APP["id"]
    wrong = PusherCredentials.model_validate({"secret": "another"})
    elsewhere = soketi.settings.model_copy(update={"app_id": "8008"})
    for settings, credentials in ((soketi.settings, wrong), (elsewhere, CREDENTIALS)):
        with pytest.raises(BadCredentials):
            await Pusher().verify(settings, credentials, door)
        with pytest.raises(BadCredentials):
            await Pusher().send(message(), None, settings, credentials, door)
