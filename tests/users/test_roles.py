"""Roles over HTTP (A6)."""

import uuid

from tests.client import Project


async def test_a_role_is_made_changed_and_deleted(acme: Project) -> None:
    body = {"name": "finance", "description": "Sees money", "permissions": ["users:read", "own:manage", "users:read"]}
    made = await acme.key.post("/roles", body)
    assert made.status == 201
    assert made.json["permissions"] == ["own:manage", "users:read"]
    assert (made.json["builtIn"], made.json["selfAssignable"]) == (False, False)
    path = f"/roles/{made.json['id']}"
    assert (await acme.key.post("/roles", {"name": "finance"})).code == "role_exists"
    changed = await acme.key.put(path, {"name": "money", "selfAssignable": True})
    assert (changed.json["name"], changed.json["selfAssignable"]) == ("money", True)
    assert changed.json["permissions"] == made.json["permissions"]
    assert (await acme.key.get(path)).json == changed.json
    assert (await acme.key.delete(path)).status == 204
    assert (await acme.key.get(path)).status == 404


async def test_built_in_roles_stay_as_they_are(acme: Project) -> None:
    for role in (await acme.owner.get("/roles", limit=200)).json["items"]:
        if role["builtIn"]:
            for reply in (
                await acme.owner.put(f"/roles/{role['id']}", {"permissions": []}),
                await acme.owner.delete(f"/roles/{role['id']}"),
            ):
                assert (reply.status, reply.code) == (409, "built_in_role")


async def test_a_deleted_role_leaves_its_people(acme: Project) -> None:
    role = (await acme.key.post("/roles", {"name": "short-lived"})).json
    user = await acme.add_user(roles=["short-lived", "viewer"])
    await acme.key.delete(f"/roles/{role['id']}")
    assert (await acme.key.get(f"/users/{user['id']}")).json["roles"] == ["viewer"]


async def test_roles_of_another_project_are_as_absent_as_those_that_never_were(
    two_projects: tuple[Project, Project],
) -> None:
    acme, rival = two_projects
    theirs = (await rival.key.post("/roles", {"name": "rivals-own"})).json
    for method, body in (("GET", None), ("PUT", {"name": "taken"}), ("DELETE", None)):
        replies = [await acme.key.send(method, f"/roles/{id_}", body) for id_ in (theirs["id"], str(uuid.uuid4()), "x")]
        assert {reply.status for reply in replies} == {404}
        assert len({str({**reply.json, "requestId": None}) for reply in replies}) == 1
    reply = await acme.key.post("/users", {"name": "x", "roles": ["rivals-own"]})
    assert (reply.status, reply.pointers) == (422, ["/roles/0"])
    assert (await acme.key.post("/roles", {"name": "rivals-own"})).status == 201


async def test_nobody_changes_a_role_that_may_more_than_they(acme: Project) -> None:
    _, small = await acme.new_key("roles:manage", "roles:read")
    role = (await acme.owner.post("/roles", {"name": "mighty", "permissions": ["project:delete"]})).json
    for reply in (
        await small.put(f"/roles/{role['id']}", {"permissions": []}),
        await small.put(f"/roles/{role['id']}", {"selfAssignable": True}),
        await small.delete(f"/roles/{role['id']}"),
    ):
        assert reply.status == 403
