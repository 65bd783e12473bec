"""Events through the door: answered when durable, once each, within limits (E1, E2, E3)."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.client import Client, Project, Reply, sign_up

KIB = 1024


def event(**change: Any) -> dict[str, Any]:
    return {"type": "order.created", "payload": {"orderId": "A-17"}, **change}


async def stored(sql: asyncpg.Connection, project: Project, env: str = "live", **where: Any) -> list[asyncpg.Record]:
    (column, value), *_ = where.items() or [("env", env)]
    rows: list[asyncpg.Record] = await sql.fetch(
        f"SELECT * FROM tocsin.events WHERE project_id = $1 AND env = $2 AND {column} = $3 ORDER BY id",
        project.id,
        env,
        value,
    )
    return rows


async def test_an_event_is_stored_as_it_was_sent(acme: Project, rival: Project, sql: asyncpg.Connection) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    payload = {
        "orderId": "A-1",
        "amount": 12.5,
        "lines": [{"sku": "x"}],
        "none": None,
        "text": "Ünïcödé 🔔",
        "n": 2**53,
    }
    body = event(payload=payload, clientEventId="as-sent", timestamp=moment.isoformat(), source="shop")
    reply = await acme.key.post("/events", body)
    assert (reply.status, set(reply.json)) == (202, {"id", "duplicate"})
    assert reply.json["duplicate"] is False
    (row,) = await stored(sql, acme, client_event_id="as-sent")
    assert str(row["id"]) == reply.json["id"]
    assert json.loads(row["payload"]) == payload
    assert (row["type"], row["source"], row["client_timestamp"]) == ("order.created", "shop", moment)
    assert await stored(sql, rival, client_event_id="as-sent") == []


async def test_a_repeat_answers_the_first_id_and_another_body_conflicts(acme: Project, sql: asyncpg.Connection) -> None:
    first = await acme.key.post("/events", event(clientEventId="again"))
    repeat = await acme.key.post("/events", event(clientEventId="again"))
    assert (repeat.status, repeat.json) == (200, {"id": first.json["id"], "duplicate": True})
    other = await acme.key.post("/events", event(clientEventId="again", payload={"orderId": "B"}))
    assert (other.status, other.code, other.pointers) == (409, "client_event_id_conflict", ["/clientEventId"])
    assert len(await stored(sql, acme, client_event_id="again")) == 1


async def test_the_order_of_keys_and_spaces_make_no_other_body(acme: Project) -> None:
    first = b'{"type":"a.b","payload":{"x":1,"y":{"p":1,"q":2}},"clientEventId":"order"}'
    other = b'{ "clientEventId": "order", "payload": {"y": {"q": 2, "p": 1}, "x": 1}, "type": "a.b" }'
    assert (await acme.key.post("/events", first)).status == 202
    assert (await acme.key.post("/events", other)).json["duplicate"] is True


async def test_without_a_client_event_id_every_sending_is_an_event(acme: Project) -> None:
    ids = {(await acme.key.post("/events", event())).json["id"] for _ in range(3)}
    assert len(ids) == 3


async def test_the_idempotency_key_serves_as_client_event_id(acme: Project, sql: asyncpg.Connection) -> None:
    first = await acme.key.post("/events", event(), idempotency_key="header-1")
    repeat = await acme.key.post("/events", event(), idempotency_key="header-1")
    assert (repeat.status, repeat.json) == (200, {"id": first.json["id"], "duplicate": True})
    assert (await acme.key.post("/events", event(), idempotency_key="header-2")).status == 202
    both = await acme.key.post("/events", event(clientEventId="body-wins"), idempotency_key="header-1")
    assert both.status == 202
    assert len(await stored(sql, acme, client_event_id="body-wins")) == 1


async def test_of_twenty_at_once_exactly_one_is_the_event(acme: Project, sql: asyncpg.Connection) -> None:
    for round_ in range(5):
        body = event(clientEventId=f"race-{round_}")
        replies = await asyncio.gather(*(acme.key.post("/events", body) for _ in range(20)))
        await _one_event(replies, await stored(sql, acme, client_event_id=f"race-{round_}"))


async def test_of_twenty_at_once_at_two_processes_exactly_one_is_the_event(pair: tuple[Client, Client]) -> None:
    one, other = pair
    project = await sign_up(one)
    for round_ in range(10):
        body = event(clientEventId=f"race-{round_}")
        callers = [project.key, project.key.at(other)] * 10
        replies = await asyncio.gather(*(caller.post("/events", body) for caller in callers))
        await _one_event(replies, None)


async def _one_event(replies: list[Reply], rows: list[asyncpg.Record] | None) -> None:
    assert sorted(reply.status for reply in replies) == [200] * 19 + [202]
    assert len({reply.json["id"] for reply in replies}) == 1
    assert sum(reply.json["duplicate"] for reply in replies) == 19
    if rows is not None:
        assert [str(row["id"]) for row in rows] == [replies[0].json["id"]]


async def test_racing_batches_in_opposite_order_agree_and_do_not_lock_each_other_out(
    pair: tuple[Client, Client],
) -> None:
    one, other = pair
    project = await sign_up(one)
    for round_ in range(5):
        events = [event(clientEventId=f"{round_}-{n}") for n in range(200)]
        bodies = [{"events": events}, {"events": events[::-1]}] * 4
        callers = [project.key, project.key.at(other)] * 4
        replies = await asyncio.gather(
            *(caller.post("/events/batch", body) for caller, body in zip(callers, bodies, strict=True))
        )
        assert {reply.status for reply in replies} == {202}
        assert sum(reply.json["accepted"] for reply in replies) == 200
        assert sum(reply.json["duplicates"] for reply in replies) == 200 * 7
        assert len({row["id"] for reply in replies for row in reply.json["results"]}) == 200


async def test_the_same_client_event_id_in_another_project_or_environment_is_another_event(
    two_projects: tuple[Project, Project],
) -> None:
    acme, rival = two_projects
    callers = [acme.key, acme.test_key, rival.key, rival.test_key]
    replies = [await caller.post("/events", event(clientEventId="everywhere")) for caller in callers]
    assert [reply.status for reply in replies] == [202] * 4
    other = event(clientEventId="everywhere", payload={})
    assert [(await caller.post("/events", other)).status for caller in callers] == [409] * 4
    assert len({reply.json["id"] for reply in replies}) == 4


async def test_a_test_keys_event_is_no_live_event_and_the_other_way_round(
    acme: Project, sql: asyncpg.Connection
) -> None:
    live = await acme.key.post("/events", event(clientEventId="live-side"))
    test = await acme.test_key.post("/events", event(clientEventId="test-side"))
    by_token = await acme.owner.with_headers(X_Tocsin_Env="test").post("/events", event(clientEventId="token-side"))
    assert [str(row["id"]) for row in await stored(sql, acme, client_event_id="live-side")] == [live.json["id"]]
    assert await stored(sql, acme, client_event_id="test-side") == []
    assert await stored(sql, acme, "test", client_event_id="live-side") == []
    for name, reply in (("test-side", test), ("token-side", by_token)):
        assert [str(row["id"]) for row in await stored(sql, acme, "test", client_event_id=name)] == [reply.json["id"]]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"type": None}, "/type"),
        ({"type": ""}, "/type"),
        ({"type": "a..b"}, "/type"),
        ({"type": ".a"}, "/type"),
        ({"type": "a b"}, "/type"),
        ({"type": "a.b\n"}, "/type"),
        ({"type": "\uff41dmin"}, "/type"),
        ({"type": "\u0661.b"}, "/type"),
        ({"type": "x" * 201}, "/type"),
        ({"type": "order.*"}, "/type"),
        ({"payload": None}, "/payload"),
        ({"payload": []}, "/payload"),
        ({"payload": "x"}, "/payload"),
        ({"payload": {"a": {"b": "x\0y"}}}, "/payload/a/b"),
        ({"payload": {"a": 2**63}}, "/payload/a"),
        ({"payload": {"a": {f"k{n}": n for n in range(1001)}}}, "/payload/a"),
        ({"clientEventId": ""}, "/clientEventId"),
        ({"clientEventId": "x" * 256}, "/clientEventId"),
        ({"clientEventId": "a\nb"}, "/clientEventId"),
        ({"clientEventId": 5}, "/clientEventId"),
        ({"source": "x" * 201}, "/source"),
        ({"timestamp": "yesterday"}, "/timestamp"),
        ({"timestamp": "infinity"}, "/timestamp"),
        ({"timestamp": "2026-01-01T00:00:00"}, "/timestamp"),
        ({"timestamp": "294277-01-01T00:00:00Z"}, "/timestamp"),
        ({"timestamp": "1970-01-01T00:00:00Z"}, "/timestamp"),
        ({"timestamp": "2100-01-01T00:00:00+00:00"}, "/timestamp"),
        ({"timestamp": "\u0662026-01-01T00:00:00Z"}, "/timestamp"),
        ({"projectId": "0199a000-0000-7000-8000-00000000dead"}, "/projectId"),
        ({"env": "live"}, "/env"),
        ({"id": "0199a000-0000-7000-8000-00000000dead"}, "/id"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_is_no_event_is_named_by_its_place(acme: Project, change: dict[str, Any], pointer: str) -> None:
    single = await acme.key.post("/events", event(**change))
    assert (single.status, single.pointers) == (422, [pointer]), single.json
    batch = await acme.key.post("/events/batch", {"events": [event(), event(**change), event()]})
    assert batch.status == 202
    assert [row["status"] for row in batch.json["results"]] == ["accepted", "rejected", "accepted"]
    assert [error["pointer"] for error in batch.json["results"][1]["error"]["errors"]] == [pointer]
    assert (batch.json["accepted"], batch.json["duplicates"], batch.json["rejected"]) == (2, 0, 1)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "empty_body"),
        (b"{", 400, "malformed_json"),
        (b'{"type":"a.b","payload":{}} x', 400, "malformed_json"),
        (b"\xef\xbb\xbf{}", 400, "malformed_json"),
        (b'{"type":"a.b","payload":{"a":NaN}}', 400, "malformed_json"),
        (b'{"type":"a.b","payload":{"a":1e400}}', 400, "number_out_of_range"),
        (b'{"type":"a.b","payload":{"a":"\xff"}}', 400, "malformed_json"),
        (b'{"type":"a.b","payload":{"a":"\\ud800"}}', 400, "malformed_json"),
        (b'{"type":"a.b","payload":{"a":' + b"[" * 100_000, 400, "too_deep"),
        (b"[]", 422, "invalid"),
        (b"5", 422, "invalid"),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_what_is_no_json_is_refused(acme: Project, body: bytes, status: int, code: str | None) -> None:
    reply = await acme.key.post("/events", body)
    assert reply.status == status, reply.json
    assert code is None or reply.code == code
    assert reply.headers["Content-Type"] == "application/problem+json"


async def test_a_leap_second_counts_as_the_next(acme: Project, sql: asyncpg.Connection) -> None:
    minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=2)
    stamp = minute.strftime("%Y-%m-%dT%H:%M:60Z")
    assert (await acme.key.post("/events", event(clientEventId="leap", timestamp=stamp))).status == 202
    (row,) = await stored(sql, acme, client_event_id="leap")
    assert row["client_timestamp"] == minute + timedelta(minutes=1)


def nested(depth: int) -> dict[str, Any]:
    """A payload whose innermost value lies at this depth, the payload itself being 1."""
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value  # type: ignore[no-any-return]


async def test_nesting_ends_at_32_levels(acme: Project) -> None:
    assert (await acme.key.post("/events", event(payload=nested(32)))).status == 202
    reply = await acme.key.post("/events", event(payload=nested(33)))
    assert (reply.status, reply.code) == (400, "too_deep")
    assert "32" in reply.json["detail"]
    batch = await acme.key.post("/events/batch", {"events": [event(), event(payload=nested(33))]})
    assert [row["status"] for row in batch.json["results"]] == ["accepted", "rejected"]
    assert batch.json["results"][1]["error"]["code"] == "too_deep"


def sized(size: int, **change: Any) -> bytes:
    """An event of exactly this many bytes."""
    empty = json.dumps(event(payload={"text": ""}, **change), separators=(",", ":"))
    return empty.replace('"text":""', f'"text":"{"x" * (size - len(empty))}"').encode()


async def test_an_event_ends_at_256_kib(acme: Project) -> None:
    assert len(sized(256 * KIB)) == 256 * KIB
    assert (await acme.key.post("/events", sized(256 * KIB))).status == 202
    for size in (256 * KIB + 1, 300 * KIB, 3 * KIB * KIB):
        reply = await acme.key.post("/events", sized(size))
        assert (reply.status, "256 KiB" in reply.json["detail"]) == (413, True), (size, reply.json)


async def test_a_large_event_in_a_batch_does_not_spoil_the_others(acme: Project) -> None:
    body = b'{"events":[' + b",".join([sized(100), sized(256 * KIB + 1), sized(256 * KIB)]) + b"]}"
    reply = await acme.key.post("/events/batch", body)
    assert [row["status"] for row in reply.json["results"]] == ["accepted", "rejected", "accepted"]
    assert reply.json["results"][1]["error"]["code"] == "event_too_large"


async def test_a_batch_ends_at_5_mib(acme: Project) -> None:
    pieces = b'{"events":[' + b",".join([sized(200 * KIB)] * 25)
    fitting = pieces + b"," + sized(5 * KIB * KIB - len(pieces) - 3) + b"]}"
    assert len(fitting) == 5 * KIB * KIB
    assert (await acme.key.post("/events/batch", fitting)).json["accepted"] == 26
    reply = await acme.key.post("/events/batch", fitting + b" ")
    assert (reply.status, reply.code) == (413, "body_too_large")
    assert "5120 KiB" in reply.json["detail"]


async def test_a_body_without_a_length_is_cut_at_the_limit_too(acme: Project) -> None:
    async def endless() -> Any:
        for _ in range(400):
            yield b" " * 64 * KIB

    async with acme.key.http.post(
        f"{acme.key.base}/api/v1/events",
        data=endless(),
        headers={**acme.key.headers, "Content-Type": "application/json"},
    ) as answer:
        assert answer.status == 413


async def test_a_batch_holds_1_to_1000_events(acme: Project) -> None:
    full = await acme.key.post("/events/batch", {"events": [event(clientEventId=f"full-{n}") for n in range(1000)]})
    assert full.json["accepted"] == 1000
    assert [row["index"] for row in full.json["results"]] == list(range(1000))
    again = await acme.key.post("/events/batch", {"events": [event(clientEventId=f"full-{n}") for n in range(1000)]})
    assert (again.json["accepted"], again.json["duplicates"]) == (0, 1000)
    assert [row["id"] for row in again.json["results"]] == [row["id"] for row in full.json["results"]]
    for count in (0, 1001):
        reply = await acme.key.post("/events/batch", {"events": [event() for _ in range(count)]})
        assert (reply.status, reply.pointers) == (422, ["/events"])
        assert "1,000" in reply.json["detail"]


async def test_doubles_inside_one_batch_are_one_event(acme: Project, sql: asyncpg.Connection) -> None:
    same, other = event(clientEventId="twice"), event(clientEventId="twice", payload={"other": 1})
    reply = await acme.key.post("/events/batch", {"events": [same, same, event(), other]})
    assert [row["status"] for row in reply.json["results"]] == ["accepted", "duplicate", "accepted", "rejected"]
    assert reply.json["results"][1]["id"] == reply.json["results"][0]["id"]
    assert reply.json["results"][3]["error"]["code"] == "client_event_id_conflict"
    assert len(await stored(sql, acme, client_event_id="twice")) == 1


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=utf-16", "", "application/xml"])
async def test_another_content_type_is_refused(acme: Project, kind: str) -> None:
    for path in ("/events", "/events/batch", "/users"):
        reply = await acme.key.with_headers(Content_Type=kind).post(path, event())
        assert (reply.status, reply.code) == (415, "unsupported_media_type")


async def test_other_methods_name_those_that_are_taken(acme: Project) -> None:
    reply = await acme.key.send("PUT", "/events", event())
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, POST")


async def test_a_sender_needs_a_credential_with_permission(acme: Project, api: Client) -> None:
    assert (await api.post("/events", event())).status == 401
    assert (await acme.app.post("/events", event())).status == 401
    _, reader = await acme.new_key("users:read")
    assert (await reader.post("/events", event())).code == "permission_missing"
    assert (await acme.owner.post("/events", event())).status == 202


async def test_a_thousand_senders_at_once_are_all_stored(acme: Project, sql: asyncpg.Connection) -> None:
    replies = await asyncio.gather(*(acme.key.post("/events", event(source="crowd")) for _ in range(1000)))
    assert {reply.status for reply in replies} == {202}
    rows = await stored(sql, acme, source="crowd")
    assert {str(row["id"]) for row in rows} == {reply.json["id"] for reply in replies}
