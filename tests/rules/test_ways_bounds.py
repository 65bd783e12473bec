"""Printing for each way of reading keeps the child, which all projects share, from nobody for long (P10)."""

import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.pipeline import make_rule, send_events, story
from tests.rules.conftest import Match
from tocsin.rules import ways
from tocsin.rules.ways import MOST_WAYS

DUE = "Due {{ payload.at | clock: reader }}"
HAPPENED = {"at": "2026-07-01T12:05:00Z"}


@pytest.fixture
async def widespread(api: Client) -> tuple[Project, list[str]]:
    """A project, and as many people as there may be ways, each in a time zone of their own."""
    project = await sign_up(api, "Everywhere")
    zones = [f"Etc/GMT-{n + 1}" for n in range(14)] + [f"Etc/GMT+{n + 1}" for n in range(MOST_WAYS - 14)]
    return project, [(await project.add_user(timezone=zone, status="active"))["id"] for zone in zones]


async def in_ways(sql: asyncpg.Connection, project: Project) -> list[int]:
    """How many ways each notification of a project is written in."""
    rows = await sql.fetch("SELECT translations::text FROM tocsin.notifications WHERE project_id = $1", project.id)
    return [(row[0] or "").count("#full|24h|") for row in rows]


async def test_a_long_text_for_many_takes_the_child_in_short_turns(
    match: Match, widespread: tuple[Project, list[str]], sql: asyncpg.Connection, budgets: list[float]
) -> None:
    project, people = widespread
    message = "{% if false %}" + "x" * 60_000 + "{% endif %}" + DUE
    await make_rule(project, "realtime", targetUsers=people, message=message)
    await send_events(project.key, *[HAPPENED] * 40)
    while await match():
        pass
    assert await in_ways(sql, project) == [MOST_WAYS] * 40
    assert max(budgets) < 1, "all at once, and compiled for each way, it was 191 s"


async def test_a_large_event_travels_to_the_child_once_for_all_its_ways(
    match: Match, widespread: tuple[Project, list[str]], sql: asyncpg.Connection, messages: list[int]
) -> None:
    project, people = widespread
    for _ in range(2):
        await make_rule(project, "realtime", targetUsers=people, title=DUE)
    for _ in range(3):
        await send_events(project.key, {**HAPPENED, "note": "x" * 200_000})
    while await match():
        pass
    assert await in_ways(sql, project) == [MOST_WAYS] * 6
    assert (max(messages) < 1e6, sum(messages) < 2e6) == (True, True), "once for each way and rule it was 24 MB"


async def test_when_time_is_up_the_rest_is_read_in_the_first_words(
    match: Match,
    widespread: tuple[Project, list[str]],
    sql: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project, people = widespread
    await make_rule(project, "realtime", targetUsers=people, title=DUE)
    monkeypatch.setattr(ways, "SECONDS", 0.0)
    (event,) = await send_events(project.key, HAPPENED)
    while await match():
        pass
    assert await in_ways(sql, project) == [0]
    told = await story(project.key, event)
    assert told["outcome"] == "notified"
    assert (
        f"in the first words for {MOST_WAYS} of {MOST_WAYS} ways of reading: no time was left"
        in (told["trace"][0]["reason"])
    )
