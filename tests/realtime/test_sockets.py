"""One process serves the sockets, tells its clients when it leaves, and says what is wrong at its start."""

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.client import Client, sign_up
from tests.engines import fresh_database
from tests.realtime.conftest import placed
from tests.realtime.serving import read
from tests.running import Site, running, running_api
from tocsin.kit.postgres import Running


@pytest.fixture(scope="module")
async def own(cluster: Running, template: str, home: Path) -> "asyncio.AsyncGenerator[Site, None]":
    async with fresh_database(cluster, template) as url:
        yield Site(url, home)


async def test_a_second_process_without_redis_refuses_to_start(own: Site) -> None:
    with running_api(own), running(own, "api") as second:
        assert await asyncio.to_thread(second.popen.wait, 30) != 0
        assert "TOCSIN_REDIS_URL" in second.last_lines()
        assert "TOCSIN_REALTIME=0" in second.last_lines()


async def test_further_processes_may_run_without_sockets(own: Site, http: aiohttp.ClientSession) -> None:
    quiet = Site(own.installer_url, own.home, settings={"TOCSIN_REALTIME": "0"})
    with running_api(own) as first, running_api(quiet) as second:
        project = await sign_up(Client(http, second.url))
        assert (await project.key.get("/realtime/stats")).json["sockets"] == 0
        key = project.signed_up["apiKeys"]["live"]["key"]
        async with connect(_socket_url(first.port, key)) as socket:
            assert (await read(socket))["event"] == "pusher:connection_established"
        with pytest.raises((InvalidStatus, ConnectionClosed)):
            await connect(_socket_url(second.port, key))


async def test_a_process_told_to_stop_sends_its_sockets_to_back_off(own: Site, http: aiohttp.ClientSession) -> None:
    with running_api(own) as process:
        project = await sign_up(Client(http, process.url))
        key = project.signed_up["apiKeys"]["live"]["key"]
        sockets = [await connect(_socket_url(process.port, key)) for _ in range(100)]
        for socket in sockets:
            await read(socket)
        process.popen.send_signal(signal.SIGTERM)
        first = await read(sockets[0])
        assert first["data"]["code"] == 4100
        ready = await Client(http, process.url).get("/health/ready")
        assert (ready.status, ready.json) == (503, {"status": "draining"})
        for socket in sockets:
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await read(socket)
            assert closed.value.rcvd and closed.value.rcvd.code == 4100
        assert await asyncio.to_thread(process.popen.wait, 30) == -signal.SIGTERM


async def test_sockets_move_to_the_process_that_takes_over(own: Site, http: aiohttp.ClientSession) -> None:
    async with placed(own, http) as place:
        await sign_up(place.api)
        place.process.kill()
        with running_api(own) as successor:
            assert (await Client(http, successor.url).get("/health/ready")).status == 200


def _socket_url(port: int, key: str) -> str:
    return f"ws://127.0.0.1:{port}/app/{key}?protocol=7&client=test&version=1"
