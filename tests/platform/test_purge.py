"""The end of a cancelled project (T7): after its time every row is gone, of its own and of nobody else's."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.client import PASSWORD, Client, Project, sign_up
from tests.isolation.rows import Rows, fill, insert, tables
from tests.operators import Operator, operator
from tests.pipeline import send_events, until
from tests.running import Site, running, running_api
from tocsin.kit.db import Database
from tocsin.platform.purge import PurgeStage


class Installation:
    """One of its own, without a worker: a test takes the steps of the purge itself."""

    def __init__(self, site: Site, api: Client, sql: asyncpg.Connection, root: Operator, stage: PurgeStage) -> None:
        self.site, self.api, self.sql, self.root, self.stage = site, api, sql, root, stage

    async def rows_of(self, project_id: Any) -> dict[str, int]:
        """How many rows a project has in each table, its own among them."""
        project_id = uuid.UUID(str(project_id))
        counts = {}
        for table in await tables(self.sql):
            key = "id" if table == "projects" else "project_id"
            query = f"SELECT count(*) FROM tocsin.{table} WHERE {key} = $1"
            counts[table] = await self.sql.fetchval(query, project_id)
        return counts

    async def time_passes(self, project_id: Any, days: int = 31) -> None:
        await self.sql.execute(
            "UPDATE tocsin.projects SET cancelled_at = cancelled_at - make_interval(days => $2),"
            " closed_at = closed_at - make_interval(days => $2) WHERE id = $1",
            uuid.UUID(str(project_id)),
            days,
        )

    async def until_it_rests(self) -> int:
        """Every step that is to be taken now; how many those were."""
        steps = 0
        while await self.stage.run_once():
            steps += 1
        return steps


async def nothing_to_do(_project_id: uuid.UUID) -> None:
    """When these projects close, nobody outside is to be told."""


@pytest.fixture(scope="module")
async def inst(database: str, home: Any, api: Client) -> AsyncIterator[Installation]:
    site = Site(database, home)
    sql = await asyncpg.connect(database)
    db = Database(site.app_url, ordinary=1, hot=0, statement_seconds=30)
    await db.start()
    with running_api(site) as process:
        caller = Client(api.http, process.url)
        yield Installation(site, caller, sql, await operator(caller, site), PurgeStage(db, nothing_to_do))
    await db.close()
    await sql.close()


async def in_every_table(inst: Installation, env: str = "live") -> Rows:
    """A project with a row in each table, those of later versions too."""
    rows = await fill(inst.sql, f"purge-{uuid.uuid4().hex[:8]}", env)
    await inst.sql.execute("UPDATE tocsin.projects SET status = 'active' WHERE id = $1", rows.project_id)
    return rows


async def test_every_row_of_the_project_goes_and_none_of_another(inst: Installation) -> None:
    doomed, rival = await in_every_table(inst), await in_every_table(inst)
    for project in (doomed, rival):
        sandbox = Rows(project.project_id, "test", {"projects": project.of["projects"]})
        for table in await tables(inst.sql):
            if "env" in project.of[table]:
                await insert(inst.sql, table, project.project_id, sandbox, f"sandbox-{table}")
    before = await inst.rows_of(rival.project_id)
    assert all(count >= 1 for count in before.values())
    assert await inst.rows_of(doomed.project_id) == before
    reply = await inst.root.client.delete(f"/platform/projects/{doomed.project_id}")
    assert reply.status == 200, reply.json
    await inst.time_passes(doomed.project_id)
    await inst.until_it_rests()
    await inst.time_passes(doomed.project_id, 1)
    await inst.until_it_rests()
    assert set((await inst.rows_of(doomed.project_id)).values()) == {0}
    assert await inst.rows_of(rival.project_id) == before


async def test_the_platforms_record_keeps_that_it_was(inst: Installation) -> None:
    shop = await sign_up(inst.api, "Shop")
    await shop.owner.delete("/projects/me")
    await inst.time_passes(shop.id)
    await inst.until_it_rests()
    await inst.time_passes(shop.id, 1)
    await inst.until_it_rests()
    (entry,) = (await inst.root.client.get("/platform/audit", action="project.purged", resourceId=shop.id)).json[
        "items"
    ]
    assert entry["actorType"] == "system"
    told = entry["metadata"]
    assert (told["slug"], told["name"]) == (shop.slug, "Shop")
    assert told["cancelledBy"] == f"user {shop.signed_up['user']['id']}"
    assert told["cancelledAt"] < told["createdAt"], "the time was turned back by the test"
    assert (await sign_up_as(inst, shop)).status == 201, "slug and e-mail are free again"


async def sign_up_as(inst: Installation, shop: Project) -> Any:
    body = {"email": shop.email, "password": PASSWORD, "projectName": "Again", "slug": shop.slug}
    return await inst.api.post("/signup", body)


async def test_nothing_goes_before_its_time(inst: Installation) -> None:
    shop = await sign_up(inst.api, "Shop")
    before = await inst.rows_of(shop.id)
    await shop.owner.delete("/projects/me")
    await inst.time_passes(shop.id, 29)
    assert await inst.until_it_rests() == 0
    after = await inst.rows_of(shop.id)
    assert all(after[table] >= count for table, count in before.items())
    assert (await shop.owner.post("/projects/me/restore")).status == 200


async def test_a_suspended_project_is_never_purged(inst: Installation) -> None:
    shop = await sign_up(inst.api, "Shop")
    await inst.root.client.post(f"/platform/projects/{shop.id}/suspend", {"reason": "unpaid"})
    await inst.sql.execute(
        "UPDATE tocsin.projects SET suspended_at = now() - interval '1 year' WHERE id = $1", uuid.UUID(shop.id)
    )
    assert await inst.until_it_rests() == 0
    assert (await shop.owner.get("/projects/me")).status == 200


async def test_closing_ends_what_waits_and_opens_nothing_more(inst: Installation) -> None:
    shop = await sign_up(inst.api, "Shop")
    await send_events(shop.key, *({"n": number} for number in range(5)))
    for ready in (True, False):
        await inst.sql.execute(
            "INSERT INTO tocsin.deliveries (project_id, id, env, channel, rank, ready)"
            " VALUES ($1, $2, 'live', 'webhook', 0, $3)",
            uuid.UUID(shop.id),
            uuid.uuid4(),
            ready,
        )
    await shop.owner.delete("/projects/me")
    await inst.time_passes(shop.id)
    await inst.until_it_rests()
    states = {
        table: dict(
            await inst.sql.fetch(
                f"SELECT state, count(*) FROM tocsin.{table} WHERE project_id = $1 GROUP BY 1", uuid.UUID(shop.id)
            )
        )
        for table in ("events", "deliveries")
    }
    assert states == {"events": {"failed": 5}, "deliveries": {"cancelled": 2}}

    async def shut() -> bool:
        return (await shop.key.get("/users")).status == 401 and (await shop.owner.get("/users")).status == 401

    await until(shut)
    restored = await inst.root.client.post(f"/platform/projects/{shop.id}/activate")
    assert (restored.status, restored.code) == (409, "purge_begun")


async def test_rows_wait_until_every_process_has_forgotten_the_project(inst: Installation) -> None:
    shop = await sign_up(inst.api, "Shop")
    await shop.owner.delete("/projects/me")
    await inst.time_passes(shop.id)
    await inst.until_it_rests()
    assert (await inst.rows_of(shop.id))["users"] == 1
    await inst.time_passes(shop.id, 1)
    await inst.until_it_rests()
    assert (await inst.rows_of(shop.id))["projects"] == 0


async def test_a_large_project_goes_in_bounded_steps(inst: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    from tocsin.platform import purge

    monkeypatch.setattr(purge, "ROWS_AT_ONCE", 50)
    shop, quiet = await sign_up(inst.api, "Shop"), await sign_up(inst.api, "Quiet")
    for project in (shop, quiet):
        await send_events(project.key, *({"n": number} for number in range(400)))
    await shop.owner.delete("/projects/me")
    await inst.time_passes(shop.id)
    await inst.until_it_rests()
    await inst.time_passes(shop.id, 1)
    events = (await inst.rows_of(shop.id))["events"]
    while (await inst.rows_of(shop.id))["projects"]:
        await inst.stage.run_once()
        now = (await inst.rows_of(shop.id))["events"]
        assert events - now <= 50
        events = now
    assert (await inst.rows_of(quiet.id))["events"] == 400


async def test_several_workers_at_it_are_as_good_as_one(inst: Installation) -> None:
    shop = await sign_up(inst.api, "Shop")
    await send_events(shop.key, *({"n": number} for number in range(20)))
    await shop.owner.delete("/projects/me")
    await inst.time_passes(shop.id)
    db = Database(inst.site.app_url, ordinary=3, hot=0, statement_seconds=30)
    await db.start()
    closed = []

    async def note(project_id: uuid.UUID) -> None:
        closed.append(str(project_id))

    stages = [PurgeStage(db, note) for _ in range(3)]

    async def all_at_rest() -> None:
        while any(await asyncio.gather(*(stage.run_once() for stage in stages))):
            pass

    await all_at_rest()
    await inst.time_passes(shop.id, 1)
    while (await inst.rows_of(shop.id))["projects"]:
        await all_at_rest()
    await db.close()
    purged = await inst.root.client.get("/platform/audit", action="project.purged", resourceId=shop.id)
    assert len(purged.json["items"]) == 1
    assert closed.count(shop.id) == 1


async def test_a_worker_does_it(inst: Installation) -> None:
    shop = await sign_up(inst.api, "Shop")
    await shop.owner.delete("/projects/me")
    await inst.time_passes(shop.id)
    await inst.sql.execute(
        "UPDATE tocsin.projects SET closed_at = now() - interval '1 day' WHERE id = $1", uuid.UUID(shop.id)
    )
    with running(inst.site, "worker"):

        async def gone() -> bool:
            return not any((await inst.rows_of(shop.id)).values())

        await until(gone, 40)
