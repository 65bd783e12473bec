"""Every kind of scenario for a second or two: it runs, and its ledger balances."""

import asyncio
import shutil

import psutil
import pytest

from bench import idle, ingest, latency, overload, projects, rules, webhook
from bench.arrivals import Arrival, fault, latencies
from bench.bare_relay import bare_relay
from bench.far_end import FarEnd
from bench.ledger import Ledger
from bench.listener import of_owner
from bench.one_insert import one_insert
from bench.processes import pss_bytes
from bench.projects import Crowd
from bench.run import Run
from bench.running import Installed, installed
from bench.sender import Schedule, Sent

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
    sent, arrived = await latency.driven(of_owner(measured), Schedule(url, callers, 50, 50, type="order.heard"))
    assert len(sent.accepted) == len(arrived) == 50
    assert fault(sent, arrived) is None


async def test_a_bare_relay_tells_the_same_client_of_each_event_once() -> None:
    async with bare_relay() as relay:
        schedule = Schedule(relay.url, [{}], 50, 50)
        sent, arrived = await latency.driven(relay.listener, schedule)
    assert len(sent.accepted) == len(arrived) == 50
    assert fault(sent, arrived) is None
    assert all(taken > 0 for taken in latencies(schedule, sent, arrived))


async def test_what_is_offered_more_than_once_is_accounted_for(
    measured: Installed, far: FarEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overload, "TIMES", (1, 2))
    lines = await overload.measured(measured, far, Run(1, 1.0, True, lambda _: None), sustained=50, seconds=1)
    assert {line.void for line in lines} == {None}
    assert [line.details["accepted"] for line in lines if line.details] == [50, 100]


@pytest.mark.parametrize(
    ("faults", "unhelpful", "fault"),
    [(["503"], 0, None), (["500"], 0, "answered 500"), (["429"], 1, "1 refusals without Retry-After")],
)
def test_a_refusal_that_is_none_voids_an_overload(faults: list[str], unhelpful: int, fault: str | None) -> None:
    sent = Sent(0.0, [0], [1.0], faults, refused=[1.0], unhelpful=unhelpful)
    load = webhook.Driven(Schedule("http://127.0.0.1/", [{}], 1, 1), sent, [Arrival("0", 1.0)], {})
    assert overload.fault_of(load) == fault


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


async def test_a_bare_trio_lives_and_ends_with_its_block() -> None:
    async with idle.bare_trio() as pids:
        await asyncio.sleep(1)
        assert set(pids) == {"database", "server", "sleeper"}
        assert all(size > 0 for size in pss_bytes(pids).values())
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
