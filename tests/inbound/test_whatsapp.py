"""WhatsApp from the event to the status: windows, statuses in any order, and what is not one's own (C8, D5, W1-W14)."""

import asyncio
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import pytest

from tests.client import Client, sign_up
from tests.inbound.numbers import failed, make_number, payload, reported, signature, wamid, written
from tests.inbound.shops import ANN, HIDDEN, Installed, Shop, items, make_shop, windows, worked_on
from tests.pipeline import ENDED, deliveries_of, delivery_of, ended, make_rule, send_event, tried, until


async def test_what_was_accepted_is_sent_and_not_delivered(installed: Installed, shop: Shop) -> None:
    done = await shop.sent()
    assert (done["state"], done["deliveredAt"], done["connectionReason"]) == ("sent", None, "the project's")
    assert done["providerMessageId"].startswith("wamid.")
    assert installed.meta.messages[-1]["template"]["name"] == "alert"


async def test_whoever_wrote_within_a_day_gets_free_words(installed: Installed, shop: Shop) -> None:
    assert (await shop.number.told(messages=[written()])).status == 200
    await worked_on(installed, shop.number, 1)
    await shop.sent()
    assert installed.meta.messages[-1]["type"] == "text"
    [window] = (await windows(installed, shop.number)).values()
    assert window["user_id"] is not None and str(window["user_id"]) == shop.ann["id"]


async def test_whoever_wrote_yesterday_gets_the_template(installed: Installed, shop: Shop) -> None:
    await shop.number.told(messages=[written(at=time.time() - 25 * 3600)])
    await worked_on(installed, shop.number, 1)
    await shop.sent()
    assert installed.meta.messages[-1]["type"] == "template"


async def test_an_older_message_that_comes_later_shortens_no_window(installed: Installed, shop: Shop) -> None:
    await shop.number.told(messages=[written(at=time.time() - 60)])
    await shop.number.told(messages=[written(at=time.time() - 30 * 3600)])
    await worked_on(installed, shop.number, 2)
    await shop.sent()
    assert installed.meta.messages[-1]["type"] == "text"


async def test_a_message_from_the_future_opens_no_longer_window(installed: Installed, shop: Shop) -> None:
    await shop.number.told(messages=[written(at=time.time() + 40 * 86_400)])
    await worked_on(installed, shop.number, 1)
    [window] = (await windows(installed, shop.number)).values()
    assert window["window_expires_at"].timestamp() - time.time() <= 86_400


async def test_a_window_is_of_one_number_alone(installed: Installed, shop: Shop) -> None:
    other = await make_shop(installed, "Other")
    await other.number.told(messages=[written()])
    await worked_on(installed, other.number, 1)
    await shop.sent()
    assert installed.meta.messages[-1]["type"] == "template"


async def test_without_a_template_and_outside_the_window_it_fails_and_says_why(installed: Installed) -> None:
    shop = await make_shop(installed, template=None)
    done = await shop.sent()
    assert done["state"] == "failed"
    assert "has not written to this number within 24 hours" in done["lastError"]


async def test_somebody_without_a_number_is_known_and_reached_by_their_id(installed: Installed) -> None:
    shop = await make_shop(installed, address=HIDDEN)
    message = {**written(), "from_user_id": HIDDEN}
    del message["from"]
    contacts = [{"profile": {"name": "Ann", "username": "@ann"}, "user_id": HIDDEN}]
    await shop.number.told(messages=[message], contacts=contacts)
    await worked_on(installed, shop.number, 1)
    await shop.sent()
    assert (installed.meta.messages[-1]["type"], installed.meta.messages[-1]["recipient"]) == ("text", HIDDEN)
    assert str((await windows(installed, shop.number))[HIDDEN]["user_id"]) == shop.ann["id"]


async def test_a_message_with_number_and_id_opens_the_window_for_both(installed: Installed, shop: Shop) -> None:
    contacts = [{"profile": {"name": "Ann"}, "wa_id": "16505551234", "user_id": HIDDEN}]
    await shop.number.told(messages=[written(from_user_id=HIDDEN)], contacts=contacts)
    await worked_on(installed, shop.number, 1)
    assert set(await windows(installed, shop.number)) == {"16505551234", HIDDEN}


async def test_every_element_of_every_array_counts(installed: Installed, shop: Shop) -> None:
    first, second = await shop.sent(), await shop.sent()
    body = payload(shop.number, shop.number, messages=[written("16505550001"), written("16505550002")])
    body["entry"][0]["changes"] *= 2
    body["entry"][1]["changes"][0]["value"] = {
        **body["entry"][1]["changes"][0]["value"],
        "messages": [written("16505550003")],
        "statuses": [reported(found["providerMessageId"], "delivered") for found in (first, second)],
    }
    assert (await shop.number.call(body)).status == 200
    await shop.becomes(first, "delivered")
    await shop.becomes(second, "delivered")
    await worked_on(installed, shop.number, 5)
    assert len(await items(installed, shop.number)) == 5
    assert set(await windows(installed, shop.number)) == {"16505550001", "16505550002", "16505550003"}


async def test_a_repeated_call_is_worked_on_once(installed: Installed, shop: Shop) -> None:
    body = payload(shop.number, messages=[written()])
    replies = await asyncio.gather(*(shop.number.call(body) for _ in range(8)))
    assert {reply.status for reply in replies} == {200}
    await worked_on(installed, shop.number, 1)
    assert len(await items(installed, shop.number)) == 1


async def test_statuses_move_a_delivery_forward_only(installed: Installed, shop: Shop) -> None:
    done = await shop.sent()
    for status in ("read", "delivered", "sent"):
        await shop.number.status(done["providerMessageId"], status)
    rows = await worked_on(installed, shop.number, 3)
    now = await shop.delivery(done)
    assert now["state"] == "read" and now["readAt"] and now["deliveredAt"]
    assert [row["last_error"] for row in rows if row["state"] == "ignored"] == ["the delivery is read already"] * 2


async def test_a_failure_that_is_told_later_is_the_attempts_own(installed: Installed, shop: Shop) -> None:
    done = await shop.sent()
    await shop.number.told(statuses=[failed(done["providerMessageId"], 131026)])
    now = await shop.becomes(done, "failed")
    assert now["lastError"] == "It did not arrive. (131026)"
    [attempt] = now["attempts"]
    assert (attempt["outcome"], attempt["error"]) == ("permanent", "It did not arrive. (131026)")


async def test_proof_of_arrival_outweighs_a_failure(installed: Installed, shop: Shop) -> None:
    done = await shop.sent()
    await shop.number.told(statuses=[failed(done["providerMessageId"], 131026)])
    await shop.becomes(done, "failed")
    await shop.number.status(done["providerMessageId"], "delivered")
    now = await shop.becomes(done, "delivered")
    assert (now["lastError"], [each["outcome"] for each in now["attempts"]]) == (None, ["ok"])


async def test_a_passing_failure_is_tried_again(installed: Installed, shop: Shop) -> None:
    done = await shop.sent()
    await shop.number.told(statuses=[failed(done["providerMessageId"], 131000)])

    async def again() -> Any:
        now = await shop.delivery(done)
        return now if len(now["attempts"]) == 2 and now["state"] == "sent" else None

    now = await until(again, 30)
    assert [each["outcome"] for each in now["attempts"]] == ["temporary", "ok"]
    assert now["providerMessageId"] != done["providerMessageId"]


async def test_a_window_that_meta_holds_for_closed_makes_the_template_follow(installed: Installed, shop: Shop) -> None:
    await shop.number.told(messages=[written()])
    await worked_on(installed, shop.number, 1)
    done = await shop.sent()
    assert installed.meta.messages[-1]["type"] == "text"
    await shop.number.told(statuses=[failed(done["providerMessageId"], 131047)])

    async def again() -> Any:
        now = await shop.delivery(done)
        return len(now["attempts"]) == 2 and now["state"] == "sent"

    await until(again, 30)
    assert installed.meta.messages[-1]["type"] == "template"


async def test_a_person_who_stops_is_kept_as_opted_out_until_they_start_again(installed: Installed, shop: Shop) -> None:
    query = "SELECT DISTINCT state FROM tocsin.reachability WHERE connection_id = $1"
    for count, (word, state) in enumerate([(" Stop. ", "opted_out"), ("hello", "opted_out"), ("START", "reachable")]):
        await shop.number.told(messages=[written(text=word)])
        await worked_on(installed, shop.number, count + 1)
        states = await installed.sql.fetch(query, shop.number.connection["id"])
        assert [row["state"] for row in states] == [state]


@pytest.mark.parametrize(("late", "last", "state"), [("start", "stop", "opted_out"), ("stop", "start", "reachable")])
async def test_an_older_word_that_comes_later_changes_nothing(
    installed: Installed, shop: Shop, late: str, last: str, state: str
) -> None:
    await shop.number.told(messages=[written(text=last, at=time.time() - 100)])
    await worked_on(installed, shop.number, 1)
    await shop.number.told(messages=[written(text=late, at=time.time() - 200)])
    await worked_on(installed, shop.number, 2)
    query = "SELECT DISTINCT state FROM tocsin.reachability WHERE connection_id = $1"
    states = await installed.sql.fetch(query, shop.number.connection["id"])
    assert [row["state"] for row in states] == [state]


async def test_a_person_who_stops_is_sent_nothing_more(installed: Installed, shop: Shop) -> None:
    await shop.number.told(messages=[written(text="stop")])
    await worked_on(installed, shop.number, 1)
    before = len(installed.meta.messages)
    done = await shop.sent()
    assert (done["state"], len(installed.meta.messages)) == ("suppressed", before)


async def test_who_wrote_stop_while_a_number_was_suspended_is_sent_nothing_more(
    installed: Installed, shop: Shop
) -> None:
    await turn(shop, "suspend", reason="spam")
    await shop.number.told(messages=[written(text="Hi"), written(text="stop")])
    rows = await worked_on(installed, shop.number, 2)
    assert {(row["state"], row["last_error"]) for row in rows} == {
        ("ignored", "the connection is suspended"),
        ("processed", None),
    }
    await turn(shop, "activate")
    before = len(installed.meta.messages)
    done = await shop.sent()
    assert (done["state"], len(installed.meta.messages)) == ("suppressed", before)


async def test_what_a_suspended_number_had_sent_moves_on(installed: Installed, shop: Shop) -> None:
    arrived, lost = await shop.sent(), await shop.sent()
    await turn(shop, "suspend", reason="spam")
    await shop.number.status(arrived["providerMessageId"], "delivered")
    await shop.number.told(statuses=[failed(lost["providerMessageId"], 131026)])
    await shop.becomes(arrived, "delivered")
    await shop.becomes(lost, "failed")


async def turn(shop: Shop, how: str, **body: Any) -> None:
    where = f"/connections/{shop.number.connection['id']}/{how}"
    reply = await shop.project.owner.send("PATCH", where, body or None)
    assert reply.status == 200, reply.json


async def test_a_failure_of_the_account_stops_its_connection(installed: Installed, shop: Shop) -> None:
    done = await shop.sent()
    await shop.number.told(statuses=[failed(done["providerMessageId"], 131031)])

    async def stopped() -> Any:
        found = (await shop.project.key.get(f"/connections/{shop.number.connection['id']}")).json
        return found if found["status"] == "error" else None

    assert (await until(stopped))["statusReason"] == "It did not arrive. (131031)"
    assert (await shop.delivery(done))["state"] == "queued"


async def test_what_is_told_of_an_account_as_it_was_before_stops_nothing(installed: Installed, shop: Shop) -> None:
    done = await shop.sent()
    # Changed after the message left, and after the errors of the account came.
    later = "UPDATE tocsin.connections SET updated_at = now() + interval '1 hour' WHERE id = $1"
    await installed.sql.execute(later, shop.number.connection["id"])
    await shop.number.told(statuses=[failed(done["providerMessageId"], 131031)])
    await shop.number.told(errors=[{"code": 131031, "title": "Business Account locked"}])
    rows = await worked_on(installed, shop.number, 2)
    assert [row["state"] for row in rows] == ["processed"] * 2
    where = f"/connections/{shop.number.connection['id']}"
    assert (await shop.project.key.get(where)).json["status"] == "active"
    assert (await shop.project.key.put(where, {"name": "mended"})).status == 200
    await shop.number.told(errors=[{"code": 131031, "title": "Business Account locked again"}])
    await worked_on(installed, shop.number, 3)
    assert (await shop.project.key.get(where)).json["status"] == "error"


async def test_a_status_that_comes_before_our_own_record_is_kept_and_matched(installed: Installed, shop: Shop) -> None:
    done = await shop.sent()
    early = wamid()
    await shop.number.status(early, "delivered")

    async def waiting() -> Any:
        [row] = await items(installed, shop.number)
        return row if row["last_error"] else None

    assert (await until(waiting))["state"] == "received"
    await installed.sql.execute(
        "UPDATE tocsin.deliveries SET provider_message_id = $2 WHERE id = $1", done["id"], early
    )
    await shop.becomes(done, "delivered")


async def test_a_status_of_an_unknown_message_is_thanked_for_and_in_the_end_ignored(
    installed: Installed, shop: Shop
) -> None:
    assert (await shop.number.status(wamid(), "delivered")).status == 200
    await installed.sql.execute(
        "UPDATE tocsin.inbound_raw SET attempts = 5, due_at = now() WHERE connection_id = $1",
        shop.number.connection["id"],
    )
    [row] = await worked_on(installed, shop.number, 1)
    assert row["state"] == "ignored"


async def test_the_number_of_another_is_kept_and_has_no_effect(installed: Installed, shop: Shop) -> None:
    """W9: whoever has an app of their own can sign what they like, about numbers that are not theirs."""
    rival = await make_shop(installed, "Rival")
    done = await shop.sent()
    about = payload(shop.number, messages=[written()], statuses=[reported(done["providerMessageId"], "read")])
    assert (await rival.number.call(about)).status == 200
    rows = await worked_on(installed, rival.number, 2)
    assert {row["state"] for row in rows} == {"ignored"}
    assert all("not this connection's" in row["last_error"] for row in rows)
    assert (await shop.delivery(done))["state"] == "sent"
    assert await windows(installed, shop.number) == {} == await windows(installed, rival.number)
    told = (await rival.setup())["foreignAccount"]
    assert told["account"] == shop.number.id and told["lastReceivedAt"]
    assert (await shop.setup())["foreignAccount"] is None


async def test_of_many_numbers_of_others_the_last_one_is_shown(installed: Installed, shop: Shop) -> None:
    for id_ in ("100000000000001", "1" * 300):
        foreign = {"metadata": {"phone_number_id": id_}, "messages": [written()]}
        entry = {"id": "1", "changes": [{"field": "messages", "value": foreign}]}
        body = {"object": "whatsapp_business_account", "entry": [entry]}
        assert (await shop.number.call(body)).status == 200
    await worked_on(installed, shop.number, 2)
    assert (await shop.setup())["foreignAccount"]["account"] == "1" * 40


async def test_the_message_of_another_is_not_moved_by_ones_own_number(installed: Installed, shop: Shop) -> None:
    rival = await make_shop(installed, "Rival")
    done = await shop.sent()
    await rival.number.status(done["providerMessageId"], "read")

    async def looked() -> Any:
        [row] = await items(installed, rival.number)
        return row["last_error"]

    assert await until(looked) == "no message of this connection is known by that id"
    assert (await shop.delivery(done))["state"] == "sent"


@pytest.mark.parametrize("secret", ["wrong", "of the rival", "none"])
async def test_only_the_secret_of_its_own_app_signs(installed: Installed, shop: Shop, secret: str) -> None:
    rival = await make_shop(installed, "Rival")
    raw = msgspec.json.encode(payload(shop.number, messages=[written()]))
    if secret == "none":
        reply = await Client(shop.number.api.http, shop.number.api.base).post(shop.number.path, raw)
    else:
        reply = await shop.number.call(raw, secret=rival.number.app_secret if secret == "of the rival" else "x" * 32)
    assert reply.status == 401
    assert await items(installed, shop.number) == []


async def test_a_body_that_was_written_anew_is_not_the_signed_one(installed: Installed, shop: Shop) -> None:
    body = payload(shop.number, messages=[written()])
    spaced = msgspec.json.format(msgspec.json.encode(body), indent=2)
    headers = {"X_Hub_Signature_256": signature(spaced, shop.number.app_secret)}
    api = Client(shop.number.api.http, shop.number.api.base)
    assert (await api.post(shop.number.path, msgspec.json.encode(body), **headers)).status == 401
    assert (await api.post(shop.number.path, spaced, **headers)).status == 200


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({}, 200, "1158201444"),
        ({"hub.verify_token": "wrong"}, 403, None),
        ({"hub.verify_token": ""}, 403, None),
        ({"hub.verify_token": "é"}, 403, None),
        ({"hub.mode": "unsubscribe"}, 403, None),
    ],
)
async def test_the_handshake_answers_whoever_knows_the_verify_token(
    shop: Shop, query: dict[str, str], status: int, text: str | None
) -> None:
    right = {"hub.mode": "subscribe", "hub.verify_token": shop.number.verify_token, "hub.challenge": "1158201444"}
    api = Client(shop.number.api.http, shop.number.api.base)
    reply = await api.get(shop.number.path, **{**right, **query})
    assert reply.status == status
    assert text is None or str(reply.json) == text


@pytest.mark.parametrize(
    "told",
    [
        {"messages": [{}]},
        {"messages": [None, 7, "x", [], {"id": 7}]},
        {"messages": [{"id": "wamid.A", "timestamp": "x", "from": "16505551234"}]},
        {"messages": [{"id": "wamid.B", "timestamp": "99999999999999999999", "from": "16505551234"}]},
        {"messages": [{"id": "wamid.C", "timestamp": "-1", "from": "16505551234"}]},
        {"messages": [{"id": "wamid.D", "timestamp": "1", "from": "'; DROP TABLE"}]},
        {"messages": [{"id": "wamid.E", "timestamp": "1", "from": {"a": 1}}], "contacts": {"wa_id": "1"}},
        {"statuses": [{"id": None, "status": "read"}, {"id": "x" * 5_000, "status": ["read"]}]},
        {"errors": [{"code": "x"}, None]},
        {"messages": {"id": "wamid.F"}, "metadata": []},
    ],
    ids=lambda told: str(told)[:60],
)
async def test_what_meta_never_sends_ends_nothing(installed: Installed, shop: Shop, told: dict[str, Any]) -> None:
    assert (await shop.number.told(**told)).status == 200
    await shop.number.told(messages=[written("16505559999")])
    rows = await worked_on(installed, shop.number, len(await items(installed, shop.number)))
    assert {row["state"] for row in rows} <= {"ignored", "processed"}
    assert set(await windows(installed, shop.number)) == {"16505559999"}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"entry": 7}', b'{"object": "page"}', b'{"entry": [', b"[" * 400])
async def test_what_is_no_call_of_meta_is_refused(installed: Installed, shop: Shop, body: bytes) -> None:
    assert (await shop.number.call(body)).status == 400
    assert await items(installed, shop.number) == []


async def test_without_an_app_secret_nothing_is_believed(installed: Installed, shop: Shop) -> None:
    body = {"credentials": {"appSecret": None}}
    reply = await shop.project.key.put(f"/connections/{shop.number.connection['id']}", body)
    assert reply.status == 200, reply.json
    for secret in ("", "None", shop.number.app_secret):
        forged = replace(shop.number, app_secret=secret)
        assert (await forged.call(payload(shop.number, messages=[written()]))).status == 401


async def test_it_goes_to_the_address_for_whatsapp_else_to_a_phone_else_to_that_of_the_profile(
    installed: Installed,
) -> None:
    project = await sign_up(installed.api, "Shop")
    await make_number(project.key, installed.site, installed.sql)
    people = [
        await project.add_user(phone="+436600000001", addresses={"phone": "+436600000002", "whatsapp": HIDDEN}),
        await project.add_user(phone="+436600000003", addresses={"phone": "+436600000004"}),
        await project.add_user(phone="+436600000005"),
        await project.add_user(phone="+436600000006", addresses={"whatsapp": "+436600000006"}),
        await project.add_user(),
    ]
    refused = "UPDATE tocsin.addresses SET opted_out_at = now() WHERE user_id = $1 AND channel = 'whatsapp'"
    await installed.sql.execute(refused, people[3]["id"])
    await make_rule(project, "whatsapp", targetUsers=[person["id"] for person in people])
    event_id = await send_event(project.key, order=9)

    async def everybody() -> Any:
        found = await deliveries_of(project.key, event_id, "whatsapp")
        done = len(found) == len(people) and all(each["state"] in ENDED for each in found)
        return {each["userId"]: (each["state"], each["address"]) for each in found} if done else None

    told = await until(everybody)
    assert [told[person["id"]] for person in people] == [
        ("sent", HIDDEN),
        ("sent", "+436600000004"),
        ("sent", "+436600000005"),
        ("suppressed", None),
        ("suppressed", None),
    ]


async def test_a_test_message_keeps_to_the_window_as_well(installed: Installed) -> None:
    shop = await make_shop(installed, template=None)
    verify = f"/connections/{shop.number.connection['id']}/verify"
    closed = await shop.project.key.post(verify, {"target": ANN})
    assert (closed.status, closed.code) == (422, "test_message_failed")
    await shop.number.told(messages=[written()])
    await worked_on(installed, shop.number, 1)
    taken = await shop.project.key.post(verify, {"target": ANN})
    assert taken.status == 200 and taken.json["testMessage"]["status"] == "sent"
    assert taken.json["account"]["details"]["displayPhoneNumber"] == "+1 631-555-5555"


async def test_the_sandbox_sends_nothing(installed: Installed) -> None:
    project = await sign_up(installed.api, "Sandbox")
    before = len(installed.meta.messages)
    body = {"provider": "whatsapp", "name": "n", "settings": {"phoneNumberId": "123456"}}
    made = await project.test_key.post("/connections", {**body, "credentials": {"accessToken": "canary-token-123"}})
    await project.test_key.post(f"/connections/{made.json['id']}/verify")
    ann = await project.add_user(env="test", phone=ANN)
    rule = {"name": "r", "eventTypes": ["*"], "title": "x", "channels": ["whatsapp"], "targetUsers": [ann["id"]]}
    assert (await project.test_key.post("/rules", rule)).status == 201
    event_id = await send_event(project.test_key, order=1)
    assert (await ended(project.test_key, event_id, "whatsapp"))["state"] == "captured"
    assert (await delivery_of(project.test_key, event_id, "whatsapp"))["address"] == ANN
    assert len(installed.meta.messages) == before


async def test_the_set_up_shows_what_to_enter_at_meta_and_how_far_it_is(shop: Shop) -> None:
    where = f"/connections/{shop.number.connection['id']}"
    before = (await shop.project.key.get(f"{where}/setup")).json
    assert [step["done"] for step in before["steps"]] == [True, True, True, False, False, False]
    assert before["verifyToken"] == shop.number.verify_token
    asked = {"hub.mode": "subscribe", "hub.verify_token": shop.number.verify_token, "hub.challenge": "1"}
    assert (await Client(shop.number.api.http, shop.number.api.base).get(shop.number.path, **asked)).status == 200
    await shop.number.told(messages=[written()])
    after = (await shop.project.key.get(f"{where}/setup")).json
    assert [step["done"] for step in after["steps"]] == [True, True, True, True, True, False]


async def test_a_regenerated_address_has_another_verify_token_and_the_old_one_is_dead(shop: Shop) -> None:
    where = f"/connections/{shop.number.connection['id']}"
    renewed = await shop.project.key.post(f"{where}/webhook/regenerate")
    assert renewed.status == 200 and renewed.json["verifyToken"] != shop.number.verify_token
    assert (await shop.number.told(messages=[written()])).status == 401


async def test_a_renewed_token_keeps_the_address_that_was_entered_at_meta(shop: Shop) -> None:
    where = f"/connections/{shop.number.connection['id']}"
    body = {"credentials": {"accessToken": "canary-access-token-renewed"}}
    assert (await shop.project.key.put(where, body)).status == 200
    assert (await shop.number.told(messages=[written()])).status == 200


async def test_a_limit_of_the_number_pauses_it_though_meta_says_400(installed: Installed, shop: Shop) -> None:
    other = await make_shop(installed, "Other")
    installed.meta.refusals = [130429]
    event = await shop.alert()
    held = await health(shop, "rate_limited")
    assert held["pausedUntil"] is not None
    assert (await health(other))["status"] == "active"
    assert (await other.sent())["state"] == "sent"
    before = len(installed.meta.messages)
    beside = await shop.alert()
    done = await ended(shop.project.key, event, "whatsapp")
    assert [attempt["outcome"] for attempt in done["attempts"]] == ["temporary", "ok"]
    assert len((await ended(shop.project.key, beside, "whatsapp"))["attempts"]) == 1
    sent_at = [attempt["startedAt"] for attempt in done["attempts"]]
    assert (datetime.fromisoformat(sent_at[1]) - datetime.fromisoformat(sent_at[0])).total_seconds() > 4
    assert len(installed.meta.messages) == before + 2


async def test_a_limit_of_one_person_pauses_nobody_else_though_meta_says_429(installed: Installed, shop: Shop) -> None:
    installed.meta.refusals, installed.meta.refused_as = [131056], 429
    try:
        event = await shop.alert()
        await tried(shop.project.key, event, 1, "whatsapp")
    finally:
        installed.meta.refused_as = 400
    assert (await health(shop))["status"] == "active"
    assert (await shop.sent())["state"] == "sent"


async def test_a_limit_that_is_reported_later_pauses_the_number_for_what_is_left(
    installed: Installed, shop: Shop
) -> None:
    first, second = await shop.sent(), await shop.sent()
    late = {**failed(first["providerMessageId"], 131048), "timestamp": str(int(time.time()) - 3600)}
    await shop.number.told(statuses=[late])
    await shop.becomes(first, "queued")
    assert (await health(shop))["status"] == "active"
    await shop.number.told(statuses=[failed(second["providerMessageId"], 131048)])
    assert (await health(shop, "rate_limited"))["statusReason"] == "It did not arrive. (131048)"


async def health(shop: Shop, status: str | None = None) -> Any:
    """How the shop's number is doing, once it has this status."""

    async def look() -> Any:
        told = (await shop.project.key.get(f"/connections/{shop.number.connection['id']}/health")).json
        return told if status in (None, told["status"]) else None

    return await until(look)
