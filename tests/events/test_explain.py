"""Why somebody got what an event set off, or did not: a verdict and a sentence for each reason (D6)."""

from typing import Any

import msgspec
import pytest

from tests.client import Client, Project, Reply, sign_up
from tests.connections.build import make_mail
from tests.inbound.bots import bot_token
from tests.notifications.silence import hours
from tests.people import Person, join
from tests.pipeline import Working, make_rule, send_event, story, tried, until
from tocsin.events.explain.explanation import BEYOND


@pytest.fixture
async def shop(working: Working) -> Project:
    return await sign_up(working.api, "Shop")


@pytest.fixture
async def ann(working: Working, shop: Project) -> Person:
    return await join(working.api, shop, name="Ann")


@pytest.fixture
async def bob(working: Working, shop: Project) -> Person:
    return await join(working.api, shop, name="Bob")


async def asked(caller: Client, event_id: str, person: Person, **query: str) -> Reply:
    return await caller.get(f"/events/{event_id}/explain", **(query or {"userId": person.id}))


async def explained(project: Project, event_id: str, person: Person) -> Any:
    """The explanation once the event's rules have run."""
    await story(project.key, event_id)
    reply = await asked(project.key, event_id, person)
    assert reply.status == 200, reply.json
    return reply.json


async def with_verdict(project: Project, event_id: str, person: Person, code: str) -> Any:
    async def look() -> Any:
        told = await explained(project, event_id, person)
        return told if told["code"] == code else None

    return await until(look)


async def test_what_stands_in_the_feed_was_received(shop: Project, ann: Person) -> None:
    made = await make_rule(shop, "realtime", targetUsers=[ann.id])
    told = await explained(shop, await send_event(shop.key), ann)
    assert (told["verdict"], told["code"]) == ("received", "in_feed")
    (rule,) = told["rules"]
    assert (rule["ruleId"], rule["code"]) == (made["id"], "recipient")
    assert rule["sentence"] == "The rule matched and told the person, because the rule names them."
    (delivery,) = rule["deliveries"]
    assert (delivery["channel"], delivery["state"], delivery["code"]) == ("realtime", "sent", "in_feed")
    assert told["rulesSince"] == []


async def test_whoever_saw_it_received_it(shop: Project, ann: Person) -> None:
    await make_rule(shop, "telegram", targetUsers=[ann.id], requireAck=True)
    event = await send_event(shop.key)
    (notification,) = (await story(shop.key, event))["notifications"]
    assert (await ann.client.put(f"/notifications/{notification}/acknowledge")).status == 200
    told = await explained(shop, event, ann)
    assert (told["verdict"], told["code"]) == ("received", "seen")
    assert told["rules"][0]["acknowledgedBy"] == ann.id


async def test_somebody_without_an_address(shop: Project, ann: Person) -> None:
    await make_rule(shop, "telegram", targetUsers=[ann.id])
    told = await with_verdict(shop, await send_event(shop.key), ann, "no_address")
    assert told["verdict"] == "not_received"
    assert told["sentence"] == "It must not be sent over telegram: the person has no address for telegram."


async def test_somebody_who_blocked_the_bot_and_since_when(working: Working, shop: Project, ann: Person) -> None:
    bot = {"provider": "telegram", "name": "bot", "credentials": {"botToken": bot_token()}}
    made = await shop.owner.post("/connections", bot)
    assert made.status == 201, made.json
    assert (await ann.client.post(f"/users/{ann.id}/addresses", {"channel": "telegram", "value": "4711"})).status == 201
    await working.sql.execute("UPDATE tocsin.connections SET status = 'active' WHERE id = $1", made.json["id"])
    await working.sql.execute(
        "INSERT INTO tocsin.reachability (project_id, connection_id, address_hash, state, reason, connection_project,"
        " env, since) VALUES ($1, $2, sha256('4711'), 'blocked', 'Forbidden: bot was blocked by the user', $1, 'live',"
        " '2026-03-01T10:00:00Z')",
        *(shop.id, made.json["id"]),
    )
    await make_rule(shop, "telegram", targetUsers=[ann.id])
    told = await with_verdict(shop, await send_event(shop.key), ann, "blocked")
    assert told["sentence"] == (
        "It must not be sent over telegram: the person blocked the project's, since 2026-03-01 10:00:00 UTC."
    )


async def test_a_delivery_that_failed_and_is_tried_again(working: Working, shop: Project, ann: Person) -> None:
    mail = await make_mail(shop.key, port=9)
    await working.sql.execute("UPDATE tocsin.connections SET status = 'active' WHERE id = $1", mail["id"])
    await working.sql.execute("UPDATE tocsin.users SET email = 'ann@example.com' WHERE id = $1", ann.id)
    await make_rule(shop, "email", targetUsers=[ann.id])
    event = await send_event(shop.key)
    await tried(shop.key, event, 1, "email")
    told = await explained(shop, event, ann)
    assert (told["verdict"], told["code"]) == ("pending", "retrying")
    (attempt,) = told["rules"][0]["deliveries"][0]["attempts"]
    assert "it failed and may succeed later" in attempt["sentence"]


async def test_a_delivery_that_waits_for_its_connection(shop: Project, working: Working, ann: Person) -> None:
    await make_mail(shop.key)
    await working.sql.execute("UPDATE tocsin.users SET email = 'ann@example.com' WHERE id = $1", ann.id)
    await make_rule(shop, "email", targetUsers=[ann.id])
    told = await with_verdict(shop, await send_event(shop.key), ann, "waits_for_connection")
    assert told["verdict"] == "pending"
    assert "no active connection for email: pending" in told["sentence"]


async def test_a_rule_that_did_not_match_says_why(shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", targetUsers=[ann.id], condition="payload.amount > 100")
    told = await explained(shop, await send_event(shop.key, amount=5), ann)
    assert (told["verdict"], told["code"]) == ("not_received", "did_not_match")
    (rule,) = told["rules"]
    assert rule["reason"] in rule["sentence"]


async def test_a_rule_that_tells_others(shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", targetRoles=["owner"])
    told = await explained(shop, await send_event(shop.key), ann)
    assert (told["verdict"], told["code"]) == ("not_received", "not_targeted")
    assert told["rules"][0]["sentence"] == "The rule matched, but it tells the role owner, and not this person."
    assert (told["rules"][0]["notificationId"], told["rules"][0]["deliveries"]) == (None, [])


async def test_a_role_that_somebody_got_only_later(shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", targetRoles=["agent", "owner"])
    event = await send_event(shop.key)
    before = await explained(shop, event, ann)
    assert (before["rolesNow"], before["rolesThen"]) == ([], None)
    assert (await shop.owner.put(f"/users/{ann.id}", {"roles": ["agent"]})).status == 200
    told = await explained(shop, event, ann)
    assert (told["code"], told["rolesNow"], told["rolesThen"]) == ("targeted_since", ["agent"], [])


async def test_a_role_that_somebody_had_then(shop: Project, ann: Person) -> None:
    assert (await shop.owner.put(f"/users/{ann.id}", {"roles": ["agent"]})).status == 200
    await make_rule(shop, "realtime", targetRoles=["agent"])
    event = await send_event(shop.key)
    await story(shop.key, event)
    assert (await shop.owner.put(f"/users/{ann.id}", {"roles": []})).status == 200
    told = await explained(shop, event, ann)
    assert told["rules"][0]["sentence"] == (
        "The rule matched and told the person, because the rule tells the role agent."
    )


async def test_somebody_who_was_not_active(shop: Project, ann: Person, bob: Person) -> None:
    await make_rule(shop, "realtime", targetUsers=[ann.id, bob.id])
    assert (await shop.owner.put(f"/users/{ann.id}", {"status": "disabled"})).status == 200
    told = await explained(shop, await send_event(shop.key), ann)
    assert (told["code"], told["status"]) == ("was_not_active", "disabled")


async def test_somebody_who_was_made_known_later(working: Working, shop: Project) -> None:
    await make_rule(shop, "realtime", targetRoles=["owner"])
    event = await send_event(shop.key)
    await story(shop.key, event)
    assert (await explained(shop, event, await join(working.api, shop)))["code"] == "not_known_then"


async def test_somebody_beyond_those_whom_one_notification_tells(working: Working, shop: Project, ann: Person) -> None:
    made = await make_rule(shop, "realtime", targetUsers=[ann.id], condition="payload.amount > 1")
    event = await send_event(shop.key, amount=1)
    await story(shop.key, event)
    told = {"ruleId": made["id"], "ruleName": "R", "ruleVersion": 1, "matched": True}
    told["reason"] = f"the condition is true; of 10,001 {BEYOND} 10,000 are told"
    trace = msgspec.json.encode([told]).decode()
    await working.sql.execute("UPDATE tocsin.events SET trace = $2::text::json WHERE id = $1", event, trace)
    assert (await explained(shop, event, ann))["code"] == "beyond_limit"


async def test_no_rule_at_all(shop: Project, ann: Person) -> None:
    told = await explained(shop, await send_event(shop.key), ann)
    assert (told["verdict"], told["code"], told["rules"]) == ("not_received", "no_rule", [])


async def test_a_rule_that_is_gone(shop: Project, ann: Person) -> None:
    made = await make_rule(shop, "realtime", targetRoles=["owner"])
    event = await send_event(shop.key)
    await story(shop.key, event)
    assert (await shop.owner.delete(f"/rules/{made['id']}")).status == 204
    assert (await explained(shop, event, ann))["code"] == "rule_deleted"


async def test_rules_of_today_that_would_have_told(shop: Project, ann: Person) -> None:
    off = await make_rule(shop, "realtime", targetUsers=[ann.id], active=False)
    changed = await make_rule(shop, "realtime", targetUsers=[ann.id], condition="payload.amount > 100")
    event = await send_event(shop.key, amount=50)
    await story(shop.key, event)
    made = await make_rule(shop, "realtime", targetRoles=["owner"])
    assert (await shop.owner.put(f"/rules/{off['id']}", {"active": True})).status == 200
    assert (await shop.owner.put(f"/rules/{changed['id']}", {"condition": "payload.amount > 10"})).status == 200
    told = (await explained(shop, event, ann))["rulesSince"]
    assert {each["ruleId"]: (each["code"], each["matches"], each["targetsPerson"]) for each in told} == {
        off["id"]: ("not_in_force_then", True, True),
        changed["id"]: ("changed_since", True, True),
        made["id"]: ("made_since", True, False),
    }
    assert told[1]["sentence"] == (
        "Version 1 looked at the event, and it is version 2 now; it would match and would tell this person."
    )


async def test_a_rule_of_today_that_would_not_match(shop: Project, ann: Person) -> None:
    event = await send_event(shop.key, amount=5)
    await story(shop.key, event)
    await make_rule(shop, "realtime", targetUsers=[ann.id], condition="payload.amount > 100")
    (since,) = (await explained(shop, event, ann))["rulesSince"]
    assert (since["matches"], "it would not match:" in since["sentence"]) == (False, True)


async def test_a_rule_of_today_would_not_match_what_came_outside_of_its_active_times(
    working: Working, shop: Project, ann: Person
) -> None:
    event = await send_event(shop.key)
    await story(shop.key, event)
    await make_rule(shop, "realtime", targetUsers=[ann.id], activeTimes=hours(-1, 1))
    (since,) = (await explained(shop, event, ann))["rulesSince"]
    assert since["matches"] is True
    await working.sql.execute("UPDATE tocsin.events SET processed_at = now() - interval '6 hours' WHERE id = $1", event)
    (since,) = (await explained(shop, event, ann))["rulesSince"]
    assert since["matches"] is False
    assert "it would not match: outside of its active times, which begin again " in since["sentence"]


async def test_people_see_their_own_part_alone(shop: Project, ann: Person, bob: Person) -> None:
    mine = await make_rule(shop, "realtime", targetUsers=[ann.id])
    await make_rule(shop, "realtime", targetUsers=[bob.id])
    event = await send_event(shop.key)
    assert len((await explained(shop, event, ann))["rules"]) == 2
    own = (await ann.client.get(f"/events/{event}/explain")).json
    assert [rule["ruleId"] for rule in own["rules"]] == [mine["id"]]
    assert (own["verdict"], own["rules"][0]["reason"], own["rulesSince"]) == ("received", None, [])
    assert (await asked(ann.client, event, bob)).status == 404
    assert (await asked(ann.client, event, bob, externalUserId=bob.external_id)).status == 404


async def test_an_event_that_told_them_nothing_looks_absent(shop: Project, ann: Person, bob: Person) -> None:
    await make_rule(shop, "realtime", targetUsers=[bob.id])
    event = await send_event(shop.key)
    await story(shop.key, event)
    assert (await ann.client.get(f"/events/{event}/explain")).status == 404


async def test_the_person_is_named_once(shop: Project, ann: Person) -> None:
    event = await send_event(shop.key)
    await story(shop.key, event)
    assert (await asked(shop.key, event, ann, externalUserId=ann.external_id)).json["userId"] == ann.id
    both = await asked(shop.key, event, ann, userId=ann.id, externalUserId=ann.external_id)
    assert (both.status, both.pointers) == (422, ["/query/externalUserId"])
    nobody = await shop.key.get(f"/events/{event}/explain")
    assert (nobody.status, nobody.pointers) == (422, ["/query/userId"])


async def test_roles_are_shown_to_those_who_may_see_people(shop: Project, ann: Person) -> None:
    event = await send_event(shop.key)
    await story(shop.key, event)
    _, narrow = await shop.new_key("events:read")
    told = (await asked(narrow, event, ann)).json
    assert (told["rolesNow"], told["rolesThen"]) == (None, None)
    _, blind = await shop.new_key("events:write")
    assert (await asked(blind, event, ann)).status == 403


async def test_other_projects_and_the_sandbox_see_nothing(working: Working, shop: Project, ann: Person) -> None:
    other = await sign_up(working.api, "Other")
    stranger = await join(working.api, other)
    await make_rule(shop, "realtime", targetUsers=[ann.id])
    event = await send_event(shop.key)
    await story(shop.key, event)
    for caller, person in ((other.key, stranger), (other.key, ann), (shop.key, stranger), (shop.test_key, ann)):
        assert (await asked(caller, event, person)).status == 404


async def test_what_has_not_been_looked_at_is_pending(api: Client, acme: Project) -> None:
    """This installation has no worker."""
    event = await send_event(acme.key)
    reply = await asked(acme.key, event, await join(api, acme))
    assert (reply.json["verdict"], reply.json["code"]) == ("pending", "not_processed")
