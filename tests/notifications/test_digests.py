"""What a rule tells one person within a window goes out in one message (R4)."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests import pipeline
from tests.client import Client, Project
from tests.people import Person
from tests.pipeline import Working, send_event, send_events, story, until
from tocsin.kit.ids import new_id
from tocsin.rules.digests import WRITE

HOUR = {"windowSeconds": 3600}
RULE = {
    "name": "Orders",
    "eventTypes": ["order.created"],
    "title": "Order",
    "targetRoles": ["owner"],
    "channels": ["email"],
}


async def make_rule(project: Project, *channels: str, **fields: Any) -> Any:
    """For orders alone: of mails that no connection sends, Tocsin's own occurrences tell."""
    return await pipeline.make_rule(project, *channels, **{"eventTypes": ["order.*"], **fields})


@pytest.fixture
async def ann(working: Working, ann: Person) -> Person:
    return await reachable(working, ann)


@pytest.fixture
async def bob(working: Working, bob: Person) -> Person:
    return await reachable(working, bob)


async def reachable(working: Working, person: Person) -> Person:
    await working.sql.execute(
        "UPDATE tocsin.users SET email = $2 WHERE id = $1", person.id, f"{person.external_id}@example.com"
    )
    return person


async def end_windows(sql: asyncpg.Connection, project: Project) -> int:
    """Let the time pass until they are over; how many there were."""
    done = await sql.execute("UPDATE tocsin.digests SET due_at = now() WHERE project_id = $1", project.id)
    return int(done.removeprefix("UPDATE "))


async def windows(sql: asyncpg.Connection, project: Project) -> list[Any]:
    return list(await sql.fetch("SELECT * FROM tocsin.digests WHERE project_id = $1", project.id))


async def happened(caller: Client, *orders: int, rules: int = 1) -> list[Any]:
    """Events, one after the other, and the notifications made of them."""
    made = []
    for order in orders:
        event = await send_event(caller, order=order)
        ids = (await story(caller, event))["notifications"]
        assert len(ids) == rules
        made += [(await caller.get(f"/notifications/{id_}")).json for id_ in ids]
    return made


async def digests(caller: Client, count: int = 1) -> list[Any]:
    """The digests there are, once there are so many; never more."""

    async def look() -> list[Any]:
        found = [each for each in (await caller.get("/notifications")).json["items"] if each["gathers"]]
        assert len(found) <= count, found
        return found if len(found) == count else []

    return await until(look)


async def deliveries(caller: Client, notification: Any, channel: str | None = None) -> list[Any]:
    only = {"channel": channel} if channel else {}
    reply = await caller.get("/deliveries", notificationId=notification["id"], limit=200, **only)
    assert reply.status == 200, reply.json
    return list(reply.json["items"])


async def ended(caller: Client, notification: Any, state: str, channel: str = "email") -> Any:
    """The one delivery of a notification by a channel, once it is in this state."""

    async def look() -> Any:
        [found] = await deliveries(caller, notification, channel)
        return found if found["state"] == state else None

    return await until(look)


async def test_what_comes_within_a_window_goes_out_in_one_message(working: Working, shop: Project, ann: Person) -> None:
    sandbox = shop.test_key
    rule = await make_rule(shop, "realtime", "email", targetUsers=[ann.id], digest=HOUR, name="Orders", sound="chime")
    made = await happened(sandbox, 1, 2, 3)
    for each in made:
        [waiting] = await deliveries(sandbox, each, "email")
        assert (waiting["state"], waiting["attempts"], waiting["gatheredInto"]) == ("gathered", [], None)
        assert waiting["lastError"] == f"in the digest of {waiting['dueAt'][11:16]} UTC"
        assert waiting["dueAt"] > each["createdAt"]
        assert [one["state"] for one in await deliveries(sandbox, each, "realtime")] == ["sent"]
        assert each["sound"] is None
    assert await end_windows(working.sql, shop) == 1
    [digest] = await digests(sandbox)
    assert (digest["title"], digest["message"]) == ("3 × Orders", "• Order 1\n• Order 2\n• Order 3")
    assert (digest["gathers"], digest["ruleId"], digest["eventId"]) == (3, rule["id"], None)
    assert (digest["sound"], [each["reason"] for each in digest["recipients"]]) == ("chime", ["digest of 3"])
    captured = await ended(sandbox, digest, "captured")
    assert captured["captured"]["message"] == digest["message"]
    for each in made:
        [gathered] = await deliveries(sandbox, each, "email")
        assert (gathered["state"], gathered["gatheredInto"], gathered["dueAt"]) == ("gathered", digest["id"], None)
    assert await windows(working.sql, shop) == []
    assert await working.sql.fetchval("SELECT count(*) FROM tocsin.digest_items WHERE project_id = $1", shop.id) == 0


async def test_the_story_of_an_event_says_in_which_digest_it_went_out(
    working: Working, shop: Project, ann: Person
) -> None:
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR)
    event = await send_event(shop.key, order=1)
    [told] = (await story(shop.key, event))["trace"][0]["deliveries"]
    assert (told["state"], told["gatheredInto"]) == ("gathered", None)
    assert told["dueAt"] is not None
    await end_windows(working.sql, shop)
    [digest] = await digests(shop.key)
    [told] = (await story(shop.key, event))["trace"][0]["deliveries"]
    assert (told["state"], told["gatheredInto"], told["dueAt"]) == ("gathered", digest["id"], None)
    explained = (await shop.key.get(f"/events/{event}/explain", userId=ann.id)).json
    assert explained["verdict"] == "received", explained
    assert explained["rules"][0]["deliveries"][0]["code"] == "in_digest"


async def test_one_alone_speaks_for_itself(working: Working, shop: Project, ann: Person) -> None:
    action = {"url": "https://shop.example/orders/{{ payload.order }}"}
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR, message="It waits.", action=action)
    await happened(shop.key, 7)
    await end_windows(working.sql, shop)
    [digest] = await digests(shop.key)
    assert (digest["title"], digest["message"], digest["gathers"]) == ("Order 7", "It waits.", 1)
    assert digest["action"]["url"] == "https://shop.example/orders/7"


async def test_a_rule_words_its_digest_itself(working: Working, shop: Project, ann: Person) -> None:
    worded = {
        **HOUR,
        "title": "{{ count }} for {{ user.name }} of {{ project.name }}",
        "message": "{% for item in items %}[{{ item.title }}: {{ item.eventType }}]{% endfor %} {{ rule.name }}",
    }
    await make_rule(shop, "email", targetUsers=[ann.id], digest=worded, name="Orders")
    await happened(shop.key, 1, 2)
    await end_windows(working.sql, shop)
    [digest] = await digests(shop.key)
    assert digest["title"] == "2 for Ann of Shop"
    assert digest["message"] == "[Order 1: order.created][Order 2: order.created] Orders"


async def test_words_that_cannot_be_printed_are_replaced(working: Working, shop: Project, ann: Person) -> None:
    hangs = "{% if (1..9000000000) contains 'x' %}{% endif %}"
    await make_rule(shop, "email", targetUsers=[ann.id], digest={**HOUR, "title": hangs}, name="Orders")
    await happened(shop.key, 1, 2)
    await end_windows(working.sql, shop)
    [digest] = await digests(shop.key)
    assert digest["title"] == "2 × Orders"


async def test_the_first_is_told_at_once_where_the_rule_leads_with_it(
    working: Working, shop: Project, ann: Person
) -> None:
    sandbox = shop.test_key
    await make_rule(shop, "email", targetUsers=[ann.id], digest={**HOUR, "leading": True}, sound="chime")
    first, second, third = await happened(sandbox, 1, 2, 3)
    assert first["sound"] == "chime"
    await ended(sandbox, first, "captured")
    await ended(sandbox, second, "gathered")
    await end_windows(working.sql, shop)
    [digest] = await digests(sandbox)
    assert (digest["message"], digest["gathers"]) == ("• Order 2\n• Order 3", 2)
    assert (await ended(sandbox, third, "gathered"))["gatheredInto"] == digest["id"]


async def test_a_window_with_nothing_but_its_first_closes_silently(
    working: Working, shop: Project, ann: Person
) -> None:
    await make_rule(shop, "email", targetUsers=[ann.id], digest={**HOUR, "leading": True})
    await happened(shop.test_key, 1)
    await end_windows(working.sql, shop)
    await closed(working.sql, shop)
    assert len((await shop.test_key.get("/notifications")).json["items"]) == 1


async def closed(sql: asyncpg.Connection, project: Project) -> None:
    async def look() -> bool:
        return not await windows(sql, project)

    await until(look)


async def test_a_batch_that_holds_several_of_a_window_numbers_them(
    working: Working, shop: Project, ann: Person, bob: Person
) -> None:
    await make_rule(shop, "email", targetUsers=[ann.id, bob.id], digest={**HOUR, "leading": True})
    events = await send_events(shop.key, *({"order": number} for number in range(12)))
    for event in events:
        await story(shop.key, event)
    found = await windows(working.sql, shop)
    assert [(window["items"], window["told"]) for window in found] == [(11, 0)] * 2
    numbers = await working.sql.fetch(
        "SELECT digest_id, array_agg(number ORDER BY number) AS numbers FROM tocsin.digest_items"
        " WHERE project_id = $1 GROUP BY digest_id",
        shop.id,
    )
    assert [row["numbers"] for row in numbers] == [list(range(1, 12))] * 2
    await end_windows(working.sql, shop)
    assert sorted(each["gathers"] for each in await digests(shop.key, 2)) == [11, 11]


async def test_no_more_are_listed_than_the_rule_says(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "email", targetUsers=[ann.id], digest={**HOUR, "maxItems": 2}, name="Orders")
    await happened(shop.key, 1, 2, 3, 4)
    await end_windows(working.sql, shop)
    [digest] = await digests(shop.key)
    assert (digest["title"], digest["message"]) == ("4 × Orders", "• Order 1\n• Order 2\nand 2 more")


async def test_what_was_acknowledged_is_left_out(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR, requireAck=True)
    first, second = await happened(shop.key, 1, 2)
    assert (await ann.client.put(f"/notifications/{first['id']}/acknowledge")).status == 200
    cancelled = await ended(shop.key, first, "cancelled")
    assert cancelled["lastError"] == "acknowledged"
    await end_windows(working.sql, shop)
    [digest] = await digests(shop.key)
    assert (digest["title"], digest["gathers"]) == ("Order 2", 1)
    assert (await ended(shop.key, second, "gathered"))["gatheredInto"] == digest["id"]


async def test_an_empty_digest_is_not_sent(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR, requireAck=True)
    [only] = await happened(shop.key, 1)
    assert (await ann.client.put(f"/notifications/{only['id']}/acknowledge")).status == 200
    await end_windows(working.sql, shop)
    await closed(working.sql, shop)
    assert [each["id"] for each in (await shop.key.get("/notifications")).json["items"]] == [only["id"]]


async def test_an_acknowledgement_after_the_digest_changes_nothing_of_it(
    working: Working, shop: Project, ann: Person
) -> None:
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR, requireAck=True)
    [only] = await happened(shop.key, 1)
    await end_windows(working.sql, shop)
    [digest] = await digests(shop.key)
    assert (await ann.client.put(f"/notifications/{only['id']}/acknowledge")).status == 200
    [delivery] = await deliveries(shop.key, only, "email")
    assert (delivery["state"], delivery["gatheredInto"]) == ("gathered", digest["id"])


async def test_a_rule_that_was_deleted_meanwhile_still_keeps_its_word(
    working: Working, shop: Project, ann: Person
) -> None:
    rule = await make_rule(shop, "email", targetUsers=[ann.id], digest={**HOUR, "title": "{{ count }}"}, name="Orders")
    await happened(shop.key, 1, 2)
    assert (await shop.owner.delete(f"/rules/{rule['id']}")).status == 204
    await end_windows(working.sql, shop)
    [digest] = await digests(shop.key)
    assert (digest["title"], digest["ruleId"]) == ("2 × Orders", None)


async def test_a_person_who_was_disabled_meanwhile_is_not_written_to(
    working: Working, shop: Project, ann: Person
) -> None:
    sandbox = shop.test_key
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR)
    await happened(sandbox, 1)
    await working.sql.execute("UPDATE tocsin.users SET status = 'disabled' WHERE id = $1", ann.id)
    await end_windows(working.sql, shop)
    [digest] = await digests(sandbox)
    assert (await ended(sandbox, digest, "suppressed"))["lastError"] == "the person is disabled"


async def test_the_channels_of_a_digest_may_have_turns(working: Working, shop: Project, ann: Person) -> None:
    sandbox = shop.test_key
    order = {"afterSeconds": 600}
    await make_rule(shop, "realtime", "email", targetUsers=[ann.id], digest=HOUR, channelOrder=order)
    await happened(sandbox, 1, 2)
    assert await working.sql.fetchval("SELECT count(*) FROM tocsin.channel_turns WHERE project_id = $1", shop.id) == 0
    await end_windows(working.sql, shop)
    [digest] = await digests(sandbox)
    assert [each["channel"] for each in await deliveries(sandbox, digest)] == ["realtime"]
    await working.sql.execute("UPDATE tocsin.channel_turns SET due_at = now() WHERE project_id = $1", shop.id)

    async def both() -> bool:
        return len(await deliveries(sandbox, digest)) == 2

    await until(both)


async def test_what_a_halted_project_owes_waits(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR)
    await happened(shop.key, 1)
    await working.sql.execute("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1", shop.id)
    await end_windows(working.sql, shop)

    async def put_off() -> bool:
        [window] = await windows(working.sql, shop)
        return bool(await working.sql.fetchval("SELECT $1 > now()", window["due_at"]))

    await until(put_off)
    await working.sql.execute("UPDATE tocsin.projects SET status = 'active' WHERE id = $1", shop.id)
    assert await end_windows(working.sql, shop) == 1
    await digests(shop.key)


async def test_what_comes_while_a_digest_is_written_is_for_the_next_window(
    working: Working, shop: Project, ann: Person
) -> None:
    """A worker has put one of two into words when it writes."""
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR)
    await happened(shop.key, 1, 2)
    [window] = await windows(working.sql, shop)
    texts = f'[{{"id": "{window["id"]}", "told": 0, "upto": 1, "notification_id": null}}]', "[]"
    async with working.sql.transaction():
        await working.sql.execute("UPDATE tocsin.digests SET due_at = now() WHERE id = $1", window["id"])
        await working.sql.fetch(WRITE, [UUID(shop.id)], ["live"], *([text] for text in texts))
    [after] = await windows(working.sql, shop)
    assert (after["id"], after["told"], after["items"]) == (window["id"], 1, 2)
    assert await working.sql.fetchval("SELECT $1 > now() + interval '59 min'", after["due_at"])
    await happened(shop.key, 3)
    await end_windows(working.sql, shop)
    [digest] = await digests(shop.key)
    assert digest["message"] == "• Order 2\n• Order 3"


async def test_a_process_that_ends_before_its_commit_has_done_nothing(
    working: Working, shop: Project, ann: Person
) -> None:
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR)
    [only] = await happened(shop.key, 1)
    [window] = await windows(working.sql, shop)
    doomed = await asyncpg.connect(working.site.app_url)
    await doomed.execute("BEGIN")
    await doomed.execute("SELECT set_config('tocsin.project', $1, true)", shop.id)
    await doomed.execute("SELECT set_config('tocsin.env', 'live', true)")
    await doomed.execute("UPDATE tocsin.digests SET due_at = now() WHERE id = $1", window["id"])
    texts = f'[{{"id": "{window["id"]}", "told": 0, "upto": 1, "notification_id": null}}]', "[]"
    await doomed.fetch(WRITE, [UUID(shop.id)], ["live"], *([text] for text in texts))
    assert await doomed.fetchval("SELECT count(*) FROM tocsin.digests WHERE id = $1", window["id"]) == 0
    doomed.terminate()
    assert await end_windows(working.sql, shop) == 1
    [digest] = await digests(shop.key)
    assert (await ended(shop.key, only, "gathered"))["gatheredInto"] == digest["id"]


async def test_a_window_is_written_by_one_hand(working: Working, shop: Project, ann: Person) -> None:
    """Eight have put the same into words; one of them writes it."""
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR)
    await happened(shop.key, 1)
    [window] = await windows(working.sql, shop)
    hands = [await asyncpg.connect(working.site.app_url) for _ in range(8)]
    made = [row_of(new_id(), UUID(ann.id)) for _ in hands]
    texts = [
        f'[{{"id": "{window["id"]}", "told": 0, "upto": 1, "notification_id": "{notification}"}}]'
        for notification, _ in made
    ]
    await working.sql.execute("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1", shop.id)
    await working.sql.execute("UPDATE tocsin.digests SET due_at = now() - interval '1 s' WHERE id = $1", window["id"])
    written = await asyncio.gather(
        *[
            hand.fetch(WRITE, [UUID(shop.id)], ["live"], [text], [f"[{row}]"])
            for hand, text, (_, row) in zip(hands, texts, made, strict=True)
        ]
    )
    for hand in hands:
        await hand.close()
    assert sum(len(rows[0][1]) for rows in written) == len((await shop.key.get("/notifications")).json["items"]) - 1
    assert sum(len(rows[0][1]) for rows in written) <= 1


def row_of(id_: UUID, user_id: UUID) -> tuple[UUID, str]:
    """A digest as it is written, without deliveries."""
    fields = '"title": "t", "message": "", "priority": "low", "require_ack": false, "internal": true'
    more = '"over_quota": false, "gathers": 1, "rank": 3, "deliveries": []'
    return id_, f'{{"id": "{id_}", {fields}, {more}, "recipients": {{"{user_id}": "digest of 1"}}}}'


async def test_what_comes_in_and_what_goes_out_never_wait_for_each_other_crosswise(
    working: Working, shop: Project, ann: Person, bob: Person
) -> None:
    """Windows end again and again while events flow; each of them is told once."""
    await make_rule(shop, "email", targetUsers=[ann.id, bob.id], digest=HOUR)
    before = await deadlocks(working.sql)
    events: list[str] = []
    for _ in range(12):
        sending = send_events(shop.key, *({"order": number} for number in range(10)))
        sent, _ = await asyncio.gather(sending, end_windows(working.sql, shop))
        events += sent
    for event in events:
        await story(shop.key, event)

    async def all_told() -> bool:
        await end_windows(working.sql, shop)
        told = await working.sql.fetchval(
            "SELECT sum(gathers) FROM tocsin.notifications WHERE project_id = $1", shop.id
        )
        return bool(told == 2 * len(events))

    await until(all_told)
    assert await deadlocks(working.sql) == before
    assert await working.sql.fetchval(
        "SELECT count(*) FROM tocsin.deliveries WHERE project_id = $1 AND gathered_into IS NOT NULL", shop.id
    ) == 2 * len(events)


async def deadlocks(sql: asyncpg.Connection) -> int:
    count: int = await sql.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return count


async def test_one_alone_is_told_whole(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR, message="x" * 3_000)
    await happened(shop.key, 1)
    await end_windows(working.sql, shop)
    [digest] = await digests(shop.key)
    assert digest["message"] == "x" * 3_000


async def test_ten_thousand_windows_that_end_at_once_go_in_bounded_steps(
    working: Working, shop: Project, ann: Person
) -> None:
    """Of people without an address, so that nothing but digests is made."""
    rule = await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR)
    [item] = await happened(shop.key, 1)
    await working.sql.execute(
        "WITH people AS (INSERT INTO tocsin.users (project_id, env, id, name, status)"
        " SELECT $1, 'live', tocsin.new_id(), 'One of many', 'active' FROM generate_series(1, 10000) RETURNING id),"
        " opened AS (INSERT INTO tocsin.digests (project_id, env, id, rule_id, user_id, rule_name, rule_version,"
        " channels, priority, window_seconds, most_items, first_at_once, items, due_at)"
        " SELECT $1, 'live', tocsin.new_id(), $2, p.id, 'Orders', 1, '{realtime}', 'low', 60, 9, false, 1, now()"
        " FROM people p RETURNING id)"
        " INSERT INTO tocsin.digest_items (project_id, env, digest_id, number, notification_id)"
        " SELECT $1, 'live', o.id, 1, $3 FROM opened o",
        *(shop.id, rule["id"], item["id"]),
    )

    async def all_written() -> bool:
        count = await working.sql.fetchval(
            "SELECT count(*) FROM tocsin.notifications WHERE project_id = $1 AND gathers = 1", shop.id
        )
        assert count <= 10_000
        return bool(count == 10_000)

    await until(all_written, 120)
    assert [window["rule_id"] for window in await windows(working.sql, shop)] == [UUID(rule["id"])]


async def test_projects_gather_apart(working: Working, shop: Project, other: Project, ann: Person) -> None:
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR)
    await happened(shop.key, 1)
    [window] = await windows(working.sql, shop)
    stranger = await asyncpg.connect(working.site.app_url)
    text = f'[{{"id": "{window["id"]}", "told": 0, "upto": 1, "notification_id": null}}]'
    await working.sql.execute("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1", shop.id)
    await stranger.fetch(WRITE, [UUID(other.id)], ["live"], [text], ["[]"])
    await stranger.close()
    assert len(await windows(working.sql, shop)) == 1
    await working.sql.execute("UPDATE tocsin.projects SET status = 'active' WHERE id = $1", shop.id)
    await end_windows(working.sql, shop)
    [digest] = await digests(shop.key)
    assert (await other.key.get(f"/notifications/{digest['id']}")).status == 404
    assert (await other.key.get("/notifications")).json["items"] == []


async def test_live_and_sandbox_gather_apart(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "email", targetUsers=[ann.id], digest=HOUR)
    await happened(shop.key, 1)
    await happened(shop.test_key, 2)
    assert sorted(window["env"] for window in await windows(working.sql, shop)) == ["live", "test"]


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": "critical"},
        {"requireAck": True, "repeat": {"everySeconds": 60, "maxTimes": 2}},
        {"channels": ["realtime", "webhook"]},
    ],
)
async def test_what_does_not_wait_has_no_digest(shop: Project, fields: Any) -> None:
    body = {"name": "One", "eventTypes": ["*"], "title": "x", "channels": ["email"], "digest": HOUR, **fields}
    reply = await shop.owner.post("/rules", body)
    assert (reply.status, reply.pointers) == (422, ["/digest"]), reply.json


async def test_the_words_of_a_digest_are_checked_when_they_are_saved(shop: Project) -> None:
    digest = {**HOUR, "title": "{{ payload.order }}", "message": "{% if %}"}
    body = {"name": "One", "eventTypes": ["*"], "title": "x", "channels": ["email"], "digest": digest}
    reply = await shop.owner.post("/rules", body)
    assert (reply.status, reply.pointers) == (422, ["/digest/title", "/digest/message"]), reply.json


async def test_a_digest_is_shown_changed_and_taken_away(shop: Project) -> None:
    made = await make_rule(shop, "email", digest=HOUR)
    words = dict.fromkeys(["title", "message", "translations", "template"])
    whole = {"windowSeconds": 3600, "maxItems": 100, "leading": False, **words}
    assert made["digest"] == whole
    changed = await shop.owner.put(f"/rules/{made['id']}", {"digest": {"windowSeconds": 60, "leading": True}})
    assert changed.json["digest"] == {**whole, "windowSeconds": 60, "leading": True}
    gone = await shop.owner.put(f"/rules/{made['id']}", {"digest": None})
    assert (gone.status, gone.json["digest"]) == (200, None)


async def test_a_digest_is_in_its_readers_language(working: Working, shop: Project, ann: Person) -> None:
    words = {"de": {"title": "Bestellung {{ payload.order }}"}, "it": {"title": "Ordine {{ payload.order }}"}}
    digest = {
        **HOUR,
        "title": "{{ count }} orders",
        "message": "{% for item in items %}{{ item.title }};{% endfor %}",
        "translations": {"de": {"title": "{{ count }} Bestellungen"}},
    }
    await make_rule(shop, "email", targetUsers=[ann.id], translations=words, digest=digest)
    told = []
    for count, locale in enumerate(("de-AT", "it", "fi"), 1):
        assert (await shop.key.put(f"/users/{ann.id}", {"locale": locale})).status == 200
        await happened(shop.key, 1, 2)
        await end_windows(working.sql, shop)
        told.append((await digests(shop.key, count))[0])
    assert [(each["title"], each["message"]) for each in told] == [
        ("2 Bestellungen", "Bestellung 1;Bestellung 2;"),
        ("2 orders", "Ordine 1;Ordine 2;"),
        ("2 orders", "Order 1;Order 2;"),
    ]


async def test_a_digest_that_nobody_has_worded_counts_the_rest_in_its_readers_language(
    working: Working, shop: Project, ann: Person
) -> None:
    assert (await shop.key.put(f"/users/{ann.id}", {"locale": "de"})).status == 200
    await make_rule(shop, "email", targetUsers=[ann.id], digest={**HOUR, "maxItems": 1})
    await happened(shop.key, 1, 2, 3)
    await end_windows(working.sql, shop)
    [digest] = await digests(shop.key)
    assert digest["message"] == "• Order 1\nund 2 weitere"


async def test_a_digest_says_what_its_template_says_for_language_and_channel(
    working: Working, shop: Project, other: Project, ann: Person
) -> None:
    template = {"kind": "digest", "name": "daily", "language": "de", "subject": "{{ count }} neue", "body": "Liste"}
    for fields in ({}, {"channel": "email", "subject": "Mail: {{ count }}"}):
        assert (await shop.owner.put("/templates", {**template, **fields})).status == 200
    assert (await other.owner.put("/templates", {**template, "subject": "Of somebody else"})).status == 200
    wrong = await shop.owner.put("/templates", {**template, "body": "{{ payload.order }}"})
    assert wrong.pointers == ["/body"]
    unknown = await shop.owner.post("/rules", {**RULE, "digest": {**HOUR, "template": "weekly"}})
    assert unknown.pointers == ["/digest/template"]
    assert (await shop.key.put(f"/users/{ann.id}", {"locale": "de-AT"})).status == 200
    await make_rule(shop, "email", targetUsers=[ann.id], digest={**HOUR, "template": "daily"})
    await happened(shop.key, 1, 2)
    await end_windows(working.sql, shop)
    [digest] = await digests(shop.key)
    assert (digest["title"], digest["message"]) == ("2 neue", "Liste")
    assert digest["translations"] == {"de@email": {"title": "Mail: 2", "message": "Liste"}}
    for row in (await shop.owner.get("/templates", kind="digest")).json["items"]:
        assert (await shop.owner.post(f"/templates/{row['id']}/preview")).json["subject"].endswith(("3 neue", ": 3"))
    codes = [
        (await shop.owner.delete(f"/templates/{row['id']}")).status
        for row in (await shop.owner.get("/templates", kind="digest")).json["items"]
    ]
    assert codes == [204, 409]


async def test_a_digest_writes_numbers_as_its_reader_wants(working: Working, shop: Project, ann: Person) -> None:
    wishes = {"format": {"number": "1.234,5"}}
    assert (await shop.key.put(f"/users/{ann.id}/preferences", wishes)).status == 200
    digest = {**HOUR, "title": "{{ count | times: 1000 | number: user }} grams"}
    await make_rule(shop, "email", targetUsers=[ann.id], digest=digest)
    await happened(shop.key, 1, 2)
    await end_windows(working.sql, shop)
    assert [each["title"] for each in await digests(shop.key)] == ["2.000 grams"]


async def test_a_digest_lists_items_as_its_reader_wants_them_written(
    working: Working, shop: Project, ann: Person, bob: Person
) -> None:
    assert (await shop.key.put(f"/users/{ann.id}", {"timezone": "Asia/Tokyo"})).status == 200
    assert (await shop.key.put(f"/users/{ann.id}/preferences", {"format": {"time": "12h"}})).status == 200
    rule = {"title": "At {{ payload.at | clock: reader }}", "digest": HOUR, "targetUsers": [ann.id, bob.id]}
    await make_rule(shop, "email", **rule)
    for minute in (1, 2):
        await story(shop.key, await send_event(shop.key, at=f"2026-07-01T12:0{minute}:00Z"))
    await end_windows(working.sql, shop)
    told = [each["message"] for each in await digests(shop.key, 2)]
    assert any("At 9:01 pm" in each and "At 9:02 pm" in each for each in told)
    assert any("At 12:01" in each and "At 12:02" in each for each in told)


async def test_a_text_for_the_user_of_the_payload_writes_times_as_they_want(
    working: Working, shop: Project, ann: Person
) -> None:
    assert (await shop.key.put(f"/users/{ann.id}", {"timezone": "Asia/Tokyo"})).status == 200
    assert (await shop.key.put(f"/users/{ann.id}/preferences", {"format": {"time": "12h"}})).status == 200
    await make_rule(shop, "realtime", targetPayloadUser=True, title="At {{ payload.at | clock: user }}")
    event = await send_event(shop.key, userId=ann.external_id, at="2026-07-01T12:05:00Z")
    [id_] = (await story(shop.key, event))["notifications"]
    assert (await shop.key.get(f"/notifications/{id_}")).json["title"] == "At 9:05 pm"
