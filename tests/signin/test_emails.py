"""Proof of an e-mail address, and its change (A5, C10; bad inputs 95 and 96)."""

import asyncio

import pytest

from tests.client import PASSWORD, Client, Project
from tests.mail.mailbox import html_of, text_of, url_in
from tests.mail.posted import PUBLIC_URL, Posted

pytestmark = pytest.mark.usefixtures("new_hour")

VERIFY, RESEND, CHANGE = (f"/auth/email/{word}" for word in ("verify", "resend", "change"))


async def me(client: Client) -> dict[str, object]:
    reply = await client.get("/auth/me")
    assert reply.status == 200, reply.json
    return dict(reply.json["user"])


async def test_a_sign_up_works_at_once_and_is_mailed_a_link_that_proves_the_address(posted: Posted) -> None:
    project = await posted.sign_up("Proven")
    assert project.signed_up["user"]["emailVerifiedAt"] is None
    token = await posted.token(project.email, "Confirm your e-mail address for Proven")
    reply = await posted.api.post(VERIFY, {"token": token})
    assert (reply.status, reply.json) == (200, {"email": project.email, "status": "active"})
    assert (await me(project.owner))["emailVerifiedAt"] is not None
    assert (await posted.actions(project))[-1] == "email.verified"


async def test_the_mail_says_which_project_in_text_and_html(posted: Posted) -> None:
    project = await posted.sign_up("Lettered")
    mail = await posted.boxes.next(project.email, "Confirm your e-mail address for Lettered")
    assert str(mail["From"]) == "Lettered <tocsin@platform.example>"
    assert str(mail["To"]) == project.email
    assert str(mail["Auto-Submitted"]) == "auto-generated"
    url = url_in(mail)
    assert url.startswith(f"{PUBLIC_URL}/account/verify-email#token=lk_")
    assert f'href="{url}"' in html_of(mail)
    assert "works once, for 7 days" in text_of(mail)


async def test_of_many_uses_at_once_one_proves_the_address(posted: Posted) -> None:
    project = await posted.sign_up("Raced")
    token = await posted.token(project.email, "Confirm")
    replies = await asyncio.gather(*(posted.api.post(VERIFY, {"token": token}) for _ in range(8)))
    assert sorted(reply.status for reply in replies) == [200] + [400] * 7


async def test_the_mail_is_sent_again_until_the_address_is_proven(posted: Posted) -> None:
    project = await posted.sign_up("Again")
    first = await posted.token(project.email, "Confirm")
    reply = await project.owner.post(RESEND)
    assert (reply.status, reply.json) == (202, {"status": "accepted"})
    second = await posted.token(project.email, "Confirm")
    assert (await posted.api.post(VERIFY, {"token": second})).status == 200
    assert (await posted.api.post(VERIFY, {"token": first})).code == "invalid_link"
    assert (await project.owner.post(RESEND)).code == "already_verified"


async def test_the_mail_is_sent_again_five_times_an_hour(posted: Posted, shop: Project) -> None:
    project = await posted.sign_up("Impatient")
    replies = [await project.owner.post(RESEND) for _ in range(6)]
    assert [reply.status for reply in replies] == [202] * 5 + [429]
    assert replies[-1].code == "too_many_mails"
    assert "Retry-After" in replies[-1].headers
    assert (await shop.owner.post(RESEND)).status == 202


async def test_an_address_changes_when_the_new_one_is_confirmed_and_the_old_one_is_told(posted: Posted) -> None:
    project = await posted.sign_up("Mover")
    body = {"email": "New@Mover.example", "password": PASSWORD}
    assert (await project.owner.post(CHANGE, body)).status == 202
    notice = await posted.boxes.next(project.email, "Your e-mail address at Mover is about to change")
    assert "new@mover.example" in text_of(notice)
    assert "http" not in text_of(notice)
    token = await posted.token("new@mover.example", "Confirm your new e-mail address for Mover")
    assert (await me(project.owner))["email"] == project.email
    reply = await posted.api.post(VERIFY, {"token": token})
    assert (reply.status, reply.json["email"]) == (200, "new@mover.example")
    user = await me(project.owner)
    assert user["email"] == "new@mover.example"
    assert user["emailVerifiedAt"] is not None
    login = {"email": "new@mover.example", "password": PASSWORD}
    assert (await posted.api.post("/auth/login", login)).status == 200
    assert (await posted.actions(project))[-2:] == ["email.change_requested", "email.changed"]


async def test_a_change_needs_the_password(posted: Posted) -> None:
    project = await posted.sign_up("Thief")
    for password in ({}, {"password": "a thief's guess"}):
        reply = await project.owner.post(CHANGE, {"email": "thief@elsewhere.example", **password})
        assert (reply.status, reply.code) == (403, "wrong_password")
    assert posted.boxes.of("thief@elsewhere.example") == []


async def test_a_new_password_stops_a_change_that_is_under_way(posted: Posted) -> None:
    project = await posted.sign_up("Stopped")
    await project.owner.post(CHANGE, {"email": "taker@elsewhere.example", "password": PASSWORD})
    token = await posted.token("taker@elsewhere.example", "Confirm your new")
    await project.owner.post("/auth/password/change", {"current": PASSWORD, "new": "a better one"})
    assert (await posted.api.post(VERIFY, {"token": token})).code == "invalid_link"


async def test_a_newer_change_replaces_an_older_one(posted: Posted) -> None:
    project = await posted.sign_up("Twice")
    for name in ("first", "second"):
        await project.owner.post(CHANGE, {"email": f"{name}@twice.example", "password": PASSWORD})
    first = await posted.token("first@twice.example", "Confirm your new")
    second = await posted.token("second@twice.example", "Confirm your new")
    assert (await posted.api.post(VERIFY, {"token": first})).code == "invalid_link"
    assert (await posted.api.post(VERIFY, {"token": second})).status == 200


async def test_after_a_change_no_link_of_the_old_mailbox_works(posted: Posted) -> None:
    project = await posted.sign_up("Oldbox")
    verify = await posted.token(project.email, "Confirm your e-mail")
    await posted.api.post("/auth/password/forgot", {"email": project.email})
    reset = await posted.token(project.email, "Choose a new password")
    await project.owner.post(CHANGE, {"email": "new@oldbox.example", "password": PASSWORD})
    token = await posted.token("new@oldbox.example", "Confirm your new")
    assert (await posted.api.post(VERIFY, {"token": token})).status == 200
    assert (await posted.api.post(VERIFY, {"token": verify})).code == "invalid_link"
    reply = await posted.api.post("/auth/password/reset", {"token": reset, "password": "of the old mailbox"})
    assert reply.code == "invalid_link"


async def test_a_taken_address_gets_no_link_and_the_caller_does_not_learn_of_it(posted: Posted) -> None:
    project = await posted.sign_up("Prober")
    await project.key.post("/users", {"email": "taken@prober.example"})
    replies = [
        await project.owner.post(CHANGE, {"email": email, "password": PASSWORD})
        for email in ("taken@prober.example", "free@prober.example")
    ]
    assert [(reply.status, reply.json) for reply in replies] == [(202, {"status": "accepted"})] * 2
    await posted.boxes.next("free@prober.example", "Confirm your new")
    assert posted.boxes.of("taken@prober.example") == []


async def test_an_address_that_was_taken_meanwhile_is_refused_and_the_link_stays(posted: Posted) -> None:
    project = await posted.sign_up("Late")
    await project.owner.post(CHANGE, {"email": "wanted@late.example", "password": PASSWORD})
    token = await posted.token("wanted@late.example", "Confirm your new")
    other = (await project.key.post("/users", {"email": "wanted@late.example"})).json
    reply = await posted.api.post(VERIFY, {"token": token})
    assert (reply.status, reply.code) == (409, "email_taken")
    await project.key.delete(f"/users/{other['id']}")
    assert (await posted.api.post(VERIFY, {"token": token})).status == 200


async def test_the_same_address_in_another_project_is_another_account(posted: Posted, other: Project) -> None:
    project = await posted.sign_up("Neighbour")
    await project.owner.post(CHANGE, {"email": other.email, "password": PASSWORD})
    token = await posted.token(other.email, "Confirm your new e-mail address for Neighbour")
    assert (await posted.api.post(VERIFY, {"token": token})).status == 200
    assert (await me(project.owner))["email"] == other.email
    assert (await me(other.owner))["emailVerifiedAt"] is None
    assert (await posted.actions(other))[-1] == "project.created"


async def test_an_address_that_an_admin_writes_over_is_no_longer_proven(posted: Posted) -> None:
    project = await posted.sign_up("Overwritten")
    await posted.api.post(VERIFY, {"token": await posted.token(project.email, "Confirm")})
    path = f"/users/{project.signed_up['user']['id']}"
    assert (await project.owner.put(path, {"name": "Ann"})).json["emailVerifiedAt"] is not None
    assert (await project.owner.put(path, {"email": "typed@overwritten.example"})).json["emailVerifiedAt"] is None


async def test_in_one_sync_proof_is_kept_by_those_whose_address_stays(posted: Posted) -> None:
    project = await posted.sign_up("Synced")
    people = [{"externalUserId": f"s-{n}", "email": f"s-{n}@synced.example"} for n in range(3)]
    await project.key.post("/users/sync", {"users": people})
    await posted.sql.execute("UPDATE tocsin.users SET email_verified_at = now() WHERE project_id = $1", project.id)
    people[0]["email"], people[1]["email"] = "s-fresh@synced.example", "s-0@synced.example"
    people[2]["externalUserId"] = "s-renamed"
    assert (await project.key.post("/users/sync", {"users": people})).status == 200
    users = {user["externalUserId"]: user for user in (await project.key.get("/users")).json["items"]}
    proven = {name: users[name]["emailVerifiedAt"] is not None for name in ("s-0", "s-1", "s-renamed")}
    assert proven == {"s-0": False, "s-1": False, "s-renamed": True}


async def test_a_proven_address_of_the_e_mail_channel_is_marked_so(posted: Posted) -> None:
    project = await posted.sign_up("Channel")
    me_ = project.signed_up["user"]["id"]
    for value in (project.email, "another@channel.example"):
        await project.owner.post(f"/users/{me_}/addresses", {"channel": "email", "value": value})
    await posted.api.post(VERIFY, {"token": await posted.token(project.email, "Confirm")})
    addresses = (await project.owner.get(f"/users/{me_}/addresses")).json
    assert [address["verifiedAt"] is not None for address in addresses] == [True, False]


async def test_an_api_key_has_no_address(shop: Project) -> None:
    for path, body in ((RESEND, None), (CHANGE, {"email": "x@x.example"})):
        assert (await shop.key.post(path, body)).status == 403
