"""Devices of a person over HTTP: registered, shown masked, moved, removed (C9). Two projects."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.channels.browser import Browser
from tests.client import Client, Project
from tests.people import join
from tocsin.users.devices import MOST_DEVICES

FCM = "canary_fcm_token:APA91b" + "x" * 130
APNS = "ab" * 32


async def register(caller: Client, user: Any, kind: str, value: str, status: int = 201, **fields: Any) -> Any:
    reply = await caller.post(f"/users/{user['id']}/addresses", {"channel": kind, "value": value, **fields})
    assert reply.status == status, reply.json
    return reply.json


async def listed(caller: Client, user: Any) -> list[Any]:
    return list((await caller.get(f"/users/{user['id']}/addresses")).json)


async def test_a_device_is_registered_again_and_again_and_stays_one(acme: Project) -> None:
    user = await acme.add_user()
    first = await register(acme.key, user, "fcm", FCM, label="Ann's phone")
    again = await register(acme.key, user, "fcm", FCM, 200, label="Ann's old phone")
    assert first["id"] == again["id"]
    assert [(row["channel"], row["label"]) for row in await listed(acme.key, user)] == [("fcm", "Ann's old phone")]


async def test_a_person_has_several_devices_beside_other_addresses(acme: Project) -> None:
    user = await acme.add_user(addresses={"telegram": "7"})
    for kind, value in (("fcm", f"{FCM}1"), ("fcm", f"{FCM}2"), ("apns", APNS)):
        await register(acme.key, user, kind, value)
    assert sorted(row["channel"] for row in await listed(acme.key, user)) == ["apns", "fcm", "fcm", "telegram"]
    assert (await acme.key.get(f"/users/{user['id']}")).json["addresses"] == {"telegram": "7"}


async def test_only_the_end_of_a_token_or_endpoint_is_shown(acme: Project, sql: asyncpg.Connection) -> None:
    user = await acme.add_user()
    browser = Browser("https://push.example.com/canary-of-the-endpoint")
    made = [
        await register(acme.key, user, "fcm", f"{FCM}shown"),
        await register(acme.key, user, "webpush", browser.address),
    ]
    assert [row["value"] for row in made] == ["****hown", "https://push.example.com/****oint"]
    assert (await acme.key.delete(f"/users/{user['id']}/addresses/{made[1]['id']}")).status == 204
    logged = (await acme.owner.get("/audit", limit=50)).json["items"]
    assert {"address.created", "address.deleted"} <= {entry["action"] for entry in logged}
    assert "canary" not in f"{made} {await listed(acme.key, user)} {logged}"
    assert await sql.fetchval("SELECT value FROM tocsin.addresses WHERE id = $1", made[0]["id"]) == f"{FCM}shown"


async def test_a_device_that_has_another_user_now_moves_to_them(acme: Project) -> None:
    ann, bob = await acme.add_user(), await acme.add_user()
    was = await register(acme.key, ann, "apns", f"{APNS}01")
    now = await register(acme.key, bob, "apns", f"{APNS}01", 200)
    assert was["id"] == now["id"]
    assert (await listed(acme.key, ann), len(await listed(acme.key, bob))) == ([], 1)
    entry = (await acme.owner.get("/audit", limit=1)).json["items"][0]
    assert (entry["action"], entry["resourceId"]) == ("address.created", bob["id"])
    assert entry["metadata"]["movedFrom"] == ann["id"]


async def test_another_project_may_know_the_same_device(acme: Project, rival: Project) -> None:
    ours, theirs = await acme.add_user(), await rival.add_user()
    await register(acme.key, ours, "apns", f"{APNS}02")
    await register(rival.key, theirs, "apns", f"{APNS}02")
    assert (len(await listed(acme.key, ours)), len(await listed(rival.key, theirs))) == (1, 1)
    reply = await rival.key.post(f"/users/{ours['id']}/addresses", {"channel": "fcm", "value": FCM})
    assert reply.status == 404


async def test_a_person_registers_their_own_device_and_no_other(api: Client, acme: Project) -> None:
    joined = await join(api, acme)
    me, person = {"id": joined.id}, joined.client
    await register(person, me, "fcm", f"{FCM}own")
    other = await acme.add_user()
    reply = await person.post(f"/users/{other['id']}/addresses", {"channel": "fcm", "value": f"{FCM}other"})
    assert reply.status == 404
    [row] = await listed(person, me)
    assert (await person.delete(f"/users/{me['id']}/addresses/{row['id']}")).status == 204


async def test_new_keys_of_a_browser_replace_the_old_ones(acme: Project, sql: asyncpg.Connection) -> None:
    user = await acme.add_user()
    endpoint = "https://push.example.com/the-same"
    first = await register(acme.key, user, "webpush", Browser(endpoint).address)
    renewed = Browser(endpoint)
    again = await register(acme.key, user, "webpush", renewed.address, 200)
    assert first["id"] == again["id"]
    stored = await sql.fetchval("SELECT value FROM tocsin.addresses WHERE id = $1", first["id"])
    assert stored in renewed.address.replace(" ", "").replace('"expirationTime":null,', "")


@pytest.mark.parametrize(
    ("kind", "value"),
    [("fcm", "short"), ("apns", "zz" * 32), ("webpush", "https://push.example.com/x"), ("webpush", "{}")],
)
async def test_what_is_no_token_is_refused(acme: Project, kind: str, value: str) -> None:
    user = await acme.add_user()
    reply = await acme.key.post(f"/users/{user['id']}/addresses", {"channel": kind, "value": value})
    assert (reply.status, reply.pointers) == (422, ["/value"])


async def test_a_device_is_no_single_address_of_a_profile(acme: Project) -> None:
    user = await acme.add_user()
    reply = await acme.key.put(f"/users/{user['id']}", {"addresses": {"fcm": FCM}})
    assert reply.status == 422
    assert reply.pointers[0].startswith("/addresses")


async def test_of_a_kind_a_person_has_so_many_devices_however_they_race(acme: Project) -> None:
    user = await acme.add_user()
    path = f"/users/{user['id']}/addresses"
    bodies = [{"channel": "apns", "value": f"{'cd' * 32}{n:02}"} for n in range(MOST_DEVICES + 4)]
    replies = await asyncio.gather(*(acme.key.post(path, body) for body in bodies))
    refused = [reply for reply in replies if reply.status == 409]
    assert [reply.code for reply in refused] == ["too_many_devices"] * 4
    assert len(await listed(acme.key, user)) == MOST_DEVICES
    known = next(body for body, reply in zip(bodies, replies, strict=True) if reply.status == 201)
    assert (await acme.key.post(path, known)).status == 200


async def test_many_who_register_one_device_leave_it_to_one_of_them(acme: Project) -> None:
    people = [await acme.add_user() for _ in range(6)]
    body = {"channel": "apns", "value": "ef" * 32}
    replies = await asyncio.gather(*(acme.key.post(f"/users/{user['id']}/addresses", body) for user in people))
    assert {reply.status for reply in replies} <= {200, 201}
    assert sum([len(await listed(acme.key, user)) for user in people]) == 1
