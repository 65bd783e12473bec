"""Eight processes against one limit: exactly the limit, none refused too early (Q3).

``TOCSIN_RACE_EVENTS=10000`` (`make race`) sends as many from each process to each project; 500 otherwise.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.plans.build import counters, put_on, stored
from tests.running import Site

PROCESSES = 8
EACH = int(os.environ.get("TOCSIN_RACE_EVENTS", "500"))
REPEATED = 0.3
ROOT = Path(__file__).parents[2]


def race(site: Site, projects: list[Project], size: int) -> dict[str, Counter[str]]:
    """What became of the events of all processes, by project."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    runners = []
    for seed in range(PROCESSES):
        told = {
            "url": site.app_url,
            "projects": [project.id for project in projects],
            "each": EACH,
            "repeated": REPEATED,
            "size": size,
            "seed": seed,
        }
        runners.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.plans.sender", json.dumps(told)],
                cwd=ROOT,
                env={**inherited, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    try:
        for runner in runners:
            assert runner.stdout is not None and runner.stdout.readline() == "ready\n"
        found: dict[str, Counter[str]] = {project.id: Counter() for project in projects}
        for runner in runners:
            assert runner.stdin is not None
            runner.stdin.write("go\n")
            runner.stdin.flush()
        for runner in runners:
            output, _ = runner.communicate(timeout=600)
            assert runner.returncode == 0
            for project, counts in json.loads(output.splitlines()[-1]).items():  # after what was logged
                found[project].update(counts)
        return found
    finally:
        for runner in runners:
            runner.kill()


def different() -> int:
    """How many different events the processes send to a project: what several send counts once."""
    shared = sum(number * REPEATED % 1 < REPEATED for number in range(EACH))
    return shared + PROCESSES * (EACH - shared)


pytestmark = pytest.mark.flaky(reruns=0)  # a limit that was passed once was passed


@pytest.fixture(scope="module")
async def projects(api: Client) -> list[Project]:
    return [await sign_up(api, name) for name in ("Acme", "Rival")]


@pytest.mark.parametrize("size", [1, 7, 400])
async def test_exactly_the_limit_is_accepted(site: Site, api: Client, sql: asyncpg.Connection, size: int) -> None:
    acme, rival = await sign_up(api, "Acme"), await sign_up(api, "Rival")
    limits = {acme.id: different() // 2, rival.id: different() // 7}
    for project in (acme, rival):
        await put_on(sql, project, "free", quotas={"events": limits[project.id]})
    found = race(site, [acme, rival], size)
    for project in (acme, rival):
        accepted = limits[project.id]
        assert found[project.id]["accepted"] == accepted
        assert found[project.id].total() == PROCESSES * EACH
        assert found[project.id]["quota"] > 0
        assert await stored(sql, project) == accepted
        assert await counters(sql, project) == {"events": accepted}


async def test_none_is_refused_that_the_limit_has_room_for(site: Site, api: Client, sql: asyncpg.Connection) -> None:
    """As many as there are, one process's repeats included: a repeat that took a place would cost another its own."""
    acme, rival = await sign_up(api, "Acme"), await sign_up(api, "Rival")
    for project in (acme, rival):
        await put_on(sql, project, "free", quotas={"events": different()})
    found = race(site, [acme, rival], 50)
    for project in (acme, rival):
        assert found[project.id]["accepted"] == different()
        assert found[project.id]["quota"] == 0
        assert found[project.id]["duplicate"] == PROCESSES * EACH - different()
        assert await counters(sql, project) == {"events": await stored(sql, project)}


async def test_refused_events_leave_no_key_behind(site: Site, api: Client, sql: asyncpg.Connection) -> None:
    acme = await sign_up(api, "Acme")
    await put_on(sql, acme, "free", quotas={"events": 10})
    race(site, [acme], 100)
    lost = await sql.fetchval(
        "SELECT count(*) FROM tocsin.event_keys k WHERE k.project_id = $1 AND NOT EXISTS"
        " (SELECT FROM tocsin.events e WHERE e.project_id = k.project_id AND e.id = k.event_id)",
        acme.id,
    )
    assert lost == 0
