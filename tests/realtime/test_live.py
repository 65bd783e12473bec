"""From a committed notification to the official client, through the running API (W2)."""

import time
from functools import partial
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from tests import running
from tests.client import Project, sign_up
from tests.engines import FAST, fresh_database, running_postgres, running_redis
from tests.realtime.conftest import Place, join, placed
from tests.realtime.pusher_js import PusherJs, pusher_js
from tests.realtime.serving import eventually
from tests.running import Site
from tocsin.kit import postgres
from tocsin.kit.crypto import MasterKey
from tocsin.kit.ids import new_id
from tocsin.kit.migrate import migrate
from tocsin.kit.roles import Roles


@pytest.fixture(scope="module")
async def acme(place: Place) -> Project:
    return await sign_up(place.api, "Acme")


@pytest.fixture(scope="module")
async def rival(place: Place) -> Project:
    return await sign_up(place.api, "Rival")


async def test_a_recipient_hears_a_notification_with_its_place_in_their_feed(
    place: Place, acme: Project, js: PusherJs
) -> None:
    ann = await join(place, acme)
    await ann.connect(js, "ann")
    await js.subscribe("ann", ann.channel)
    first = await place.hand.tell(acme, ann.id)
    data = (await js.fact(event="notification.created"))["data"]
    created_at = data.pop("createdAt")
    assert "/api/v1/sound-files/" in data.pop("soundUrl")
    assert created_at.endswith("Z") and len(created_at) == len("2026-01-01T00:00:00.000Z")
    assert data == {
        "id": str(first),
        "title": "Order",
        "message": "Ann ordered",
        "sound": "bell",
        "silent": False,
        "priority": "high",
        "action": {"url": "https://example.com/o/1"},
        "requireAck": True,
        "event": {"id": "01900000-0000-7000-8000-0000000000ee", "type": "order.created", "clientEventId": "o-1"},
        "seq": 1,
    }
    since = len(js.facts)
    second = await place.hand.tell(acme, ann.id)
    assert (await js.fact(since, event="notification.created"))["data"]["id"] == str(second)
    repeated = len(js.facts)
    place.hand.signal(acme, "repeated", second)
    assert (await js.fact(repeated, event="notification.repeated"))["data"]["seq"] == 2


async def test_only_recipients_hear_and_no_other_project(
    place: Place, acme: Project, rival: Project, js: PusherJs
) -> None:
    people = {"ann": await join(place, acme), "ben": await join(place, acme), "eve": await join(place, rival)}
    for name, person in people.items():
        await person.connect(js, name)
        await js.subscribe(name, person.channel)
    id_ = await place.hand.tell(acme, people["ann"].id)
    await js.fact(client="ann", event="notification.created")
    place.hand.signal(rival, "created", id_)
    own = await place.hand.tell(rival, people["eve"].id)
    heard = await js.fact(client="eve", event="notification.created")
    assert heard["data"]["id"] == str(own)
    await js.settle("ben")
    assert not js.told(client="ben", event="notification.created")
    assert len(js.told(client="eve", event="notification.created")) == 1


async def test_the_test_environment_is_an_app_of_its_own(place: Place, acme: Project, js: PusherJs) -> None:
    live, test = await join(place, acme), await join(place, acme, "test")
    for name, person in (("live", live), ("test", test)):
        await person.connect(js, name)
        await js.subscribe(name, person.channel)
    await place.hand.tell(acme, test.id, env="test", title="Sandbox")
    assert (await js.fact(client="test", event="notification.created"))["data"]["title"] == "Sandbox"
    await js.settle("live")
    assert not js.told(client="live", event="notification.created")


async def test_an_acknowledgement_reaches_every_recipient(place: Place, acme: Project, js: PusherJs) -> None:
    ann, ben = await join(place, acme), await join(place, acme, name="Ben")
    await ann.connect(js, "ann")
    await js.subscribe("ann", ann.channel)
    id_ = await place.hand.tell(acme, ann.id, ben.id)
    assert (await ben.client.put(f"/notifications/{id_}/acknowledge", {})).status == 200
    data = (await js.fact(event="notification.acknowledged"))["data"]
    assert (data["id"], data["seq"]) == (str(id_), 1)
    by = [(each["userId"], each["name"], each["via"]) for each in data["acknowledgedBy"]]
    assert by == [(ben.id, "Ben", "panel")]


async def test_an_acknowledgement_is_heard_within_a_second(place: Place, acme: Project, js: PusherJs) -> None:
    """The fastest of three: a machine may stand still, but nothing may wait for its next turn."""
    ann, ben = await join(place, acme), await join(place, acme, name="Ben")
    await ann.connect(js, "ann")
    await js.subscribe("ann", ann.channel)
    took = []
    for _ in range(3):
        id_, since = await place.hand.tell(acme, ann.id, ben.id), len(js.facts)
        await js.fact(since, event="notification.created")
        began = time.monotonic()
        assert (await ben.client.put(f"/notifications/{id_}/acknowledge", {})).status == 200
        assert (await js.fact(since, event="notification.acknowledged"))["data"]["id"] == str(id_)
        took.append(time.monotonic() - began)
    assert min(took) < 1, took


async def test_a_key_that_acknowledges_is_nobody(place: Place, acme: Project, js: PusherJs) -> None:
    ann = await join(place, acme)
    await ann.connect(js, "ann")
    await js.subscribe("ann", ann.channel)
    id_ = await place.hand.tell(acme, ann.id)
    assert (await acme.key.put(f"/notifications/{id_}/acknowledge", {})).status == 200
    by = (await js.fact(event="notification.acknowledged"))["data"]["acknowledgedBy"]
    assert [(each["userId"], each["via"]) for each in by] == [(None, "api")]


async def test_the_panel_hears_one_line_for_all_recipients(place: Place, acme: Project, js: PusherJs) -> None:
    people = [(await join(place, acme)).id for _ in range(3)]
    options = {
        "transport": "ajax",
        "endpoint": f"{place.process.url}/api/v1/realtime/auth",
        "headers": acme.owner.headers,
    }
    await js.connect("panel", key=acme.app.headers["X-API-Key"], channelAuthorization=options)
    await js.subscribe("panel", f"private-project-{acme.id}")
    id_ = await place.hand.tell(acme, *people)
    line = (await js.fact(event="notification.created"))["data"]
    assert (line["id"], line["recipients"], line["eventType"]) == (str(id_), 3, "order.created")
    await js.settle("panel")
    assert len(js.told(event="notification.created")) == 1


async def test_many_connected_people_hear_the_same_notification(place: Place, acme: Project, js: PusherJs) -> None:
    """More signals at once than one read takes, more recipients than are connected, each in the feed's order."""
    people = [await join(place, acme) for _ in range(3)]
    absent = [(await join(place, acme)).id for _ in range(5)]
    for number, person in enumerate(people):
        await person.connect(js, str(number))
        await js.subscribe(str(number), person.channel)
    ids = [await place.hand.write(acme, *(p.id for p in people), *absent) for _ in range(120)]
    place.hand.signal(acme, "created", *ids)
    for number in range(3):
        told = partial(js.told, client=str(number), event="notification.created")
        await eventually(lambda told=told: len(told()) >= len(ids), seconds=20)
        assert [fact["data"]["id"] for fact in told()] == [str(id_) for id_ in ids]


async def test_a_revoked_key_closes_its_sockets_for_good_within_a_second(
    place: Place, acme: Project, js: PusherJs
) -> None:
    ann = await join(place, acme)
    made, _ = await acme.new_key("events:write")
    await js.connect("gone", key=made["key"], **ann.options())
    await ann.connect(js, "stays")
    began = time.monotonic()
    assert (await acme.owner.delete(f"/projects/me/api-keys/{made['id']}")).status == 204
    await js.fact(client="gone", error=True, code=4009)
    assert time.monotonic() - began < 5
    await js.settle("stays")
    await js.do("connect", "again", key=made["key"], port=place.process.port, options={})
    await js.fact(client="again", error=True, code=4001)


async def test_a_blocked_person_is_sent_away(place: Place, acme: Project, js: PusherJs) -> None:
    ann = await join(place, acme)
    await ann.connect(js, "ann")
    await js.subscribe("ann", ann.channel)
    assert (await acme.key.put(f"/users/{ann.id}", {"status": "disabled"})).status == 200
    await js.fact(client="ann", error=True, code=4009)


async def test_after_a_database_restart_everybody_is_sent_what_they_missed(
    home: Path, http: aiohttp.ClientSession
) -> None:
    with running_postgres(fsync=False) as server:
        await migrate(server.dsn(), Roles(), MasterKey.load(running.MASTER_SECRET, home))
        async with placed(Site(server.dsn(), home), http) as place, pusher_js(place.process) as js:
            acme = await sign_up(place.api)
            ann = await join(place, acme)
            await ann.connect(js, "ann")
            await js.subscribe("ann", ann.channel)
            await place.hand.tell(acme, ann.id)
            await js.fact(event="notification.created")
            missed = [await place.hand.write(acme, ann.id) for _ in range(3)]
            since = len(js.facts)
            server.stop()
            again = postgres.start(server.data_dir, postgres.find_binaries(None), daemon=False, settings=FAST)
            assert again.dsn() == server.dsn()
            await js.fact(since, event="notification.created", seconds=30)
            await js.settle("ann")
            heard = [fact["data"] for fact in js.told(since, event="notification.created")]
            assert [(UUID(data["id"]), data["seq"]) for data in heard] == list(zip(missed, (2, 3, 4), strict=True))


async def test_client_events_reach_the_sockets_of_another_process(
    cluster: postgres.Running, template: str, home: Path, http: aiohttp.ClientSession
) -> None:
    with running_redis() as redis:
        async with (
            fresh_database(cluster, template) as url,
            placed(Site(url, home, redis.url), http) as one,
            placed(Site(url, home, redis.url), http) as other,
        ):
            acme = await sign_up(one.api)
            ann, ben = await join(one, acme), await join(other, acme)
            async with pusher_js(one.process) as here, pusher_js(other.process) as there:
                await ann.connect(here, "ann")
                await ben.connect(there, "ben")
                for js, name in ((here, "ann"), (there, "ben")):
                    await js.subscribe(name, "private-room-1")
                await here.do("trigger", "ann", channel="private-room-1", event="client-typing", data={"by": "ann"})
                assert (await there.fact(event="client-typing"))["data"] == {"by": "ann"}
                await there.subscribe("ben", ben.channel)
                id_ = await one.hand.tell(acme, ben.id)
                assert (await there.fact(event="notification.created"))["data"]["id"] == str(id_)
                assert not here.told(client="ann", event="client-typing")


async def test_of_a_connections_new_status_its_owner_hears_and_nobody_else(
    place: Place, acme: Project, rival: Project, js: PusherJs
) -> None:
    people = {"ann": await join(place, acme), "ben": await join(place, acme), "eve": await join(place, rival)}
    for name, person in people.items():
        await person.connect(js, name)
        await js.subscribe(name, person.channel)
    id_ = new_id()
    async with place.hand.db.unit(UUID(acme.id), "live") as connection:
        await connection.execute(
            "INSERT INTO tocsin.connections (project_id, id, env, provider, channel, owner, user_id, name, status,"
            " status_reason) VALUES ($1, $2, 'live', 'smtp', 'email', 'user', $3, 'Mine', 'error', 'refused')",
            UUID(acme.id),
            id_,
            UUID(people["ann"].id),
        )
    place.hand.signal(rival, "connection", id_)
    place.hand.signal(acme, "connection", id_)
    heard = await js.fact(client="ann", event="connection.status_changed")
    assert heard["data"] == {
        "id": str(id_),
        "name": "Mine",
        "channel": "email",
        "provider": "smtp",
        "status": "error",
        "statusReason": "refused",
    }
    for name in ("ben", "eve"):
        await js.settle(name)
        assert not js.told(client=name, event="connection.status_changed")
