"""Nothing of what happened is lost while workers are killed, and no message is another's (E1, D1).

A ledger has every change that was answered; each comes in once or, where a process died between sending and
recording, again under the same id with the same bytes.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.client import Client, Project, sign_up
from tests.endpoint import Answer, Endpoint, endpoint
from tests.engines import fresh_database
from tests.pipeline import until
from tests.running import Site, running, running_api
from tests.webhooks.build import listen
from tocsin.kit.postgres import Running

KILLS = 6
CHANGES = 20
"""Between two kills, in each of two projects."""
LEASE_SECONDS = 2


@pytest.fixture
async def mortal(cluster: Running, template: str, home: Path) -> AsyncIterator[Site]:
    async with fresh_database(cluster, template) as url:
        yield Site(url, home, settings={"TOCSIN_LEASE_SECONDS": str(LEASE_SECONDS)})


async def change(project: Project, ledger: dict[str, set[str]], number: int) -> None:
    """Something that the endpoint hears of, once it is answered."""
    reply = await project.owner.post("/rules", {"name": f"{number}", "eventTypes": ["x"], "title": "x"})
    assert reply.status == 201, reply.json
    body = {"email": f"{number}@{project.slug}.example"}
    reply = await project.app.post("/users/register", body)
    assert reply.status == 201, reply.json
    ledger[project.id].add(body["email"])


async def test_every_change_is_heard_though_workers_are_killed(mortal: Site, http: aiohttp.ClientSession) -> None:
    rng = random.Random(7)
    ledger: defaultdict[str, set[str]] = defaultdict(set)
    async with endpoint(Answer(after=0.05)) as first, endpoint(Answer(after=0.05)) as second:
        with running_api(mortal) as api:
            projects = [await sign_up(Client(http, api.url), name) for name in ("Acme", "Rival")]
            heard_at = dict(zip([project.id for project in projects], (first, second), strict=True))
            for project in projects:
                await listen(project, heard_at[project.id], "user.registered")
            for kill in range(KILLS):
                with running(mortal, "worker") as worker:
                    before = len(first.calls) + len(second.calls)
                    for number in range(CHANGES):
                        await asyncio.gather(*(change(each, ledger, kill * CHANGES + number) for each in projects))
                    await until(partial(more, first, second, before), 30)
                    await asyncio.sleep(rng.uniform(0, 0.3))
                    worker.kill()
            with running(mortal, "worker"):
                for project in projects:
                    await until(partial(complete, project, heard_at, ledger), 60)
    for project in projects:
        served = heard_at[project.id]
        assert {call.data["email"] for call in served.calls} == ledger[project.id]
        bodies: defaultdict[str, set[bytes]] = defaultdict(set)
        for call in served.calls:
            bodies[call.id].add(call.body)
        assert len(bodies) == len(ledger[project.id])
        assert {len(each) for each in bodies.values()} == {1}
    assert len(first.calls) + len(second.calls) - sum(map(len, ledger.values())) <= KILLS * 2 * 8


async def more(first: Endpoint, second: Endpoint, before: int) -> bool:
    return len(first.calls) + len(second.calls) > before


async def complete(project: Project, heard_at: dict[str, Endpoint], ledger: dict[str, set[str]]) -> Any:
    waiting = (await project.owner.get("/webhook-logs", state="queued")).json["items"]
    return not waiting and len({call.id for call in heard_at[project.id].calls}) >= len(ledger[project.id])
