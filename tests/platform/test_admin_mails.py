"""The link of a new platform admin also comes by mail, and stands in no log (A6, C10)."""

import asyncpg
import pytest

from tests.client import PASSWORD, Client, Project
from tests.mail.mailbox import Mailboxes, text_of, url_in
from tests.mail.posted import PUBLIC_URL, Posted
from tests.operators import Operator, admin_create, operator, signed_in, token_of

SUBJECT = "Platform: you are invited to run Tocsin"


@pytest.fixture(scope="module")
async def chief(posted: Posted) -> Operator:
    """A super admin of the installation that can send mail."""
    return await operator(posted.api, posted.site)


async def link_in(boxes: Mailboxes, address: str) -> str:
    url = url_in(await boxes.next(address, SUBJECT))
    assert url.startswith(f"{PUBLIC_URL}/setup#lt_")
    return url


async def test_an_invited_admin_comes_in_by_the_mailed_link(posted: Posted, chief: Operator) -> None:
    email = "mailed@operator.example"
    made = await chief.client.post("/platform/admins", {"email": email, "role": "support"})
    link = await link_in(posted.boxes, email)
    assert link == made.json["setupUrl"]
    body = {"token": token_of(link), "password": PASSWORD}
    assert [(await posted.api.post("/platform/setup", body)).status for _ in range(2)] == [200, 401]
    assert (await signed_in(posted.api, email)).id == made.json["id"]


async def test_the_mail_says_who_invites(posted: Posted, chief: Operator) -> None:
    await chief.client.post("/platform/admins", {"email": "asked@operator.example", "role": "billing"})
    said = text_of(await posted.boxes.next("asked@operator.example", SUBJECT))
    assert f"{chief.name} invites you" in said


async def test_a_new_link_is_mailed_too(posted: Posted, chief: Operator) -> None:
    email = "late@operator.example"
    made = (await chief.client.post("/platform/admins", {"email": email, "role": "support"})).json
    first = await link_in(posted.boxes, email)
    renewed = (await chief.client.post(f"/platform/admins/{made['id']}/link")).json["setupUrl"]
    assert first == made["setupUrl"]
    assert await link_in(posted.boxes, email) == renewed


async def test_an_address_gets_five_such_mails_an_hour(posted: Posted, chief: Operator) -> None:
    made = (await chief.client.post("/platform/admins", {"email": "often@operator.example", "role": "support"})).json
    replies = [await chief.client.post(f"/platform/admins/{made['id']}/link") for _ in range(5)]
    assert [reply.status for reply in replies] == [200] * 4 + [429]
    assert replies[-1].code == "too_many_mails"


async def test_an_admin_made_at_the_terminal_is_mailed_what_it_prints(posted: Posted, chief: Operator) -> None:
    status, printed = await admin_create(posted.site, "shell@operator.example", "--role", "support")
    assert status == 0, printed
    assert await link_in(posted.boxes, "shell@operator.example") == printed.strip()


async def test_the_way_back_in_is_for_the_terminal_alone(posted: Posted, chief: Operator) -> None:
    status, printed = await admin_create(posted.site, chief.email)
    assert (status, "/setup#lt_" in printed) == (0, True)
    assert await mails_to(posted.sql, chief.email) == []


async def test_the_link_stands_in_no_log_and_no_record(posted: Posted, chief: Operator) -> None:
    email = "secret@operator.example"
    link = (await chief.client.post("/platform/admins", {"email": email, "role": "support"})).json["setupUrl"]
    await link_in(posted.boxes, email)
    logs = [log.read_text(errors="replace") for log in posted.site.home.glob("*.log")]
    assert any("worker ready" in log for log in logs)
    assert not [log for log in logs if token_of(link) in log]
    kept = await posted.sql.fetch(
        "SELECT row_to_json(m)::text FROM tocsin.mails m WHERE recipient = $1"
        " UNION ALL SELECT row_to_json(a)::text FROM tocsin.audit_log a WHERE action LIKE 'admin.%'",
        email,
    )
    assert len(kept) > 1
    assert not [row for (row,) in kept if token_of(link) in row]


async def test_no_project_sees_such_a_mail(posted: Posted, chief: Operator) -> None:
    project: Project = await posted.sign_up("Curious")
    await chief.client.post("/platform/admins", {"email": "unseen@operator.example", "role": "support"})
    await link_in(posted.boxes, "unseen@operator.example")
    listed = (await project.owner.get("/mails", limit=200)).json["items"]
    assert {mail["recipient"] for mail in listed} == {project.email}


async def test_without_a_mail_server_nothing_waits_for_one(
    api: Client, root: Operator, sql: asyncpg.Connection
) -> None:
    made = await root.client.post("/platform/admins", {"email": "by.hand@operator.example", "role": "support"})
    body = {"token": token_of(made.json["setupUrl"]), "password": PASSWORD}
    assert (await api.post("/platform/setup", body)).status == 200
    assert await mails_to(sql, "by.hand@operator.example") == []


async def mails_to(sql: asyncpg.Connection, address: str) -> list[str]:
    return [row["kind"] for row in await sql.fetch("SELECT kind FROM tocsin.mails WHERE recipient = $1", address)]
