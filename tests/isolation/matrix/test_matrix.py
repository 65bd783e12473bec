"""Every operation x every id in it x whoever tries: a foreign id is answered like one that names nothing (P13)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.client import Reply
from tests.connections.build import receiver
from tests.contract.endpoints import DOCUMENT, OPEN, SIGNED, resolved
from tests.isolation.matrix.actors import Actors, actors
from tests.isolation.matrix.answers import assert_answers_alike, comparable, leaked
from tests.isolation.matrix.cases import CASES, OPERATIONS, Case
from tests.isolation.matrix.checksums import checksums
from tests.isolation.matrix.places import Ask
from tests.isolation.matrix.seeds import Scene, seeded
from tests.pipeline import Working
from tests.signin.hostile import lying

LISTS = [case for case in CASES if OPERATIONS[case.operation].is_list and case.by != "operator"]


@dataclass
class Matrix:
    """Acme tries; rival must notice nothing, and neither must dormant, who is suspended."""

    acme: Scene
    rival: Scene
    dormant: Scene
    actors: Actors
    asks: dict[int, Ask]
    before: dict[str, dict[str, str]]

    @property
    def pair(self) -> tuple[Scene, Scene]:
        return self.acme, self.rival

    @property
    def others(self) -> tuple[Scene, Scene]:
        return self.rival, self.dormant

    @property
    def canaries(self) -> list[str]:
        return [canary for scene in self.others for canary in scene.canaries]

    async def rows(self) -> dict[str, dict[str, str]]:
        return {scene.project.slug: await checksums(self.acme.working.sql, scene.project.id) for scene in self.others}


@pytest.fixture(scope="module")
async def matrix(working: Working) -> AsyncIterator[Matrix]:
    async with receiver() as hook, lying() as provider:
        acme, rival, dormant = [await seeded(working, name, hook.url) for name in ("Acme", "Rival", "Dormant")]
        acme.issuer = provider.issuer
        await working.sql.execute(
            "UPDATE tocsin.projects SET status = 'suspended' WHERE slug = $1", dormant.project.slug
        )
        asks = {number: await case.ask(acme) for number, case in enumerate(CASES)}
        made = Matrix(acme, rival, dormant, await actors(acme), asks, {})
        made.before = await _settled(made)
        yield made


async def _settled(matrix: Matrix) -> dict[str, dict[str, str]]:
    """The others' rows, once nothing of theirs is under way any more."""
    async with asyncio.timeout(30):
        before, now = await matrix.rows(), None
        while before != now:
            await asyncio.sleep(1.5)
            before, now = now or before, await matrix.rows()
    return before


def test_every_operation_has_a_case() -> None:
    assert {case.operation for case in CASES} == set(OPERATIONS)


def test_what_the_matrix_does_not_walk_is_signed_or_shows_nothing_of_projects() -> None:
    """A foreign app is tried on each signed path in tests/realtime/test_http_api.py."""
    walked = {operation.template for operation in OPERATIONS.values()}
    assert set(DOCUMENT["paths"]) - walked == SIGNED | OPEN


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_id_that_the_document_names_stands_in_a_case(matrix: Matrix, operation: str) -> None:
    asks = [matrix.asks[number] for number, case in enumerate(CASES) if case.operation == operation]
    tried = {f"{place.part}/{place.steps[-1]}" for ask in asks for place in ask.places()}
    assert _named(OPERATIONS[operation].described) <= tried


def _named(described: dict[str, Any]) -> set[str]:
    parameters = described.get("parameters", [])
    found = {f"path/{p['name']}" for p in parameters if p["in"] == "path"}
    found |= {f"query/{p['name']}" for p in parameters if p["in"] == "query" and "'uuid'" in str(p["schema"])}
    for content in described.get("requestBody", {}).get("content", {}).values():
        schema = resolved(content["schema"])
        names = schema.get("properties", {})
        found |= {f"body/{name}" for name, inner in names.items() if resolved(inner).get("format") == "uuid"}
    return found


@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case) for case in CASES])
async def test_a_foreign_id_is_answered_like_one_that_names_nothing(matrix: Matrix, number: int) -> None:
    case, ask = CASES[number], matrix.asks[number]
    for place in ask.places():
        for caller in matrix.actors.trying(case).values():
            for other in matrix.others:
                await assert_answers_alike(ask, place, caller, other, matrix.canaries)


@pytest.mark.parametrize("case", LISTS, ids=str)
async def test_a_foreign_cursor_is_answered_like_one_that_nobody_made(matrix: Matrix, case: Case) -> None:
    mine, foreign = [{name: scene.id(str(kind)) for name, kind in case.path.items()} for scene in matrix.pair]
    ask = Ask("GET", OPERATIONS[case.operation].template, foreign, query={"limit": "1"})
    theirs = (await ask.by(matrix.rival.project.owner)).json.get("nextCursor")
    if theirs is None:
        theirs = (await matrix.rival.project.owner.get("/users", limit=1)).json["nextCursor"]
    assert theirs
    replies = [
        await Ask("GET", ask.template, mine, query={"limit": "1", "cursor": cursor}).by(matrix.acme.project.owner)
        for cursor in (theirs, theirs[::-1])
    ]
    assert [reply.status for reply in replies] == [400, 400]
    assert comparable(replies[0], theirs) == comparable(replies[1], theirs[::-1])


@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case) for case in CASES])
async def test_its_own_project_succeeds_and_sees_nothing_of_others(matrix: Matrix, number: int) -> None:
    """Without this, a refusal of the same call would prove nothing."""
    case = CASES[number]
    ask = await case.ask(matrix.acme) if case.fleeting else matrix.asks[number]
    reply: Reply = await ask.by(matrix.actors.own[case.by])
    assert 200 <= reply.status < 300, reply.json
    # The operator sees all projects; what a project must not see is tried by its own callers.
    assert case.by == "operator" or not leaked(reply, matrix.canaries), reply.json


async def test_no_row_of_the_others_changed_meanwhile(matrix: Matrix) -> None:
    now = await matrix.rows()
    assert {
        (s, t): (now[s][t], v) for s, rows in matrix.before.items() for t, v in rows.items() if now[s][t] != v
    } == {}
