"""No operation changes anything without an entry in the log that says so.

An operation that is new in the document fails here until it says what it records, or where else that is told.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.connections.build import receiver
from tests.isolation.matrix.actors import actors
from tests.isolation.matrix.cases import CASES, OPERATIONS
from tests.isolation.matrix.seeds import Scene, seeded
from tests.pipeline import Working

RECORDED: dict[str, list[tuple[str, set[str]]]] = {}
TELLS_ITSELF: dict[str, str] = {}

CHANGING = [case for case in CASES if OPERATIONS[case.operation].method != "GET"]


@dataclass
class Stage:
    scene: Scene
    callers: Any


@pytest.fixture(scope="module")
async def stage(working: Working) -> AsyncIterator[Stage]:
    async with receiver() as hook:
        scene = await seeded(working, "Complete", hook.url)
        yield Stage(scene, (await actors(scene)).own)


@pytest.mark.parametrize("number", range(len(CHANGING)), ids=[str(case) for case in CHANGING])
async def test_x(stage: Stage, number: int) -> None:
    case = CHANGING[number]
    reply = await (await case.ask(stage.scene)).by(stage.callers[case.by])
    assert reply.status < 300, reply.json
    rows = await stage.scene.working.sql.fetch(
        "SELECT * FROM tocsin.audit_log WHERE request_id = $1 ORDER BY id", reply.headers["X-Request-Id"]
    )
    with open("/tmp/sa_found.txt", "a") as f:
        print(case.operation, [(r["action"], sorted(json.loads(r["metadata"] or "{}"))) for r in rows], file=f)
