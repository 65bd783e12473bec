"""Registration where proof of the e-mail lets people in (A5): a claim token becomes real after it."""

import json
from typing import Any

import pytest

from tests.client import Project
from tests.mail.posted import Posted

pytestmark = pytest.mark.usefixtures("new_hour")

VERIFY = "/auth/email/verify"


@pytest.fixture(scope="module")
async def open_shop(posted: Posted) -> Project:
    """A project that lets people in by e-mail."""
    project = await posted.sign_up("Open")
    await posted.sql.execute(
        "UPDATE tocsin.projects SET settings = $2 WHERE id = $1", project.id, json.dumps({"registration": "email"})
    )
    return project


async def register(project: Project, email: str, **fields: Any) -> Any:
    reply = await project.app.post("/users/register", {"email": email, **fields})
    assert reply.status == 201, reply.json
    return reply.json


async def test_proof_of_the_e_mail_lets_a_person_in(posted: Posted, open_shop: Project) -> None:
    answer = await register(open_shop, "ann@open.example", roles=["viewer"])
    assert answer["user"] == {"id": None, "status": "unverified"}
    claim = {"claimToken": answer["claimToken"]}
    assert (await open_shop.app.post("/users/register/claim", claim)).code == "not_approved"
    token = await posted.token("ann@open.example", "Confirm your e-mail address for Open")
    reply = await posted.api.post(VERIFY, {"token": token})
    assert reply.json == {"email": "ann@open.example", "status": "active"}
    tokens = await open_shop.app.post("/users/register/claim", claim)
    assert tokens.status == 200
    me = await posted.api.with_token(tokens.json["tokens"]["accessToken"]).get("/auth/me")
    assert (me.json["user"]["roles"], me.json["user"]["emailVerifiedAt"] is not None) == (["user"], True)
    assert (await posted.actions(open_shop))[-2:] == ["user.registered", "email.verified"]


async def test_only_self_assignable_roles_are_taken_along(posted: Posted, open_shop: Project) -> None:
    await open_shop.owner.post("/roles", {"name": "guest", "permissions": ["own:manage"], "selfAssignable": True})
    await open_shop.owner.post("/roles", {"name": "staff", "permissions": ["own:manage"]})
    answer = await register(open_shop, "guest@open.example", roles=["guest", "staff", "owner"])
    assert answer["user"]["status"] == "unverified"
    await posted.api.post(VERIFY, {"token": await posted.token("guest@open.example", "Confirm")})
    (user,) = (await open_shop.key.get("/users", search="guest@open.example")).json["items"]
    assert (user["status"], user["roles"]) == ("active", ["guest"])


async def test_an_unverified_person_can_still_be_approved(posted: Posted, open_shop: Project) -> None:
    await register(open_shop, "waits@open.example")
    (user,) = (await open_shop.key.get("/users", status="unverified", search="waits@open")).json["items"]
    approved = await open_shop.owner.post(f"/users/{user['id']}/approve")
    assert (approved.json["status"], approved.json["emailVerifiedAt"]) == ("active", None)


async def test_a_known_e_mail_is_answered_alike_and_its_owner_told(posted: Posted, open_shop: Project) -> None:
    known, new = await register(open_shop, open_shop.email), await register(open_shop, "new@open.example")
    assert {**known, "claimToken": len(known["claimToken"])} == {**new, "claimToken": len(new["claimToken"])}
    await posted.boxes.next(open_shop.email, "You already have an account at Open")
    await posted.boxes.next("new@open.example", "Confirm your e-mail")


async def test_where_a_person_decides_no_mail_is_sent_and_proof_is_not_asked(posted: Posted, shop: Project) -> None:
    answer = await register(shop, "decided@shop.example")
    assert answer["user"]["status"] == "pending"
    mails = (await shop.key.get("/mails", limit=200)).json["items"]
    assert all(mail["recipient"] != "decided@shop.example" for mail in mails)


async def test_the_mail_comes_again_for_the_claim_token_and_the_answer_is_always_the_same(
    posted: Posted, open_shop: Project, shop: Project
) -> None:
    first = await register(open_shop, "again@open.example")
    second = await register(open_shop, "again@open.example")
    await posted.token("again@open.example", "Confirm")
    resend = "/users/register/resend"
    replies = [await open_shop.app.post(resend, {"claimToken": a["claimToken"]}) for a in (first, second)]
    assert [(reply.status, reply.json) for reply in replies] == [(202, {"status": "accepted"})] * 2
    await posted.token("again@open.example", "Confirm")
    assert (await shop.app.post(resend, {"claimToken": first["claimToken"]})).status == 401


async def test_an_address_gets_five_mails_an_hour_and_the_answer_does_not_say_so(
    posted: Posted, open_shop: Project
) -> None:
    claim = {"claimToken": (await register(open_shop, "flood@open.example"))["claimToken"]}
    for _ in range(7):
        assert (await open_shop.app.post("/users/register/resend", claim)).status == 202
    count = "SELECT count(*) FROM tocsin.mails WHERE recipient = 'flood@open.example'"
    assert await posted.sql.fetchval(count) == 5


async def test_in_the_sandbox_the_link_is_read_back_and_nothing_leaves(posted: Posted, open_shop: Project) -> None:
    reply = await open_shop.test_app.post("/users/register", {"email": "sand@open.example"})
    assert reply.json["user"]["status"] == "unverified"
    (mail,) = (await open_shop.test_key.get("/mails")).json["items"]
    url = (await open_shop.test_key.get(f"/mails/{mail['id']}")).json["captured"]["url"]
    token = url.partition("#token=")[2]
    assert (await posted.api.post(VERIFY, {"token": token})).json["status"] == "active"
    claimed = await open_shop.test_app.post("/users/register/claim", {"claimToken": reply.json["claimToken"]})
    assert claimed.status == 200
    assert posted.boxes.of("sand@open.example") == []
