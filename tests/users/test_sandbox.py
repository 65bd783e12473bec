"""The sandbox: test callers read live people and roles, write only test ones; live sees live (A2)."""

from tests.client import Project


async def test_live_sees_no_test_people_and_test_sees_both(acme: Project) -> None:
    live = await acme.add_user(name="Sandbox Live")
    test = await acme.add_user(name="Sandbox Test", env="test")
    assert test["env"] == "test"
    for caller in (acme.key, acme.owner):
        assert (await caller.get(f"/users/{test['id']}")).status == 404
        assert (await caller.put(f"/users/{test['id']}", {"name": "x"})).status == 404
        assert (await caller.delete(f"/users/{test['id']}")).status == 404
    for caller in (acme.test_key, acme.owner.with_headers(X_Tocsin_Env="test")):
        found = (await caller.get("/users", search="Sandbox")).json["items"]
        assert {user["id"] for user in found} == {live["id"], test["id"]}


async def test_a_test_caller_does_not_change_what_is_live(acme: Project) -> None:
    live = await acme.add_user(addresses={"telegram": "9"})
    address = (await acme.key.get(f"/users/{live['id']}/addresses")).json[0]["id"]
    role = (await acme.key.post("/roles", {"name": "live-role"})).json
    path = f"/users/{live['id']}"
    for caller in (acme.test_key, acme.owner.with_headers(X_Tocsin_Env="test")):
        for reply in (
            await caller.put(path, {"name": "changed"}),
            await caller.delete(path),
            await caller.post(f"{path}/approve"),
            await caller.post(f"{path}/addresses", {"channel": "sms", "value": "1"}),
            await caller.delete(f"{path}/addresses/{address}"),
            await caller.put(f"/roles/{role['id']}", {"description": "changed"}),
            await caller.delete(f"/roles/{role['id']}"),
        ):
            assert (reply.status, reply.code) == (403, "live_object")
    assert (await acme.key.get(path)).json == live
    assert (await acme.key.get(f"/roles/{role['id']}")).json == role


async def test_a_test_person_may_have_a_live_role_and_the_test_role_of_that_name_wins(acme: Project) -> None:
    await acme.key.post("/roles", {"name": "doubled", "permissions": ["users:read"]})
    first = await acme.add_user(env="test", roles=["doubled", "viewer"])
    assert first["roles"] == ["doubled", "viewer"]
    test_role = (await acme.test_key.post("/roles", {"name": "doubled", "permissions": []})).json
    assert test_role["env"] == "test"
    second = await acme.add_user(env="test", roles=["doubled"])
    await acme.test_key.delete(f"/roles/{test_role['id']}")
    assert (await acme.test_key.get(f"/users/{second['id']}")).json["roles"] == []
    assert (await acme.test_key.get(f"/users/{first['id']}")).json["roles"] == ["doubled", "viewer"]


async def test_a_sync_in_the_sandbox_leaves_the_live_person_alone(acme: Project) -> None:
    live = await acme.add_user(externalUserId="both-worlds", name="Live Name")
    reply = await acme.test_key.post("/users/sync", {"users": [{"externalUserId": "both-worlds", "name": "Test Name"}]})
    assert reply.json["created"] == 1
    assert (await acme.key.get(f"/users/{live['id']}")).json == live
