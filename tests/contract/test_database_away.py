"""While the database is away nothing is promised: 503 with `Retry-After`, and never 202 (bad input 42)."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests import running
from tests.client import Client, sign_up
from tests.contract.conftest import secrets_of
from tests.contract.problem import check_problem
from tests.engines import running_postgres
from tests.running import Site, running_api
from tocsin.kit import postgres
from tocsin.kit.crypto import MasterKey
from tocsin.kit.migrate import migrate
from tocsin.kit.roles import Roles


@pytest.fixture(autouse=True)
def nothing_leaked() -> None:
    """This module asks a process of its own, and looks into its log itself."""


async def test_without_a_database_nothing_is_promised_and_nothing_promised_is_lost(
    home: Path, http: aiohttp.ClientSession
) -> None:
    with running_postgres(fsync=False) as server:
        await migrate(server.dsn(), Roles(), MasterKey.load(running.MASTER_SECRET, home))
        with running_api(Site(server.dsn(), home)) as process:
            project = await sign_up(Client(http, process.url), "Away")
            promised = await project.key.post("/events", {"type": "away.before", "payload": {}})
            assert promised.status == 202
            postgres.stop(server.data_dir)
            await _refuses_everything(project.key, project.owner, secrets_of(project))
            log = process.log.read_text(errors="replace")
            assert not any(secret in log for secret in secrets_of(project))


async def _refuses_everything(key: Client, owner: Client, secrets: list[str]) -> None:
    event = {"type": "away.during", "payload": {}}
    calls = [
        (key, "POST", "/events", event),
        (key, "POST", "/events/batch", {"events": [event]}),
        (key, "GET", "/users", None),
        (key, "POST", "/users", {"name": "A"}),
        (owner, "POST", "/events", event),
        (owner, "GET", "/auth/me", None),
        (key, "POST", "/auth/login", {"email": "a@b.example", "password": "correct horse battery"}),
        (key, "POST", "/signup", {"email": "a@b.example", "password": "correct horse battery", "projectName": "A"}),
    ]
    for _ in range(3):
        for caller, method, path, body in calls:
            reply = await caller.send(method, path, body)
            check_problem(reply.status, reply.headers, reply.json, str(reply.json), {503}, keeps=secrets)
            assert int(reply.headers["Retry-After"]) >= 1
        await asyncio.sleep(0.7)
    assert (await key.get("/health/live")).status == 200
    assert (await key.get("/health/ready")).status == 503
