"""What happens in a project reaches the endpoints that listen, each once, and nobody else's (H1)."""

import asyncio
from typing import Any

import jsonschema_rs

from tests.channels.far_end import answering
from tests.client import Project
from tests.connections.build import make_mail
from tests.contract.endpoints import DOCUMENT
from tests.endpoint import Answer, Endpoint, endpoint
from tests.people import join
from tests.pipeline import Working, ended, make_rule, notified, send_event, tried, until
from tests.plans.build import put_on
from tests.webhooks.build import heard, listen, logged
from tocsin.webhooks.kinds import DATA


def check_shape(body: Any) -> None:
    """It is what the document says of its type."""
    schema = DOCUMENT["webhooks"][body["event"]]["post"]["requestBody"]["content"]["application/json"]["schema"]
    jsonschema_rs.validate({**schema, "components": DOCUMENT["components"]}, body)


async def one(served: Endpoint, event: str, project: Project) -> Any:
    """The data of the one message of this type, whose shape is as documented."""

    async def look() -> list[Any]:
        return [each for each in await heard(served) if each["event"] == event]

    [body] = await until(look)
    check_shape(body)
    assert body["projectId"] == project.id
    return body["data"]


def test_every_type_is_documented_with_its_schema() -> None:
    assert set(DOCUMENT["webhooks"]) == set(DATA)


async def test_a_delivery_that_arrives_is_told(shop: Project) -> None:
    async with endpoint() as served, endpoint() as hook:
        await hook.connect(shop)
        await listen(shop, served, "notification.delivered", "notification.failed")
        await make_rule(shop, "webhook")
        reply = await shop.key.post("/events", {"type": "order.created", "payload": {}, "clientEventId": "order-1"})
        done = await ended(shop.key, reply.json["id"])
        data = await one(served, "notification.delivered", shop)
    assert data == {
        "notificationId": done["notificationId"],
        "deliveryId": done["id"],
        "channel": "webhook",
        "status": "delivered",
        "userId": None,
        "externalUserId": None,
        "eventId": reply.json["id"],
        "clientEventId": "order-1",
        "deliveredAt": done["deliveredAt"],
    }


async def test_a_delivery_that_is_given_up_is_told_with_its_error(shop: Project) -> None:
    async with endpoint() as served, endpoint(Answer(410)) as hook:
        await hook.connect(shop)
        await listen(shop, served, "notification.delivered", "notification.failed")
        await make_rule(shop, "webhook")
        done = await ended(shop.key, await send_event(shop.key))
        data = await one(served, "notification.failed", shop)
    assert (data["deliveryId"], data["status"], data["error"]) == (done["id"], "failed", "The endpoint is gone.")


async def test_a_delivery_that_is_seen_at_once_is_told_with_its_person(working: Working, shop: Project) -> None:
    ann = await join(working.api, shop)
    async with endpoint() as served:
        await listen(shop, served, "notification.delivered")
        await make_rule(shop, "realtime", targetUsers=[ann.id])
        await send_event(shop.key)
        data = await one(served, "notification.delivered", shop)
    assert (data["channel"], data["status"], data["userId"]) == ("realtime", "sent", ann.id)
    assert data["externalUserId"] == ann.external_id


async def test_what_the_quota_dropped_is_told_as_failed(working: Working, shop: Project) -> None:
    async with endpoint() as served:
        await listen(shop, served, "notification.failed")
        await put_on(working.sql, shop, "starter", quotas={"notifications": 0})
        await make_rule(shop, "realtime", targetRoles=["owner"])
        await send_event(shop.key)
        data = await one(served, "notification.failed", shop)
    assert data["status"] == "dropped"
    assert data["error"]


async def test_a_delivery_that_ended_its_processes_is_told(working: Working, shop: Project) -> None:
    async with endpoint() as served, endpoint(Answer(500)) as hook:
        await hook.connect(shop)
        await listen(shop, served, "notification.failed")
        await make_rule(shop, "webhook")
        event_id = await send_event(shop.key)
        found = (await tried(shop.key, event_id, 1))["id"]
        await working.sql.execute(
            "UPDATE tocsin.deliveries SET state = 'leased', ready = true, crashes = 5, lease_token = gen_random_uuid(),"
            " lease_until = now() - interval '1 s' WHERE id = $1",
            found,
        )
        data = await one(served, "notification.failed", shop)
        done = await ended(shop.key, event_id)
    assert (data["deliveryId"], data["status"]) == (done["id"], "failed")
    assert data["error"] == done["lastError"]


async def test_the_first_acknowledgement_is_told_once(working: Working, shop: Project) -> None:
    ann = await join(working.api, shop)
    async with endpoint() as served:
        await listen(shop, served, "notification.acknowledged")
        await make_rule(shop, "realtime", targetUsers=[ann.id])
        notification = await notified(shop.key, await send_event(shop.key))
        for _ in range(2):
            assert (await ann.client.put(f"/notifications/{notification['id']}/acknowledge")).status == 200
        data = await one(served, "notification.acknowledged", shop)
        assert len(await logged(shop)) == 1
    assert (data["notificationId"], data["userId"], data["via"]) == (notification["id"], ann.id, "panel")
    assert (data["externalUserId"], data["status"]) == (ann.external_id, "acknowledged")


async def test_people_who_come_by_themselves_are_told_and_those_who_are_made_are_not(
    working: Working, shop: Project
) -> None:
    async with endpoint() as served:
        await listen(shop, served, "user.registered")
        await shop.add_user()
        ann = await join(working.api, shop)
        data = await one(served, "user.registered", shop)
        assert (data["userId"], data["externalUserId"]) == (ann.id, ann.external_id)
        assert (await shop.app.post("/users/register", {"email": "bob@shop.example"})).status == 201
        assert (await shop.app.post("/users/register", {"email": "bob@shop.example"})).status == 201
        bodies = await heard(served, 2)
    assert [(each["data"]["email"], each["data"]["status"]) for each in bodies[1:]] == [("bob@shop.example", "pending")]


async def test_marks_of_quotas_are_told(working: Working, shop: Project) -> None:
    async with endpoint() as served:
        await listen(shop, served, "quota.warning", "quota.exceeded")
        await put_on(working.sql, shop, "starter", quotas={"events": 1})
        await send_event(shop.key)
        bodies = await heard(served, 2)
    assert {each["event"]: each["data"]["percent"] for each in bodies} == {"quota.warning": 80, "quota.exceeded": 100}
    for body in bodies:
        check_shape(body)


async def test_what_is_done_to_connections_is_told_without_a_secret(shop: Project) -> None:
    async with endpoint() as served:
        await listen(shop, served, "connection.changed")
        made = await make_mail(shop.owner)
        assert (await shop.owner.put(f"/connections/{made['id']}", {"name": "Renamed"})).status == 200
        assert (await shop.owner.delete(f"/connections/{made['id']}")).status == 204
        bodies = await heard(served, 3)
    for body in bodies:
        check_shape(body)
    by_change = {body["data"]["change"]: body["data"] for body in bodies}
    assert set(by_change) == {"created", "updated", "deleted"}
    assert {each["connectionId"] for each in by_change.values()} == {made["id"]}
    assert by_change["updated"]["name"] == "Renamed"
    assert "credentials" not in str(bodies)


async def test_a_connection_whose_credentials_stopped_working_is_told(shop: Project, working: Working) -> None:
    async with endpoint() as served, answering(401) as far:
        await listen(shop, served, "connection.error")
        body = {"provider": "ntfy", "name": "Alerts", "settings": {"url": far.url, "topic": "orders"}}
        made = await shop.owner.post("/connections", body)
        assert made.status == 201, made.json
        await working.sql.execute("UPDATE tocsin.connections SET status = 'active' WHERE id = $1", made.json["id"])
        await make_rule(shop, "ntfy")
        await send_event(shop.key)
        data = await one(served, "connection.error", shop)
    assert (data["connectionId"], data["status"], data["provider"]) == (made.json["id"], "error", "ntfy")
    assert data["statusReason"]


async def test_changes_of_the_project_are_told_by_the_names_of_what_changed(shop: Project) -> None:
    async with endpoint() as served:
        await listen(shop, served, "project.changed")
        assert (await shop.owner.put("/projects/me", {"name": "Shop of shops"})).status == 200
        data = await one(served, "project.changed", shop)
    assert data == {"change": "project.updated", "changed": ["name"]}


async def test_an_endpoint_hears_only_what_it_listens_to(shop: Project) -> None:
    async with endpoint() as served:
        await listen(shop, served, "quota.warning")
        async with endpoint() as everything:
            await listen(shop, everything, "project.changed")
            assert (await shop.owner.put("/projects/me", {"name": "Other"})).status == 200
            await heard(everything)
        assert len(await logged(shop)) == 1
    assert served.calls == []


async def test_each_endpoint_hears_it_once_under_an_id_of_its_own(shop: Project) -> None:
    async with endpoint() as one_of_them, endpoint() as other:
        await listen(shop, one_of_them, "project.changed")
        await listen(shop, other, "*")
        assert (await shop.owner.put("/projects/me", {"name": "Other"})).status == 200
        await heard(one_of_them)
        await heard(other)
        messages = await logged(shop, 2)
        assert {call.id for call in one_of_them.calls + other.calls} == {each["messageId"] for each in messages}
    assert (len(one_of_them.calls), len(other.calls)) == (1, 1)


async def test_another_projects_endpoint_hears_nothing(shop: Project, rival: Project) -> None:
    async with endpoint() as theirs, endpoint() as ours:
        await listen(rival, theirs)
        await listen(shop, ours)
        assert (await shop.owner.put("/projects/me", {"name": "Other"})).status == 200
        await heard(ours)
        assert (await rival.owner.get("/webhook-logs")).json["items"] == []
    assert theirs.calls == []


async def test_what_two_projects_do_at_once_reaches_each_ones_own_endpoint(shop: Project, rival: Project) -> None:
    """Small batches of several projects share a statement."""
    async with endpoint() as ours, endpoint() as theirs:
        for project, served in ((shop, ours), (rival, theirs)):
            await listen(project, served, "notification.delivered")
            await make_rule(project, "realtime", targetRoles=["owner"])
        sent = await asyncio.gather(*(send_event(project.key) for _ in range(20) for project in (shop, rival)))
        heard_by = {shop.id: await heard(ours, 20), rival.id: await heard(theirs, 20)}
    for project_id, first in ((shop.id, 0), (rival.id, 1)):
        assert {each["projectId"] for each in heard_by[project_id]} == {project_id}
        assert sorted(each["data"]["eventId"] for each in heard_by[project_id]) == sorted(sent[first::2])


async def test_the_sandbox_keeps_what_it_would_send(shop: Project) -> None:
    async with endpoint() as served, endpoint() as own:
        await listen(shop, served)
        await listen(shop, own, caller=shop.test_key)
        body = {"name": "x", "eventTypes": ["*"], "title": "x", "targetRoles": ["owner"], "channels": ["realtime"]}
        assert (await shop.test_key.post("/rules", body)).status == 201
        await send_event(shop.test_key)

        async def captured() -> list[Any]:
            return [
                each
                for each in (await shop.test_key.get("/webhook-logs", state="captured")).json["items"]
                if each["eventType"] == "notification.delivered"
            ]

        messages = await until(captured)
        kept = (await shop.test_key.get(f"/webhook-logs/{messages[0]['id']}")).json
        assert kept["payload"]["data"]["status"] == "sent"
        assert kept["attempts"] == []
    assert len(messages) == 2
    assert (served.calls, own.calls) == ([], [])
    assert "notification.delivered" not in {
        each["eventType"] for each in (await shop.owner.get("/webhook-logs")).json["items"]
    }
