"""A rule or a draft over stored events: what would be different, with nothing stored or sent (issue 6, part 9)."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.client import Client, Project, Reply, sign_up
from tests.notifications.silence import hours
from tests.people import Person, join
from tests.pipeline import Working, make_rule, send_events, story, until
from tocsin.kit.errors import Unavailable
from tocsin.rules import past, replay

LONG_AGO = "2026-01-01T00:00:00Z"


@pytest.fixture
async def shop(working: Working) -> Project:
    return await sign_up(working.api, "Shop")


@pytest.fixture
async def ann(working: Working, shop: Project) -> Person:
    return await join(working.api, shop, name="Ann")


@pytest.fixture
async def bob(working: Working, shop: Project) -> Person:
    return await join(working.api, shop, name="Bob")


async def replayed(caller: Client, rule: Any, /, **body: Any) -> Reply:
    return await caller.post(f"/rules/{rule['id']}/replay", {"from": LONG_AGO, **body})


async def difference(project: Project, rule: Any, /, **body: Any) -> Any:
    reply = await replayed(project.key, rule, **body)
    assert reply.status == 200, reply.json
    return reply.json


async def processed(project: Project, *payloads: dict[str, Any], type_: str = "order.created") -> list[str]:
    events = await send_events(project.key, *payloads, type_=type_)
    for event in events:
        await story(project.key, event)
    return events


def draft(rule: Any, **fields: Any) -> dict[str, Any]:
    names = ("name", "eventTypes", "condition", "targetUsers", "targetRoles", "channels", "title")
    return {**{name: rule[name] for name in names}, **fields}


def counts(answer: Any, *names: str) -> list[int]:
    return [answer["counts"][name] for name in names]


async def test_a_rule_that_has_not_changed_makes_no_difference(shop: Project, ann: Person) -> None:
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id], condition="payload.amount > 10")
    await processed(shop, {"amount": 5}, {"amount": 50, "order": "A-1"})
    answer = await difference(shop, rule)
    assert counts(answer, "events", "matchedThen", "matchedNow", "errors") == [2, 1, 1, 0]
    assert (answer["examples"], answer["nextCursor"]) == ([], None)


async def test_what_each_reader_reads_in_their_own_way_makes_no_difference(shop: Project, ann: Person) -> None:
    assert (await shop.key.put(f"/users/{ann.id}", {"timezone": "Asia/Tokyo"})).status == 200
    said = {
        "title": "{% if reader.timezone != 'UTC' %}{{ payload.amount | divided_by: payload.parts }}{% endif %}Due",
        "translations": {"de": {"title": "Um {{ payload.at | clock: reader }}"}},
    }
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id], **said)
    await processed(shop, *({"at": "2026-07-01T12:05:00Z", "amount": 6, "parts": parts} for parts in (2, 0)))
    answer = await difference(shop, rule)
    assert counts(answer, "matchedThen", "matchedNow", "errors", "textsChanged") == [2, 2, 0, 0]
    assert answer["examples"] == []


async def test_a_draft_that_matches_more_and_less(shop: Project, ann: Person) -> None:
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id], condition="payload.amount > 10")
    small, large = await processed(shop, {"amount": 5, "order": "A-1"}, {"amount": 50, "order": "A-2"})
    answer = await difference(shop, rule, rule=draft(rule, condition="payload.amount < 10"))
    assert counts(answer, "matchedThen", "matchedNow", "newlyMatching", "noLongerMatching") == [1, 1, 1, 1]
    first, second = answer["examples"]
    assert (first["eventId"], first["changes"]) == (small, ["newly_matching"])
    assert (first["then"]["matched"], first["now"]["matched"], first["gained"]) == (False, True, [ann.id])
    assert first["now"]["rendered"]["title"] == "Order A-1"
    assert (second["eventId"], second["changes"], second["lost"]) == (large, ["no_longer_matching"], [ann.id])
    assert (second["then"]["rendered"]["title"], second["now"]["rendered"]) == ("Order A-2", None)
    assert second["now"]["reason"] != second["then"]["reason"]


async def test_a_draft_that_tells_others_in_other_words(shop: Project, ann: Person, bob: Person) -> None:
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id])
    await processed(shop, {"order": "A-1"})
    answer = await difference(
        shop, rule, rule=draft(rule, targetUsers=[bob.id], title="Bestellung {{ payload.order }}")
    )
    assert counts(answer, "recipientsChanged", "textsChanged") == [1, 1]
    (example,) = answer["examples"]
    assert (example["changes"], example["gained"], example["lost"]) == (["recipients", "texts"], [bob.id], [ann.id])
    assert example["then"]["rendered"]["title"] == "Order A-1"
    assert example["now"]["rendered"]["title"] == "Bestellung A-1"


async def test_a_draft_that_tells_by_other_ways_and_louder(working: Working, shop: Project, ann: Person) -> None:
    other = await sign_up(working.api, "Other")
    for project, sound in ((shop, "chime"), (other, "siren")):
        reply = await project.owner.put("/sounds/defaults", {"topics": {}, "priorities": {"high": sound}})
        assert reply.status == 200
    rule = await make_rule(shop, "realtime", "email", targetUsers=[ann.id], targetDestinations=["orders"])
    (event,) = await processed(shop, {"order": 1})
    assert (await difference(shop, rule))["examples"] == []
    loud = draft(rule, channels=["email", "realtime", "webhook"], targetDestinations=["alarms"], priority="high")
    answer = await difference(shop, rule, rule=loud)
    changed = counts(answer, "channelsChanged", "destinationsChanged", "priorityChanged", "soundChanged")
    assert (changed, counts(answer, "recipientsChanged", "textsChanged")) == ([1, 1, 1, 1], [0, 0])
    (example,) = answer["examples"]
    assert (example["eventId"], example["changes"]) == (event, ["channels", "destinations", "priority", "sound"])
    plain = {"channels": ["realtime", "email"], "afterSeconds": None, "priority": "normal", "sound": None}
    ways = (*plain, "destinations")
    assert {name: example["then"]["how"][name] for name in ways} == {**plain, "destinations": ["orders"]}
    louder = {"channels": ["email", "realtime", "webhook"], "destinations": ["alarms"]}
    now = {name: example["now"]["how"][name] for name in ways}
    assert now == {**plain, **louder, "priority": "high", "sound": "chime"}


async def test_the_order_of_channels_counts_where_they_have_turns(shop: Project, ann: Person) -> None:
    rule = await make_rule(shop, "web_push", "email", targetUsers=[ann.id])
    await processed(shop, {"order": 1})
    assert (await difference(shop, rule, rule=draft(rule, channels=["email", "web_push"])))["examples"] == []
    in_turns = draft(rule, channelOrder={"afterSeconds": 60})
    assert counts(await difference(shop, rule, rule=in_turns), "channelsChanged") == [1]
    assert (await shop.owner.put(f"/rules/{rule['id']}", {"channelOrder": {"afterSeconds": 60}})).status == 200
    await processed(shop, {"order": 2}, type_="order.paid")
    answer = await difference(shop, rule, rule=in_turns, eventTypes=["order.paid"])
    assert (counts(answer, "matchedThen"), answer["examples"]) == ([1], [])
    turned = draft(rule, channels=["email", "web_push"], channelOrder={"afterSeconds": 60})
    assert counts(await difference(shop, rule, rule=turned, eventTypes=["order.paid"]), "channelsChanged") == [1]


async def test_what_is_gathered_makes_no_sound_then_and_now(shop: Project, ann: Person) -> None:
    gathered = {"digest": {"windowSeconds": 3600}, "sound": "chime"}
    rule = await make_rule(shop, "email", targetUsers=[ann.id], **gathered)
    await processed(shop, {"order": 1})
    assert (await difference(shop, rule))["examples"] == []
    assert counts(await difference(shop, rule, rule=draft(rule, sound="chime")), "soundChanged") == [1]


async def test_how_a_draft_would_insist_gather_and_limit_is_compared(shop: Project, ann: Person, bob: Person) -> None:
    rule = await make_rule(shop, "email", targetUsers=[ann.id])
    (event,) = await processed(shop, {"order": 1})
    plain = {"requireAck": False, "repeat": None, "escalation": None, "escalationLoops": 1}
    assert (await difference(shop, rule))["examples"] == []
    step = {"afterSeconds": 600, "roles": ["owner"], "users": [bob.external_id]}
    loud = {"requireAck": True, "repeat": {"everySeconds": 60, "maxTimes": 3}, "escalation": [step]}
    answer = await difference(shop, rule, rule=draft(rule, **loud))
    assert counts(answer, "insistenceChanged", "digestChanged", "throttleChanged") == [1, 0, 0]
    (example,) = answer["examples"]
    assert (example["eventId"], example["changes"]) == (event, ["insistence"])
    assert {name: example["then"]["how"][name] for name in plain} == plain
    assert example["now"]["how"]["escalation"] == [{"afterSeconds": 600, "roles": ["owner"], "users": [bob.id]}]
    assert example["now"]["how"]["repeat"] == loud["repeat"]
    quiet = {"digest": {"windowSeconds": 60}, "throttle": {"max": 5, "perSeconds": 60}}
    answer = await difference(shop, rule, rule=draft(rule, **quiet))
    assert counts(answer, "insistenceChanged", "digestChanged", "throttleChanged") == [0, 1, 1]
    assert answer["examples"][0]["now"]["how"]["digest"] == {"windowSeconds": 60, "maxItems": 100, "leading": False}


async def test_a_rule_that_insists_gathers_and_limits_and_has_not_changed_makes_no_difference(
    shop: Project, ann: Person
) -> None:
    insists = {"requireAck": True, "repeat": {"everySeconds": 60, "maxTimes": 3}, "escalationLoops": 2}
    step = {"afterSeconds": 600, "roles": ["owner"], "users": [ann.id]}
    loud = await make_rule(shop, "email", targetUsers=[ann.id], escalation=[step], **insists)
    windows = {"digest": {"windowSeconds": 60}, "throttle": {"max": 5, "perSeconds": 60}}
    calm = await make_rule(shop, "email", targetUsers=[ann.id], **windows)
    await processed(shop, {"order": 1})
    for rule in (loud, calm):
        answer = await difference(shop, rule)
        assert (counts(answer, "matchedThen", "matchedNow"), answer["examples"]) == ([1, 1], [])


async def test_what_a_throttle_did_is_what_it_would_do(shop: Project, ann: Person, bob: Person) -> None:
    """With windows for each person."""
    throttle = {"max": 2, "perSeconds": 3600}
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id], targetPayloadUser=True, throttle=throttle)
    about = {"userId": bob.external_id}
    await processed(shop, {"order": 1}, {"order": 2, **about}, {"order": 3}, {"order": 4, **about}, {"order": 5})
    answer = await difference(shop, rule)
    assert (counts(answer, "throttledThen", "throttledNow"), answer["examples"]) == ([3, 3], [])
    wider = draft(rule, targetPayloadUser=True, throttle={**throttle, "max": 4})
    answer = await difference(shop, rule, rule=wider)
    assert counts(answer, "throttledThen", "throttledNow", "throttleChanged") == [3, 1, 5]
    courses = [(each["then"]["course"]["throttled"], each["now"]["course"]["throttled"]) for each in answer["examples"]]
    assert courses == [(0, 0), (0, 0), (1, 0), (1, 0), (1, 1)]


async def test_what_a_digest_gathered_is_what_it_would_gather(shop: Project, ann: Person, bob: Person) -> None:
    """And is not one too many, whatever the throttle says."""
    windows = {"digest": {"windowSeconds": 3600, "leading": True}, "throttle": {"max": 2, "perSeconds": 3600}}
    rule = await make_rule(shop, "realtime", "email", targetUsers=[ann.id], targetPayloadUser=True, **windows)
    about = {"userId": bob.external_id}
    await processed(shop, {"order": 1}, {"order": 2, **about}, {"order": 3}, {"order": 4, **about}, {"order": 5})
    answer = await difference(shop, rule)
    assert counts(answer, "throttledThen", "throttledNow", "gatheredThen", "gatheredNow") == [0, 0, 5, 5]
    assert answer["examples"] == []
    answer = await difference(shop, rule, rule=draft(rule, targetPayloadUser=True))
    assert counts(answer, "gatheredThen", "gatheredNow") == [5, 0]
    first = answer["examples"][0]
    assert first["changes"] == ["digest", "throttle"]
    assert first["then"]["course"] == first["now"]["course"] == {"gathered": 0, "throttled": 0, "toldAgain": 0}
    assert answer["examples"][1]["then"]["course"] == {"gathered": 1, "throttled": 0, "toldAgain": 0}


async def test_windows_go_by_when_the_events_were_processed(working: Working, shop: Project, ann: Person) -> None:
    rule = await make_rule(shop, "email", targetUsers=[ann.id])
    events = await processed(shop, *({"order": number} for number in range(4)))
    for hours_ago, event in zip((9, 8, 4, 3), sorted(events), strict=True):
        await working.sql.execute(
            "UPDATE tocsin.events SET processed_at = now() - make_interval(hours => $2) WHERE id = $1",
            *(event, hours_ago),
        )
    wanted = {"throttle": {"max": 1, "perSeconds": 7200}}
    assert counts(await difference(shop, rule, rule=draft(rule, **wanted)), "throttledNow") == [2]
    wanted = {"digest": {"windowSeconds": 7200, "leading": True}}
    assert counts(await difference(shop, rule, rule=draft(rule, **wanted)), "gatheredNow") == [2]
    critical = {"throttle": {"max": 1, "perSeconds": 7200}, "priority": "critical"}
    assert counts(await difference(shop, rule, rule=draft(rule, **critical)), "throttledNow") == [0]


async def test_a_draft_would_have_come_again_until_somebody_acknowledged(
    working: Working, shop: Project, ann: Person
) -> None:
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id], requireAck=True)
    await processed(shop, {"order": 1})
    await working.sql.execute(
        "UPDATE tocsin.notifications SET created_at = now() - interval '1 hour',"
        " acked_at = now() - interval '50 minutes' WHERE rule_id = $1",
        rule["id"],
    )
    steps = [{"afterSeconds": 300, "roles": ["owner"]}, {"afterSeconds": 400, "roles": ["owner"]}]
    wanted = {"requireAck": True, "repeat": {"everySeconds": 120, "maxTimes": 9}, "escalation": steps}
    answer = await difference(shop, rule, rule=draft(rule, **wanted))
    assert counts(answer, "toldAgainThen", "toldAgainNow") == [0, 5 + 1]
    wanted["repeat"]["maxTimes"] = 2  # type: ignore[index]
    assert counts(await difference(shop, rule, rule=draft(rule, **wanted)), "toldAgainNow") == [2 + 1]


async def test_repeats_that_were_made_are_counted(working: Working, shop: Project, ann: Person) -> None:
    rule = await make_rule(
        shop, "realtime", targetUsers=[ann.id], requireAck=True, repeat={"everySeconds": 10, "maxTimes": 1}
    )
    await processed(shop, {"order": 1})
    await working.sql.execute(
        "UPDATE tocsin.insistences SET repeats_at = now(), due_at = now() WHERE project_id = $1", shop.id
    )

    async def repeated() -> bool:
        return counts(await difference(shop, rule), "toldAgainThen") == [1]

    await until(repeated)


async def test_the_user_in_the_payload_is_told_as_live(shop: Project, ann: Person) -> None:
    rule = await make_rule(shop, "realtime", targetPayloadUser=True)
    await processed(shop, {"userId": ann.external_id}, {"userId": "nobody"})
    answer = await difference(shop, rule)
    assert counts(answer, "matchedThen", "matchedNow", "recipientsChanged") == [2, 2, 0]


async def test_a_draft_that_listens_to_other_types(shop: Project, ann: Person) -> None:
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id], eventTypes=["order.created"])
    await processed(shop, {"order": 1})
    (paid,) = await processed(shop, {"order": 2}, type_="order.paid")
    await processed(shop, {"order": 3}, type_="stock.low")
    answer = await difference(shop, rule, rule=draft(rule, eventTypes=["order.paid"]))
    assert counts(answer, "events", "newlyMatching", "noLongerMatching") == [2, 1, 1]
    newly = next(each for each in answer["examples"] if each["eventId"] == paid)
    assert (newly["then"]["reason"], newly["then"]["ruleVersion"]) == ("the rule did not look at the event", None)
    only = await difference(shop, rule, rule=draft(rule, eventTypes=["order.*"]), eventTypes=["order.paid"])
    assert counts(only, "events", "newlyMatching") == [1, 1]


async def test_what_goes_wrong_is_counted(shop: Project, ann: Person) -> None:
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id])
    await processed(shop, {"order": "A-1"})
    answer = await difference(shop, rule, rule=draft(rule, condition="int(payload.order) > 1"))
    assert counts(answer, "errors", "matchedNow") == [1, 0]
    assert "error" in answer["examples"][0]["changes"]


async def test_a_rule_that_was_outside_of_its_active_times_still_would_have_been(shop: Project, ann: Person) -> None:
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id], activeTimes=hours(2, 3))
    await processed(shop, {"order": 1})
    answer = await difference(shop, rule)
    assert (counts(answer, "events", "matchedThen", "matchedNow"), answer["examples"]) == ([1, 0, 0], [])


async def test_active_times_of_a_draft_count_when_the_event_was_processed(
    working: Working, shop: Project, ann: Person
) -> None:
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id])
    _, early = await processed(shop, {"order": 1}, {"order": 2})
    await working.sql.execute(
        "UPDATE tocsin.events SET processed_at = processed_at - interval '6 hours' WHERE id = $1", early
    )
    answer = await difference(shop, rule, rule=draft(rule, activeTimes=hours(-1, 1)))
    assert counts(answer, "matchedThen", "matchedNow", "noLongerMatching") == [2, 1, 1]
    (example,) = answer["examples"]
    assert (example["eventId"], example["lost"]) == (early, [ann.id])
    assert example["now"]["reason"].startswith("outside of its active times, which begin again ")
    waiting = {**hours(-1, 1), "outside": "hold"}
    assert (await difference(shop, rule, rule=draft(rule, activeTimes=waiting)))["examples"] == []


async def test_active_times_are_in_the_projects_timezone(working: Working, shop: Project, ann: Person) -> None:
    """And in no other project's."""
    other = await sign_up(working.api, "Other")
    for project, zone in ((shop, "Asia/Tokyo"), (other, "Asia/Kolkata")):
        assert (await project.owner.put("/projects/me/settings", {"timezone": zone})).status == 200
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id])
    await processed(shop, {"order": 1})
    answer = await difference(shop, rule, rule=draft(rule, activeTimes=hours(-1, 1, "Asia/Tokyo")))
    assert answer["examples"] == []
    answer = await difference(shop, rule, rule=draft(rule, activeTimes=hours(-1, 1, "Asia/Kolkata")))
    assert answer["examples"][0]["now"]["reason"].endswith(" Asia/Tokyo")


async def test_nothing_is_stored_or_sent(working: Working, shop: Project, ann: Person) -> None:
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id], condition="false")
    (event,) = await processed(shop, {"order": 1})
    before = await story(shop.key, event)
    answer = await difference(shop, rule, rule=draft(rule, condition="true"))
    assert counts(answer, "newlyMatching") == [1]
    assert await story(shop.key, event) == before
    for table in ("notifications", "deliveries", "notification_recipients"):
        assert await working.sql.fetchval(f"SELECT count(*) FROM tocsin.{table} WHERE project_id = $1", shop.id) == 0


async def test_it_goes_on_where_it_ended(shop: Project, ann: Person) -> None:
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id], condition="false")
    events = await processed(shop, *({"order": number} for number in range(70)))
    seen: list[str] = []
    cursor = None
    for _ in range(10):
        more = {"cursor": cursor} if cursor else {}
        answer = await difference(shop, rule, rule=draft(rule, condition="true"), limit=30, **more)
        seen += [each["eventId"] for each in answer["examples"]]
        if (cursor := answer["nextCursor"]) is None:
            break
    assert seen == events


async def test_a_rare_type_is_found_behind_many_others(working: Working, shop: Project, ann: Person) -> None:
    """More events of other types than one look takes in."""
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id], eventTypes=["rare"], condition="false")
    await working.sql.execute(
        "INSERT INTO tocsin.events (project_id, env, id, type, payload, state, processed_at)"
        " SELECT $1, 'live', tocsin.new_id(), 'common', '{}', 'processed', now() FROM generate_series(1, $2)",
        *(shop.id, 2 * past.SCANNED_AT_ONCE + 1),
    )
    (event,) = await processed(shop, {"order": 1}, type_="rare")
    answer = await difference(shop, rule, rule=draft(rule, condition="true"))
    assert [each["eventId"] for each in answer["examples"]] == [event]
    assert answer["scanned"] == 2 * past.SCANNED_AT_ONCE + 2


async def test_only_the_time_asked_for_is_looked_at(shop: Project, ann: Person) -> None:
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id])
    await processed(shop, {"order": 1})
    assert (await difference(shop, rule, to="2026-01-02T00:00:00Z"))["counts"]["events"] == 0
    assert (await difference(shop, rule, **{"from": "2199-01-01T00:00:00Z"}))["counts"]["events"] == 0
    backwards = await replayed(shop.key, rule, to="2025-01-01T00:00:00Z")
    assert (backwards.status, backwards.json["errors"][0]["code"]) == (422, "ends_before_it_begins")


async def test_mistakes_in_a_draft_are_pointed_out(shop: Project) -> None:
    rule = await make_rule(shop, "realtime", targetRoles=["owner"])
    reply = await replayed(shop.key, rule, rule=draft(rule, condition="payload."))
    assert (reply.status, reply.pointers) == (422, ["/rule/condition"])


async def test_whoever_may_not_see_events_may_not_replay_them(shop: Project) -> None:
    rule = await make_rule(shop, "realtime", targetRoles=["owner"])
    _, blind = await shop.new_key("rules:manage")
    assert (await replayed(blind, rule)).code == "permission_missing"
    _, idle = await shop.new_key("events:read", "rules:read")
    assert (await replayed(idle, rule)).code == "permission_missing"


async def test_other_projects_and_the_sandbox_have_events_of_their_own(
    working: Working, shop: Project, ann: Person
) -> None:
    other = await sign_up(working.api, "Other")
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id])
    theirs = await make_rule(other, "realtime", targetRoles=["owner"])
    await processed(shop, {"order": 1})
    assert (await replayed(other.key, rule)).status == 404
    assert (await difference(other, theirs))["counts"]["events"] == 0
    sandbox = await replayed(shop.test_key, rule)
    assert (sandbox.status, sandbox.json["counts"]["events"]) == (200, 0)


async def test_a_cursor_is_good_for_its_rule_alone(shop: Project, ann: Person) -> None:
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id])
    second = await make_rule(shop, "realtime", targetUsers=[ann.id])
    await processed(shop, {"order": 1}, {"order": 2})
    cursor = (await difference(shop, rule, limit=1))["nextCursor"]
    assert (await replayed(shop.key, second, cursor=cursor)).code == "invalid_cursor"


async def test_a_project_has_one_replay_at_a_time(shop: Project, ann: Person) -> None:
    rule = await make_rule(shop, "realtime", targetUsers=[ann.id])
    await processed(shop, *({"order": number} for number in range(60)))
    replies = await asyncio.gather(*(replayed(shop.key, rule) for _ in range(4)))
    refused = [reply for reply in replies if reply.status != 200]
    assert any(reply.status == 200 for reply in replies)
    assert refused
    assert {(reply.status, reply.code) for reply in refused} <= {(429, "replay_running"), (503, "overloaded")}
    assert all(int(reply.headers["Retry-After"]) >= 1 for reply in refused)
    assert (await replayed(shop.key, rule)).status == 200


async def test_a_process_has_few_replays_at_a_time() -> None:
    replays = replay.Replays()
    async with replays.one(uuid4()), replays.one(uuid4()):
        with pytest.raises(Unavailable):
            async with replays.one(uuid4()):
                pass
