"""What an endpoint answers decides what becomes of a delivery (D2)."""

from datetime import datetime, timedelta
from typing import Any

from tests.client import Project, sign_up
from tests.connections.build import make_hook
from tests.endpoint import Answer, Endpoint, endpoint
from tests.engines import free_port
from tests.pipeline import Working, delivery_of, ended, fall_due, make_rule, send_event, tried
from tocsin.channels.contract import WEBHOOK_RETRIES


async def told(project: Project, served: Endpoint) -> str:
    """An event that the endpoint hears of."""
    await served.connect(project)
    await make_rule(project, "webhook")
    return await send_event(project.key, order="A-1")


def wait_after(attempt: Any) -> float:
    """Seconds between an attempt's end and the next one."""
    due, began = (datetime.fromisoformat(attempt[name]) for name in ("nextDueAt", "startedAt"))
    return (due - began - timedelta(milliseconds=attempt["durationMs"])).total_seconds()


async def test_a_failure_is_tried_again_until_it_arrives(working: Working, shop: Project) -> None:
    async with endpoint() as served:
        served.answers = [Answer(500), Answer(503)]
        event_id = await told(shop, served)
        for times in (1, 2):
            waiting = await tried(shop.key, event_id, times)
            assert (waiting["state"], waiting["lastError"]) == (
                "queued",
                f"The endpoint answered {(500, 503)[times - 1]}.",
            )
            assert waiting["dueAt"] == waiting["attempts"][-1]["nextDueAt"]
            await fall_due(working.sql, waiting)
        done = await ended(shop.key, event_id)
    assert (done["state"], done["lastError"], done["dueAt"]) == ("delivered", None, None)
    assert [(each["number"], each["outcome"], each["status"]) for each in done["attempts"]] == [
        (1, "temporary", 500),
        (2, "temporary", 503),
        (3, "ok", 200),
    ]
    assert len(served.calls) == 3
    assert len({(call.id, call.body) for call in served.calls}) == 1


async def test_the_waits_follow_the_schedule_within_a_fifth(working: Working, shop: Project) -> None:
    async with endpoint(Answer(500)) as served:
        event_id = await told(shop, served)
        for times in range(1, 8):
            await fall_due(working.sql, await tried(shop.key, event_id, times))
        given_up = await ended(shop.key, event_id)
    waits = [wait_after(attempt) for attempt in given_up["attempts"][:-1]]
    assert len(waits) == len(WEBHOOK_RETRIES) - 1 == 7
    for waited, planned in zip(waits, WEBHOOK_RETRIES[1:], strict=True):
        assert 0.8 * planned - 1 <= waited <= 1.2 * planned + 1


async def test_after_the_last_try_it_is_given_up_and_can_be_sent_once_more(working: Working, shop: Project) -> None:
    async with endpoint(Answer(500)) as served:
        event_id = await told(shop, served)
        await working.sql.execute(
            "UPDATE tocsin.deliveries SET attempts = $2 WHERE id = $1",
            (await tried(shop.key, event_id, 1))["id"],
            len(WEBHOOK_RETRIES) - 1,
        )
        await fall_due(working.sql, await tried(shop.key, event_id, 1))
        given_up = await ended(shop.key, event_id)
        assert (given_up["state"], given_up["dueAt"]) == ("failed", None)
        assert given_up["lastError"] == "The endpoint answered 500."
        assert given_up["attempts"][-1]["nextDueAt"] is None
        served.usual = Answer(200)
        reply = await shop.owner.post(f"/deliveries/{given_up['id']}/retry")
        assert (reply.status, reply.json["state"]) == (200, "queued"), reply.json
        done = await ended(shop.key, event_id)
    assert (done["state"], [each["number"] for each in done["attempts"]]) == ("delivered", [1, 8, 9])
    again = await shop.owner.post(f"/deliveries/{done['id']}/retry")
    assert (again.status, again.code) == (409, "not_retryable")
    assert len({(call.id, call.body) for call in served.calls}) == 1


async def test_being_asked_for_patience_spends_no_try(working: Working, shop: Project) -> None:
    asked = len(WEBHOOK_RETRIES)
    async with endpoint() as served:
        served.answers = [Answer(429), Answer(429), Answer(500)]
        event_id = await told(shop, served)
        waiting = await tried(shop.key, event_id, 1)
        await working.sql.execute(_ASKED_OFTEN, waiting["id"], asked)
        for times, status in ((asked + 1, 429), (asked + 2, 500)):
            await fall_due(working.sql, waiting)
            waiting = await tried(shop.key, event_id, times)
            assert (waiting["state"], waiting["attempts"][-1]["status"]) == ("queued", status)
        await fall_due(working.sql, waiting)
        assert (await ended(shop.key, event_id))["state"] == "delivered"


async def test_patience_ends_when_a_delivery_has_waited_for_as_long_as_its_tries_take(
    working: Working, shop: Project
) -> None:
    async with endpoint(Answer(429)) as served:
        event_id = await told(shop, served)
        waiting = await tried(shop.key, event_id, 1)
        await working.sql.execute(
            "UPDATE tocsin.deliveries SET created_at = created_at - interval '28 hours' WHERE id = $1", waiting["id"]
        )
        await fall_due(working.sql, waiting)
        given_up = await ended(shop.key, event_id)
    assert (given_up["state"], given_up["dueAt"]) == ("failed", None)


_ASKED_OFTEN = """
WITH counted AS (UPDATE tocsin.deliveries SET attempts = $2 WHERE id = $1)
INSERT INTO tocsin.attempts (project_id, env, delivery_id, number, outcome, status, started_at, duration_ms)
SELECT a.project_id, a.env, a.delivery_id, n, a.outcome, a.status, a.started_at, a.duration_ms
FROM tocsin.attempts a, generate_series(2, $2::integer) AS n WHERE a.delivery_id = $1
"""
"""As if it had been asked for patience so often."""


async def test_a_receiver_may_ask_for_a_longer_wait_but_not_for_a_shorter_one(working: Working, shop: Project) -> None:
    async with endpoint() as served:
        served.answers = [Answer(503, {"Retry-After": "900"}), Answer(503, {"Retry-After": "1"})]
        event_id = await told(shop, served)
        first = await tried(shop.key, event_id, 1)
        await fall_due(working.sql, first)
        second = await tried(shop.key, event_id, 2)
    waits = [wait_after(attempt) for attempt in second["attempts"]]
    assert 898 <= waits[0] <= 902
    assert waits[1] >= 0.8 * WEBHOOK_RETRIES[2] - 1


async def test_an_endpoint_that_is_gone_is_not_tried_again(shop: Project) -> None:
    async with endpoint(Answer(410)) as served:
        event_id = await told(shop, served)
        done = await ended(shop.key, event_id)
    assert (done["state"], done["lastError"]) == ("failed", "The endpoint is gone.")
    [attempt] = done["attempts"]
    assert (attempt["outcome"], attempt["status"], attempt["nextDueAt"]) == ("permanent", 410, None)


async def test_nobody_listening_and_no_answer_in_time_are_tried_again(shop: Project) -> None:
    made = await make_hook(shop.key, f"http://127.0.0.1:{free_port()}/hook")
    await make_rule(shop, "webhook")
    refused = await tried(shop.key, await send_event(shop.key, order="A-1"), 1)
    async with endpoint(Answer(after=30)) as served:
        settings = {"url": served.url, "timeoutSeconds": 1}
        changed = await shop.key.put(f"/connections/{made['id']}", {"settings": settings, "credentials": {}})
        assert changed.status == 200, changed.json
        served.secret = made["secret"]
        late = await tried(shop.key, await send_event(shop.key, order="A-2"), 1)
    for waiting, words in ((refused, "not accepted"), (late, "within 1 s")):
        [attempt] = waiting["attempts"]
        assert (waiting["state"], attempt["outcome"], attempt["status"]) == ("queued", "temporary", None)
        assert words in attempt["error"], attempt
    assert late["attempts"][0]["durationMs"] >= 1000


async def test_only_those_who_may_can_send_again(working: Working, shop: Project) -> None:
    async with endpoint(Answer(410)) as served:
        event_id = await told(shop, served)
        done = await ended(shop.key, event_id)
    stranger = (await sign_up(working.api, "Rival")).owner
    _, reader = await shop.new_key("notifications:read")
    for caller, status in ((stranger, 404), (reader, 403)):
        assert (await caller.post(f"/deliveries/{done['id']}/retry")).status == status
    assert (await delivery_of(shop.key, event_id))["state"] == "failed"
