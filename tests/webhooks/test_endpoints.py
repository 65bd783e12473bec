"""Endpoints over HTTP: their secrets, their limits, and the short form of one."""

import base64
import secrets

import pytest

from tests.client import Project
from tests.connections.build import make_hook
from tests.endpoint import Answer, endpoint
from tests.pipeline import Working, until
from tests.plans.build import put_on
from tests.webhooks.build import endpoint_of, entry, heard, listen, logged

URL = "http://127.0.0.1:9/hook"
BODY = {"url": URL, "eventTypes": ["*"]}


async def test_the_secret_is_shown_once(shop: Project) -> None:
    made = (await shop.owner.post("/webhook-endpoints", BODY)).json
    assert 24 <= len(base64.b64decode(made["secret"].removeprefix("whsec_"), validate=True)) <= 64
    read = await endpoint_of(shop, made)
    assert read["secret"] == f"****{made['secret'][-4:]}"
    listed = (await shop.owner.get("/webhook-endpoints")).json["items"]
    assert listed == [read]


async def test_the_secret_is_sealed_in_the_database(shop: Project, working: Working) -> None:
    made = (await shop.owner.post("/webhook-endpoints", BODY)).json
    kept = await working.sql.fetchval("SELECT secret FROM tocsin.webhook_endpoints WHERE id = $1", made["id"])
    assert kept.startswith("v1.")
    assert made["secret"].removeprefix("whsec_") not in kept


@pytest.mark.parametrize("length", [23, 65])
async def test_a_secret_of_ones_own_has_24_to_64_bytes(shop: Project, length: int) -> None:
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(length)).decode()
    refused = await shop.owner.post("/webhook-endpoints", {**BODY, "secret": secret})
    assert (refused.status, refused.pointers) == (422, ["/secret"])
    assert secret not in str(refused.json)


@pytest.mark.parametrize(
    "wrong",
    [{"eventTypes": []}, {"eventTypes": ["order.created"]}, {"timeoutSeconds": 0}, {"timeoutSeconds": 31}, {"url": ""}],
)
async def test_what_no_endpoint_can_be_is_refused(shop: Project, wrong: dict[str, object]) -> None:
    refused = await shop.owner.post("/webhook-endpoints", {**BODY, **wrong})
    assert refused.status == 422
    assert refused.pointers[0].startswith(f"/{next(iter(wrong))}")


async def test_another_project_sees_no_endpoint_and_no_log(shop: Project, rival: Project) -> None:
    async with endpoint() as served:
        made = await listen(shop, served, "project.changed")
        assert (await shop.owner.put("/projects/me", {"name": "Other"})).status == 200
        [message] = await logged(shop)
        await heard(served)
    base = f"/webhook-endpoints/{made['id']}"
    replies = [
        await rival.owner.get(base),
        await rival.owner.put(base, {"description": "mine"}),
        await rival.owner.delete(base),
        await rival.owner.post(f"{base}/test"),
        await rival.owner.post(f"{base}/rotate-secret", {}),
        await rival.owner.post(f"{base}/recover", {"since": "2026-01-01T00:00:00Z"}),
        await rival.owner.get(f"/webhook-logs/{message['id']}"),
        await rival.owner.post(f"/webhook-logs/{message['id']}/replay"),
    ]
    assert {reply.status for reply in replies} == {404}
    assert (await rival.owner.get("/webhook-endpoints")).json["items"] == []


async def test_who_may_only_read_changes_nothing(shop: Project) -> None:
    made = (await shop.owner.post("/webhook-endpoints", BODY)).json
    _, reader = await shop.new_key("webhooks:read")
    assert (await reader.get(f"/webhook-endpoints/{made['id']}")).status == 200
    for refused in (
        await reader.post("/webhook-endpoints", BODY),
        await reader.delete(f"/webhook-endpoints/{made['id']}"),
    ):
        assert (refused.status, refused.code) == (403, "permission_missing")


async def test_the_sandbox_reads_live_endpoints_and_changes_none(shop: Project) -> None:
    made = (await shop.owner.post("/webhook-endpoints", BODY)).json
    base = f"/webhook-endpoints/{made['id']}"
    assert (await shop.test_key.get(base)).status == 200
    for refused in (await shop.test_key.put(base, {"description": "x"}), await shop.test_key.delete(base)):
        assert (refused.status, refused.code) == (403, "live_object")


async def test_endpoints_are_a_feature_and_counted_with_connections_to_webhooks(
    shop: Project, working: Working
) -> None:
    await put_on(working.sql, shop, "free")
    refused = await shop.owner.post("/webhook-endpoints", BODY)
    assert (refused.status, refused.code) == (403, "feature_not_in_plan")
    await put_on(working.sql, shop, "starter", quotas={"webhooks": 2})
    await make_hook(shop.owner)
    first = await shop.owner.post("/webhook-endpoints", BODY)
    assert first.status == 201
    refused = await shop.owner.put("/projects/me/webhook", {"url": URL})
    assert (refused.status, refused.code) == (403, "limit_reached")
    assert (await shop.owner.delete(f"/webhook-endpoints/{first.json['id']}")).status == 204
    assert (await shop.owner.put("/projects/me/webhook", {"url": URL})).status == 200


async def test_the_short_form_makes_moves_and_removes_one_endpoint(shop: Project) -> None:
    made = (await shop.owner.put("/projects/me/webhook", {"url": URL, "eventTypes": ["quota.warning"]})).json
    assert made["primary"]
    assert made["secret"].startswith("whsec_")
    moved = (await shop.owner.put("/projects/me/webhook", {"url": f"{URL}/2"})).json
    assert (moved["id"], moved["url"], moved["eventTypes"]) == (made["id"], f"{URL}/2", ["*"])
    assert moved["secret"] == f"****{made['secret'][-4:]}"
    assert (await shop.owner.put("/projects/me/webhook", {"url": None})).json is None
    assert (await shop.owner.get("/webhook-endpoints")).json["items"] == []


async def test_a_test_message_is_answered_at_once_and_stands_in_the_log(shop: Project) -> None:
    async with endpoint(Answer(503)) as served:
        made = await listen(shop, served, "quota.warning")
        told = (await shop.owner.post(f"/webhook-endpoints/{made['id']}/test")).json
        [call] = served.calls
    assert (told["state"], told["responseStatus"], told["responseBody"]) == ("failed", 503, "noted")
    kept = await entry(shop, told["logId"])
    assert (kept["eventType"], kept["messageId"], kept["state"]) == ("webhook.test", call.id, "failed")
    assert kept["payload"]["event"] == "webhook.test"


async def test_a_test_in_the_sandbox_asks_nobody(shop: Project) -> None:
    async with endpoint() as served:
        made = await listen(shop, served, caller=shop.test_key)
        told = await shop.test_key.post(f"/webhook-endpoints/{made['id']}/test")
        assert (told.status, told.json["state"]) == (200, "captured")
    assert served.calls == []


async def test_a_removed_endpoint_hears_nothing_more_and_its_log_goes(shop: Project, working: Working) -> None:
    async with endpoint() as served:
        made = await listen(shop, served, "project.changed")
        assert (await shop.owner.put("/projects/me", {"name": "One"})).status == 200
        await heard(served)
        assert (await shop.owner.delete(f"/webhook-endpoints/{made['id']}")).status == 204
        assert (await shop.owner.get(f"/webhook-endpoints/{made['id']}")).status == 404
        assert (await shop.owner.put("/projects/me", {"name": "Two"})).status == 200

        async def gone() -> bool:
            left = "SELECT count(*) FROM tocsin.{} WHERE project_id = $1"
            tables = ("webhook_endpoints", "webhook_messages", "webhook_attempts")
            return not any([await working.sql.fetchval(left.format(table), shop.id) for table in tables])

        await until(gone)
    assert len(served.calls) == 1


async def test_a_full_house_elsewhere_takes_no_room_here(working: Working, shop: Project, rival: Project) -> None:
    for project in (shop, rival):
        await put_on(working.sql, project, "starter", quotas={"webhooks": 1})
        assert (await project.owner.post("/webhook-endpoints", BODY)).status == 201
