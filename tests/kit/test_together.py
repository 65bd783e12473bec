"""Calls that are made at once share a statement and a commit, and nothing else: no rows, no failure, no walls."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.client import Project
from tests.pipeline import make_rule, send_event
from tests.running import Site
from tocsin.kit.db import Database
from tocsin.kit.together import LANES, Alone, Together, uuids
from tocsin.rules.lookup import READ_CLAIMED
from tocsin.rules.stage import _WRITE

MOST = 10

TRANSACTION = """
SELECT c.number, c.named, pg_current_xact_id()::text AS transaction, pg_sleep(c.seconds)
FROM unnest($1::text[], $2::float8[]) WITH ORDINALITY AS c (named, seconds, number)
"""
DIVIDED = "SELECT c.number, 12 / c.value FROM unnest($1::int[]) WITH ORDINALITY AS c (value, number)"
REPEATED = """
SELECT c.number, n FROM unnest($1::int[]) WITH ORDINALITY AS c (times, number)
CROSS JOIN LATERAL generate_series(1, c.times) AS n
"""


@pytest.fixture(scope="module")
async def db(site: Site) -> AsyncIterator[Database]:
    db = Database(site.app_url, ordinary=0, hot=4, statement_seconds=10)
    await db.start()
    yield db
    await db.close()


async def transactions(together: Together, *names: str, weight: int = 1, seconds: float = 0.0) -> list[str]:
    """The transaction that each of some calls was answered in."""
    calls = [together.call(name, seconds, weight=weight) for name in names]
    answers = await asyncio.gather(*calls)
    assert [row["named"] for (row,) in answers] == list(names)
    return [row["transaction"] for (row,) in answers]


async def test_calls_that_are_made_at_once_share_a_transaction(db: Database) -> None:
    together = Together(db, TRANSACTION, MOST)
    assert len(set(await transactions(together, *"abcde"))) == 1
    assert len(set(await transactions(together, "a") + await transactions(together, "b"))) == 2


async def test_what_comes_while_all_lanes_are_taken_goes_out_together(db: Database) -> None:
    together = Together(db, TRANSACTION, MOST)
    taken = []
    for number in range(LANES):
        taken.append(asyncio.create_task(transactions(together, f"lane {number}", seconds=0.2)))
        await asyncio.sleep(0.02)
    waiting = []
    for name in "abc":
        waiting.append(asyncio.create_task(transactions(together, name)))
        await asyncio.sleep(0.01)
    assert len({each for (each,) in await asyncio.gather(*waiting)}) == 1
    assert len({each for (each,) in await asyncio.gather(*taken)}) == LANES


async def test_no_more_share_a_statement_than_are_light_enough(db: Database) -> None:
    together = Together(db, TRANSACTION, MOST)
    shared = await transactions(together, *"abcdef", weight=4)
    assert [shared.count(each) for each in dict.fromkeys(shared)] == [2, 2, 2]


async def test_a_heavy_call_goes_alone_and_nobody_waits_for_it(db: Database) -> None:
    together = Together(db, TRANSACTION, MOST)
    heavy = [
        asyncio.create_task(transactions(together, f"heavy {n}", weight=MOST, seconds=0.3)) for n in range(LANES + 1)
    ]
    await asyncio.sleep(0)
    light = await transactions(together, "light")
    assert not any(each.done() for each in heavy)
    assert len({each for (each,) in [light, *await asyncio.gather(*heavy)]}) == LANES + 2


async def test_each_call_gets_its_own_rows(db: Database) -> None:
    together = Together(db, REPEATED, MOST)
    answers = await asyncio.gather(*[together.call(times, weight=1) for times in (2, 0, 3)])
    assert [[row[1] for row in rows] for rows in answers] == [[1, 2], [], [1, 2, 3]]


async def test_a_call_that_fails_spoils_only_itself(db: Database) -> None:
    together = Together(db, DIVIDED, MOST)
    answers: list[Any] = await asyncio.gather(
        *[together.call(value, weight=1) for value in (3, 0, 4)], return_exceptions=True
    )
    assert [row[1] for rows in (answers[0], answers[2]) for row in rows] == [4, 3]
    assert isinstance(answers[1], asyncpg.DivisionByZeroError)


async def test_a_caller_who_gives_up_takes_nobody_along(db: Database) -> None:
    together = Together(db, TRANSACTION, MOST)
    impatient = asyncio.create_task(together.call("impatient", 0.2, weight=1))
    patient = asyncio.create_task(together.call("patient", 0.2, weight=1))
    await asyncio.sleep(0.1)
    impatient.cancel()
    ((_, named, *_),) = await patient
    assert named == "patient"
    assert (await transactions(together, "later")) is not None


async def test_when_the_database_is_away_every_caller_is_told(db: Database, sql: asyncpg.Connection) -> None:
    together = Together(db, TRANSACTION, MOST)
    calls = asyncio.gather(*[together.call(name, 5.0, weight=1) for name in "abc"], return_exceptions=True)
    await asyncio.sleep(0.3)
    ended = await sql.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(c.seconds)%'"
        " AND pid <> pg_backend_pid()"
    )
    assert len(ended) == 1
    assert all(isinstance(each, asyncpg.PostgresError | OSError) for each in await calls)
    assert (await transactions(together, "after")) is not None


async def test_the_same_statement_is_called_in_a_transaction_that_is_open(db: Database) -> None:
    async with db.hot.acquire() as connection, connection.transaction():
        rows = await Alone(connection, REPEATED).call(2)
    assert [row[1] for row in rows] == [1, 2]


async def test_projects_that_are_read_together_see_nothing_of_each_other(
    db: Database, sql: asyncpg.Connection, two_projects: tuple[Project, Project]
) -> None:
    """Each asks for its own event and for the other's, leased by the same token."""
    events = await leased(sql, two_projects)
    together = Together(db, READ_CLAIMED, MOST)
    answers = await asyncio.gather(
        *[together.call(UUID(each.id), "live", uuids(events.ids), events.token, weight=2) for each in two_projects]
    )
    for project, own, other, ((_, text, *_),) in zip(
        two_projects, events.ids, reversed(events.ids), answers, strict=True
    ):
        assert f'"slug" : "{project.slug}"' in text
        assert str(own) in text and str(other) not in text


async def test_projects_that_write_together_write_only_their_own(
    db: Database, sql: asyncpg.Connection, two_projects: tuple[Project, Project]
) -> None:
    events = await leased(sql, two_projects)
    together = Together(db, _WRITE, MOST)
    decided = "[" + ",".join(f'{{"id": "{id_}", "outcome": "no_rule", "trace": []}}' for id_ in events.ids) + "]"
    answers = await asyncio.gather(
        *[
            together.call(UUID(each.id), "live", events.token, decided, "[]", None, None, weight=2)
            for each in two_projects
        ]
    )
    assert [row[1] for (row,) in answers] == [[id_] for id_ in events.ids]


class Leased:
    """One event of each of two projects, claimed as by one worker; nobody else works on them."""

    def __init__(self, ids: list[UUID]) -> None:
        self.ids = ids
        self.token = uuid4()


async def leased(sql: asyncpg.Connection, projects: tuple[Project, Project]) -> Leased:
    for project in projects:
        await make_rule(project, "realtime", targetRoles=["owner"])
    events = Leased([UUID(await send_event(project.key)) for project in projects])
    taken = await sql.execute(
        "UPDATE tocsin.events SET state = 'leased', lease_token = $2, lease_until = now() + interval '1 min'"
        " WHERE id = ANY($1)",
        events.ids,
        events.token,
    )
    assert taken == "UPDATE 2"
    return events


async def test_who_comes_as_the_last_lane_ends_is_answered(db: Database) -> None:
    """Both lanes are answered in one turn of the loop, and somebody asks before that turn is over."""
    together = Together(db, DIVIDED, MOST)
    answers: list[asyncio.Future[list[Any]]] = []

    async def held(calls: Any) -> Any:
        answers.append(asyncio.get_running_loop().create_future())
        return await answers[-1]

    asked, together._asked = together._asked, held  # type: ignore[method-assign]
    first = []
    for _ in range(LANES):
        first.append(asyncio.create_task(together.call(4, weight=1)))
        while len(answers) < len(first):
            await asyncio.sleep(0)
    gate = asyncio.Event()

    async def late() -> list[asyncpg.Record]:
        await gate.wait()
        return await together.call(4, weight=1)

    last = asyncio.create_task(late())
    await asyncio.sleep(0)
    together._asked = asked  # type: ignore[method-assign]
    for answer in answers:
        answer.set_result([])
    gate.set()
    async with asyncio.timeout(5):
        assert [row[1] for row in await last] == [3]
    await asyncio.gather(*first)
