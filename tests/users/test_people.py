"""People over HTTP: made, found, changed, deleted; seen by their own project alone (A2, T2)."""

import asyncio
import secrets
import uuid
from typing import Any

import pytest

from tests.client import Client, Project, sign_up


async def test_a_person_is_made_with_roles_and_addresses(acme: Project) -> None:
    body = {
        "email": "Ada@Example.COM",
        "name": "Ada",
        "phone": "+43 660 1234567",
        "externalUserId": "customer-1",
        "roles": ["viewer", "agent"],
        "addresses": {"telegram": "12345"},
        "metadata": {"tier": "gold", "nested": {"list": [1, 2]}},
        "locale": "de-AT",
        "timezone": "Europe/Vienna",
    }
    reply = await acme.key.post("/users", body)
    assert reply.status == 201
    made = reply.json
    assert made["email"] == "ada@example.com"
    assert made["phone"] == "+436601234567"
    assert made["roles"] == ["agent", "viewer"]
    assert made["addresses"] == {"telegram": "12345"}
    assert made["metadata"] == body["metadata"]
    assert (made["env"], made["status"]) == ("live", "active")
    assert (await acme.key.get(f"/users/{made['id']}")).json == made


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "nobody"}, "/email"),
        ({"phone": "12345"}, "/phone"),
        ({"roles": ["no-such-role"]}, "/roles/0"),
        ({"roles": "viewer"}, "/roles"),
        ({"roles": None, "timezone": "Mars/Olympus"}, "/timezone"),
        ({"addresses": {"telegram": ""}}, "/addresses/telegram"),
        ({"addresses": {"telegram": "@ann"}}, "/addresses"),
        ({"addresses": {"telegram": "99999999999999999"}}, "/addresses"),
        ({"addresses": {"phone": "0660 1234567"}}, "/addresses"),
        ({"addresses": {"whatsapp": "ann"}}, "/addresses"),
        ({"metadata": {"a": 2**63}}, "/metadata/a"),
        ({"metadata": {"a\0b": 1}}, "/metadata"),
        ({"name": "a\0b"}, "/name"),
        ({"externalUserId": ""}, "/externalUserId"),
        ({"status": "pending"}, "/status"),
        ({"id": str(uuid.uuid4())}, "/id"),
        ({"env": "live"}, "/env"),
        ({"passwordHash": "x"}, "/passwordHash"),
        ({"avatarUrl": "javascript:alert(1)"}, "/avatarUrl"),
    ],
)
async def test_what_a_person_cannot_be_is_named_by_its_place(
    acme: Project, change: dict[str, Any], pointer: str
) -> None:
    reply = await acme.key.post("/users", change)
    assert reply.status == 422, reply.json
    assert reply.pointers == [pointer]


async def test_email_and_external_id_are_unique_in_a_project_and_environment(
    two_projects: tuple[Project, Project],
) -> None:
    acme, rival = two_projects
    body = {"email": "unique@x.example", "externalUserId": "unique-1"}
    assert (await acme.key.post("/users", body)).status == 201
    for caller in (rival.key, acme.test_key):
        assert (await caller.post("/users", body)).status == 201
    reply = await acme.key.post("/users", {"email": "unique@x.example"})
    assert (reply.status, reply.code, reply.pointers) == (409, "email_taken", ["/email"])
    reply = await acme.key.post("/users", {"externalUserId": "unique-1"})
    assert (reply.status, reply.code, reply.pointers) == (409, "external_user_id_taken", ["/externalUserId"])


async def test_what_is_sent_changes_and_what_is_left_out_stays(acme: Project) -> None:
    user = await acme.add_user(name="Before", roles=["viewer"], addresses={"telegram": "1", "sms": "2"})
    path = f"/users/{user['id']}"
    changed = (await acme.key.put(path, {"name": "After", "addresses": {"telegram": "3"}})).json
    assert changed["name"] == "After"
    assert changed["email"] == user["email"]
    assert changed["roles"] == ["viewer"]
    assert changed["addresses"] == {"telegram": "3", "sms": "2"}
    assert (await acme.key.put(path, {"roles": [], "name": None})).json["roles"] == []
    assert (await acme.key.get(path)).json["name"] is None
    assert (await acme.key.put(path, {"status": None})).pointers == ["/status"]


async def test_addresses_of_a_person_are_added_listed_and_removed(acme: Project) -> None:
    path = f"/users/{(await acme.add_user())['id']}/addresses"
    first = await acme.key.post(path, {"channel": "telegram", "value": "77"})
    assert first.status == 201
    assert (await acme.key.post(path, {"channel": "telegram", "value": "77"})).code == "address_taken"
    refused = await acme.key.post(path, {"channel": "telegram", "value": "@ann"})
    assert (refused.status, refused.pointers) == (422, ["/value"])
    await acme.key.post(path, {"channel": "telegram", "value": "78"})
    assert [row["value"] for row in (await acme.key.get(path)).json] == ["77", "78"]
    assert (await acme.key.delete(f"{path}/{first.json['id']}")).status == 204
    assert [row["value"] for row in (await acme.key.get(path)).json] == ["78"]


@pytest.mark.parametrize(("letter", "fits", "too_many"), [("", 2_500, 2_501), ("ä", 1_249, 1_250)])
async def test_an_address_is_as_long_as_its_index_takes(acme: Project, letter: str, fits: int, too_many: int) -> None:
    user = await acme.add_user()
    path = f"/users/{user['id']}/addresses"
    text = secrets.token_urlsafe(4_000)
    long = letter * fits if letter else text[:fits]
    longer = f"x{letter * too_many}" if letter else text[:too_many]
    assert (await acme.key.post(path, {"channel": "pager", "value": long})).status == 201
    refused = await acme.key.post(path, {"channel": "pager", "value": longer})
    assert (refused.status, refused.pointers) == (422, ["/value"])
    assert (await acme.key.put(f"/users/{user['id']}", {"addresses": {"sms": longer}})).status == 422


async def test_a_deleted_person_is_gone(acme: Project) -> None:
    user = await acme.add_user()
    assert (await acme.key.delete(f"/users/{user['id']}")).status == 204
    assert (await acme.key.get(f"/users/{user['id']}")).status == 404
    assert (await acme.key.delete(f"/users/{user['id']}")).status == 404


async def test_a_project_keeps_an_owner(api: Client) -> None:
    project = await sign_up(api)
    path = f"/users/{project.signed_up['user']['id']}"
    for reply in (
        await project.owner.put(path, {"roles": ["admin"]}),
        await project.owner.put(path, {"status": "disabled"}),
        await project.owner.delete(path),
    ):
        assert (reply.status, reply.code) == (409, "last_owner")
    assert (await project.key.put(path, {"roles": ["viewer"]})).status == 403
    assert (await project.key.delete(path)).status in (403, 409)


@pytest.mark.parametrize("body", [{"roles": ["viewer"]}, {"status": "disabled"}], ids=str)
async def test_of_two_owners_who_leave_at_once_one_stays(api: Client, body: dict[str, Any]) -> None:
    for _ in range(4):
        project = await sign_up(api)
        first = project.signed_up["user"]["id"]
        second = (await project.owner.post("/users", {"email": "second@x.example", "roles": ["owner"]})).json["id"]
        replies = await asyncio.gather(*(project.owner.put(f"/users/{id_}", body) for id_ in (first, second)))
        assert 200 in {reply.status for reply in replies}
        owners = (await project.key.get("/users", role="owner", status="active")).json["items"]
        assert len(owners) == 1


async def test_a_key_cannot_disable_the_owner_who_may_more(api: Client) -> None:
    project = await sign_up(api)
    second = (await project.owner.post("/users", {"email": "second@x.example", "roles": ["owner"]})).json
    for path in (f"/users/{second['id']}", f"/users/{project.signed_up['user']['id']}"):
        assert (await project.key.put(path, {"status": "disabled"})).status == 403
        assert (await project.key.put(path, {"email": "stolen@x.example"})).status == 403
        assert (await project.key.delete(path)).status in (403, 409)
        assert (await project.key.put(path, {"name": "A Name", "status": "active"})).status == 200
        me = (await project.owner.get(path)).json
        sync = {"users": [{"email": me["email"], "name": "Synchronised", "roles": ["owner"]}]}
        assert (await project.key.post("/users/sync", sync)).code == "role_not_allowed"
        del sync["users"][0]["roles"]
        assert (await project.key.post("/users/sync", sync)).json["updated"] == 1
        sync["users"][0]["status"] = "disabled"
        assert (await project.key.post("/users/sync", sync)).code == "role_not_allowed"


async def test_people_of_another_project_are_as_absent_as_those_that_never_were(
    two_projects: tuple[Project, Project],
) -> None:
    acme, rival = two_projects
    theirs = await rival.add_user(name="Rival Person", addresses={"telegram": "5"})
    address = (await rival.key.get(f"/users/{theirs['id']}/addresses")).json[0]["id"]
    calls = [
        ("GET", "/users/{}", None),
        ("PUT", "/users/{}", {"name": "taken over"}),
        ("DELETE", "/users/{}", None),
        ("POST", "/users/{}/approve", None),
        ("GET", "/users/{}/addresses", None),
        ("POST", "/users/{}/addresses", {"channel": "sms", "value": "1"}),
        ("DELETE", f"/users/{{}}/addresses/{address}", None),
    ]
    for method, path, body in calls:
        for caller in (acme.key, acme.owner):
            replies = [
                await caller.send(method, path.format(id_), body)
                for id_ in (theirs["id"], str(uuid.uuid4()), theirs["id"].upper(), "x")
            ]
            assert {reply.status for reply in replies} == {404}, (method, path)
            assert len({str({**reply.json, "requestId": None}) for reply in replies}) == 1
    assert (await rival.key.get(f"/users/{theirs['id']}")).json == theirs
    assert (await acme.key.get("/users", search="Rival Person")).json["items"] == []


async def test_a_list_is_searched_and_filtered(acme: Project) -> None:
    made = await acme.add_user(name="Needle 100%", externalUserId="needle-1", roles=["agent"])
    for params in (
        {"search": "needle 100%"},
        {"search": made["email"].upper()[:8], "externalUserId": "needle-1"},
        {"externalUserId": "needle-1"},
        {"role": "agent", "search": "Needle"},
        {"status": "active", "search": "Needle"},
    ):
        assert [user["id"] for user in (await acme.key.get("/users", **params)).json["items"]] == [made["id"]]
    for params in ({"search": "needle 100_"}, {"search": "%%%%"}, {"status": "pending", "search": "Needle"}):
        assert (await acme.key.get("/users", **params)).json["items"] == []


@pytest.mark.parametrize(
    "params",
    [{"limit": "0"}, {"limit": "201"}, {"limit": "-1"}, {"limit": "١٠"}, {"sort": "email"}, {"status": "x"}],
    ids=str,
)
async def test_parameters_out_of_range_are_refused(acme: Project, params: dict[str, str]) -> None:
    reply = await acme.key.get("/users", **params)
    assert reply.status == 422
    assert reply.pointers == [f"/query/{next(iter(params))}"]
