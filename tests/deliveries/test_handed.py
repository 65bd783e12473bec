"""What is due at once is written with the lease of the process that sends it, where a claim would give it the same."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.client import Project
from tests.endpoint import Answer, endpoint
from tests.pipeline import Working, ended, fall_due, make_rule, send_event, tried, until
from tests.running import Site
from tests.test_worker import forbidden
from tocsin.kit.ids import new_id

SLOTS = 8
SHARE = SLOTS // 4
LEASE_SECONDS = 60

_WRITE = "SELECT ours, leased FROM tocsin.write_matched_and_lease($1, $2, $3, $4, $5, $6, $7)"
_SHOW = """
SELECT state, ready, crashes, lease_token, lease_until > now() + interval '59 seconds' AS lasts FROM tocsin.deliveries
WHERE id = $1
"""


@dataclass
class Writer:
    """A worker's statement, by a worker's login, for a project of which no worker knows."""

    sql: asyncpg.Connection
    app: asyncpg.Connection
    project_id: UUID

    async def halt(self, status: str) -> None:
        await self.sql.execute("UPDATE tocsin.projects SET status = $2 WHERE id = $1", self.project_id, status)

    async def write(
        self, channel: str = "webhook", lease: UUID | None = None, **fields: Any
    ) -> tuple[UUID, list[UUID]]:
        """The delivery that was written, and those that are leased."""
        event_id, token, delivery_id = new_id(), new_id(), new_id()
        await self.sql.execute(
            "INSERT INTO tocsin.events (project_id, env, id, type, payload, state, lease_token)"
            " VALUES ($1, 'live', $2, 'order.created', '{}', 'leased', $3)",
            self.project_id,
            event_id,
            token,
        )
        told = {"channel": channel, "personal": False, "instant": channel == "realtime", "ids": [str(delivery_id)]}
        made = {
            "id": str(new_id()),
            "event_id": str(event_id),
            "event_type": "order.created",
            "title": "An order",
            "message": "",
            "priority": "normal",
            "require_ack": False,
            "internal": False,
            "over_quota": False,
            "rank": 2,
            "recipients": {},
            "deliveries": [told],
            **fields,
        }
        decided = {"id": str(event_id), "outcome": "notified", "trace": []}
        texts = [json.dumps([each], separators=(",", ":")) for each in (decided, made)]
        row = await self.app.fetchrow(_WRITE, self.project_id, "live", token, *texts, lease, LEASE_SECONDS)
        assert row["ours"] == [event_id]
        return delivery_id, row["leased"]

    async def shown(self, delivery_id: UUID) -> dict[str, Any]:
        return dict(await self.sql.fetchrow(_SHOW, delivery_id))


@pytest.fixture
async def writers(database: str, home: Path) -> AsyncIterator[tuple[Writer, Writer]]:
    """Of two projects."""
    sql, app = await asyncpg.connect(database), await asyncpg.connect(Site(database, home).app_url)
    ids = new_id(), new_id()
    for id_ in ids:
        await sql.execute(
            "INSERT INTO tocsin.projects (id, name, slug, plan) VALUES ($1, 'x', $2, 'free')", id_, f"x{id_.hex}"
        )
    yield Writer(sql, app, ids[0]), Writer(sql, app, ids[1])
    await app.close()
    await sql.close()


@pytest.fixture
async def writer(writers: tuple[Writer, Writer]) -> Writer:
    return writers[0]


async def test_a_fresh_delivery_is_sent_without_a_claim(working: Working, shop: Project) -> None:
    async with endpoint() as served:
        await served.connect(shop)
        await make_rule(shop, "webhook")
        async with forbidden(working.sql, "tocsin.claim_deliveries"):
            delivery = await ended(shop.key, await send_event(shop.key, order="first"))
        assert (delivery["state"], len(delivery["attempts"]), len(served.calls)) == ("delivered", 1, 1)


async def test_a_retry_is_claimed_as_ever(working: Working, shop: Project) -> None:
    async with endpoint(Answer(status=500)) as served:
        await served.connect(shop)
        await make_rule(shop, "webhook")
        event_id = await send_event(shop.key, order="first")
        failed = await tried(shop.key, event_id, 1)
        served.answers = [Answer()]
        await fall_due(working.sql, failed)
        assert (await ended(shop.key, event_id))["state"] == "delivered"


async def test_no_more_is_handed_over_than_the_share_of_a_project(working: Working, shop: Project) -> None:
    async with endpoint(Answer(after=30)) as hanging:
        await hanging.connect(shop)
        await make_rule(shop, "webhook")
        event_ids = [await send_event(shop.key, order=number) for number in range(SHARE + 3)]

        async def share_full() -> bool:
            return hanging.inside == SHARE

        await until(share_full)
        hanging.let_go()
        for id_ in event_ids:
            assert (await ended(shop.key, id_))["state"] == "delivered"
    assert (hanging.most_inside, len({call.id for call in hanging.calls})) == (SHARE, SHARE + 3)


async def test_a_lease_is_written_as_a_claim_would_leave_it(writer: Writer) -> None:
    lease = new_id()
    delivery_id, leased = await writer.write(lease=lease)
    assert leased == [delivery_id]
    assert await writer.shown(delivery_id) == {
        "state": "leased",
        "ready": True,
        "crashes": 1,
        "lease_token": lease,
        "lasts": True,
    }


async def test_without_a_lease_it_waits_for_its_turn(writer: Writer) -> None:
    delivery_id, leased = await writer.write()
    assert leased == []
    found = await writer.shown(delivery_id)
    assert found["lease_token"] is None


@pytest.mark.parametrize("status", ["suspended", "cancelled"])
async def test_nothing_of_a_halted_project_is_leased(writer: Writer, status: str) -> None:
    await writer.halt(status)
    delivery_id, leased = await writer.write(lease=new_id())
    assert leased == []
    assert (await writer.shown(delivery_id))["state"] == "queued"


async def test_nothing_overtakes_what_waits_in_its_project_alone(writers: tuple[Writer, Writer]) -> None:
    writer, other = writers
    await writer.write()
    _, leased = await writer.write(lease=new_id())
    assert leased == []
    delivery_id, leased = await other.write(lease=new_id())
    assert leased == [delivery_id]


async def test_what_somebody_may_want_withheld_is_not_leased(writer: Writer) -> None:
    quiet = '{"quietHours": {"from": "00:00", "to": "00:01", "timezone": "UTC"}}'
    await writer.sql.execute("UPDATE tocsin.projects SET settings = $2 WHERE id = $1", writer.project_id, quiet)
    _, leased = await writer.write(lease=new_id())
    assert leased == []


async def test_what_is_over_the_quota_or_sent_already_is_not_leased(writer: Writer) -> None:
    written: list[tuple[dict[str, Any], str]] = [({"dropped": "quota"}, "dropped"), ({"channel": "realtime"}, "sent")]
    for fields, state in written:
        delivery_id, leased = await writer.write(lease=new_id(), **fields)
        assert leased == []
        found = await writer.shown(delivery_id)
        assert (found["state"], found["lease_token"], found["crashes"]) == (state, None, 0)


async def test_a_lease_whose_process_ended_runs_out(writer: Writer) -> None:
    delivery_id, _ = await writer.write(lease=new_id())
    await writer.sql.execute(
        "UPDATE tocsin.deliveries SET lease_until = now() - interval '1 second' WHERE id = $1", delivery_id
    )
    await writer.app.fetch("SELECT * FROM tocsin.release_expired(100, 3, 5)")
    found = await writer.shown(delivery_id)
    assert (found["state"], found["ready"], found["crashes"], found["lease_token"]) == ("queued", True, 1, None)
