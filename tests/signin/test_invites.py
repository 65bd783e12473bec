"""Invitations (bad input 101): who is asked in comes with the promised roles, once, and not with more."""

import asyncio
from typing import Any

import pytest

from tests.client import PASSWORD, Project
from tests.mail.mailbox import text_of, token_in
from tests.mail.posted import PUBLIC_URL, Posted
from tests.people import join

pytestmark = pytest.mark.usefixtures("new_hour")

ACCEPT = "/invites/accept"
NEW = "chosen by myself"


async def accept(posted: Posted, token: str, **fields: Any) -> Any:
    return await posted.api.post(ACCEPT, {"token": token, "password": NEW, **fields})


async def user_of(project: Project, email: str) -> Any:
    (user,) = [user for user in (await project.key.get("/users", limit=200)).json["items"] if user["email"] == email]
    return user


async def test_who_is_invited_chooses_a_password_and_is_signed_in_with_the_promised_roles(
    posted: Posted, shop: Project
) -> None:
    body = {"email": "New@Team.example", "roles": ["viewer", "agent"], "name": "Newt"}
    made = await shop.owner.post("/invites", body)
    assert made.status == 201
    assert (made.json["email"], made.json["roles"], made.json["state"]) == (
        "new@team.example",
        ["viewer", "agent"],
        "open",
    )
    waiting = await user_of(shop, "new@team.example")
    assert (waiting["status"], waiting["roles"], waiting["name"]) == ("unverified", [], "Newt")
    mail = await posted.boxes.next("new@team.example", "You are invited to Shop")
    assert f"{shop.email} invites you to Shop" in text_of(mail)
    assert f"{PUBLIC_URL}/account/accept-invite#token=lk_" in text_of(mail)
    reply = await accept(posted, token_in(mail), name="Newton")
    assert reply.status == 200
    assert set(reply.json) == {"tokens", "user", "project"}
    user = reply.json["user"]
    assert (user["status"], user["roles"], user["name"]) == ("active", ["agent", "viewer"], "Newton")
    assert user["emailVerifiedAt"] is not None
    me = await posted.api.with_token(reply.json["tokens"]["accessToken"]).get("/auth/me")
    assert me.json["project"]["id"] == shop.id
    login = {"email": "new@team.example", "password": NEW}
    assert (await posted.api.post("/auth/login", login)).status == 200
    assert (await posted.actions(shop))[-2:] == ["user.invited", "invite.accepted"]


async def test_an_invitation_is_accepted_once_even_at_once(posted: Posted, shop: Project) -> None:
    token = await posted.invited(shop, "once@team.example")
    replies = await asyncio.gather(*(accept(posted, token) for _ in range(5)))
    assert sorted(reply.status for reply in replies) == [200] + [400] * 4
    assert {reply.code for reply in replies} == {None, "invalid_link"}


async def test_who_is_known_is_invited_by_id_and_keeps_their_roles(posted: Posted, shop: Project) -> None:
    user = await shop.add_user(roles=["viewer"])
    made = await shop.key.post(f"/users/{user['id']}/invite")
    assert (made.status, made.json["userId"], made.json["roles"]) == (201, user["id"], [])
    mail = await posted.boxes.next(user["email"], "You are invited")
    assert "Shop invites you to Shop" in text_of(mail)
    reply = await accept(posted, token_in(mail))
    assert (reply.json["user"]["id"], reply.json["user"]["roles"]) == (user["id"], ["viewer"])


async def test_who_registered_and_waits_gets_what_they_wished_for(posted: Posted, shop: Project) -> None:
    await shop.key.post("/roles", {"name": "courier", "permissions": ["own:manage"]})
    await shop.app.post("/users/register", {"email": "waits@team.example", "roles": ["courier"]})
    user = await user_of(shop, "waits@team.example")
    await shop.owner.post(f"/users/{user['id']}/invite")
    reply = await accept(posted, await posted.token("waits@team.example", "You are invited"))
    assert (reply.json["user"]["status"], reply.json["user"]["roles"]) == ("active", ["courier"])


async def test_nobody_invites_with_more_than_they_may(posted: Posted, shop: Project) -> None:
    _, small = await shop.new_key("users:manage", "users:read")
    refused = await small.post("/invites", {"email": "big@team.example", "roles": ["owner"]})
    assert (refused.status, refused.code) == (403, "role_not_allowed")
    powerful = await shop.add_user(roles=["viewer"])
    refused = await small.post(f"/users/{powerful['id']}/invite")
    assert (refused.status, refused.code) == (403, "role_not_allowed")
    assert (await small.post("/invites", {"email": "small@team.example"})).status == 201
    _, reader = await shop.new_key("users:read")
    assert (await reader.post("/invites", {"email": "x@team.example"})).code == "permission_missing"
    assert posted.boxes.of("big@team.example") == []
    assert [
        u for u in (await shop.key.get("/users", limit=200)).json["items"] if u["email"] == "big@team.example"
    ] == []


async def test_an_ordinary_user_invites_nobody(posted: Posted, shop: Project) -> None:
    person = await join(posted.api, shop)
    assert (await person.client.post("/invites", {"email": "friend@team.example"})).status == 403
    assert (await person.client.post(f"/users/{person.id}/invite")).status == 403
    assert (await person.client.get("/invites")).status == 403


async def test_a_role_that_is_gone_makes_the_invitation_outdated(posted: Posted, shop: Project) -> None:
    role = (await shop.owner.post("/roles", {"name": "brief", "permissions": ["users:read"]})).json
    token = await posted.invited(shop, "brief@team.example", roles=["brief", "viewer"])
    await shop.owner.delete(f"/roles/{role['id']}")
    reply = await accept(posted, token)
    assert (reply.status, reply.code) == (409, "invite_outdated")
    user = await user_of(shop, "brief@team.example")
    assert (user["status"], user["roles"]) == ("unverified", [])


async def test_a_withdrawn_invitation_works_no_more(posted: Posted, shop: Project) -> None:
    token = await posted.invited(shop, "withdrawn@team.example")
    (invite,) = [i for i in (await shop.key.get("/invites")).json["items"] if i["email"] == "withdrawn@team.example"]
    assert (await shop.owner.delete(f"/invites/{invite['id']}")).status == 204
    assert (await accept(posted, token)).code == "invalid_link"
    again = await shop.owner.delete(f"/invites/{invite['id']}")
    assert (again.status, again.code) == (409, "not_open")
    assert (await posted.actions(shop))[-1] == "invite.withdrawn"


async def test_a_newer_invitation_replaces_the_older_one(posted: Posted, shop: Project) -> None:
    first = await posted.invited(shop, "twice@team.example", roles=["viewer"])
    second = await posted.invited(shop, "twice@team.example", roles=["user"])
    assert (await accept(posted, first)).code == "invalid_link"
    assert (await accept(posted, second)).json["user"]["roles"] == ["user"]
    states = [i["state"] for i in (await shop.key.get("/invites")).json["items"] if i["email"] == "twice@team.example"]
    assert states == ["accepted", "withdrawn"]


async def test_an_invitation_lasts_seven_days(posted: Posted, shop: Project) -> None:
    token = await posted.invited(shop, "slow@team.example")
    days = "SELECT expires_at - created_at FROM tocsin.invites WHERE email = 'slow@team.example'"
    assert round((await posted.sql.fetchval(days)).total_seconds() / 86_400, 2) == 7
    for table in ("invites", "links"):
        await posted.sql.execute(
            f"UPDATE tocsin.{table} SET expires_at = now() - interval '1 second' WHERE email = 'slow@team.example'"
        )
    assert (await accept(posted, token)).code == "invalid_link"
    (shown,) = [i for i in (await shop.key.get("/invites")).json["items"] if i["email"] == "slow@team.example"]
    assert shown["state"] == "expired"


async def test_who_can_sign_in_or_is_disabled_is_not_invited(posted: Posted, shop: Project) -> None:
    reply = await shop.owner.post("/invites", {"email": shop.email})
    assert (reply.status, reply.code) == (409, "already_member")
    blocked = await shop.add_user(status="disabled")
    assert (await shop.owner.post(f"/users/{blocked['id']}/invite")).code == "user_disabled"
    silent = (await shop.key.post("/users", {"externalUserId": "silent"})).json
    assert (await shop.owner.post(f"/users/{silent['id']}/invite")).code == "no_email"


async def test_without_a_password_an_account_has_none_and_the_link_stays(posted: Posted, shop: Project) -> None:
    token = await posted.invited(shop, "nopass@team.example")
    reply = await posted.api.post(ACCEPT, {"token": token})
    assert (reply.status, reply.pointers) == (422, ["/password"])
    assert (await accept(posted, token)).status == 200


async def test_an_invitation_of_another_project_is_as_absent_as_none(
    posted: Posted, shop: Project, other: Project
) -> None:
    await posted.invited(shop, "mine@team.example")
    (mine,) = [i for i in (await shop.key.get("/invites")).json["items"] if i["email"] == "mine@team.example"]
    nobody = "00000000-0000-7000-8000-00000000dead"
    user = mine["userId"]
    for method, foreign, absent in (
        ("DELETE", f"/invites/{mine['id']}", f"/invites/{nobody}"),
        ("POST", f"/users/{user}/invite", f"/users/{nobody}/invite"),
    ):
        replies = [await other.owner.send(method, path) for path in (foreign, absent)]
        bodies = [{**reply.json, "requestId": None} for reply in replies]
        assert [reply.status for reply in replies] == [404, 404]
        assert bodies[0] == bodies[1]
    assert all(i["email"] != "mine@team.example" for i in (await other.key.get("/invites")).json["items"])


async def test_roles_of_another_project_are_as_unknown_as_none(posted: Posted, shop: Project, other: Project) -> None:
    await other.owner.post("/roles", {"name": "theirs", "permissions": []})
    for name in ("theirs", "of-nobody"):
        reply = await shop.owner.post("/invites", {"email": "x@team.example", "roles": [name]})
        assert (reply.status, reply.pointers) == (422, ["/roles/0"])


async def test_the_same_address_is_invited_by_two_projects_into_both(
    posted: Posted, shop: Project, other: Project
) -> None:
    email = "both@team.example"
    tokens = {}
    for project in (shop, other):
        await project.owner.post("/invites", {"email": email})
        name = project.signed_up["project"]["name"]
        tokens[project.id] = await posted.token(email, f"You are invited to {name}")
    for project in (shop, other):
        reply = await accept(posted, tokens[project.id])
        assert reply.json["project"]["id"] == project.id


async def test_an_address_is_invited_five_times_an_hour_by_each_project(
    posted: Posted, shop: Project, other: Project
) -> None:
    body = {"email": "often@team.example"}
    replies = [await shop.owner.post("/invites", body) for _ in range(6)]
    assert [reply.status for reply in replies] == [201] * 5 + [429]
    assert replies[-1].code == "too_many_mails"
    assert (await other.owner.post("/invites", body)).status == 201


async def test_in_the_sandbox_an_invitation_makes_a_test_person_and_leaves_nothing(
    posted: Posted, shop: Project
) -> None:
    made = await shop.test_key.post("/invites", {"email": "sand@team.example", "roles": ["viewer"]})
    assert (made.status, made.json["env"]) == (201, "test")
    (mail,) = (await shop.test_key.get("/mails")).json["items"]
    assert (mail["state"], mail["recipient"], mail["kind"]) == ("captured", "sand@team.example", "invitation")
    captured = (await shop.test_key.get(f"/mails/{mail['id']}")).json["captured"]
    assert captured["subject"] == "You are invited to Shop"
    reply = await accept(posted, captured["url"].partition("#token=")[2])
    assert (reply.status, reply.json["user"]["env"]) == (200, "test")
    await shop.owner.post("/invites", {"email": "after@team.example"})
    await posted.boxes.next("after@team.example", "You are invited")
    assert posted.boxes.of("sand@team.example") == []
    assert (await shop.key.get("/users", search="sand@team.example")).json["items"] == []


async def test_a_test_caller_does_not_touch_live_people_and_invitations(posted: Posted, shop: Project) -> None:
    user = await shop.add_user()
    await shop.owner.post(f"/users/{user['id']}/invite")
    (made,) = [i for i in (await shop.key.get("/invites")).json["items"] if i["userId"] == user["id"]]
    assert (await shop.test_key.post(f"/users/{user['id']}/invite")).code == "live_object"
    assert (await shop.test_key.delete(f"/invites/{made['id']}")).code == "live_object"


async def test_a_link_of_an_invitation_resets_no_password_and_proves_nothing_else(
    posted: Posted, shop: Project
) -> None:
    token = await posted.invited(shop, "purpose@team.example")
    reset = await posted.api.post("/auth/password/reset", {"token": token, "password": PASSWORD})
    verify = await posted.api.post("/auth/email/verify", {"token": token})
    assert {reset.code, verify.code} == {"invalid_link"}
    assert (await accept(posted, token)).status == 200
