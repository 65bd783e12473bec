"""The platform's mail on its way: written with its cause, sent by a worker, tried again, visible (C10, D1)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.engines import fresh_database
from tests.mail.mailbox import Mailboxes, mail_server
from tests.mail.posted import Posted
from tests.pipeline import until
from tests.running import Site, running, running_api
from tocsin.kit.postgres import Running

WORKER_SECONDS = 60
"""A worker that a test starts itself imports everything first, on a machine that may be busy."""


@pytest.fixture(scope="module")
async def quiet(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession
) -> AsyncIterator[tuple[Site, Client, asyncpg.Connection, Mailboxes]]:
    """An API whose workers each test starts itself, and a mail server for them."""
    async with mail_server() as boxes, fresh_database(cluster, template) as url:
        site = Site(url, home, settings={"TOCSIN_SMTP_URL": boxes.url})
        sql = await asyncpg.connect(url)
        with running_api(site) as process:
            yield site, Client(http, process.url), sql, boxes
        await sql.close()


async def mail_to(project: Project, recipient: str | None = None) -> Any:
    """The newest mail of a project, as its API shows it."""
    items = (await project.key.get("/mails", limit=200)).json["items"]
    return next(mail for mail in items if recipient in (None, mail["recipient"]))


async def reached(project: Project, state: str) -> Any:
    async def look() -> Any:
        mail = await mail_to(project)
        return mail if mail["state"] == state else None

    return await until(look, WORKER_SECONDS)


async def tried(project: Project, times: int) -> Any:
    """The mail once it has failed so often and waits for the next time."""

    async def look() -> Any:
        mail = await mail_to(project)
        return mail if mail["attempts"] >= times and mail["lastError"] else None

    return await until(look, WORKER_SECONDS)


async def test_what_became_of_a_mail_is_shown_and_what_it_says_is_not(posted: Posted) -> None:
    project = await posted.sign_up("Visible")
    await posted.boxes.next(project.email, "Confirm")
    mail = await reached(project, "sent")
    assert (mail["kind"], mail["recipient"], mail["attempts"], mail["lastError"]) == (
        "verify_email",
        project.email,
        1,
        None,
    )
    assert mail["sentAt"] is not None
    one = (await project.key.get(f"/mails/{mail['id']}")).json
    assert one == {**mail, "captured": None}
    assert "lk_" not in str(one)


async def test_a_refused_mail_is_failed_with_the_servers_words(posted: Posted) -> None:
    posted.boxes.answers = ["550 5.1.1 there is no such mailbox"]
    project = await posted.sign_up("Refused")
    mail = await reached(project, "failed")
    assert "there is no such mailbox" in mail["lastError"]
    assert (mail["attempts"], mail["sentAt"]) == (1, None)


async def test_a_mail_the_server_puts_off_is_tried_again(posted: Posted) -> None:
    posted.boxes.answers = ["451 4.7.1 greylisted, come back"]
    project = await posted.sign_up("Patient")
    mail = await tried(project, 1)
    assert mail["state"] == "queued"
    assert "greylisted" in mail["lastError"]
    await posted.sql.execute("UPDATE tocsin.mails SET due_at = now() WHERE id = $1", mail["id"])
    await posted.boxes.next(project.email, "Confirm")
    sent = await reached(project, "sent")
    assert (sent["attempts"], sent["lastError"]) == (2, None)


async def test_waits_grow_and_end_with_the_link(posted: Posted) -> None:
    posted.boxes.answers = ["451 later"] * 4
    project = await posted.sign_up("Ever Slower".replace(" ", ""))
    waits = []
    for number in range(1, 4):
        mail = await tried(project, number)
        row = await posted.sql.fetchrow("SELECT due_at - now() AS wait FROM tocsin.mails WHERE id = $1", mail["id"])
        waits.append(row["wait"].total_seconds())
        await posted.sql.execute("UPDATE tocsin.mails SET due_at = now(), last_error = NULL WHERE id = $1", mail["id"])
    assert waits[0] < waits[1] < waits[2]
    mail = await tried(project, 4)
    await posted.sql.execute("UPDATE tocsin.mails SET due_at = now(), give_up_at = now() WHERE id = $1", mail["id"])
    failed = await reached(project, "failed")
    assert failed["lastError"].startswith("its time ran out; before: ")
    assert "451 later" in failed["lastError"]
    assert posted.boxes.of(project.email) == []


async def test_a_mail_that_does_not_open_is_failed_and_holds_up_no_other(posted: Posted) -> None:
    project = await posted.sign_up("Damaged")
    await reached(project, "sent")
    mail = await mail_to(project)
    await posted.sql.execute(
        "UPDATE tocsin.mails SET state = 'queued', due_at = now(), details = details || 'x' WHERE id = $1", mail["id"]
    )
    other = await posted.sign_up("Undamaged")
    await posted.boxes.next(other.email, "Confirm")
    failed = await reached(project, "failed")
    assert failed["lastError"].startswith("not readable")


async def test_a_mail_moved_to_another_row_does_not_open(posted: Posted) -> None:
    victim, thief = await posted.sign_up("Victim"), await posted.sign_up("Thief")
    for project in (victim, thief):
        await reached(project, "sent")
    theirs, mine = await mail_to(victim), await mail_to(thief)
    await posted.sql.execute(
        "UPDATE tocsin.mails SET state = 'queued', due_at = now(),"
        " details = (SELECT details FROM tocsin.mails WHERE id = $2) WHERE id = $1",
        mine["id"],
        theirs["id"],
    )
    assert (await reached(thief, "failed"))["lastError"].startswith("not readable")


async def test_what_comes_while_no_worker_runs_is_sent_by_the_next(quiet: Any) -> None:
    site, api, _, boxes = quiet
    project = await sign_up(api, "Waiting")
    assert (await mail_to(project))["state"] == "queued"
    with running(site, "worker"):
        await boxes.next(project.email, "Confirm")
        await reached(project, "sent")


async def test_a_mail_whose_worker_died_is_sent_after_its_lease(quiet: Any) -> None:
    site, api, sql, boxes = quiet
    project = await sign_up(api, "Orphan")
    boxes.slow, boxes.tries = 8.0, 0
    with running(site, "worker") as worker:

        async def under_way() -> bool:
            return bool(boxes.tries and (await mail_to(project))["attempts"] == 1)

        await until(under_way, WORKER_SECONDS)
        worker.kill()
    boxes.slow = 0.0
    assert (await mail_to(project))["state"] == "queued"
    due = await sql.fetchval(
        "SELECT due_at > now() + interval '20 seconds' FROM tocsin.mails WHERE project_id = $1", project.id
    )
    assert due, "another worker must not send what may still be under way"
    await sql.execute("UPDATE tocsin.mails SET due_at = now() WHERE project_id = $1", project.id)
    with running(site, "worker"):
        assert (await reached(project, "sent"))["attempts"] == 2


async def test_two_workers_send_each_mail_once(quiet: Any) -> None:
    site, api, _, boxes = quiet
    projects = [await sign_up(api, f"Both{n}") for n in range(6)]
    for project in projects:
        for n in range(6):
            await project.owner.post("/invites", {"email": f"guest-{n}@{project.slug}.example"})
    boxes.taken.clear()
    with running(site, "worker"), running(site, "worker"):

        async def all_sent() -> bool:
            lists = [(await project.key.get("/mails", state="queued")).json["items"] for project in projects]
            return not any(lists)

        await until(all_sent, WORKER_SECONDS)
    hosts = tuple(f"{project.slug}.example" for project in projects)
    ids = [str(mail["Message-ID"]) for recipient, mail in boxes.taken if recipient.endswith(hosts)]
    assert len(ids) == len(set(ids)) == 6 * 7


async def test_one_projects_pile_does_not_hold_up_anothers_mail(quiet: Any) -> None:
    site, api, sql, boxes = quiet
    flood, quiet_one = await sign_up(api, "Flood"), await sign_up(api, "Single")
    for n in range(40):
        assert (await flood.owner.post("/invites", {"email": f"f-{n}@flood.example"})).status == 201
    await sql.execute("UPDATE tocsin.mails SET due_at = due_at - interval '1 hour' WHERE project_id = $1", flood.id)
    boxes.taken.clear()
    with running(site, "worker"):
        await until(lambda: _came(boxes, quiet_one.email), WORKER_SECONDS)
        place = [recipient for recipient, _ in boxes.taken].index(quiet_one.email)
    assert place <= 8


async def _came(boxes: Mailboxes, address: str) -> bool:
    return bool(boxes.of(address))


async def test_a_project_sees_its_own_mails_alone(posted: Posted) -> None:
    acme, rival = await posted.sign_up("Acme"), await posted.sign_up("Rival")
    mine = (await acme.key.get("/mails")).json["items"]
    assert [mail["recipient"] for mail in mine] == [acme.email]
    nobody = "00000000-0000-7000-8000-00000000dead"
    replies = [await rival.key.get(f"/mails/{id_}") for id_ in (mine[0]["id"], nobody)]
    assert [reply.status for reply in replies] == [404, 404]
    assert {**replies[0].json, "requestId": 0} == {**replies[1].json, "requestId": 0}
    assert (await acme.test_key.get("/mails")).json["items"] == []
    assert (await acme.test_key.get(f"/mails/{mine[0]['id']}")).status == 404


async def test_mails_are_shown_to_who_manages_people(posted: Posted) -> None:
    project = await posted.sign_up("Shown")
    _, reader = await project.new_key("users:read")
    for path in ("/mails", "/mails/00000000-0000-7000-8000-00000000dead"):
        assert (await reader.get(path)).code == "permission_missing"


async def test_what_a_captured_mail_says_is_for_who_may_give_its_persons_roles(posted: Posted) -> None:
    project = await posted.sign_up("Sandboxed")
    await project.test_key.post("/invites", {"email": "chief@sandboxed.example", "roles": ["admin"]})
    (mail,) = (await project.test_key.get("/mails")).json["items"]
    _, small = await project.new_key("users:manage", env="test")
    assert (await small.get(f"/mails/{mail['id']}")).code == "role_not_allowed"
    sees_all = project.owner.with_headers(X_Tocsin_Env="test")
    assert (await sees_all.get(f"/mails/{mail['id']}")).json["captured"]["url"]


async def test_old_mails_links_and_counts_are_forgotten(quiet: Any) -> None:
    site, api, sql, _ = quiet
    project = await sign_up(api, "Tidied")
    await project.owner.post("/auth/email/resend")
    kept = await mail_to(project)
    await sql.execute(
        "UPDATE tocsin.mails SET created_at = now() - interval '31 days' WHERE project_id = $1 AND id <> $2",
        project.id,
        kept["id"],
    )
    await sql.execute(
        "UPDATE tocsin.links SET expires_at = now() - interval '2 days' WHERE project_id = $1", project.id
    )
    await sql.execute("UPDATE tocsin.mail_counts SET hour = hour - interval '2 days' WHERE project_id = $1", project.id)
    with running(site, "worker"):

        async def tidied() -> bool:
            counts = [
                await sql.fetchval(f"SELECT count(*) FROM tocsin.{table} WHERE project_id = $1", project.id)
                for table in ("mails", "links", "mail_counts")
            ]
            return counts == [1, 0, 0]

        await until(tidied, WORKER_SECONDS)


@contextlib.asynccontextmanager
async def serverless(cluster: Running, template: str, home: Path, http: Any) -> AsyncIterator[tuple[Site, Client]]:
    async with fresh_database(cluster, template) as url:
        site = Site(url, home)
        with running_api(site) as process:
            yield site, Client(http, process.url)


async def test_without_a_mail_server_mails_wait_and_the_log_says_once_what_to_do(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession
) -> None:
    async with serverless(cluster, template, home, http) as (site, api):
        with running(site, "worker") as worker:
            project = await sign_up(api, "Serverless")

            async def said() -> bool:
                return "TOCSIN_SMTP_URL" in worker.log.read_text()

            await until(said, WORKER_SECONDS)
            await project.owner.post("/auth/email/resend")
            await asyncio.sleep(2.5)  # two more looks
            assert worker.log.read_text().count("TOCSIN_SMTP_URL") == 1
        mail = await mail_to(project)
        assert (mail["state"], mail["attempts"]) == ("queued", 0)
        async with mail_server() as boxes:
            later = Site(site.installer_url, home, settings={"TOCSIN_SMTP_URL": boxes.url})
            with running(later, "worker"):
                await boxes.next(project.email, "Confirm")
