"""Callers for requests that must be refused, and the proof that refusing had no effect."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

import asyncpg
import pytest

from tests import running
from tests.client import Client, Project, Reply
from tests.contract.endpoints import Operation
from tests.contract.problem import check_problem
from tests.operators import Operator

T = TypeVar("T")

# Far above what any refusal takes, also on a machine that is busy with the other tests.
SECONDS = 10.0


class Refused:
    """Sends what must be refused, and checks that it is, how, and within what time."""

    def __init__(self, project: Project, operator: Client, nobody: Client) -> None:
        self.project = project
        self.callers = {
            "key": project.key,
            "owner": project.owner,
            "app": project.app,
            "operator": operator,
            "nobody": nobody,
        }
        self.secrets = secrets_of(project)

    async def by(
        self,
        operation: Operation,
        expected: Collection[int],
        body: Any = None,
        *,
        path: str | None = None,
        params: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> Reply:
        """The answer of an operation, called by whom it is for."""
        caller = self.callers[operation.caller]
        return await self.send(
            caller, operation.method, path or operation.path, expected, body, params=params, **headers
        )

    @staticmethod
    async def each_of(cases: Mapping[str, T], check: Callable[[T], Awaitable[object]]) -> None:
        """Checks one case after the other, in one test, and names all that do not hold."""
        wrong = []
        for name, case in cases.items():
            try:
                await check(case)
            except AssertionError as error:
                error.add_note(f"It was: {name}")
                wrong.append(error)
        if wrong:
            raise ExceptionGroup("Not refused as it should be", wrong)

    async def send(
        self,
        caller: Client,
        method: str,
        path: str,
        expected: Collection[int],
        body: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> Reply:
        began = time.perf_counter()
        reply = await caller.send(method, path, body, params=params, headers=headers)
        took = time.perf_counter() - began
        check_problem(reply.status, reply.headers, reply.json, str(reply.json), expected, keeps=self.secrets)
        assert took < SECONDS
        return reply


def secrets_of(project: Project) -> list[str]:
    """Everything that a sign-up shows once."""
    shown = project.signed_up
    return [
        *(pair["secret"] for pair in shown["apiKeys"].values()),
        *shown["identitySecrets"].values(),
        *(app["secret"] for app in shown["realtime"].values()),
        shown["tokens"]["accessToken"],
        shown["tokens"]["refreshToken"],
    ]


@pytest.fixture(scope="module")
def refused(acme: Project, root: Operator, api: Client) -> Refused:
    return Refused(acme, root.client, api)


async def rows_of(sql: asyncpg.Connection, project_id: str) -> dict[str, int]:
    """How many rows a project has in each of its tables; that it was called is no effect of a call."""
    tables = await sql.fetch(
        "SELECT DISTINCT table_name FROM information_schema.columns c JOIN information_schema.tables t"
        " USING (table_schema, table_name) WHERE table_schema = 'tocsin' AND column_name = 'project_id'"
        " AND table_type = 'BASE TABLE' AND table_name <> 'api_calls'"
    )
    counts = {
        table: await sql.fetchval(f'SELECT count(*) FROM tocsin."{table}" WHERE project_id = $1', project_id)
        for (table,) in tables
    }
    return counts


@pytest.fixture(scope="module")
async def nothing_stored(acme: Project, sql: asyncpg.Connection) -> AsyncIterator[None]:
    """After all requests of the module the project has the rows it had, and still takes an event."""
    before = await rows_of(sql, acme.id)
    assert before["users"] and before["api_keys"]
    projects = await sql.fetchval("SELECT count(*) FROM tocsin.projects")
    yield
    assert await rows_of(sql, acme.id) == before
    assert await sql.fetchval("SELECT count(*) FROM tocsin.projects") == projects
    reply = await acme.key.post("/events", {"type": "canary.sang", "payload": {}})
    assert reply.status == 202
    assert (await acme.key.get(f"/events/{reply.json['id']}")).json["type"] == "canary.sang"


@pytest.fixture(scope="module", autouse=True)
def nothing_leaked(acme: Project, api: Client) -> Iterator[None]:
    """No secret of the project stands in the log of the process that was asked."""
    yield
    (process,) = [process for process in running.alive if process.url == api.base]
    log = process.log.read_text(errors="replace")
    for secret in secrets_of(acme):
        assert secret not in log
