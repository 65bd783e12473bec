"""Signatures and counts over HTTP: who may hear what (W1, A5)."""

import json
from typing import Any

import pytest

from tests.client import Project, Reply, sign_up
from tests.realtime.conftest import Person, Place, join
from tests.realtime.pusher_js import PusherJs
from tocsin.realtime import auth

SOCKET = "123.456"


@pytest.fixture(scope="module")
async def acme(place: Place) -> Project:
    return await sign_up(place.api, "Acme")


@pytest.fixture(scope="module")
async def rival(place: Place) -> Project:
    return await sign_up(place.api, "Rival")


@pytest.fixture(scope="module")
async def ann(place: Place, acme: Project) -> Person:
    return await join(place, acme)


async def ask(caller: Any, channel: str | None, socket_id: str = SOCKET) -> Reply:
    body = {"socket_id": socket_id} | ({"channel_name": channel} if channel is not None else {})
    reply: Reply = await caller.post("/realtime/auth", body)
    return reply


async def ask_by_form(caller: Any, form: bytes) -> Reply:
    reply: Reply = await caller.post("/realtime/auth", form, Content_Type="application/x-www-form-urlencoded")
    return reply


def is_signed(project: Project, reply: Reply, channel: str, env: str = "live") -> bool:
    app = project.signed_up["realtime"][env]
    key, _, _ = reply.json["auth"].partition(":")
    data = reply.json.get("channel_data")
    return key == app["key"] and auth.is_channel_auth(reply.json["auth"], [app["secret"]], SOCKET, channel, data)


async def test_a_form_and_json_are_signed_alike(acme: Project, ann: Person) -> None:
    by_json = await ask(ann.client, ann.channel)
    by_form = await ask_by_form(ann.client, f"socket_id={SOCKET}&channel_name={ann.channel}&extra=1".encode())
    assert by_json.status == by_form.status == 200
    for reply in (by_json, by_form):
        assert set(reply.json) == {"auth"} and is_signed(acme, reply, ann.channel)


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        (b"socket_id=1.2&socket_id=3.4", 400, "malformed_form"),
        (b"socket_id=%ff", 400, "malformed_form"),
        (b"channel_name=private-room-1", 422, "invalid"),
        (b"", 422, "invalid"),
    ],
)
async def test_a_broken_form_is_refused(ann: Person, form: bytes, status: int, code: str) -> None:
    reply = await ask_by_form(ann.client, form)
    assert (reply.status, reply.code) == (status, code)


async def test_forms_are_taken_here_only(acme: Project) -> None:
    reply = await acme.key.post("/users", b"email=a@b.example", Content_Type="application/x-www-form-urlencoded")
    assert (reply.status, reply.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("channel", "socket_id", "pointer"),
    [
        ("news", SOCKET, "/channel_name"),
        ("private-a b", SOCKET, "/channel_name"),
        ("private-room-" + "x" * 200, SOCKET, "/channel_name"),
        ("private-room-1", "1:2", "/socket_id"),
        (None, "x", "/socket_id"),
    ],
)
async def test_what_cannot_be_signed_is_invalid(ann: Person, channel: str, socket_id: str, pointer: str) -> None:
    reply = await ask(ann.client, channel, socket_id)
    assert (reply.status, reply.pointers) == (422, [pointer])


async def test_nobody_gets_a_signature_for_somebody_elses_channel(place: Place, acme: Project, ann: Person) -> None:
    ben = await join(place, acme)
    for caller in (ben.client, acme.owner, acme.key):
        reply = await ask(caller, ann.channel)
        assert (reply.status, reply.code) == (403, "channel_not_allowed")


async def test_ordinary_users_join_rooms_and_nothing_else(acme: Project, ann: Person) -> None:
    room = await ask(ann.client, "presence-room-1")
    assert room.status == 200 and is_signed(acme, room, "presence-room-1")
    who = {"user_id": ann.id, "user_info": {"name": "Ann", "avatarUrl": None}}
    assert json.loads(room.json["channel_data"]) == who
    for channel in (f"private-project-{acme.id}", "private-staff", "presence-staff", "private-platform"):
        reply = await ask(ann.client, channel)
        assert (reply.status, reply.code) == (403, "channel_not_allowed"), channel


async def test_who_follows_the_live_activity_does_so_in_their_own_project(acme: Project, rival: Project) -> None:
    own, foreign = f"private-project-{acme.id}", f"private-project-{rival.id}"
    for caller in (acme.owner, acme.key):
        assert is_signed(acme, await ask(caller, own), own)
        assert is_signed(acme, await ask(caller, "private-staff"), "private-staff")
        for channel in (foreign, "private-platform"):
            reply = await ask(caller, channel)
            assert (reply.status, reply.code) == (403, "channel_not_allowed")


async def test_a_key_without_the_permission_signs_nothing(acme: Project) -> None:
    _, weak = await acme.new_key("events:write")
    reply = await ask(weak, f"private-project-{acme.id}")
    assert (reply.status, reply.code) == (403, "permission_missing")


async def test_a_key_is_nobody_where_a_person_is_needed(acme: Project) -> None:
    present = await ask(acme.key, "presence-staff")
    assert (present.status, present.code) == (403, "channel_not_allowed")
    signing_in = await ask(acme.key, None)
    assert (signing_in.status, signing_in.code) == (403, "not_a_user")


async def test_each_environment_signs_with_its_own_secret(acme: Project, place: Place) -> None:
    channel = "private-staff"
    assert is_signed(acme, await ask(acme.test_key, channel), channel, "test")
    in_test = acme.owner.with_headers(x_tocsin_env="test")
    assert is_signed(acme, await ask(in_test, channel), channel, "test")


async def test_a_further_key_signs_under_its_own_name(acme: Project) -> None:
    made, further = await acme.new_key("realtime:read")
    assert (await ask(further, "private-staff")).json["auth"].startswith(made["key"] + ":")


async def test_without_a_credential_nothing_is_signed(place: Place, acme: Project) -> None:
    assert (await ask(place.api, "private-room-1")).status == 401
    assert (await ask(acme.app, "private-room-1")).status == 401


async def test_the_official_client_signs_in_by_the_same_endpoint(js: PusherJs, ann: Person) -> None:
    await ann.connect(js, "ann")
    await js.do("signin", "ann")
    await js.fact(client="ann", message="pusher:signin_success")


async def test_stats_count_the_sockets_of_the_callers_app(
    place: Place, acme: Project, ann: Person, js: PusherJs
) -> None:
    project = await sign_up(place.api, "Counted")
    person = await join(place, project)
    assert (await project.owner.get("/realtime/stats")).json == {"sockets": 0, "channels": 0, "subscriptions": 0}
    await person.connect(js, "one")
    await js.subscribe("one", person.channel)
    assert (await project.key.get("/realtime/stats")).json == {"sockets": 1, "channels": 1, "subscriptions": 1}
    assert (await project.test_key.get("/realtime/stats")).json["sockets"] == 0
    assert (await ann.client.get("/realtime/stats")).status == 403


async def test_whoever_is_signed_in_learns_what_opens_their_sockets_and_nothing_of_others(
    acme: Project, rival: Project, ann: Person
) -> None:
    """P3, P5: by environment, and never the secret."""
    for env, caller in (
        ("live", ann.client),
        ("live", acme.owner),
        ("test", acme.owner.with_headers(X_Tocsin_Env="test")),
    ):
        app = acme.signed_up["realtime"][env]
        assert (await caller.get("/realtime/app")).json == {"appId": app["appId"], "key": app["key"]}
    others = (await rival.owner.get("/realtime/app")).json
    assert others == {name: rival.signed_up["realtime"]["live"][name] for name in ("appId", "key")}


async def test_without_a_key_in_use_there_is_an_app_and_nothing_to_open_it_with(place: Place) -> None:
    bare = await sign_up(place.api, "Bare")
    assert (await bare.owner.delete(f"/projects/me/api-keys/{bare.signed_up['apiKeys']['live']['id']}")).status == 204
    answer = await bare.owner.get("/realtime/app")
    assert (answer.status, answer.json["key"]) == (200, None)
    refused = await ask(bare.owner, f"private-project-{bare.id}")
    assert (refused.status, refused.code) == (409, "no_public_key")
