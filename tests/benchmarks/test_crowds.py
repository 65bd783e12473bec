"""The scenarios of crowds and floods in small: their ledgers balance, and notice what is missing."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from bench import bots, due, fanout, floods, sockets
from bench.far_end import FarEnd, far_end
from bench.ledger import fault_of_arrivals
from bench.run import Run
from bench.running import Installed
from bench.streams import Kept
from bench.waits import held
from tests.client import Client, sign_up
from tests.engines import fresh_database
from tests.running import Site, running, running_api
from tocsin.kit.postgres import Running

SMALL = floods.Sizes(
    quiet=2, normal=1, before=1, during=3, events=50, hanging=3, hang_seconds=2, wide=3, people=20, due=20, retries=40
)


@pytest.fixture(scope="module")
async def far() -> AsyncIterator[FarEnd]:
    async with far_end() as served:
        yield served


@pytest.fixture(scope="module")
async def place(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession, far: FarEnd
) -> AsyncIterator[Installed]:
    async with fresh_database(cluster, template) as url:
        site = Site(url, home, settings={"TOCSIN_TELEGRAM_API_URL": far.url})
        superuser = await asyncpg.connect(url)
        with running_api(site) as api, running(site, "worker") as worker:
            project = await sign_up(Client(http, api.url), "Bench")
            yield Installed(site, cluster, {"api": api, "worker": worker}, project, superuser)
        await superuser.close()


@pytest.fixture
def run() -> Run:
    """A run that tells nobody what it is doing."""
    return Run(1, 1.0, True, lambda what: None)


async def test_all_people_of_an_event_are_told(place: Installed, run: Run) -> None:
    durable, heard = await fanout.measured(place, run, people=30, rounds=2)
    assert (durable.void, heard.void) == (None, None)
    assert heard.measured > 0 and durable.measured > 0


async def test_a_person_who_was_not_told_voids_the_fan_out(place: Installed, run: Run) -> None:
    told = await _told(place)
    assert await fanout.fault_of(place, told, people=30) is None
    assert await fanout.fault_of(place, told, people=31) == "30 people of an event for 31"


async def _told(place: Installed) -> list[fanout.Told]:
    """What the test before left behind."""
    rows = await place.superuser.fetch(
        "SELECT DISTINCT n.event_id FROM tocsin.notifications n WHERE n.project_id = $1", place.project_id
    )
    assert rows
    return [fanout.Told(row["event_id"], 0.0, 0.0) for row in rows]


async def test_all_sockets_of_a_crowd_hear_each_message(
    place: Installed, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "SETTLE_SECONDS", 0.2)
    idle, first, half, last = await sockets.measured(place, run, few=10, many=60)
    assert {line.void for line in (idle, first, half, last)} == {None}
    assert 0 < first.measured <= half.measured <= last.measured


@pytest.mark.parametrize(
    ("heard", "alive", "fault"),
    [
        ([[1.0, 2.0]], 3, None),
        ([[1.0, 2.0], [1.0]], 3, "1 messages arrived at 2 sockets"),
        ([[1.0, 2.0, 2.5]], 3, "3 messages arrived at 2 sockets"),
        ([[1.0, 2.0]], 2, "1 of 3 sockets were lost"),
    ],
)
def test_a_message_too_few_or_too_many_voids_the_crowd(heard: list[list[float]], alive: int, fault: str | None) -> None:
    assert sockets.fault_of(heard, alive, many=3) == fault


async def test_retries_due_at_once_are_all_sent(place: Installed, far: FarEnd, run: Run) -> None:
    rate, fresh = await due.measured(place, run, far, owed=50, before=1, beside=1)
    assert (rate.void, fresh.void) == (None, None)
    assert rate.details["a second"] > 0
    assert fresh.details["events"] == due.PER_SECOND


async def test_floods_are_called_off_and_accounted_for(place: Installed, far: FarEnd, run: Run) -> None:
    lines = await floods.measured(place, far, run, SMALL)
    assert len(lines) == 2 * len(floods.FLOODS)
    assert {line.void for line in lines} == {None}
    assert (
        await place.superuser.fetchval("SELECT count(*) FROM tocsin.deliveries WHERE state IN ('queued', 'leased')")
        == 0
    )


async def test_a_lost_event_of_a_flood_voids_it(place: Installed, far: FarEnd, run: Run) -> None:
    scene = floods.Scene(place, far, replace(SMALL, due=0), run, [], [])
    flood = floods.FLOODS[0]
    flooder = await flood.settle(scene)
    assert (await flooder.key.post("/events", {"type": "order.created", "payload": {"mark": "flood-0"}})).status == 202
    assert await floods.fault_of_flood(scene, flooder, flood, accepted=2) == (
        "1 events of the flood are there, and 2 were accepted"
    )


@pytest.mark.parametrize(
    ("arrived", "fault"),
    [
        (["a", "b", "other", "other"], None),
        (["a"], "1 of 2 did not arrive"),
        (["a", "b", "b"], "1 of 2 arrived more than once"),
    ],
)
def test_what_is_lost_or_doubled_on_its_way_is_noticed(arrived: list[str], fault: str | None) -> None:
    assert fault_of_arrivals({"a", "b"}, arrived) == fault


def test_the_bar_of_a_wait_follows_from_what_it_was_before() -> None:
    before = Kept({f"b{number}": 0.0 for number in range(10)}, [])
    beside = Kept({f"d{number}": 0.0 for number in range(10)}, ["503"])
    times = {**dict.fromkeys(before.due, 0.1), **dict.fromkeys(beside.due, 0.2)}
    line = held("quiet", before, beside, times, None)
    assert (line.measured, line.bar, line.verdict, line.details["faults"]) == (200.0, 200.0, "pass", 1)
    slower = held("quiet", before, beside, {**times, "d9": 0.3}, None)
    assert slower.verdict == "FAIL"


async def test_bots_send_a_message_each_before_they_rest(
    place: Installed, far: FarEnd, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots, "SETTLE_SECONDS", 0.2)
    (slope,) = await bots.measured(place, far, run, few=2, many=4)
    assert slope.void is None
    assert slope.details["sockets to the provider"] >= 1
