"""Every kind of scenario for a second or two: it runs, and its ledger balances."""

import shutil

import pytest

from bench import ingest, latency, projects, rules, webhook
from bench.arrivals import fault, latencies
from bench.far_end import FarEnd
from bench.ledger import Ledger
from bench.one_insert import one_insert
from bench.projects import Crowd
from bench.run import Run
from bench.running import Installed, installed
from bench.sender import Schedule

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")


@needs_wrk
async def test_single_events_that_were_acknowledged_are_there(measured: Installed) -> None:
    ledger, before = Ledger(), await measured.count_events()
    driven = await ingest.events(measured, ledger, keys=True, seconds=1)
    assert driven.requests > 100
    assert driven.faults == 0
    assert ledger.fault(await measured.count_events() - before) is None
    await measured.drained()
    await measured.settled()


@needs_wrk
async def test_the_route_with_one_insert_keeps_what_it_acknowledged(measured: Installed) -> None:
    ledger = Ledger()
    async with one_insert(measured.site.installer_url) as (url, pid):
        driven = await ingest.inserts(measured, ledger, url, {"api": pid}, seconds=1)
    there = await measured.superuser.fetchval("SELECT count(*) FROM bench.events")
    assert driven.requests > 100
    assert driven.faults == 0
    assert ledger.fault(there) is None


@pytest.mark.parametrize("size", [1, 10])
async def test_each_event_of_a_schedule_calls_the_webhook_once(measured: Installed, far: FarEnd, size: int) -> None:
    driven = await webhook.drive(measured, far, 50, seconds=1, size=size)
    assert len(driven.sent.accepted) == len(driven.arrived) == 50
    assert driven.void is None
    assert all(taken > 0 for taken in latencies(driven.schedule, driven.sent, driven.arrived))


async def test_each_event_of_a_schedule_reaches_the_socket_once(measured: Installed) -> None:
    await latency.add_rule(measured.project, "realtime", eventTypes=["order.heard"])
    url, callers = f"{measured.api.url}/api/v1/events", [measured.project.key.headers]
    sent, arrived = await latency.driven(measured, Schedule(url, callers, 50, 50, type="order.heard"))
    assert len(sent.accepted) == len(arrived) == 50
    assert fault(sent, arrived) is None


async def test_copied_projects_take_turns_and_each_hears_of_its_own_events(crowded: Crowd) -> None:
    await projects.meet(crowded)
    sql = "SELECT project_id, count(*) AS n FROM tocsin.notifications WHERE created_at > $1 GROUP BY project_id"
    began = await crowded.site.superuser.fetchval("SELECT clock_timestamp()")
    measured = await projects.drive(crowded, 30)
    assert crowded.faults == []
    assert len(measured.taken) == 30
    assert [row["n"] for row in await crowded.site.superuser.fetch(sql, began)] == [10, 10, 10]


async def test_rules_of_other_types_are_not_met(measured: Installed) -> None:
    ruled = await rules.with_others(measured, 20)
    cost = await rules.drive(measured, ruled, seconds=0.5)
    assert cost.fault is None
    assert cost.processor > 0
    assert cost.matching > 0


async def test_all_rules_of_the_type_are_met(measured: Installed) -> None:
    ruled = await rules.with_same(measured, 20)
    assert (await rules.drive(measured, ruled, seconds=0.5)).fault is None


async def test_an_event_that_met_other_rules_than_it_should_makes_the_cost_void(measured: Installed) -> None:
    ruled = await rules.with_same(measured, 2)
    cost = await rules.drive(measured, ruled._replace(met=1), seconds=0.1)
    assert cost.fault == "40 events were accepted, 0 not, and 0 met their rules"


async def test_redis_goes_between_where_a_run_asks_for_it() -> None:
    run = Run(1, 1.0, True, lambda _: None, "redis")
    async with installed(worker=True, broker=run.broker) as site:
        assert set(site.pids) == {"database", "redis", "api", "worker"}
        reply = await site.project.key.post("/events", {"type": "order.created", "payload": {}})
        assert reply.status == 202
        await site.drained()
