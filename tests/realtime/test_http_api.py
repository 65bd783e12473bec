"""Pusher's HTTP API, called by Pusher's own server libraries and heard by its own client (W1, W4)."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from pusher.errors import PusherBadAuth, PusherBadRequest

from tests.client import Project, sign_up
from tests.contract.endpoints import DOCUMENT, SIGNED
from tests.realtime.conftest import Place, join
from tests.realtime.publishers import ABSENT, App, Bare, Node, Python, app_of, shared_secret
from tests.realtime.pusher_js import PusherJs
from tocsin.kit.pusher_signature import signature, signed_query, text_to_sign

EVENT = {"name": "e", "channel": "news", "data": "1"}


@pytest.fixture(scope="module")
async def acme(place: Place) -> Project:
    return await sign_up(place.api, "Acme")


@pytest.fixture(scope="module")
async def rival(place: Place) -> Project:
    return await sign_up(place.api, "Rival")


@pytest.fixture
def python(place: Place, acme: Project) -> Python:
    return Python(app_of(acme), place.api)


@pytest.fixture
def node(place: Place, acme: Project) -> Node:
    return Node(app_of(acme), place.api)


@pytest.fixture
def bare(place: Place, acme: Project) -> Bare:
    return Bare(app_of(acme), place.api)


@pytest.fixture
async def ears(js: PusherJs, acme: Project) -> AsyncIterator[PusherJs]:
    """Official clients whose backend is Acme's."""
    js.secret = app_of(acme).secret
    yield js


async def connected(ears: PusherJs, name: str, app: App) -> str:
    return await ears.connect(name, key=app.key)


# Publishing.


async def test_the_library_for_python_is_heard(python: Python, ears: PusherJs) -> None:
    await connected(ears, "ann", python.app)
    for channel in ("news", "private-news"):
        await ears.subscribe("ann", channel)
    assert await python.call("trigger", ["news", "private-news"], "hello", {"to": "you"}) == {}
    for channel in ("news", "private-news"):
        assert (await ears.fact(client="ann", channel=channel, event="hello"))["data"] == {"to": "you"}


async def test_the_library_for_node_is_heard(node: Node, ears: PusherJs) -> None:
    await connected(ears, "ann", node.app)
    for channel in ("news", "other-news"):
        await ears.subscribe("ann", channel)
    assert await node.call("trigger", "news", "hello", {"to": "Ännchen"}) == {"status": 200, "body": {}}
    assert (await ears.fact(client="ann", event="hello"))["data"] == {"to": "Ännchen"}
    batch = [{"channel": name, "name": "both", "data": {"n": name}} for name in ("news", "other-news")]
    assert (await node.call("triggerBatch", batch))["status"] == 200
    for name in ("news", "other-news"):
        assert (await ears.fact(client="ann", channel=name, event="both"))["data"] == {"n": name}


async def test_a_batch_of_the_library_for_python_is_heard(python: Python, ears: PusherJs) -> None:
    await connected(ears, "ann", python.app)
    await ears.subscribe("ann", "news")
    batch = [{"channel": "news", "name": f"e{n}", "data": n} for n in range(10)]
    assert await python.call("trigger_batch", batch) == {}
    await ears.fact(client="ann", event="e9")
    told = [fact["event"] for fact in ears.told(client="ann", channel="news")]
    assert told[1:] == [f"e{n}" for n in range(10)]


async def test_the_socket_that_caused_an_event_is_left_out(python: Python, ears: PusherJs) -> None:
    ids = {name: await connected(ears, name, python.app) for name in ("ann", "bob")}
    for name in ids:
        await ears.subscribe(name, "news")
    await python.call("trigger", "news", "e", {}, ids["ann"])
    await ears.fact(client="bob", event="e")
    await ears.settle("ann")
    assert not ears.told(client="ann", event="e")


async def test_a_signed_in_user_is_sent_to_and_sent_away(python: Python, node: Node, ears: PusherJs) -> None:
    await connected(ears, "ann", python.app)
    await ears.do("signin", "ann")
    await ears.fact(client="ann", message="pusher:signin_success")
    await python.call("send_to_user", "ann", "hey", {"z": 1})
    assert (await ears.fact(client="ann", userEvent="hey"))["data"] == {"z": 1}
    await node.call("sendToUser", "ann", "ho", {"z": 2})
    assert (await ears.fact(client="ann", userEvent="ho"))["data"] == {"z": 2}
    assert await python.call("terminate_user_connections", "ann") == {}
    await ears.fact(client="ann", state="disconnected")
    assert (await node.call("terminateUserConnections", "nobody"))["status"] == 200


async def test_what_is_encrypted_passes_through_unread(python: Python, ears: PusherJs) -> None:
    channel = "private-encrypted-orders"
    ears.shared_secrets[channel] = shared_secret(channel)
    await connected(ears, "ann", python.app)
    await ears.subscribe("ann", channel)
    await python.call("trigger", channel, "e", {"secret": "recipe"})
    assert (await ears.fact(client="ann", event="e"))["data"] == {"secret": "recipe"}


async def test_the_library_hears_how_many_were_there(bare: Bare, node: Node, ears: PusherJs) -> None:
    await connected(ears, "ann", bare.app)
    await ears.subscribe("ann", "presence-hall")
    info = {"info": "user_count,subscription_count"}
    counted = {"user_count": 1, "subscription_count": 1}
    body = {"name": "e", "data": "1", "channels": ["presence-hall", "presence-empty"], **info}
    told = (await bare.post("/events", body)).json["channels"]
    assert told == {"presence-hall": counted, "presence-empty": {"user_count": 0, "subscription_count": 0}}
    batch = [{**EVENT, "channel": "presence-hall", **info}, EVENT]
    assert (await bare.post("/batch_events", {"batch": batch})).json == {"batch": [counted, {}]}
    assert (await node.call("trigger", "presence-hall", "e", 1, info))["body"]["channels"] == {"presence-hall": counted}


# Asking.


async def test_libraries_ask_who_is_connected(python: Python, node: Node, ears: PusherJs) -> None:
    for name in ("ann", "ann again", "bob"):
        ears.people[name] = name[:3]
        await connected(ears, name, python.app)
        await ears.subscribe(name, "presence-room")
    await ears.subscribe("bob", "lone")
    assert (await python.call("channels_info"))["channels"] == {"presence-room": {}, "lone": {}}
    assert await python.call("channels_info", "presence-", ["user_count"]) == {
        "channels": {"presence-room": {"user_count": 2}}
    }
    attributes = ["user_count", "subscription_count"]
    room = {"occupied": True, "user_count": 2, "subscription_count": 3}
    assert await python.call("channel_info", "presence-room", attributes) == room
    assert await python.call("channel_info", "empty") == {"occupied": False}
    users = await python.call("users_info", "presence-room")
    assert sorted(user["id"] for user in users["users"]) == ["ann", "bob"]
    got = await node.call("get", {"path": "/channels", "params": {"filter_by_prefix": "lo"}})
    assert got["body"] == {"channels": {"lone": {}}}


async def test_users_of_what_is_no_presence_channel_are_not_known(python: Python) -> None:
    with pytest.raises(PusherBadRequest, match="presence"):
        await python.call("users_info", "news")
    with pytest.raises(PusherBadRequest, match="presence"):
        await python.call("channels_info", "news", ["user_count"])


# What is refused.

DATA = "x" * 10_240


async def test_limits_are_those_of_pusher(bare: Bare) -> None:
    assert (await bare.post("/events", {**EVENT, "data": DATA})).status == 200
    assert (await bare.post("/events", {**EVENT, "data": DATA + "x"})).status == 413
    assert (await bare.post("/events", {**EVENT, "data": "ü" * 5_121})).status == 413
    hundred = {"name": "e", "data": "1", "channels": [f"c{n}" for n in range(100)]}
    assert (await bare.post("/events", hundred)).status == 200
    assert (await bare.post("/events", {**hundred, "channel": "c100"})).status == 400
    assert (await bare.post("/batch_events", {"batch": [EVENT] * 10})).status == 200
    assert (await bare.post("/batch_events", {"batch": [EVENT] * 11})).status == 400
    assert (await bare.post("/events", b" " * (1024 * 1024 + 1))).status == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        {**EVENT, "data": {"a": 1}},
        {**EVENT, "name": ""},
        {**EVENT, "name": "e" * 201},
        {**EVENT, "channel": "no spaces"},
        {**EVENT, "channel": "c" * 201},
        {**EVENT, "channel": "#secret"},
        {**EVENT, "channel": "#server-to-user-"},
        {**EVENT, "socket_id": "not one"},
        {**EVENT, "info": "shoe_size"},
        {**EVENT, "info": "user_count"},
        {"name": "e", "data": "1"},
        {"name": "e", "data": "1", "channels": []},
    ],
    ids=str,
)
async def test_what_is_no_event_is_a_bad_request(bare: Bare, body: Any) -> None:
    reply = await bare.post("/events", body)
    assert reply.status == 400, reply
    assert reply.headers["Content-Type"].startswith("text/plain")


async def test_one_bad_event_stops_the_whole_batch(bare: Bare, ears: PusherJs) -> None:
    await connected(ears, "ann", bare.app)
    await ears.subscribe("ann", "news")
    bad = {**EVENT, "channel": "no spaces"}
    assert (await bare.post("/batch_events", {"batch": [EVENT, bad]})).status == 400
    await ears.settle("ann")
    assert not ears.told(client="ann", event="e")


async def test_what_tocsin_says_nobody_else_can(place: Place, acme: Project, bare: Bare, js: PusherJs) -> None:
    """Its own events on a person's channel are the project's to send."""
    ann = await join(place, acme)
    await ann.connect(js, "ann")
    await js.subscribe("ann", ann.channel)
    reserved = [
        ("notification.created", ann.channel),
        ("connection.status_changed", ann.channel),
        ("notification.created", f"private-project-{acme.id}"),
        ("anything", "private-platform"),
        ("anything", "private-platform-status"),
        ("pusher:error", "news"),
        ("pusher_internal:member_added", "presence-room"),
    ]
    for name, channel in reserved:
        assert (await bare.post("/events", {**EVENT, "name": name, "channel": channel})).status == 403, name
    allowed = [("notification.created", "news"), ("order.created", ann.channel), ("client-x", "private-room-a")]
    for name, channel in allowed:
        assert (await bare.post("/events", {**EVENT, "name": name, "channel": channel})).status == 200, name
    await js.fact(client="ann", event="order.created")
    assert not js.told(client="ann", event="notification.created")


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ({"auth_signature": "0" * 64}, "HMAC-SHA256"),
        ({"auth_signature": ABSENT}, "auth_signature"),
        ({"auth_key": ABSENT}, "auth_key"),
        ({"auth_timestamp": ABSENT}, "auth_timestamp"),
        ({"auth_timestamp": "soon"}, "auth_timestamp"),
        ({"auth_version": "2.0"}, "auth_version"),
        ({"body_md5": "0" * 32}, "body_md5"),
        ({"body_md5": ABSENT}, "body_md5"),
        ({"info": "unsigned"}, "HMAC-SHA256"),
    ],
    ids=str,
)
async def test_a_request_whose_signature_is_wrong_is_refused(bare: Bare, spoilt: dict[str, str], words: str) -> None:
    reply = await bare.post("/events", EVENT, **spoilt)
    assert reply.status == 401
    assert words in reply.json
    assert bare.app.secret not in reply.json


@pytest.mark.parametrize(("seconds", "status"), [(-700, 401), (-500, 200), (500, 200), (700, 401)])
async def test_a_request_counts_for_ten_minutes(bare: Bare, seconds: int, status: int) -> None:
    said = {"auth_key": bare.app.key, "auth_timestamp": str(int(time.time()) + seconds), "auth_version": "1.0"}
    right = signature(bare.app.secret, text_to_sign("GET", f"/apps/{bare.app.id}/channels", said))
    assert (await bare.get("/channels", **said, auth_signature=right)).status == status


def test_the_signature_is_that_of_the_documentation() -> None:
    said = {
        "auth_key": "278d425bdf160c739803",
        "auth_timestamp": "1353088179",
        "auth_version": "1.0",
        "body_md5": "ec365a775a4cd0599faeb73354201b6f",
    }
    text = text_to_sign("POST", "/apps/3/events", said)
    assert signature("7ad3773142a6692b25b8", text) == "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"


# Whose app it is.


async def test_nothing_of_one_project_reaches_another(
    place: Place, acme: Project, rival: Project, bare: Bare, ears: PusherJs
) -> None:
    theirs = Bare(app_of(rival), place.api)
    await connected(ears, "ann", bare.app)
    await ears.subscribe("ann", "presence-room")
    assert (await theirs.post("/events", {**EVENT, "channel": "presence-room"})).status == 200
    assert (await theirs.get("/channels")).json == {"channels": {}}
    assert (await theirs.get("/channels/presence-room/users")).json == {"users": []}
    await theirs.post("/users/ann/terminate_connections", {})
    await ears.settle("ann")
    assert not ears.told(client="ann", event="e")
    assert (await Bare(app_of(acme, "test"), place.api).get("/channels")).json == {"channels": {}}


async def test_a_foreign_app_is_refused_like_one_that_does_not_exist(
    place: Place, acme: Project, rival: Project
) -> None:
    mine, theirs = app_of(acme), app_of(rival)
    expired, _ = await acme.new_key("events:write", expiresAt="2020-01-01T00:00:00Z")
    wrong = [
        App(mine.id, expired["key"], mine.secret),
        App("999999999", mine.key, mine.secret),
        App(theirs.id, mine.key, mine.secret),
        App(app_of(acme, "test").id, mine.key, mine.secret),
        App(mine.id, theirs.key, theirs.secret),
        App(mine.id, theirs.key, mine.secret),
        App("no-number", mine.key, mine.secret),
        App(mine.id, "pk_live_nobody", mine.secret),
        App(mine.id, mine.secret, mine.secret),
    ]
    answers = set()
    for app in wrong:
        for path in SIGNED:
            method = next(iter(DOCUMENT["paths"][path]))
            inside = path.removeprefix("/apps/{app_id}").format(channel="presence-room", user_id="ann")
            reply = await (
                Bare(app, place.api).get(inside) if method == "get" else Bare(app, place.api).post(inside, EVENT)
            )
            answers.add((reply.status, reply.json))
    assert len(SIGNED) == 6
    assert len(answers) == 1
    assert answers.pop()[0] == 401
    with pytest.raises(PusherBadAuth):
        await Python(wrong[1], place.api).call("trigger", "news", "e", {})
    assert (await Bare(App(mine.id, mine.key, theirs.secret), place.api).get("/channels")).status == 401


async def test_any_key_in_use_opens_the_app_until_it_is_revoked(place: Place, acme: Project) -> None:
    shown, _ = await acme.new_key("events:write")
    app = App(app_of(acme).id, shown["key"], app_of(acme).secret)
    assert (await Bare(app, place.api).post("/events", EVENT)).status == 200
    assert (await acme.owner.delete(f"/projects/me/api-keys/{shown['id']}")).status == 204
    await asyncio.sleep(1)
    assert (await Bare(app, place.api).post("/events", EVENT)).status == 401


async def test_both_secrets_count_while_one_replaces_the_other(place: Place) -> None:
    project = await sign_up(place.api, "Rotating")
    old = app_of(project)
    assert (await Bare(old, place.api).get("/channels")).status == 200
    rotated = await project.owner.post("/projects/me/realtime/rotate", {"env": "live"})
    assert rotated.status in (200, 201), rotated.json
    new = App(old.id, old.key, rotated.json["secret"])
    await asyncio.sleep(1)
    for app in (old, new):
        assert (await Bare(app, place.api).get("/channels")).status == 200
    assert (await Bare(App(old.id, old.key, "neither"), place.api).get("/channels")).status == 401


async def test_a_suspended_project_publishes_nothing(place: Place) -> None:
    project = await sign_up(place.api, "Halted")
    bare = Bare(app_of(project), place.api)
    assert (await bare.post("/events", EVENT)).status == 200
    sql = await asyncpg.connect(place.site.installer_url)
    await sql.execute("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1", project.id)
    await sql.execute(
        "INSERT INTO tocsin.revocations (project_id, id, kind, ref) VALUES ($1, gen_random_uuid(), 'project', $2)",
        project.id,
        project.id,
    )
    await sql.close()
    await asyncio.sleep(1)
    reply = await bare.post("/events", EVENT)
    assert (reply.status, reply.json) == (403, "The project is suspended.\n")
    assert (await bare.get("/channels")).status == 403


async def test_the_limits_and_addresses_of_the_key_hold_here_too(place: Place) -> None:
    project = await sign_up(place.api, "Limited")
    limited, _ = await project.new_key("events:write", rateLimit={"perHour": 2})
    elsewhere, _ = await project.new_key("events:write", allowedIps=["203.0.113.7"])
    own = app_of(project)
    bare = Bare(App(own.id, limited["key"], own.secret), place.api)
    assert [(await bare.post("/events", EVENT)).status for _ in range(3)] == [200, 200, 429]
    reply = await bare.post("/events", EVENT)
    assert int(reply.headers["Retry-After"]) > 0 and "RateLimit" in reply.headers
    assert (await Bare(App(own.id, elsewhere["key"], own.secret), place.api).post("/events", EVENT)).status == 403


async def test_a_call_counts_among_the_projects_calls(place: Place) -> None:
    project = await sign_up(place.api, "Counted")
    sql = await asyncpg.connect(place.site.installer_url)
    counted = "SELECT COALESCE(sum(calls), 0) FROM tocsin.api_calls WHERE project_id = $1"
    bare = Bare(app_of(project), place.api)
    for _ in range(5):
        await bare.post("/events", EVENT)
    async with asyncio.timeout(10):
        while await sql.fetchval(counted, project.id) < 5:
            await asyncio.sleep(0.1)
    assert await sql.fetchval(counted, project.id) == 5
    await sql.close()


async def test_another_method_is_told_which_one_the_path_takes(bare: Bare) -> None:
    for method, path, allowed in (("GET", "events", "POST"), ("POST", "channels", "GET"), ("HEAD", "channels", "GET")):
        url = f"{bare.api.base}/apps/{bare.app.id}/{path}"
        async with bare.api.http.request(method, url) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, allowed)


async def test_a_request_that_names_another_project_is_refused(bare: Bare, acme: Project, rival: Project) -> None:
    target = f"/apps/{bare.app.id}/channels"
    for tenant, status in ((acme.slug, 200), (rival.slug, 403)):
        params = signed_query(bare.app.key, bare.app.secret, "GET", target)
        async with bare.api.http.get(bare.api.base + target, params=params, headers={"X-Tenant-Id": tenant}) as answer:
            assert answer.status == status
