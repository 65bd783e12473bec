"""One project's batch holds up nobody else's, however long it takes and however many people it reaches (P10)."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.pipeline import Working, make_rule, send_event, send_events, story, until
from tests.rules.conftest import Match
from tocsin.rules import stage

PEOPLE = 5


async def test_a_batch_that_takes_long_holds_up_no_other_project(working: Working) -> None:
    slow, quick = await sign_up(working.api, "Slow"), await sign_up(working.api, "Quick")
    for project in (slow, quick):
        await make_rule(project, "realtime", targetRoles=["owner"])
    await story(slow.key, await send_event(slow.key))
    async with working.sql.transaction():
        await working.sql.execute("SELECT seq FROM tocsin.feeds WHERE project_id = $1 FOR UPDATE", slow.id)
        held = await send_event(slow.key)
        await until(lambda: is_in(working.sql, held, "leased"))
        further = await send_event(slow.key)
        for _ in range(3):
            assert (await story(quick.key, await send_event(quick.key)))["outcome"] == "notified"
        for event_id in (held, further):
            assert not await is_in(working.sql, event_id, "processed")
    for event_id in (held, further):
        assert (await story(slow.key, event_id))["outcome"] == "notified"


@pytest.fixture
async def crowded(api: Client) -> Project:
    """A project with a rule that tells five people of every event."""
    project = await sign_up(api, "Crowd")
    assert (await project.key.post("/roles", {"name": "crowd", "permissions": []})).status == 201
    for _ in range(PEOPLE):
        await project.add_user(roles=["crowd"], status="active")
    await make_rule(project, "realtime", targetRoles=["crowd"])
    return project


async def test_events_for_many_people_are_written_one_by_one(
    match: Match, crowded: Project, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "TOLD_TOGETHER", PEOPLE * 2)
    await send_events(crowded.key, *({"order": number} for number in range(5)))
    await match()
    written = await sql.fetch(
        "SELECT count(*) FROM tocsin.notifications WHERE project_id = $1 GROUP BY xmin::text ORDER BY 1", crowded.id
    )
    assert [row[0] for row in written] == [1, 2, 2]
    assert await told(sql, crowded) == PEOPLE * 5


async def test_what_half_a_lease_did_not_suffice_for_is_given_back_untouched(
    match: Match, crowded: Project, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "TOLD_TOGETHER", PEOPLE)
    monkeypatch.setattr(stage, "HOLDING_SHARE", 0.0)
    ids = await send_events(crowded.key, {}, {})
    await match()
    states = await sql.fetch("SELECT state, claims FROM tocsin.events WHERE id = ANY($1) ORDER BY id", ids)
    assert [tuple(row) for row in states] == [("processed", 1), ("received", 0)]
    await match()
    assert await is_in(sql, ids[1], "processed")
    assert await told(sql, crowded) == PEOPLE * 2


async def test_each_feed_counts_the_notifications_of_a_batch(
    match: Match, crowded: Project, sql: asyncpg.Connection
) -> None:
    await send_events(crowded.key, {}, {})
    await match()
    assert await told(sql, crowded) == PEOPLE * 2
    feeds = await sql.fetch(
        "SELECT array_agg(feed_seq ORDER BY feed_seq) FROM tocsin.notification_recipients"
        " WHERE project_id = $1 GROUP BY user_id",
        crowded.id,
    )
    assert [row[0] for row in feeds] == [[1, 2]] * PEOPLE


async def test_of_a_batch_only_what_is_still_leased_is_written(
    match: Match, crowded: Project, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = await send_events(crowded.key, {}, {})
    honest = stage._write_matched

    async def after_losing_one(*arguments: Any) -> set[UUID]:
        await sql.execute("UPDATE tocsin.events SET lease_token = gen_random_uuid() WHERE id = $1", theirs)
        return await honest(*arguments)

    monkeypatch.setattr(stage, "may_be_limited", lambda *_: False)  # or the leases would be held meanwhile
    monkeypatch.setattr(stage, "_write_matched", after_losing_one)
    await match()
    assert await is_in(sql, ours, "processed")
    assert await is_in(sql, theirs, "leased")
    assert await told(sql, crowded) == PEOPLE


async def test_a_text_that_no_database_keeps_spoils_nothing(match: Match, api: Client, sql: asyncpg.Connection) -> None:
    project = await sign_up(api, "Odd")
    await make_rule(project, "realtime", targetRoles=["owner"], message="{{ 'a%00b' | url_decode }}")
    (event_id,) = await send_events(project.key, {})
    await match()
    assert await is_in(sql, event_id, "processed")
    assert (
        await sql.fetchval("SELECT message FROM tocsin.notifications WHERE project_id = $1", project.id) == "a\ufffdb"
    )


async def told(sql: asyncpg.Connection, project: Project) -> int:
    """How many deliveries of a project are out; each recipient must have one."""
    counts = await sql.fetchrow(
        "SELECT (SELECT count(*) FROM tocsin.deliveries WHERE project_id = $1 AND state = 'sent') AS deliveries,"
        " (SELECT count(*) FROM tocsin.notification_recipients WHERE project_id = $1) AS recipients",
        project.id,
    )
    assert counts["deliveries"] == counts["recipients"]
    return int(counts["deliveries"])


async def is_in(sql: asyncpg.Connection, event_id: str, state: str) -> bool:
    return bool(await sql.fetchval("SELECT state = $2 FROM tocsin.events WHERE id = $1", event_id, state))


async def test_large_events_travel_to_the_child_a_few_at_a_time(
    match: Match, api: Client, sql: asyncpg.Connection, messages: list[int]
) -> None:
    project = await sign_up(api, "Large")
    await make_rule(project, "realtime", targetRoles=["owner"])
    for _ in range(5):
        await send_events(project.key, *[{"note": "x" * 200_000}] * 2)
    while await match():
        pass
    assert await told(sql, project) == 10
    assert max(messages) < 1.1e6, "all at once it was 2 MB"


async def test_while_several_have_work_little_of_each_is_matched_at_a_time(
    match: Match, api: Client, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    flood, quiet = await sign_up(api, "Flood"), await sign_up(api, "Quiet")
    alone = stage.SHARED_EACH + 1
    await send_events(flood.key, *[{}] * alone)
    assert not await match(), "all of one project at once"
    assert await matched(sql, flood) == alone
    monkeypatch.setattr(stage, "SHARED_SECONDS", 60.0)
    await send_events(flood.key, *[{}] * 2 * alone)
    await send_event(quiet.key)
    while not await matched(sql, quiet):
        await match()
    before = await matched(sql, flood)
    await send_events(flood.key, *[{}] * alone)
    assert await match(), "a full claim is followed by another"
    assert await matched(sql, flood) == before + stage.SHARED_EACH


async def matched(sql: asyncpg.Connection, project: Project) -> int:
    query = "SELECT count(*) FROM tocsin.events WHERE project_id = $1 AND state = 'processed'"
    return int(await sql.fetchval(query, project.id))
