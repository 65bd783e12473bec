"""The month's events: refused from the limit on, exactly, and nothing else (Q2, Q3, E4)."""

from datetime import UTC, datetime

import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.operators import Operator
from tests.plans.build import counters, in_force, put_on, send, send_batch, stored
from tests.running import Site


@pytest.fixture
async def shop(api: Client) -> Project:
    return await sign_up(api, "Shop")


async def test_an_event_over_the_quota_is_refused_with_the_quota_and_its_end(
    shop: Project, sql: asyncpg.Connection
) -> None:
    await put_on(sql, shop, "free", quotas={"events": 1})
    assert (await send(shop.key)).status == 202
    refused = await send(shop.key)
    assert (refused.status, refused.code) == (429, "quota_exceeded")
    now = datetime.now(UTC)
    following = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    assert "quota events" in refused.json["detail"]
    assert f"resets at {following:%Y-%m-%dT%H:%M:%SZ}" in refused.json["detail"]
    assert refused.json["quota"] == "events"
    assert refused.json["resetsAt"] == f"{following:%Y-%m-%dT%H:%M:%SZ}"
    assert abs(int(refused.headers["Retry-After"]) - (following - now).total_seconds()) < 60
    assert await stored(sql, shop) == 1


async def test_a_batch_takes_what_is_left_and_refuses_the_rest_at_its_index(
    shop: Project, sql: asyncpg.Connection
) -> None:
    await put_on(sql, shop, "free", quotas={"events": 3})
    results = await send_batch(shop.key, None, "a", None, "b", None)
    assert [result["status"] for result in results] == ["accepted"] * 3 + ["rejected"] * 2
    assert {result["error"]["code"] for result in results[3:]} == {"quota_exceeded"}
    assert [result["id"] for result in results[3:]] == [None, None]
    assert (await stored(sql, shop), (await counters(sql, shop))["events"]) == (3, 3)


async def test_a_repeat_has_its_first_id_even_when_nothing_is_left(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "free", quotas={"events": 1})
    first = (await send(shop.key, "order-1")).json["id"]
    repeat = await send(shop.key, "order-1")
    assert (repeat.status, repeat.json) == (200, {"id": first, "duplicate": True})
    assert (await send(shop.key, "order-1", other=True)).status == 409


async def test_a_repeat_takes_no_place(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "free", quotas={"events": 3})
    results = await send_batch(shop.key, "a", "a", "b", "a", "c", "d")
    statuses = [result["status"] for result in results]
    assert statuses == ["accepted", "duplicate", "accepted", "duplicate", "accepted", "rejected"]
    assert {results[1]["id"], results[3]["id"]} == {results[0]["id"]}


async def test_the_repeat_of_a_refused_event_in_its_batch_is_refused_too(
    shop: Project, sql: asyncpg.Connection
) -> None:
    await put_on(sql, shop, "free", quotas={"events": 1})
    results = await send_batch(shop.key, "a", "b", "b")
    assert [result["status"] for result in results] == ["accepted", "rejected", "rejected"]


async def test_a_refused_event_can_be_sent_again_under_its_id(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "free", quotas={"events": 0})
    assert (await send(shop.key, "order-1")).status == 429
    await put_on(sql, shop, "free", quotas={"events": 1})
    assert (await send(shop.key, "order-1")).status == 202
    assert await stored(sql, shop) == 1


async def test_another_project_is_not_touched_by_it(api: Client, shop: Project, sql: asyncpg.Connection) -> None:
    rival = await sign_up(api, "Rival")
    await put_on(sql, shop, "free", quotas={"events": 0})
    await put_on(sql, rival, "free", quotas={"events": 2})
    assert [(await send(caller)).status for caller in (shop.key, rival.key, shop.key, rival.key)] == [
        429,
        202,
        429,
        202,
    ]
    assert (await counters(sql, shop), await counters(sql, rival)) == ({"events": 0}, {"events": 2})


async def test_a_plan_with_overage_goes_on_and_is_metered(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "starter", quotas={"events": 1}, overage=True)
    assert [(await send(shop.key)).status for _ in range(3)] == [202, 202, 202]
    report = (await shop.owner.get("/projects/me/usage")).json
    [events] = [each for each in report["quotas"] if each["quota"] == "events"]
    assert (events["used"], events["limit"], events["overage"], events["percent"]) == (3, 1, 2, 300)


async def test_overage_is_given_and_taken_back_by_an_override(
    root: Operator, api: Client, shop: Project, sql: asyncpg.Connection
) -> None:
    rival = await sign_up(api, "Rival")
    for project in (shop, rival):
        await put_on(sql, project, "free", quotas={"events": 1})
        assert (await send(project.key)).status == 202
    for overage, status in ((True, 202), (False, 429), (None, 429)):
        change = {"overrides": {"quotas": {"events": 1}, "overage": overage}}
        assert (await root.client.put(f"/platform/projects/{shop.id}", change)).status == 200
        read = (await root.client.get(f"/platform/projects/{shop.id}")).json
        assert read["overrides"] == change["overrides"]
        assert (await send(shop.key)).status == status
        assert (await send(rival.key)).status == 429
    entries = (await root.client.get("/platform/audit", resourceId=shop.id)).json["items"]
    told = [(each["metadata"]["before"]["overrides"], each["metadata"]["after"]["overrides"]) for each in entries]
    assert [(old.get("overage"), new["overage"]) for old, new in reversed(told)] == [
        (None, True),
        (True, False),
        (False, None),
    ]


async def test_overage_of_null_is_as_the_plan_says(
    root: Operator, api: Client, shop: Project, sql: asyncpg.Connection
) -> None:
    """Of two on a plan with overage, the one that may not go over it; and null, which leaves it to the plan."""
    plans = (await root.client.get("/platform/plans")).json["plans"]
    sent = [{name: value for name, value in plan.items() if name != "currency"} for plan in plans]
    club = {**sent[0], "name": "club", "overage": True, "quotas": {**sent[0]["quotas"], "events": 1}}
    assert (await root.client.put("/platform/plans", {"plans": [*sent, club]})).status == 200
    try:
        bound = await sign_up(api, "Bound")
        for project, overage, statuses in ((shop, None, [202, 202]), (bound, False, [202, 429])):
            change = {"plan": "club", "overrides": {"overage": overage}}
            assert (await root.client.put(f"/platform/projects/{project.id}", change)).status == 200
            await in_force()
            assert [(await send(project.key)).status for _ in range(2)] == statuses
    finally:
        for project in (shop, bound):
            await put_on(sql, project, "enterprise")
        assert (await root.client.put("/platform/plans", {"plans": sent})).status == 200


async def test_a_project_without_a_limit_has_no_counter(shop: Project, sql: asyncpg.Connection) -> None:
    assert (await send(shop.key)).status == 202
    assert await counters(sql, shop) == {}


async def test_a_project_without_a_limit_waits_for_no_lock(shop: Project, site: Site) -> None:
    """Somebody holds every counter there is, and would hold one of this project's."""
    other = await asyncpg.connect(site.installer_url)
    try:
        async with other.transaction():
            await other.execute("LOCK TABLE tocsin.quota_counters IN EXCLUSIVE MODE")
            assert (await send(shop.key)).status == 202
    finally:
        await other.close()


async def test_what_was_sent_before_there_was_a_limit_counts(shop: Project, sql: asyncpg.Connection) -> None:
    assert [(await send(shop.key)).status for _ in range(3)] == [202, 202, 202]
    await put_on(sql, shop, "free", quotas={"events": 4})
    await in_force()
    assert [(await send(shop.key)).status for _ in range(2)] == [202, 429]


async def test_what_was_sent_while_there_was_no_limit_counts_when_it_is_back(
    shop: Project, sql: asyncpg.Connection
) -> None:
    await put_on(sql, shop, "free", quotas={"events": 4})
    assert (await send(shop.key)).status == 202
    await put_on(sql, shop, "enterprise")
    assert [(await send(shop.key)).status for _ in range(3)] == [202, 202, 202]
    await put_on(sql, shop, "free", quotas={"events": 4})
    await in_force()
    assert (await send(shop.key)).status == 429


async def test_the_sandbox_counts_towards_no_quota(shop: Project, sql: asyncpg.Connection) -> None:
    await put_on(sql, shop, "free", quotas={"events": 1})
    assert [(await send(shop.test_key)).status for _ in range(2)] == [202, 202]
    assert (await send(shop.key)).status == 202


async def test_the_sandbox_has_a_ceiling_for_the_day(shop: Project, sql: asyncpg.Connection) -> None:
    """10,000 on every plan (A2); less here, by an override."""
    await put_on(sql, shop, "enterprise", quotas={"sandboxEventsPerDay": 2})
    assert [(await send(shop.test_key)).status for _ in range(2)] == [202, 202]
    refused = await send(shop.test_key)
    assert (refused.status, refused.code) == (429, "quota_exceeded")
    assert "sandboxEventsPerDay" in refused.json["detail"]
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400
    assert (await send(shop.key)).status == 202


async def test_every_plan_has_the_sandboxs_ceiling(sql: asyncpg.Connection) -> None:
    plans = await sql.fetch("SELECT quotas->>'sandboxEventsPerDay' FROM tocsin.plan_catalogue()")
    assert {most for (most,) in plans} == {"10000"}


@pytest.mark.parametrize(
    "overrides",
    [
        '{"quotas": {"events": "many"}}',
        '{"quotas": {"events": -1}}',
        '{"quotas": {"events": 1.5}}',
        '{"overage": 1}',
        '"x"',
        "[]",
    ],
)
async def test_overrides_that_could_not_be_counted_with_are_refused_when_written(
    shop: Project, sql: asyncpg.Connection, overrides: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await sql.execute("UPDATE tocsin.projects SET overrides = $2 WHERE id = $1", shop.id, overrides)
