"""The life of a connection over HTTP: made, shown, changed, removed; each project's its own (C1, C4, C5, T2)."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.client import Client, Project, Reply, sign_up
from tests.connections.build import LOGIN, MAIL, make_hook, make_mail, read

NOWHERE = "0199a000-0000-7000-8000-0000000000ff"


@pytest.fixture
async def shop(api: Client) -> Project:
    """A project without any connection yet."""
    return await sign_up(api, "Shop")


async def test_providers_describe_their_forms(acme: Project) -> None:
    reply = await acme.owner.get("/providers")
    assert reply.status == 200
    by_name = {provider["provider"]: provider for provider in reply.json}
    assert {"realtime", "smtp", "webhook"} <= set(by_name)
    assert by_name["realtime"]["instant"] is True
    assert by_name["smtp"]["channel"] == "email"
    assert by_name["smtp"]["addressKind"] == "email"
    assert "fromAddress" in by_name["smtp"]["settingsSchema"]["properties"]
    assert "writeOnly" in str(by_name["smtp"]["credentialsSchema"]["properties"]["password"])
    assert by_name["webhook"]["setupSteps"]


async def test_a_webhook_sends_at_once_with_a_secret_that_is_shown_once(shop: Project) -> None:
    made = await make_hook(shop.key)
    assert made["secret"].startswith("whsec_")
    assert (made["status"], made["channel"], made["owner"], made["env"]) == ("active", "webhook", "project", "live")
    assert made["credentials"]["secret"] == f"****{made['secret'][-4:]}"
    assert made["isDefault"] is True
    again = await read(shop.key, made)
    assert "secret" not in again
    assert {**made, "secret": None} == {**again, "secret": None}


async def test_an_own_secret_is_not_repeated_and_a_short_one_refused(shop: Project) -> None:
    own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert (await make_hook(shop.key, credentials={"secret": own}))["secret"] is None
    body = {"provider": "webhook", "name": "short", "settings": {"url": "https://1.1.1.1/"}}
    short = await shop.key.post("/connections", {**body, "credentials": {"secret": "whsec_c2hvcnQ="}})
    assert (short.status, short.pointers) == (422, ["/credentials/secret"])


async def test_an_account_at_a_provider_waits_to_be_verified(shop: Project) -> None:
    made = await make_mail(shop.key, useAsFallback=False)
    assert (made["status"], made["verified"], made["healthStatus"]) == ("pending", False, "unknown")
    assert made["settings"] == {**MAIL, "fromName": None, "replyTo": None}
    assert made["credentials"] == {"username": "acme", "password": f"****{LOGIN['password'][-4:]}"}
    assert made["secret"] is None
    assert made["useAsFallback"] is False


@pytest.mark.parametrize(
    ("change", "pointers", "code"),
    [
        ({"provider": "pigeon"}, ["/provider"], "unknown_provider"),
        ({"provider": "realtime", "settings": {}, "credentials": {}}, ["/provider"], "provider_built_in"),
        ({"owner": "user"}, ["/owner"], "owner_not_supported"),
        ({"owner": "platform"}, ["/owner"], "literal_error"),
        ({"name": ""}, ["/name"], "too_short"),
        ({"settings": {**MAIL, "colour": "red"}}, ["/settings/colour"], "unknown_field"),
        ({"credentials": {**LOGIN, "pin": "1"}}, ["/credentials/pin"], "unknown_field"),
        ({"settings": {}, "credentials": {"username": ""}}, None, "required"),
        ({"credentials": {"username": "acme"}}, ["/credentials"], "value_error"),
        ({"settings": {**MAIL, "fromAddress": "a@[127.0.0.1]"}}, ["/settings/fromAddress"], "value_error"),
        ({"settings": {**MAIL, "fromName": "Acme\r\nBcc: x@example.com"}}, ["/settings/fromName"], "value_error"),
        ({"colour": "red"}, ["/colour"], "unknown_field"),
    ],
)
async def test_what_a_provider_cannot_use_is_refused_at_its_place(
    acme: Project, change: dict[str, Any], pointers: list[str] | None, code: str
) -> None:
    body = {"provider": "smtp", "name": "mail", "settings": MAIL, "credentials": LOGIN, **change}
    reply = await acme.key.post("/connections", body)
    assert reply.status == 422
    assert reply.json["errors"][0]["code"] == code
    assert reply.pointers == pointers or (pointers is None and "/credentials/username" in reply.pointers)


async def test_lists_filter_and_page(shop: Project) -> None:
    hooks = [(await make_hook(shop.key))["id"] for _ in range(3)]
    mail = (await make_mail(shop.key))["id"]

    async def ids(**params: str) -> list[str]:
        reply = await shop.key.get("/connections", **params)
        assert reply.status == 200, reply.json
        return [item["id"] for item in reply.json["items"]]

    assert await ids() == [mail, *reversed(hooks)]
    assert await ids(channel="email") == await ids(provider="smtp") == await ids(status="pending") == [mail]
    assert await ids(provider="webhook", sort="createdAt") == hooks
    first = await shop.key.get("/connections", limit="3")
    rest = await ids(limit="3", cursor=first.json["nextCursor"])
    assert [item["id"] for item in first.json["items"]] + rest == [mail, *reversed(hooks)]
    assert (await shop.key.get("/connections", status="broken")).status == 422


async def test_a_change_keeps_what_is_left_out(shop: Project) -> None:
    made = await make_mail(shop.key)
    where = f"/connections/{made['id']}"
    renamed = await shop.key.put(where, {"name": "Kitchen", "useAsFallback": False})
    assert renamed.status == 200
    assert renamed.json == {
        **{name: value for name, value in made.items() if name != "secret"},
        "name": "Kitchen",
        "useAsFallback": False,
        "updatedAt": renamed.json["updatedAt"],
    }
    replaced = await shop.key.put(where, {"settings": {**MAIL, "replyTo": "desk@acme.example.com"}})
    assert replaced.json["settings"]["replyTo"] == "desk@acme.example.com"
    assert replaced.json["credentials"] == made["credentials"]
    without = await shop.key.put(where, {"settings": MAIL})
    assert without.json["settings"]["replyTo"] is None
    assert (await shop.key.put(where, {"settings": {"host": "127.0.0.1"}})).pointers == ["/settings/fromAddress"]
    assert (await shop.key.put(where, {"provider": "webhook"})).pointers == ["/provider"]


async def test_only_new_credentials_have_to_be_verified_again(shop: Project, sql: asyncpg.Connection) -> None:
    made = await make_mail(shop.key)
    where = f"/connections/{made['id']}"
    await sql.execute(
        "UPDATE tocsin.connections SET status = 'active', verified_at = now(), health_status = 'healthy',"
        ' account = \'{"id": "x", "name": "y"}\' WHERE id = $1',
        made["id"],
    )
    masked = await shop.key.put(where, {"credentials": made["credentials"], "name": "as it was shown"})
    assert (masked.json["status"], masked.json["verified"]) == ("active", True)
    same = await shop.key.put(where, {"credentials": {"password": LOGIN["password"]}})
    assert same.json["status"] == "active"
    new = await shop.key.put(where, {"credentials": {"password": "another-password-9876"}})
    assert (new.json["status"], new.json["verified"], new.json["account"]) == ("pending", False, None)
    assert new.json["healthStatus"] == "unknown"
    assert new.json["credentials"] == {"username": "acme", "password": "****9876"}
    await sql.execute("UPDATE tocsin.connections SET status = 'suspended' WHERE id = $1", made["id"])
    suspended = await shop.key.put(where, {"credentials": {"password": "yet-another-password"}})
    assert suspended.json["status"] == "suspended"


async def test_a_channel_has_one_default(shop: Project) -> None:
    first, second = await make_hook(shop.key), await make_hook(shop.key)
    mail = await make_mail(shop.key)
    assert (first["isDefault"], second["isDefault"], mail["isDefault"]) == (True, False, True)
    third = await make_hook(shop.key, isDefault=True)
    assert await defaults(shop, first, second, third, mail) == [False, False, True, True]
    await shop.key.put(f"/connections/{second['id']}", {"isDefault": True})
    assert await defaults(shop, first, second, third, mail) == [False, True, False, True]
    await shop.key.put(f"/connections/{second['id']}", {"isDefault": False})
    assert await defaults(shop, first, second, third, mail) == [False, False, False, True]
    await shop.key.delete(f"/connections/{mail['id']}")
    assert (await make_mail(shop.key, isDefault=False))["isDefault"] is False


async def test_many_at_once_still_leave_one_default(shop: Project) -> None:
    made = await asyncio.gather(*(make_hook(shop.key) for _ in range(6)))
    assert sum(await defaults(shop, *made)) == 1
    changed = await asyncio.gather(*(shop.key.put(f"/connections/{each['id']}", {"isDefault": True}) for each in made))
    assert {reply.status for reply in changed} == {200}
    assert sum(await defaults(shop, *made)) == 1


async def defaults(project: Project, *connections: Any) -> list[bool]:
    return [(await read(project.key, each))["isDefault"] for each in connections]


async def test_a_secret_of_ours_rotates_with_an_overlap(shop: Project) -> None:
    made = await make_hook(shop.key)
    where = f"/connections/{made['id']}"
    rotated = await shop.key.post(f"{where}/rotate")
    assert rotated.status == 200
    assert rotated.json["secret"].startswith("whsec_")
    assert rotated.json["secret"] != made["secret"]
    assert rotated.json["credentials"] == {
        "secret": f"****{rotated.json['secret'][-4:]}",
        "previousSecret": f"****{made['secret'][-4:]}",
    }
    ended = await shop.key.put(where, {"credentials": {"previousSecret": None}})
    assert ended.json["credentials"] == {**rotated.json["credentials"], "previousSecret": None}
    assert ended.json["status"] == "active"


async def test_what_the_provider_made_cannot_be_rotated_here(shop: Project) -> None:
    made = await make_mail(shop.key)
    reply = await shop.key.post(f"/connections/{made['id']}/rotate")
    assert (reply.status, reply.code) == (409, "not_rotatable")


async def test_a_deleted_connection_is_gone(shop: Project) -> None:
    made = await make_hook(shop.key)
    assert (await shop.key.delete(f"/connections/{made['id']}")).status == 204
    assert (await shop.key.get(f"/connections/{made['id']}")).status == 404
    assert (await shop.key.get("/connections")).json["items"] == []


async def test_another_projects_connection_is_as_absent_as_none(two_projects: tuple[Project, Project]) -> None:
    acme, rival = two_projects
    made = await make_hook(rival.key)
    for id_ in (made["id"], "not-an-id"):
        for answers in zip(await everything(acme, id_), await everything(acme, NOWHERE), strict=True):
            foreign, absent = (without_ids(answer) for answer in answers)
            assert foreign == absent
            assert foreign["status"] == 404
    listed = await acme.key.get("/connections")
    assert made["id"] not in [item["id"] for item in listed.json["items"]]
    assert await read(rival.key, made) == {name: value for name, value in made.items() if name != "secret"}


async def everything(project: Project, id_: str) -> list[Reply]:
    where = f"/connections/{id_}"
    return [
        await project.key.get(where),
        await project.key.put(where, {"name": "mine"}),
        await project.key.put(where, {"settings": MAIL}),
        await project.key.post(f"{where}/verify"),
        await project.key.post(f"{where}/rotate"),
        await project.key.delete(where),
    ]


def without_ids(reply: Reply) -> Any:
    return {name: value for name, value in reply.json.items() if name != "requestId"}


async def test_the_sandbox_sees_live_connections_and_changes_its_own(shop: Project) -> None:
    live, test = await make_hook(shop.key), await make_hook(shop.test_key)
    assert (live["env"], live["isDefault"], test["env"], test["isDefault"]) == ("live", True, "test", True)
    seen = [item["id"] for item in (await shop.test_key.get("/connections")).json["items"]]
    assert set(seen) == {live["id"], test["id"]}
    assert (await shop.key.get(f"/connections/{test['id']}")).status == 404
    where = f"/connections/{live['id']}"
    for reply in (
        await shop.test_key.put(where, {"name": "mine"}),
        await shop.test_key.put(where, {"settings": {"url": "http://127.0.0.1:1/"}}),
        await shop.test_key.delete(where),
        await shop.test_key.post(f"{where}/rotate"),
        await shop.test_key.post(f"{where}/verify"),
    ):
        assert (reply.status, reply.code) == (403, "live_object")
    other = await make_hook(shop.test_key, isDefault=True)
    assert other["isDefault"] is True
    assert await defaults(shop, live) == [True]


async def test_seeing_and_changing_need_their_permissions(acme: Project) -> None:
    _, reader = await acme.new_key("connections:read")
    _, stranger = await acme.new_key("rules:read")
    made = await make_hook(acme.key)
    where = f"/connections/{made['id']}"
    assert (await reader.get(where)).status == (await reader.get("/providers")).status == 200
    for reply in (
        await reader.post("/connections", {"provider": "webhook", "name": "x", "settings": {"url": "http://10.0.0.1"}}),
        await reader.put(where, {"name": "x"}),
        await reader.post(f"{where}/verify"),
        await reader.post(f"{where}/rotate"),
        await reader.delete(where),
        await stranger.get(where),
        await stranger.get("/connections"),
        await stranger.get("/providers"),
    ):
        assert (reply.status, reply.code) == (403, "permission_missing")
    assert (await acme.key.with_headers(X_API_Secret="sk_live_wrong").post(f"{where}/verify")).status == 401


async def test_a_repeated_post_makes_one_connection_and_repeats_its_secret(shop: Project) -> None:
    body = {"provider": "webhook", "name": "once", "settings": {"url": "http://127.0.0.1:8700/"}}
    first = await shop.key.post("/connections", body, idempotency_key="connect-1")
    again = await shop.key.post("/connections", body, idempotency_key="connect-1")
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await shop.key.post("/connections", {**body, "name": "other"}, idempotency_key="connect-1")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert len((await shop.key.get("/connections")).json["items"]) == 1


async def test_the_same_post_at_once_makes_one_connection(shop: Project) -> None:
    body = {"provider": "webhook", "name": "once", "settings": {"url": "http://127.0.0.1:8700/"}}
    replies = await asyncio.gather(
        *(shop.key.post("/connections", body, idempotency_key="connect-2") for _ in range(8))
    )
    assert {reply.status for reply in replies} <= {201, 409}
    assert len({reply.json["id"] for reply in replies if reply.status == 201}) == 1
    assert len((await shop.key.get("/connections")).json["items"]) == 1


async def test_people_connect_by_token_in_the_environment_they_name(api: Client, shop: Project) -> None:
    token = shop.signed_up["tokens"]["accessToken"]
    sandbox = api.with_token(token, "test")
    live, test = await make_hook(shop.owner), await make_hook(sandbox)
    assert (live["env"], test["env"]) == ("live", "test")
    assert (await sandbox.put(f"/connections/{live['id']}", {"name": "mine"})).code == "live_object"
    assert (await sandbox.put(f"/connections/{test['id']}", {"name": "mine"})).json["name"] == "mine"
    assert (await api.with_token("not-a-token").post(f"/connections/{live['id']}/verify")).status == 401
