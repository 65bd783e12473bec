"""Proven domains are looked up again every day; a proof that is gone for a week is none (T8)."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.client import Project, sign_up
from tests.hosted import Hosted, at, prove
from tests.pipeline import until
from tests.running import running
from tocsin.kit.db import Database
from tocsin.projects.domain_watch import DomainWatch
from tocsin.projects.proof import Names

TXT = "_tocsin.{}"


@pytest.fixture(scope="module")
async def watch(hosted: Hosted) -> AsyncIterator[DomainWatch]:
    db = Database(hosted.site.app_url, ordinary=1, hot=1, statement_seconds=5)
    await db.start()
    yield DomainWatch(db, Names((("127.0.0.1", hosted.dns.port),)))
    await db.close()


@pytest.fixture
async def acme(hosted: Hosted) -> Project:
    return await sign_up(hosted.api, "Acme")


@pytest.fixture
async def domain(hosted: Hosted, acme: Project) -> str:
    """Proven by acme."""
    name = f"alerts.{acme.slug}.example"
    await prove(hosted, acme, name)
    return name


async def make_due(hosted: Hosted, project: Project, missing_days: int | None = None) -> None:
    await hosted.sql.execute(
        "UPDATE tocsin.domains SET next_check_at = now() - interval '1 minute',"
        " missing_since = now() - make_interval(days => $2) WHERE project_id = $1",
        project.id,
        missing_days,
    )


async def row(hosted: Hosted, project: Project) -> asyncpg.Record:
    return await hosted.sql.fetchrow(
        "SELECT *, next_check_at - now() AS wait FROM tocsin.domains WHERE project_id = $1", project.id
    )


async def test_a_domain_is_not_looked_up_before_its_day(hosted: Hosted, acme: Project, domain: str, watch: Any) -> None:
    before = await row(hosted, acme)
    await watch.run_once()
    assert (await row(hosted, acme))["checked_at"] == before["checked_at"]


async def test_a_domain_that_is_still_proven_is_due_again_tomorrow(
    hosted: Hosted, acme: Project, domain: str, watch: DomainWatch
) -> None:
    await make_due(hosted, acme, missing_days=3)
    await watch.run_once()
    now = await row(hosted, acme)
    assert (now["status"], now["missing_since"]) == ("verified", None)
    assert 23 < now["wait"].total_seconds() / 3600 < 24


async def test_a_proof_that_is_missing_is_shown_and_still_counts_for_a_week(
    hosted: Hosted, acme: Project, domain: str, watch: DomainWatch
) -> None:
    hosted.dns.remove(TXT.format(domain), "TXT")
    await make_due(hosted, acme)
    await watch.run_once()
    shown = (await acme.owner.get("/projects/me/domain")).json
    assert shown["status"] == "verified" and shown["missingSince"] is not None
    await make_due(hosted, acme, missing_days=6)
    await watch.run_once()
    assert (await row(hosted, acme))["status"] == "verified"


async def test_after_a_week_without_proof_the_domain_is_suspended_and_free(
    hosted: Hosted, acme: Project, domain: str, watch: DomainWatch
) -> None:
    rival = await sign_up(hosted.api, "Rival")
    hosted.dns.remove(TXT.format(domain), "TXT")
    await make_due(hosted, acme, missing_days=7)
    await watch.run_once()
    assert (await acme.owner.get("/projects/me/domain")).json["status"] == "suspended"
    logged = await hosted.sql.fetchrow(
        "SELECT * FROM tocsin.audit_log WHERE project_id = $1 AND action = 'domain.suspended'", acme.id
    )
    assert (logged["actor_type"], json.loads(logged["metadata"])["domain"]) == ("system", domain)

    async def free() -> bool:
        return (await at(rival.key, domain).get("/projects/me")).status == 200

    await until(free)
    assert (await hosted.api.get("/domains/ask", domain=domain)).status == 404
    await prove(hosted, rival, domain)
    assert (await acme.owner.post("/projects/me/domain/verify")).code == "domain_not_proven"


async def test_a_suspended_domain_that_is_proven_again_answers_again(
    hosted: Hosted, acme: Project, domain: str, watch: DomainWatch
) -> None:
    await hosted.sql.execute("UPDATE tocsin.domains SET status = 'suspended' WHERE project_id = $1", acme.id)
    assert (await acme.owner.post("/projects/me/domain/verify")).json["status"] == "verified"
    assert (await hosted.api.get("/domains/ask", domain=domain)).status == 200


async def test_a_dns_that_does_not_answer_takes_nothing_away(hosted: Hosted, acme: Project, domain: str) -> None:
    db = Database(hosted.site.app_url, ordinary=1, hot=1, statement_seconds=5)
    await db.start()
    try:
        await make_due(hosted, acme, missing_days=30)
        await DomainWatch(db, Names((("127.0.0.1", 1),))).run_once()
    finally:
        await db.close()
    now = await row(hosted, acme)
    assert now["status"] == "verified"
    assert 0 < now["wait"].total_seconds() <= 3600


async def test_the_worker_looks(hosted: Hosted, acme: Project, domain: str) -> None:
    hosted.dns.remove(TXT.format(domain), "TXT")
    await make_due(hosted, acme, missing_days=8)

    async def suspended() -> bool:
        return bool((await row(hosted, acme))["status"] == "suspended")

    with running(hosted.site, "worker"):
        await until(suspended, 30)
