"""Forgotten and changed passwords (A4; bad inputs 89, 90, 95 and 96)."""

import asyncio
import base64
import contextlib
import uuid
from typing import Any

import pytest

from tests.client import PASSWORD, Project
from tests.mail.mailbox import token_in
from tests.mail.posted import PUBLIC_URL, Posted
from tests.pipeline import until

pytestmark = pytest.mark.usefixtures("new_hour")

FORGOT, RESET, CHANGE = (f"/auth/password/{word}" for word in ("forgot", "reset", "change"))
NEW = "another horse battery"


async def forget(posted: Posted, project: Project, **fields: Any) -> str:
    """The token that is mailed to the owner of a project who forgot the password."""
    reply = await posted.api.post(FORGOT, {"email": project.email, **fields})
    assert (reply.status, reply.json) == (202, {"status": "accepted"})
    return await posted.token(project.email, "Choose a new password")


async def signs_in(posted: Posted, project: Project, password: str) -> bool:
    return (await posted.api.post("/auth/login", {"email": project.email, "password": password})).status == 200


async def test_a_forgotten_password_is_replaced_by_a_mailed_link(posted: Posted) -> None:
    project = await posted.sign_up("Forgetful")
    token = await forget(posted, project)
    assert (await posted.api.post(RESET, {"token": token, "password": NEW})).status == 204
    assert await signs_in(posted, project, NEW)
    assert not await signs_in(posted, project, PASSWORD)
    await posted.boxes.next(project.email, "Your password at Forgetful was changed")
    assert (await posted.actions(project))[-2:] == ["password.reset_requested", "password.reset"]


async def test_a_reset_ends_every_session_of_the_person_and_of_nobody_else(posted: Posted, shop: Project) -> None:
    project = await posted.sign_up("Ended")
    login = await posted.api.post("/auth/login", {"email": project.email, "password": PASSWORD})
    second = posted.api.with_token(login.json["tokens"]["accessToken"])
    colleague = await posted.member(project, "colleague@ended.example", "viewer")
    token = await forget(posted, project)
    await posted.api.post(RESET, {"token": token, "password": NEW})
    for client in (project.owner, second):
        assert (await client.get("/auth/me")).status == 401
    refresh = {"refreshToken": login.json["tokens"]["refreshToken"]}
    assert (await posted.api.post("/auth/refresh", refresh)).status == 401
    assert (await colleague.get("/auth/me")).status == 200
    assert (await shop.owner.get("/auth/me")).status == 200


async def test_a_reset_tells_every_process_which_sessions_ended(posted: Posted) -> None:
    """What stands on them goes with them: `tests/auth/test_revocation.py`."""
    project = await posted.sign_up("Sockets")
    ended = await posted.sql.fetch("SELECT id::text FROM tocsin.sessions WHERE project_id = $1", project.id)
    await posted.api.post(RESET, {"token": await forget(posted, project), "password": NEW})
    told = await posted.sql.fetch("SELECT kind, ref FROM tocsin.revocations WHERE project_id = $1", project.id)
    assert [tuple(row) for row in told] == [("session", row["id"]) for row in ended]


async def test_a_known_and_an_unknown_address_are_answered_alike(posted: Posted, shop: Project) -> None:
    replies = [
        await posted.api.post(FORGOT, {"email": shop.email}),
        await posted.api.post(FORGOT, {"email": "nobody@shop.example"}),
        await posted.api.post(FORGOT, {"email": shop.email, "project": "no-such-project"}),
    ]
    assert [(reply.status, reply.json) for reply in replies] == [(202, {"status": "accepted"})] * 3
    await answered(posted)
    assert posted.boxes.of("nobody@shop.example") == []


async def test_the_call_does_the_same_for_a_known_and_an_unknown_address(posted: Posted) -> None:
    """Nothing is looked up before the answer, so no time can tell: one row each, of the platform's project."""
    project = await posted.sign_up("Same")
    async with held(posted):
        for email in (project.email, "nobody@same.example"):
            await posted.api.post(FORGOT, {"email": email})
        rows = await posted.sql.fetch("SELECT project_id::text, email FROM tocsin.resets ORDER BY id")
        links = await posted.sql.fetchval(
            "SELECT count(*) FROM tocsin.links WHERE project_id = $1 AND purpose = 'reset_password'", project.id
        )
    assert [row["email"] for row in rows] == [project.email, "nobody@same.example"]
    assert {row["project_id"] for row in rows} == {"00000000-0000-7000-8000-000000000000"}
    assert links == 0


@contextlib.asynccontextmanager
async def held(posted: Posted) -> Any:
    """Keep the worker from answering what was asked."""
    await answered(posted)
    await posted.sql.execute("REVOKE UPDATE ON tocsin.resets FROM tocsin_app")
    try:
        yield
    finally:
        await posted.sql.execute("GRANT UPDATE ON tocsin.resets TO tocsin_app")


async def answered(posted: Posted) -> None:
    """Wait until everything that was asked has been looked up."""

    async def none_waits() -> bool:
        return not await posted.sql.fetchval("SELECT count(*) FROM tocsin.resets")

    await until(none_waits)


async def test_a_link_works_once_even_when_used_at_once(posted: Posted) -> None:
    project = await posted.sign_up("Race")
    token = await forget(posted, project)
    replies = await asyncio.gather(
        *(posted.api.post(RESET, {"token": token, "password": f"{NEW} {n}"}) for n in range(6))
    )
    assert sorted(reply.status for reply in replies) == [204] + [400] * 5
    assert {reply.code for reply in replies} == {None, "invalid_link"}
    (winner,) = [n for n, reply in enumerate(replies) if reply.status == 204]
    assert await signs_in(posted, project, f"{NEW} {winner}")


async def test_whatever_is_wrong_with_a_link_is_answered_alike(posted: Posted, shop: Project) -> None:
    project = await posted.sign_up("Wrong")
    verify = await posted.token(project.email, "Confirm your e-mail")
    used, spent, late = [await forget(posted, project) for _ in range(3)]
    await posted.sql.execute(
        "UPDATE tocsin.links SET expires_at = now() - interval '1 second', used_at = NULL WHERE id = $1", id_of(late)
    )
    assert (await posted.api.post(RESET, {"token": used, "password": NEW})).status == 204
    await posted.sql.execute("DELETE FROM tocsin.mail_counts")
    await posted.sql.execute("UPDATE tocsin.links SET used_at = NULL WHERE id = $1", id_of(late))
    live = await forget(posted, project)
    tokens = {
        "used": used,
        "expired": late,
        "spent by another reset": spent,
        "of another purpose": verify,
        "changed at the end": live[:-2] + ("AA" if live[-2:] != "AA" else "BB"),
        "of no project": "lk_" + "A" * 87,
        "short": live[:-8],
        "long": live + "AAAA",
        "empty": "",
        "without its mark": live[3:],
        "no base64": "lk_" + "!" * 87,
        "beyond ASCII": "lk_" + "ä" * 87,
    }
    replies = {name: await posted.api.post(RESET, {"token": token, "password": NEW}) for name, token in tokens.items()}
    bodies = {name: {**reply.json, "requestId": None} for name, reply in replies.items()}
    assert {name: reply.status for name, reply in replies.items()} == dict.fromkeys(tokens, 400)
    assert all(body == bodies["used"] for body in bodies.values()), bodies
    assert bodies["used"]["code"] == "invalid_link"
    assert (await posted.api.post(RESET, {"token": live, "password": NEW})).status == 204


async def test_a_link_says_nothing_in_another_project(posted: Posted, shop: Project, other: Project) -> None:
    """Its own project stands in the token; with another one written over it, it is as good as made up."""
    raw = opened(await forget(posted, shop))
    moved, sandbox = uuid.UUID(other.id).bytes + raw[16:], raw[:32] + b"\1" + raw[33:]
    for forged in (closed(moved), closed(sandbox)):
        reply = await posted.api.post(RESET, {"token": forged, "password": NEW})
        assert (reply.status, reply.code) == (400, "invalid_link")
    assert await signs_in(posted, shop, PASSWORD)
    assert await signs_in(posted, other, PASSWORD)


def opened(token: str) -> bytes:
    """Project, link, environment and secret of a token."""
    return base64.urlsafe_b64decode(token[3:] + "=" * (-len(token[3:]) % 4))


def closed(raw: bytes) -> str:
    return "lk_" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def id_of(token: str) -> uuid.UUID:
    return uuid.UUID(bytes=opened(token)[16:32])


async def test_after_a_change_of_the_address_older_links_are_worth_nothing(posted: Posted) -> None:
    project = await posted.sign_up("Leaver")
    token = await forget(posted, project)
    me = project.signed_up["user"]["id"]
    assert (await project.owner.put(f"/users/{me}", {"email": "moved@away.example"})).status == 200
    assert (await posted.api.post(RESET, {"token": token, "password": NEW})).code == "invalid_link"


async def test_a_disabled_person_gets_no_link_and_an_older_one_does_not_work(posted: Posted) -> None:
    project = await posted.sign_up("Blocked")
    await posted.member(project, "second@blocked.example", "owner")
    token = await forget(posted, project)
    await posted.sql.execute(
        "UPDATE tocsin.users SET status = 'disabled' WHERE id = $1", project.signed_up["user"]["id"]
    )
    assert (await posted.api.post(RESET, {"token": token, "password": NEW})).code == "invalid_link"
    assert (await posted.api.post(FORGOT, {"email": project.email})).status == 202
    await answered(posted)
    count = "SELECT count(*) FROM tocsin.links WHERE project_id = $1 AND purpose = 'reset_password'"
    assert await posted.sql.fetchval(count, project.id) == 1


async def test_a_link_is_made_of_what_is_configured_and_not_of_the_host_header(posted: Posted, shop: Project) -> None:
    evil = posted.api.with_headers(Host="evil.example", X_Forwarded_Host="evil.example", Forwarded="host=evil.example")
    assert (await evil.post(FORGOT, {"email": shop.email})).status == 202
    mail = await posted.boxes.next(shop.email, "Choose a new password")
    assert "evil" not in mail.as_string()
    assert f"{PUBLIC_URL}/account/reset-password#token=lk_" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


async def test_an_address_of_two_projects_gets_a_mail_from_each_and_of_one_that_is_named(posted: Posted) -> None:
    email = "both@forgotten.example"
    one = await posted.sign_up("One", email=email)
    await posted.sign_up("Two", email=email)
    await posted.api.post(FORGOT, {"email": email})
    await posted.boxes.next(email, "Choose a new password for One")
    await posted.boxes.next(email, "Choose a new password for Two")
    await posted.api.post(FORGOT, {"email": email, "project": one.slug})
    mail = await posted.boxes.next(email, "Choose a new password for One")
    await posted.api.post(RESET, {"token": token_in(mail), "password": NEW})
    for slug, password in ((one.slug, NEW), (None, PASSWORD)):
        body = {"email": email, "password": password, **({"project": slug} if slug else {})}
        assert (await posted.api.post("/auth/login", body)).status == 200


async def test_an_address_gets_five_mails_an_hour_and_the_answer_does_not_say_so(posted: Posted) -> None:
    project = await posted.sign_up("Flooded")
    for _ in range(8):
        assert (await posted.api.post(FORGOT, {"email": project.email})).status == 202
    await answered(posted)
    links = "SELECT count(*) FROM tocsin.links WHERE project_id = $1 AND purpose = 'reset_password'"
    # The mail of the sign-up was the first of the hour.
    assert await posted.sql.fetchval(links, project.id) == 4


async def test_a_network_address_may_ask_twenty_times_an_hour(posted: Posted) -> None:
    replies = [await posted.api.post(FORGOT, {"email": f"nobody-{n}@flood.example"}) for n in range(22)]
    assert [reply.status for reply in replies] == [202] * 20 + [429] * 2
    assert replies[-1].code == "too_many_requests"
    assert int(replies[-1].headers["Retry-After"]) > 0


async def test_a_password_is_changed_by_who_knows_it_and_other_sessions_end(posted: Posted) -> None:
    project = await posted.sign_up("Changed")
    login = await posted.api.post("/auth/login", {"email": project.email, "password": PASSWORD})
    elsewhere = posted.api.with_token(login.json["tokens"]["accessToken"])
    wrong = await project.owner.post(CHANGE, {"current": "not it at all", "new": NEW})
    assert (wrong.status, wrong.code) == (403, "wrong_password")
    assert (await elsewhere.get("/auth/me")).status == 200
    assert (await project.owner.post(CHANGE, {"current": PASSWORD, "new": NEW})).status == 204
    assert (await project.owner.get("/auth/me")).status == 200
    assert (await elsewhere.get("/auth/me")).status == 401
    assert await signs_in(posted, project, NEW)
    await posted.boxes.next(project.email, "Your password at Changed was changed")
    assert (await posted.actions(project))[-1] == "password.changed"


async def test_a_changed_password_makes_links_for_a_forgotten_one_worthless(posted: Posted) -> None:
    project = await posted.sign_up("Overtaken")
    token = await forget(posted, project)
    await project.owner.post(CHANGE, {"current": PASSWORD, "new": NEW})
    assert (await posted.api.post(RESET, {"token": token, "password": PASSWORD})).code == "invalid_link"


@pytest.mark.parametrize("password", ["", "seven77", "x" * 257, "nul\0inside"])
async def test_what_is_no_password_is_refused_by_its_place_and_the_link_still_works(
    posted: Posted, password: str
) -> None:
    project = await posted.sign_up("Careful")
    token = await forget(posted, project)
    reply = await posted.api.post(RESET, {"token": token, "password": password})
    assert (reply.status, reply.pointers) == (422, ["/password"])
    reply = await project.owner.post(CHANGE, {"current": PASSWORD, "new": password})
    assert (reply.status, reply.pointers) == (422, ["/new"])
    assert (await posted.api.post(RESET, {"token": token, "password": "73 bytes " + "y" * 64})).status == 204


async def test_ten_megabytes_are_no_password(posted: Posted) -> None:
    reply = await posted.api.post(RESET, {"token": "lk_", "password": "x" * 10_000_000})
    assert reply.status == 413


async def test_an_api_key_has_no_password_to_change(shop: Project) -> None:
    for caller in (shop.key, shop.app):
        assert (await caller.post(CHANGE, {"current": PASSWORD, "new": NEW})).status in (401, 403)


async def test_no_token_of_a_link_stands_in_the_database_nor_in_a_log(posted: Posted) -> None:
    project = await posted.sign_up("Sealed")
    token = await forget(posted, project)
    kept = ""
    for table in ("mails", "links", "resets", "audit_log", "invites"):
        kept += str(await posted.sql.fetchval(f"SELECT string_agg(t::text, '') FROM tocsin.{table} t"))
    assert project.id in kept
    assert token not in kept
    assert token[3:40] not in kept
    assert token not in posted.worker.log.read_text()
