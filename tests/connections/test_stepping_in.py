"""Admins over connections: stopped, limited, looked into, each on the record and none with a secret (C5, C6)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.client import Client, Project, Reply, sign_up
from tests.connections.build import LOGIN, MAIL, PASSWORD, MailServer, mail_server, make_hook, make_mail
from tests.operators import Operator, operator
from tests.people import Person, join
from tests.running import Site

REASON = {"reason": "Complaints of receivers"}


@pytest.fixture
async def shop(api: Client) -> Project:
    return await sign_up(api, "Shop")


@pytest.fixture
async def ann(api: Client, shop: Project) -> Person:
    return await join(api, shop)


@pytest.fixture(scope="module")
async def support(api: Client, site: Site) -> Operator:
    return await operator(api, site, "support")


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as seen:
        yield seen


async def patch(caller: Client, path: str, body: Any = None) -> Reply:
    return await caller.send("PATCH", path, body)


async def accesses(project: Project) -> list[Any]:
    """The mails about connections, as the project sees them."""
    mails = (await project.owner.get("/mails", limit=200)).json["items"]
    return [(mail["kind"], mail["recipient"]) for mail in mails if mail["kind"].startswith("connection")]


async def mailed(project: Project, person: Person, email: str = "ann@example.com") -> None:
    assert (await project.key.put(f"/users/{person.id}", {"email": email})).status == 200


async def test_a_suspended_connection_says_why_and_goes_on_as_it_was(
    shop: Project, ann: Person, server: MailServer
) -> None:
    await mailed(shop, ann)
    made = await make_mail(ann.client, port=server.port)
    where = f"/connections/{made['id']}"
    assert (await ann.client.post(f"{where}/verify")).json["status"] == "active"
    stopped = await patch(shop.owner, f"{where}/suspend", REASON)
    assert (stopped.status, stopped.json["status"], stopped.json["suspendedBy"]) == (200, "suspended", "project")
    seen = await ann.client.get(where)
    assert (seen.json["status"], seen.json["statusReason"]) == ("suspended", REASON["reason"])
    assert await accesses(shop) == [("connection_suspended", "ann@example.com")]
    going = await patch(shop.owner, f"{where}/activate")
    assert (going.json["status"], going.json["statusReason"], going.json["suspendedBy"]) == ("active", None, None)
    assert (await patch(shop.owner, f"{where}/activate")).code == "not_suspended"


async def test_what_was_never_verified_goes_on_as_pending(shop: Project) -> None:
    made = await make_mail(shop.key)
    await patch(shop.owner, f"/connections/{made['id']}/suspend", REASON)
    assert (await patch(shop.owner, f"/connections/{made['id']}/activate")).json["status"] == "pending"


async def test_its_owner_cannot_get_around_a_suspension(shop: Project, ann: Person, server: MailServer) -> None:
    made = await make_mail(ann.client, port=server.port)
    where = f"/connections/{made['id']}"
    await patch(shop.owner, f"{where}/suspend", REASON)
    assert (await ann.client.post(f"{where}/verify")).code == "connection_suspended"
    rotated = await ann.client.post(f"{where}/rotate", {"credentials": {"password": "another one"}})
    assert rotated.json["status"] == "suspended"
    assert (await patch(ann.client, f"{where}/activate")).code == "permission_missing"
    assert (await ann.client.delete(where)).code == "connection_suspended"
    body = {"provider": "smtp", "name": "second", "settings": MAIL, "credentials": {}}
    assert (await ann.client.post("/connections", body)).code == "own_connection_exists"


async def test_what_the_platform_suspended_the_project_cannot_activate(shop: Project, support: Operator) -> None:
    made = await make_hook(shop.key)
    where = f"/connections/{made['id']}"
    stopped = await patch(support.client, f"/platform{where}/suspend", REASON)
    assert (stopped.status, stopped.json["suspendedBy"], stopped.json["projectId"]) == (200, "platform", shop.id)
    assert stopped.json["credentials"] is None
    for path in ("activate", "suspend"):
        body = REASON if path == "suspend" else None
        assert (await patch(shop.owner, f"{where}/{path}", body)).code == "suspended_by_platform"
    assert (await shop.owner.delete(where)).code == "connection_suspended"
    assert (await patch(support.client, f"/platform{where}/activate")).json["status"] == "active"
    assert await accesses(shop) == [("connection_suspended", shop.email)]


async def test_each_above_sets_a_ceiling_for_those_below(shop: Project, ann: Person, support: Operator) -> None:
    made = await make_mail(ann.client)
    where = f"/connections/{made['id']}"
    for caller, path, body in (
        (ann.client, where, {"maxConcurrent": 50, "requestsPerSecond": 20}),
        (shop.owner, where, {"maxConcurrent": 10}),
        (support.client, f"/platform{where}", {"maxConcurrent": 30, "requestsPerSecond": 5}),
    ):
        assert (await patch(caller, f"{path}/limits", body)).status == 200
    seen = (await ann.client.get(where)).json
    assert seen["limits"] == {"maxConcurrent": 10, "requestsPerSecond": 5}
    assert seen["ceilings"] == {"maxConcurrent": 10, "requestsPerSecond": 5}
    for caller, most in ((ann.client, 10), (shop.owner, 30)):
        refused = await patch(caller, f"{where}/limits", {"maxConcurrent": most + 1})
        assert (refused.status, refused.pointers) == (422, ["/maxConcurrent"])
        assert str(most) in refused.json["errors"][0]["detail"]
    freed = await patch(support.client, f"/platform{where}/limits", {"requestsPerSecond": None})
    assert freed.json["limits"] == {"maxConcurrent": 10, "requestsPerSecond": 20}


async def test_a_ceiling_is_not_left_behind_by_making_the_connection_again(
    shop: Project, ann: Person, support: Operator
) -> None:
    own, projects = await make_mail(ann.client), await make_mail(shop.key)
    for made, caller in ((own, ann.client), (projects, shop.owner)):
        where = f"/connections/{made['id']}"
        assert (await patch(support.client, f"/platform{where}/limits", {"requestsPerSecond": 1})).status == 200
        refused = await caller.delete(where)
        assert (refused.status, refused.code) == (409, "connection_limited")
        assert "operator" in refused.json["detail"]
        await patch(support.client, f"/platform{where}/limits", {"requestsPerSecond": None})
    await patch(shop.owner, f"/connections/{own['id']}/limits", {"maxConcurrent": 2})
    assert "an admin" in (await ann.client.delete(f"/connections/{own['id']}")).json["detail"]
    await patch(shop.owner, f"/connections/{own['id']}/limits", {"maxConcurrent": None})
    await patch(ann.client, f"/connections/{own['id']}/limits", {"maxConcurrent": 3})
    assert (await ann.client.delete(f"/connections/{own['id']}")).status == 204
    assert (await shop.owner.delete(f"/connections/{projects['id']}")).status == 204


async def test_a_project_sends_through_no_second_connection_to_a_suspended_account(
    api: Client, shop: Project, support: Operator, server: MailServer
) -> None:
    first = await make_mail(shop.key, port=server.port)
    where = f"/connections/{first['id']}"
    assert (await shop.key.post(f"{where}/verify")).status == 200
    await patch(support.client, f"/platform{where}/suspend", REASON)
    body = {"provider": "smtp", "name": "second", "settings": {**MAIL, "port": server.port}, "credentials": LOGIN}
    refused = await shop.owner.post("/connections", body)
    assert (refused.status, refused.code) == (409, "account_suspended")
    assert "operator" in refused.json["detail"]
    rotated = await shop.owner.post(f"{where}/rotate", {"credentials": {"password": "another one"}})
    assert rotated.json["status"] == "suspended"
    second = await make_mail(shop.key, port=server.port)
    tried = await shop.key.post(f"/connections/{second['id']}/verify", {"target": "desk@example.com"})
    assert (tried.status, tried.code, server.taken) == (409, "account_suspended", [])
    assert (await shop.key.get(f"/connections/{second['id']}")).json["status"] == "pending"
    rival = await sign_up(api, "Rival")
    theirs = await make_mail(rival.key, port=server.port)
    assert (await rival.key.post(f"/connections/{theirs['id']}/verify")).status == 200
    await patch(support.client, f"/platform{where}/activate")
    assert (await shop.key.post(f"/connections/{second['id']}/verify")).status == 200


async def test_what_leads_elsewhere_beside_a_suspended_account_is_proven_anew(
    shop: Project, support: Operator, server: MailServer
) -> None:
    async with mail_server() as elsewhere:
        first, second = [await make_mail(shop.key, port=each.port) for each in (server, elsewhere)]
        for made in (first, second):
            assert (await shop.key.post(f"/connections/{made['id']}/verify")).status == 200
        await patch(support.client, f"/platform/connections/{first['id']}/suspend", REASON)
        body = {"settings": {**MAIL, "port": server.port}, "credentials": LOGIN}
        moved = await shop.owner.put(f"/connections/{second['id']}", body)
        assert (moved.status, moved.json["status"]) == (200, "pending")
        assert (await shop.owner.post(f"/connections/{second['id']}/verify")).code == "account_suspended"


async def test_a_person_finds_no_second_way_to_what_the_projects_admin_suspended(
    shop: Project, ann: Person, server: MailServer
) -> None:
    await shop.owner.put("/projects/me/settings", {"connections": {"ownPerProvider": 2}})
    own, projects = await make_mail(ann.client, port=server.port), await make_mail(shop.key, port=server.port)
    await patch(shop.owner, f"/connections/{own['id']}/suspend", REASON)
    body = {"provider": "smtp", "name": "second", "settings": {**MAIL, "port": server.port}, "credentials": LOGIN}
    refused = await ann.client.post("/connections", body)
    assert (refused.code, "admin" in refused.json["detail"]) == ("account_suspended", True)
    assert (await shop.key.post(f"/connections/{projects['id']}/verify")).status == 200


@pytest.mark.parametrize("body", [{"maxConcurrent": 0}, {"requestsPerSecond": 1_001}, {"maxConcurrent": 1.5}, {"x": 1}])
async def test_a_limit_without_sense_is_refused(acme: Project, body: Any) -> None:
    made = await make_hook(acme.key)
    assert (await patch(acme.owner, f"/connections/{made['id']}/limits", body)).status == 422


async def test_a_look_shows_whose_account_it_is_and_never_the_credential(
    shop: Project, ann: Person, server: MailServer
) -> None:
    await mailed(shop, ann)
    made = await make_mail(ann.client, port=server.port)
    where = f"/connections/{made['id']}/access"
    first = await shop.owner.post(where, REASON)
    again = await shop.owner.post(where, {**REASON, "target": "desk@example.com"})
    assert (first.status, again.status) == (200, 200)
    assert first.json["visit"]["id"] == again.json["visit"]["id"]
    assert first.json["account"]["name"] and first.json["problem"] is None
    assert first.json["statistics"] == {"sent": 0, "failed": 0, "waiting": 0}
    assert (first.json["testMessage"], again.json["testMessage"]["status"]) == (None, "sent")
    assert [recipients for recipients, _ in server.taken] == [["desk@example.com"]]
    assert PASSWORD not in str(first.json) + str(again.json)
    assert first.json["connection"]["credentials"] is None
    assert await accesses(shop) == [("connection_accessed", "ann@example.com")]
    assert (await ann.client.get(f"/connections/{made['id']}")).json["status"] == "pending"


async def test_a_look_tells_what_the_provider_says_against_it_without_the_secret(
    shop: Project, ann: Person, server: MailServer
) -> None:
    wrong = "canary-that-is-wrong"
    made = await make_mail(ann.client, port=server.port, login={"username": "acme", "password": wrong})
    looked = await shop.owner.post(f"/connections/{made['id']}/access", REASON)
    assert (looked.status, looked.json["account"]) == (200, None)
    assert "535" in looked.json["problem"] and wrong not in str(looked.json)


async def test_a_look_of_the_platform_is_on_both_records_and_told_to_the_projects_owner(
    shop: Project, support: Operator, server: MailServer
) -> None:
    made = await make_mail(shop.key, port=server.port)
    looked = await support.client.post(f"/platform/connections/{made['id']}/access", REASON)
    assert (looked.status, looked.json["connection"]["credentials"]) == (200, None)
    assert PASSWORD[-4:] not in str(looked.json["connection"])
    (entry,) = (await shop.owner.get("/audit", action="connection.accessed")).json["items"]
    assert (entry["actorType"], entry["actorId"]) == ("platform_admin", support.id)
    assert await accesses(shop) == [("connection_accessed", shop.email)]


async def test_nobody_looks_into_a_connection_without_the_permission(
    api: Client, site: Site, shop: Project, ann: Person
) -> None:
    made = await make_mail(ann.client)
    billing, rival = await operator(api, site, "billing"), await sign_up(api, "Rival")
    _, manager = await shop.new_key("connections:read", "connections:manage")
    where = f"/connections/{made['id']}"
    for caller in (ann.client, manager):
        assert (await caller.post(f"{where}/access", REASON)).code == "permission_missing"
        assert (await patch(caller, f"{where}/suspend", REASON)).code == "permission_missing"
    for caller in (billing.client, rival.owner, shop.owner):
        assert (await caller.post(f"/platform{where}/access", REASON)).code == "permission_missing"
        assert (await caller.get("/platform/connections")).code == "permission_missing"
    assert (await rival.owner.post(f"{where}/access", REASON)).status == 404
    assert (await patch(rival.owner, f"{where}/suspend", REASON)).status == 404


async def test_the_operator_finds_connections_of_all_projects_by_what_they_are(
    api: Client, shop: Project, ann: Person, support: Operator
) -> None:
    rival = await sign_up(api, "Rival")
    hook, own = await make_hook(shop.key, name="canary-name"), await make_mail(ann.client)
    other = await make_hook(rival.key)

    async def found(**filters: str) -> set[str]:
        reply = await support.client.get("/platform/connections", **filters)
        assert reply.status == 200, reply.json
        assert "canary" not in str(reply.json) and "credentials" not in str(reply.json)
        return {item["id"] for item in reply.json["items"]}

    assert await found(projectId=shop.id) == {hook["id"], own["id"]}
    assert await found(projectId=shop.id, owner="user") == {own["id"]}
    assert await found(projectId=rival.id, provider="webhook", status="active") == {other["id"]}
    assert await found(projectId=rival.id, provider="smtp") == set()
    page = await support.client.get("/platform/connections", projectId=shop.id, limit=1)
    rest = await support.client.get("/platform/connections", projectId=shop.id, limit=1, cursor=page.json["nextCursor"])
    assert [page.json["items"][0]["id"], rest.json["items"][0]["id"]] == [own["id"], hook["id"]]
    one = await support.client.get(f"/platform/connections/{own['id']}")
    assert (one.json["projectId"], one.json["userId"], one.json["credentials"]) == (shop.id, ann.id, None)


async def test_support_steps_in_and_only_a_super_admin_has_the_platforms_own(
    api: Client, site: Site, support: Operator
) -> None:
    chief = await operator(api, site)
    body = {"provider": "smtp", "name": "Platform", "settings": MAIL, "credentials": {}}
    assert (await support.client.post("/platform/connections", body)).code == "permission_missing"
    made = await chief.client.post("/platform/connections", body)
    assert (made.status, made.json["owner"]) == (201, "platform")
    assert (await support.client.delete(f"/platform/connections/{made.json['id']}")).code == "permission_missing"
    assert (await support.client.get(f"/platform/connections/{made.json['id']}")).status == 200
    assert (await chief.client.delete(f"/platform/connections/{made.json['id']}")).status == 204
    hook = {"provider": "webhook", "name": "x", "settings": {"url": "http://127.0.0.1:8700/hook"}}
    refused = await chief.client.post("/platform/connections", hook)
    assert (refused.status, refused.pointers) == (422, ["/owner"])


async def test_the_operator_changes_no_projects_connection_as_if_it_were_the_platforms(
    api: Client, site: Site, shop: Project
) -> None:
    chief, made = await operator(api, site), await make_mail(shop.key)
    where = f"/platform/connections/{made['id']}"
    replies = [
        await chief.client.put(where, {"name": "Mine"}),
        await chief.client.post(f"{where}/verify"),
        await chief.client.post(f"{where}/rotate"),
        await chief.client.post(f"{where}/default"),
        await chief.client.delete(where),
    ]
    assert [reply.status for reply in replies] == [404] * 5
