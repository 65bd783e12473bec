"""One app's sockets in several processes, or in another one than is asked (W4): over Redis and over PostgreSQL."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.client import Client, Project, sign_up
from tests.engines import fresh_database, running_redis
from tests.pipeline import until
from tests.realtime.publishers import Bare, Python, app_of
from tests.realtime.pusher_js import PusherJs, pusher_js
from tests.running import Process, Site, running_api, without_sockets
from tocsin.kit.postgres import Running

LONG = "ü" * 5_000
"""Longer than a NOTIFY carries."""


@dataclass
class Installation:
    """Two processes, either of which is asked. With Redis both have sockets, else the first one alone."""

    one: Process
    other: Process
    apis: tuple[Client, Client]
    acme: Project
    rival: Project

    @property
    def serving(self) -> list[Process]:
        return [self.one, self.other] if self.one.log.parent.name == "redis" else [self.one]


@pytest.fixture(scope="module", params=["postgres", "redis"])
async def installation(
    request: pytest.FixtureRequest, cluster: Running, template: str, home: Path, http: aiohttp.ClientSession
) -> AsyncIterator[Installation]:
    with contextlib.ExitStack() as running:
        redis = running.enter_context(running_redis()).url if request.param == "redis" else None
        async with fresh_database(cluster, template) as url:
            folder = home / request.param
            folder.mkdir(exist_ok=True)
            site = Site(url, folder, redis)
            one = running.enter_context(running_api(site))
            other = running.enter_context(running_api(site if redis else without_sockets(site)))
            apis = (Client(http, one.url), Client(http, other.url))
            yield Installation(one, other, apis, await sign_up(apis[0], "Acme"), await sign_up(apis[0], "Rival"))
            running.close()


@contextlib.asynccontextmanager
async def heard(installation: Installation, *channels: str) -> AsyncIterator[list[PusherJs]]:
    """The official client at each process that has sockets: Ann everywhere, and somebody of her own at each."""
    app = app_of(installation.acme)
    async with contextlib.AsyncExitStack() as open_:
        ears = [await open_.enter_async_context(pusher_js(process)) for process in installation.serving]
        for number, js in enumerate(ears):
            js.secret = app.secret
            js.people = {"own": f"own-{number}"}
            for name in ("ann", "own"):
                await js.connect(name, key=app.key)
                for channel in channels:
                    await js.subscribe(name, channel)
        yield ears


@pytest.mark.parametrize("asked", [0, 1])
async def test_what_any_process_publishes_is_heard_at_all(installation: Installation, asked: int) -> None:
    server = Python(app_of(installation.acme), installation.apis[asked])
    async with heard(installation, "news") as ears:
        await server.call("trigger", "news", "first", "a")
        await server.call("trigger", "news", "long", LONG)
        await server.call("trigger", "news", "last", "b")
        for js in ears:
            for name in ("ann", "own"):
                assert (await js.fact(client=name, event="last"))["data"] == "b"
                told = [
                    (fact["event"], fact["data"]) for fact in js.told(client=name, channel="news") if fact.get("data")
                ]
                assert told == [("first", "a"), ("long", LONG), ("last", "b")]


@pytest.mark.parametrize("asked", [0, 1])
async def test_a_socket_is_left_out_wherever_it_is(installation: Installation, asked: int) -> None:
    server = Python(app_of(installation.acme), installation.apis[asked])
    async with heard(installation, "news") as ears:
        left_out = (await ears[0].fact(client="ann", state="connected"))["socketId"]
        await server.call("trigger", "news", "e", {}, left_out)
        await server.call("trigger", "news", "after", {})
        await ears[0].fact(client="ann", event="after")
        await ears[0].fact(client="own", event="e")
        assert not ears[0].told(client="ann", event="e")


@pytest.mark.parametrize("asked", [0, 1])
async def test_people_are_counted_over_all_processes(installation: Installation, asked: int) -> None:
    server = Bare(app_of(installation.acme), installation.apis[asked])
    stranger = Bare(app_of(installation.rival), installation.apis[asked])
    async with heard(installation, "presence-hall", "news") as ears:
        users = {user["id"] for user in (await server.get("/channels/presence-hall/users")).json["users"]}
        assert users == {"ann", *(f"own-{number}" for number in range(len(ears)))}
        body = {"name": "e", "data": "1", "channel": "presence-hall", "info": "user_count,subscription_count"}
        counted = {"user_count": 1 + len(ears), "subscription_count": 2 * len(ears)}
        assert (await server.post("/events", body)).json["channels"] == {"presence-hall": counted}
        assert (await server.get("/channels")).json["channels"] == {"presence-hall": {}, "news": {}}
        assert (await stranger.get("/channels")).json["channels"] == {}
        assert (await stranger.get("/channels/presence-hall/users")).json["users"] == []


@pytest.mark.parametrize("asked", [0, 1])
async def test_statistics_are_those_of_all_processes(installation: Installation, asked: int) -> None:
    acme, rival = (each.key.at(installation.apis[asked]) for each in (installation.acme, installation.rival))
    sockets = 2 * len(installation.serving)

    async def counted() -> bool:
        told = (await acme.get("/realtime/stats")).json
        return bool(told == {"sockets": sockets, "channels": 1, "subscriptions": sockets})

    async with heard(installation, "shared"):
        await until(counted)
        assert (await rival.get("/realtime/stats")).json == {"sockets": 0, "channels": 0, "subscriptions": 0}


@pytest.mark.parametrize("asked", [0, 1])
async def test_a_user_is_sent_away_from_all_processes(installation: Installation, asked: int) -> None:
    server = Python(app_of(installation.acme), installation.apis[asked])
    async with heard(installation) as ears:
        for js in ears:
            for name in ("ann", "own"):
                await js.do("signin", name)
                await js.fact(client=name, message="pusher:signin_success")
        await server.call("send_to_user", "ann", "hey", "you")
        for js in ears:
            assert (await js.fact(client="ann", userEvent="hey"))["data"] == "you"
        await server.call("terminate_user_connections", "ann")
        for js in ears:
            await js.fact(client="ann", state="disconnected")
            await js.settle("own")
            assert not js.told(client="own", userEvent="hey")


async def test_a_count_that_would_not_be_whole_is_not_given(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession
) -> None:
    """A process that stands still may have sockets, and nobody can know how many."""
    async with fresh_database(cluster, template) as url:
        site = Site(url, home)
        with running_api(site) as serving, running_api(without_sockets(site)) as asked:
            server = Bare(app_of(await sign_up(Client(http, asked.url))), Client(http, asked.url))
            assert (await server.get("/channels")).json == {"channels": {}}
            serving.popen.send_signal(19)
            try:
                reply = await server.get("/channels")
                assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
                assert (await server.post("/events", {"name": "e", "channel": "c", "data": "1"})).status == 200
            finally:
                serving.popen.send_signal(18)
            await _answered(server)
            serving.kill()
            await _answered(server)


async def _answered(server: Bare) -> None:
    async with asyncio.timeout(10):
        while (reply := await server.get("/channels")).status != 200:
            await asyncio.sleep(0.1)
    assert reply.json == {"channels": {}}
