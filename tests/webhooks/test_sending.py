"""What an endpoint answers decides what becomes of its messages, and of itself (H2, D2)."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.client import Project
from tests.connections.build import receiver
from tests.endpoint import Answer, Endpoint, endpoint
from tests.pipeline import Working, until
from tests.webhooks.build import body_of, endpoint_of, entry, heard, listen, logged
from tocsin.channels.contract import WEBHOOK_RETRIES


async def rename(project: Project, name: str = "Other") -> None:
    """Something happens: the project's endpoints hear `project.changed`."""
    reply = await project.owner.put("/projects/me", {"description": name})
    assert reply.status == 200, reply.json


async def tried(project: Project, times: int) -> Any:
    """The one message, once it was tried so often and came to rest."""

    async def look() -> Any:
        [message] = (await project.owner.get("/webhook-logs")).json["items"] or [None]
        if message is None or message["attemptNumber"] < times:
            return None
        return await entry(project, message["id"])

    return await until(look)


async def fall_due(sql: asyncpg.Connection, message: Any) -> None:
    """Let the time pass until a message's next attempt."""
    done = await sql.execute(
        "UPDATE tocsin.webhook_messages SET due_at = now() WHERE id = $1 AND state = 'queued'", message["id"]
    )
    assert done == "UPDATE 1", "it does not wait"


async def failing_since(sql: asyncpg.Connection, made: Any, days: float) -> None:
    await sql.execute(
        "UPDATE tocsin.webhook_endpoints SET failing_since = $2 WHERE id = $1",
        UUID(made["id"]),
        datetime.now(UTC) - timedelta(days=days),
    )


async def test_a_failure_is_tried_again_under_the_same_id_until_it_arrives(working: Working, shop: Project) -> None:
    async with endpoint() as served:
        served.answers = [Answer(500), Answer(302, {"Location": "http://127.0.0.1:9/"})]
        await listen(shop, served, "project.changed")
        await rename(shop)
        for times in (1, 2):
            waiting = await tried(shop, times)
            assert (waiting["state"], len(waiting["attempts"])) == ("queued", times)
            assert waiting["nextAttemptAt"] == waiting["attempts"][-1]["nextAttemptAt"]
            await fall_due(working.sql, waiting)
        done = await tried(shop, 3)
    assert (done["state"], done["success"], done["nextAttemptAt"]) == ("delivered", True, None)
    told = [(each["number"], each["success"], each["responseStatus"], each["error"]) for each in done["attempts"]]
    assert told == [
        (1, False, 500, "The endpoint answered 500."),
        (2, False, 302, "Redirects are not followed."),
        (3, True, 200, None),
    ]
    assert {(call.id, call.body) for call in served.calls} == {(done["messageId"], served.calls[0].body)}
    assert body_of(served.calls[0]) == done["payload"]


async def test_after_eight_tries_it_is_given_up_and_replayed_by_hand(working: Working, shop: Project) -> None:
    async with endpoint(Answer(500)) as served:
        await listen(shop, served, "project.changed")
        await rename(shop)
        for times in range(1, len(WEBHOOK_RETRIES)):
            await fall_due(working.sql, await tried(shop, times))
        given_up = await tried(shop, 8)
        assert (given_up["state"], given_up["attempts"][-1]["nextAttemptAt"]) == ("failed", None)
        served.usual = Answer(200)
        replayed = await shop.owner.post(f"/webhook-logs/{given_up['id']}/replay")
        assert (replayed.status, replayed.json["state"]) == (200, "queued")
        done = await tried(shop, 9)
        again = await shop.owner.post(f"/webhook-logs/{given_up['id']}/replay")
        assert again.status == 200, again.json
        await tried(shop, 10)
    assert done["state"] == "delivered"
    assert {call.id for call in served.calls} == {given_up["messageId"]}


async def test_an_answer_is_kept_to_4_kib_and_without_the_secret(shop: Project) -> None:
    async with receiver() as backend:
        body = {"url": backend.url, "eventTypes": ["project.changed"]}
        made = (await shop.owner.post("/webhook-endpoints", body)).json
        backend.words = f"you said {made['secret']} " + "x" * 5_000
        await rename(shop)
        done = await tried(shop, 1)
    assert done["responseBody"].startswith("you said **** xxx")
    assert len(done["responseBody"]) <= 4_096


async def test_messages_are_signed_both_ways_as_other_libraries_check(shop: Project) -> None:
    async with receiver() as backend:
        body = {"url": backend.url, "eventTypes": ["project.changed"]}
        made = (await shop.owner.post("/webhook-endpoints", body)).json
        await rename(shop)
        await tried(shop, 1)
    [(headers, content)] = backend.calls
    Webhook(made["secret"]).verify(content, headers)
    key = base64.b64decode(made["secret"].removeprefix("whsec_"))
    assert headers["X-Tocsin-Signature"] == f"sha256={hmac.new(key, content, hashlib.sha256).hexdigest()}"


async def test_during_a_rotation_both_secrets_verify_and_afterwards_one(shop: Project) -> None:
    async with receiver() as backend:
        body = {"url": backend.url, "eventTypes": ["project.changed"]}
        made = (await shop.owner.post("/webhook-endpoints", body)).json
        path = f"/webhook-endpoints/{made['id']}/rotate-secret"
        rotated = (await shop.owner.post(path, {"overlapSeconds": 3600})).json
        assert rotated["secret"] != made["secret"]
        assert rotated["previousSecretUntil"]
        await rename(shop, "first")
        await logged(shop, 1, state="delivered")
        ended = (await shop.owner.post(path, {"overlapSeconds": 0})).json
        await rename(shop, "second")
        await logged(shop, 2, state="delivered")
    (headers, content), (later, after) = backend.calls
    for secret in (made["secret"], rotated["secret"]):
        Webhook(secret).verify(content, headers)
    Webhook(ended["secret"]).verify(after, later)
    for secret in (made["secret"], rotated["secret"]):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(after, later)


async def test_an_endpoint_that_is_gone_is_paused_at_once_and_its_owner_told_once(
    working: Working, shop: Project
) -> None:
    async with endpoint(Answer(410)) as served:
        made = await listen(shop, served, "project.changed")
        await rename(shop)
        await paused(shop, made)
        await told_once(working, shop)
        await rename(shop, "missed")
        [missed, first] = await logged(shop, 2)
        assert (missed["state"], missed["error"]) == ("failed", "The endpoint was paused.")
        assert (first["state"], first["responseStatus"]) == ("failed", 410)
    assert len(served.calls) == 1


async def test_one_that_failed_for_five_days_is_paused_and_one_that_did_not_is_not(
    working: Working, shop: Project
) -> None:
    async with endpoint(Answer(500)) as served:
        made = await listen(shop, served, "project.changed")
        await rename(shop)
        waiting = await tried(shop, 1)
        await failing_since(working.sql, made, 4.9)
        await fall_due(working.sql, waiting)
        await tried(shop, 2)
        assert (await endpoint_of(shop, made))["status"] == "active"
        await failing_since(working.sql, made, 5.1)
        await fall_due(working.sql, waiting)
        stopped = await paused(shop, made)
        assert stopped["statusReason"].startswith("Nothing arrived since ")
        assert stopped["failures"] == 3
        await told_once(working, shop)


async def test_a_success_in_between_begins_the_five_days_anew(working: Working, shop: Project) -> None:
    async with endpoint() as served:
        made = await listen(shop, served, "project.changed")
        await failing_since(working.sql, made, 6)
        await rename(shop)
        await tried(shop, 1)
        healthy = await endpoint_of(shop, made)
    assert (healthy["status"], healthy["failingSince"], healthy["failures"]) == ("active", None, 0)
    assert healthy["lastSuccessAt"]


async def test_a_resumed_endpoint_hears_what_is_new_and_recovers_the_rest(working: Working, shop: Project) -> None:
    async with endpoint(Answer(410)) as served:
        made = await listen(shop, served, "project.changed")
        await rename(shop, "1")
        await paused(shop, made)
        for name in ("2", "3"):
            await rename(shop, name)
        served.usual = Answer(200)
        refused = await recover(shop, made)
        assert (refused.status, refused.code) == (409, "endpoint_not_active")
        resumed = await shop.owner.put(f"/webhook-endpoints/{made['id']}", {"status": "active"})
        assert (resumed.json["status"], resumed.json["statusReason"]) == ("active", None)
        await rename(shop, "4")
        await heard(served, 2)
        assert len(served.calls) == 2
        begun = await recover(shop, made)
        assert begun.status == 202, begun.json
        await heard(served, 5)

        async def finished() -> Any:
            recovery = (await endpoint_of(shop, made))["recovery"]
            return recovery if recovery["finishedAt"] else None

        assert (await until(finished))["resent"] == 3
        assert {each["state"] for each in await logged(shop, 4, state="delivered")} == {"delivered"}
    ids = [call.id for call in served.calls]
    assert (len(ids), len(set(ids))) == (5, 4)


async def test_recovering_goes_by_when_a_message_failed_and_not_by_its_age(working: Working, shop: Project) -> None:
    async with endpoint() as served:
        made = await listen(shop, served, "project.changed")
        await rename(shop, "1")
        await heard(served)
        await logged(shop, 1, state="delivered")
        late, early = [await old_failure(working, shop, failed=ago) for ago in ("1 hour", "3 hours")]
        begun = await recover(shop, made, minutes=120)
        assert begun.status == 202

        async def finished() -> Any:
            recovery = (await endpoint_of(shop, made))["recovery"]
            return recovery if recovery["finishedAt"] else None

        assert (await until(finished))["resent"] == 1
        await heard(served, 2)
    assert [call.id for call in served.calls][1:] == [f"msg_{late.hex}"]
    state = await working.sql.fetchval("SELECT state FROM tocsin.webhook_messages WHERE id = $1", early)
    assert state == "failed"


async def old_failure(working: Working, project: Project, *, failed: str) -> UUID:
    """A message of yesterday that failed so long ago."""
    found: UUID = await working.sql.fetchval(
        "INSERT INTO tocsin.webhook_messages (project_id, id, env, endpoint_id, event_type, data, state, created_at,"
        " finished_at)"
        " SELECT m.project_id, overlay(gen_random_uuid()::text PLACING"
        " left(tocsin.first_id_at(now() - interval '20 hours')::text, 14) FROM 1 FOR 14)::uuid, m.env, m.endpoint_id,"
        " m.event_type, m.data, 'failed', now() - interval '20 hours', now() - $2::text::interval"
        " FROM tocsin.webhook_messages m WHERE m.project_id = $1 AND m.state = 'delivered' LIMIT 1 RETURNING id",
        project.id,
        failed,
    )
    return found


async def test_what_waits_for_a_disabled_endpoint_ends_as_failed(working: Working, shop: Project) -> None:
    async with endpoint(Answer(500)) as served:
        made = await listen(shop, served, "project.changed")
        await rename(shop)
        waiting = await tried(shop, 1)
        await shop.owner.put(f"/webhook-endpoints/{made['id']}", {"status": "disabled"})
        await rename(shop, "unheard")
        await fall_due(working.sql, waiting)
        await working.sql.execute("SELECT tocsin.ready_webhooks(100, 5)")

        async def ended() -> Any:
            found = await entry(shop, waiting["id"])
            return found if found["state"] == "failed" else None

        assert (await until(ended, 25))["error"] == "The endpoint was disabled."
        assert len(await logged(shop)) == 1


async def test_an_endpoint_that_hangs_holds_up_neither_its_neighbour_nor_another_project(
    shop: Project, rival: Project
) -> None:
    async with endpoint(Answer(after=60)) as hanging, endpoint() as quick, endpoint() as theirs:
        await listen(shop, hanging, "project.changed", timeoutSeconds=30)
        for number in range(40):
            await rename(shop, str(number))
        await until(lambda: inside(hanging, 8))
        await listen(shop, quick, "project.changed")
        await listen(rival, theirs, "project.changed")
        await rename(shop, "heard")
        await rename(rival, "heard")
        await heard(quick)
        await heard(theirs)
        assert hanging.most_inside == 8
        hanging.let_go()


async def inside(served: Endpoint, count: int) -> bool:
    return served.inside >= count


async def test_what_was_sent_by_a_process_that_died_is_sent_again(working: Working, shop: Project) -> None:
    async with endpoint(Answer(500)) as served:
        await listen(shop, served, "project.changed")
        await rename(shop)
        waiting = await tried(shop, 1)
        served.usual = Answer(200)
        await working.sql.execute(
            "UPDATE tocsin.webhook_messages SET state = 'leased', ready = true, crashes = 1,"
            " lease_token = gen_random_uuid(), lease_until = now() - interval '1 s' WHERE id = $1",
            waiting["id"],
        )
        done = await tried(shop, 2)
    assert done["state"] == "delivered"


async def test_a_suspended_project_loses_nothing(working: Working, shop: Project) -> None:
    async with endpoint() as served:
        await listen(shop, served, "project.changed")
        await working.sql.execute("UPDATE tocsin.projects SET suspended_at = now() WHERE id = $1", shop.id)
        await working.sql.execute(
            "SELECT set_config('tocsin.project', $1, false), set_config('tocsin.env', 'live', false)", shop.id
        )
        await working.sql.execute("SELECT tocsin.tell_webhooks($1, 'live', 'project.changed', '{}')", UUID(shop.id))
        [waiting] = await logged(shop)
        assert waiting["state"] == "queued"
        await working.sql.execute("UPDATE tocsin.projects SET suspended_at = NULL WHERE id = $1", shop.id)
        await heard(served)


async def paused(project: Project, made: Any) -> Any:
    async def look() -> Any:
        found = await endpoint_of(project, made)
        return found if found["status"] == "paused" else None

    return await until(look)


async def told_once(working: Working, project: Project) -> None:
    """One entry in the audit log, one event for rules, one mail."""
    counts = (
        "SELECT (SELECT count(*) FROM tocsin.audit_log WHERE project_id = $1 AND action = 'webhook_endpoint.paused'),"
        " (SELECT count(*) FROM tocsin.events WHERE project_id = $1 AND type = 'tocsin.webhook.paused'),"
        " (SELECT count(*) FROM tocsin.mails WHERE project_id = $1 AND kind = 'webhook_paused')"
    )

    async def look() -> Any:
        row = await working.sql.fetchrow(counts, project.id)
        return tuple(row) if any(row) else None

    assert await until(look) == (1, 1, 1)


async def recover(project: Project, made: Any, minutes: float = 60) -> Any:
    since = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    return await project.owner.post(f"/webhook-endpoints/{made['id']}/recover", {"since": since})
