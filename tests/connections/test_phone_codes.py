"""Telephone numbers that people prove by a code, over the project's own SMS connection (C10). Two projects."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from tests.client import Client, Project, Reply, sign_up
from tests.connections.build import read
from tests.connections.twilio import Twilio, make_sms, new_number, twilio
from tests.engines import free_port
from tests.people import join
from tocsin.connections.phone_codes import EACH_DAY, MOST_TRIES


@pytest.fixture(scope="module")
async def far() -> AsyncIterator[Twilio]:
    async with twilio() as played:
        yield played


@pytest.fixture
async def shop(api: Client, far: Twilio) -> Project:
    project = await sign_up(api, "Shop")
    await make_sms(project.owner, far)
    return project


async def ask(caller: Client, user: Any, number: str) -> Reply:
    return await caller.post(f"/users/{user['id']}/addresses/phone/codes", {"value": number})


async def hand_in(caller: Client, user: Any, number: str, code: str) -> Reply:
    return await caller.post(f"/users/{user['id']}/addresses/phone/verify", {"value": number, "code": code})


async def numbers(caller: Client, user: Any) -> list[tuple[str, bool]]:
    rows = (await caller.get(f"/users/{user['id']}/addresses")).json
    return [(row["value"], row["verifiedAt"] is not None) for row in rows if row["channel"] == "phone"]


def other(code: str, by: int = 1) -> str:
    return f"{(int(code) + by) % 10**6:06d}"


async def test_a_number_is_an_address_once_its_code_came_back(
    shop: Project, far: Twilio, sql: asyncpg.Connection
) -> None:
    ann, number = await shop.add_user(), new_number()
    spaced = f"{number[:3]} {number[3:]}"
    asked = await ask(shop.key, ann, spaced)
    assert asked.status == 201 and (asked.json["value"], asked.json["captured"]) == (number, None)
    assert await numbers(shop.key, ann) == []
    [message], [code] = far.to(number), far.codes(number)
    assert message["Body"] == f"{code} is your code for Shop, for 10 minutes. Tell it to nobody."
    assert code not in str(asked.json)
    kept = await sql.fetchrow("SELECT * FROM tocsin.phone_codes WHERE user_id = $1", ann["id"])
    assert code.encode() not in kept["code_hash"]
    assert code not in str(dict(kept)) and number.lstrip("+") not in str(dict(kept))
    proven = await hand_in(shop.key, ann, number, code)
    assert proven.status == 200 and proven.json["verifiedAt"] is not None
    assert await numbers(shop.key, ann) == [(number, True)]
    audit = (await shop.owner.get("/audit", resourceId=ann["id"])).json["items"]
    assert {"address.code_sent", "address.verified"} <= {entry["action"] for entry in audit}
    assert code not in str(audit)


async def test_a_number_that_was_there_is_proven_in_its_place(shop: Project, far: Twilio) -> None:
    number = new_number()
    ann = await shop.add_user(addresses={"phone": number})
    await ask(shop.key, ann, number)
    assert (await hand_in(shop.key, ann, number, far.codes(number)[0])).status == 200
    assert await numbers(shop.key, ann) == [(number, True)]
    again = await ask(shop.key, ann, number)
    assert (again.status, again.json["code"]) == (409, "address_verified")
    assert len(far.to(number)) == 1


async def test_a_code_is_good_once_and_a_newer_one_ends_it(shop: Project, far: Twilio) -> None:
    ann, number = await shop.add_user(), new_number()
    await ask(shop.key, ann, number)
    await ask(shop.key, ann, number)
    first, second = far.codes(number)
    if first != second:
        assert (await hand_in(shop.key, ann, number, first)).json["code"] == "wrong_code"
    assert (await hand_in(shop.key, ann, number, second)).status == 200
    assert (await hand_in(shop.key, ann, number, second)).json["code"] == "wrong_code"


async def test_a_code_is_of_one_person_one_number_and_its_time(
    shop: Project, far: Twilio, sql: asyncpg.Connection
) -> None:
    ann, bob, number = await shop.add_user(), await shop.add_user(), new_number()
    await ask(shop.key, ann, number)
    [code] = far.codes(number)
    for user, value in ((bob, number), (ann, new_number())):
        assert (await hand_in(shop.key, user, value, code)).json["code"] == "wrong_code"
    await sql.execute("UPDATE tocsin.phone_codes SET expires_at = now() WHERE user_id = $1", ann["id"])
    assert (await hand_in(shop.key, ann, number, code)).json["code"] == "wrong_code"
    assert await numbers(shop.key, ann) == await numbers(shop.key, bob) == []


async def test_a_code_has_few_tries_however_many_processes_try(pair: tuple[Client, Client], far: Twilio) -> None:
    one, two = pair
    project = await sign_up(one, "Shop")
    await make_sms(project.owner, far)
    ann, number = await project.add_user(), new_number()
    await ask(project.key, ann, number)
    [code] = far.codes(number)
    keys = [project.key, project.key.at(two)]
    guesses = [hand_in(keys[index % 2], ann, number, other(code, index + 1)) for index in range(4 * MOST_TRIES)]
    assert {reply.json["code"] for reply in await asyncio.gather(*guesses)} == {"wrong_code"}
    assert (await hand_in(project.key, ann, number, code)).json["code"] == "wrong_code"
    await ask(project.key, ann, number)
    [_, code] = far.codes(number)
    rights = await asyncio.gather(*[hand_in(key, ann, number, code) for key in keys * 2])
    assert sorted(reply.status for reply in rights) == [200, 400, 400, 400]


async def test_a_person_and_a_number_get_few_codes_a_day(shop: Project, far: Twilio, sql: asyncpg.Connection) -> None:
    ann = await shop.add_user()
    replies = await asyncio.gather(*[ask(shop.key, ann, new_number()) for _ in range(2 * EACH_DAY)])
    assert [reply.status for reply in replies].count(201) == EACH_DAY
    assert {reply.json["code"] for reply in replies if reply.status != 201} == {"too_many_codes"}
    number = new_number()
    people = [await shop.add_user() for _ in range(EACH_DAY + 1)]
    replies = [await ask(shop.key, user, number) for user in people]
    assert [reply.status for reply in replies] == [201] * EACH_DAY + [429] and len(far.to(number)) == EACH_DAY
    yesterday = "UPDATE tocsin.phone_codes SET created_at = now() - interval '25 hours' WHERE user_id = $1"
    await sql.execute(yesterday, ann["id"])
    assert (await ask(shop.key, ann, new_number())).status == 201


async def test_a_project_sends_as_many_codes_a_day_as_it_says(api: Client, shop: Project, far: Twilio) -> None:
    rival = await sign_up(api, "Rival")
    await make_sms(rival.owner, far)
    await shop.owner.put("/projects/me/settings", {"connections": {"phoneCodesPerDay": 1}})
    for project, wanted in ((shop, [201, 429]), (rival, [201, 201])):
        people = [await project.add_user() for _ in wanted]
        assert [(await ask(project.key, user, new_number())).status for user in people] == wanted


async def test_no_project_uses_up_what_another_may_send_to_a_number(api: Client, shop: Project, far: Twilio) -> None:
    rival, number = await sign_up(api, "Rival"), new_number()
    await make_sms(rival.owner, far)
    replies = [await ask(rival.key, await rival.add_user(), number) for _ in range(EACH_DAY + 1)]
    assert [reply.status for reply in replies] == [201] * EACH_DAY + [429]
    assert (await ask(shop.key, await shop.add_user(), number)).status == 201


async def test_what_was_sent_counts_when_the_person_is_gone(
    shop: Project, far: Twilio, sql: asyncpg.Connection
) -> None:
    number = new_number()
    for _ in range(EACH_DAY):
        ann = await shop.add_user()
        assert (await ask(shop.key, ann, number)).status == 201
        assert (await shop.key.delete(f"/users/{ann['id']}")).status == 204
    assert (await ask(shop.key, await shop.add_user(), number)).code == "too_many_codes"
    await shop.owner.put("/projects/me/settings", {"connections": {"phoneCodesPerDay": EACH_DAY}})
    assert (await ask(shop.key, await shop.add_user(), new_number())).code == "too_many_codes"
    rows = await sql.fetch("SELECT * FROM tocsin.phone_codes WHERE project_id = $1", shop.id)
    assert [row["user_id"] for row in rows] == [None] * EACH_DAY
    assert not any(secret in str(dict(row)) for row in rows for secret in (number.lstrip("+"), ann["id"]))


async def test_what_never_left_counts_for_nothing_and_leaves_the_code_before_it_good(
    shop: Project, far: Twilio
) -> None:
    ann, number = await shop.add_user(), new_number()
    assert (await ask(shop.key, ann, number)).status == 201
    [code] = far.codes(number)
    far.refusals += [(503, 0, ""), (503, 20503, "Overloaded"), (400, 21211, "no such number")] * EACH_DAY
    replies = [await ask(shop.key, ann, number) for _ in range(3 * EACH_DAY)]
    assert [reply.status for reply in replies] == [503, 503, 422] * EACH_DAY
    assert (await hand_in(shop.key, ann, number, code)).status == 200
    assert (await ask(shop.key, ann, new_number())).status == 201
    audit = (await shop.owner.get("/audit", resourceId=ann["id"], limit="100")).json["items"]
    assert [entry["action"] for entry in audit].count("address.code_not_sent") == 3 * EACH_DAY


async def test_where_nobody_listens_nothing_left(shop: Project, far: Twilio, sql: asyncpg.Connection) -> None:
    ann, number = await shop.add_user(), new_number()
    await ask(shop.key, ann, number)
    moved = (
        "UPDATE tocsin.connections SET settings = settings::jsonb || jsonb_build_object('url', $2::text)"
        " WHERE project_id = $1"
    )
    await sql.execute(moved, shop.id, f"http://127.0.0.1:{free_port()}")
    assert [(await ask(shop.key, ann, number)).status for _ in range(EACH_DAY)] == [503] * EACH_DAY
    assert (await hand_in(shop.key, ann, number, far.codes(number)[0])).status == 200


async def test_what_never_left_brings_no_more_tries(shop: Project, far: Twilio) -> None:
    ann, number = await shop.add_user(), new_number()
    await ask(shop.key, ann, number)
    [code] = far.codes(number)
    for index in range(MOST_TRIES):
        assert (await hand_in(shop.key, ann, number, other(code, index + 1))).code == "wrong_code"
        far.refusals.append((503, 0, ""))
        assert (await ask(shop.key, ann, number)).status == 503
    assert (await hand_in(shop.key, ann, number, code)).code == "wrong_code"


async def test_what_may_have_left_counts(shop: Project, far: Twilio) -> None:
    ann, number = await shop.add_user(), new_number()
    far.refusals += [(500, 20500, "Internal Server Error")] * EACH_DAY
    replies = [await ask(shop.key, ann, number) for _ in range(EACH_DAY + 1)]
    assert [reply.status for reply in replies] == [503] * EACH_DAY + [429]
    assert (await hand_in(shop.key, ann, number, far.codes(number)[-1])).status == 200


async def test_a_pause_of_the_provider_is_kept(shop: Project, far: Twilio, sql: asyncpg.Connection) -> None:
    ann, number = await shop.add_user(), new_number()
    pause = "UPDATE tocsin.connections SET status = 'rate_limited', paused_until = now() + $2 WHERE project_id = $1"
    await sql.execute(pause, shop.id, timedelta(hours=1))
    reply = await ask(shop.key, ann, number)
    assert (reply.status, reply.code) == (503, "code_not_sent") and 3_500 < int(reply.headers["Retry-After"]) <= 3_600
    assert far.to(number) == []
    other = await make_sms(shop.owner, far)
    assert (await ask(shop.key, ann, number)).status == 201
    [message] = far.to(number)
    assert far.account_of(message) == other["settings"]["accountSid"]
    await sql.execute(pause, shop.id, timedelta(seconds=-1))
    assert (await ask(shop.key, ann, number)).status == 201


async def test_a_code_that_was_one_too_many_slows_the_connection_down(api: Client, far: Twilio) -> None:
    project, other = await sign_up(api, "Shop"), await sign_up(api, "Other")
    connection, others = await make_sms(project.owner, far), await make_sms(other.owner, far)
    ann, number = await project.add_user(), new_number()
    far.refusals.append((429, 20429, "Too Many Requests"))
    assert (await ask(project.key, ann, number)).code == "code_not_sent"
    paused = await read(project.owner, connection)
    assert (paused["status"], "429" in paused["statusReason"]) == ("rate_limited", True)
    assert "Retry-After" in (await ask(project.key, ann, number)).headers
    assert (await read(other.owner, others))["status"] == "active"


async def test_without_an_sms_connection_of_its_own_a_project_is_told_what_to_do(
    api: Client, shop: Project, far: Twilio
) -> None:
    rival, number = await sign_up(api, "Rival"), new_number()
    ann = await rival.add_user()
    reply = await ask(rival.key, ann, number)
    assert (reply.status, reply.json["code"]) == (409, "no_sms_connection") and "provider twilio" in reply.json[
        "detail"
    ]
    await make_sms(rival.owner, far, verified=False)
    assert (await ask(rival.key, ann, number)).json["code"] == "no_sms_connection"
    assert far.to(number) == []


async def test_people_prove_numbers_of_their_own_alone(api: Client, shop: Project, far: Twilio) -> None:
    ann, bob, number = await join(api, shop), await join(api, shop), new_number()
    for user in (bob, await shop.add_user()):
        id_ = {"id": user.id if user is bob else user["id"]}
        assert (await ask(ann.client, id_, number)).status == 404
        assert (await hand_in(ann.client, id_, number, "123456")).status == 404
    assert (await ask(ann.client, {"id": ann.id}, number)).status == 201
    assert (await hand_in(ann.client, {"id": ann.id}, number, far.codes(number)[0])).status == 200


async def test_a_project_sees_nothing_of_another_ones_people(api: Client, shop: Project, far: Twilio) -> None:
    rival, ann, number = await sign_up(api, "Rival"), await shop.add_user(), new_number()
    await make_sms(rival.owner, far)
    assert (await ask(rival.key, ann, number)).status == 404 and far.to(number) == []
    await ask(shop.key, ann, number)
    assert (await hand_in(rival.key, ann, number, far.codes(number)[0])).status == 404
    assert await numbers(shop.key, ann) == []


async def test_the_sandbox_sends_nothing_and_shows_the_code(shop: Project, far: Twilio) -> None:
    ann, number = await shop.add_user(env="test"), new_number()
    code = (await ask(shop.test_key, ann, number)).json["captured"]["code"]
    assert (await hand_in(shop.test_key, ann, number, other(code))).status == 400
    assert (await hand_in(shop.test_key, ann, number, code)).status == 200
    assert far.to(number) == []
    live = await shop.add_user()
    assert (await ask(shop.test_key, live, number)).json["code"] == "live_object"


async def test_what_the_provider_refuses_is_told_apart(api: Client, far: Twilio) -> None:
    project = await sign_up(api, "Shop")
    connection, ann = await make_sms(project.owner, far), await project.add_user()
    far.refusals += [(400, 21614, "not a mobile number"), (503, 0, ""), (401, 20003, "Authenticate")]
    refused = await ask(project.key, ann, new_number())
    assert (refused.status, refused.json["errors"][0]["code"]) == (422, "code_not_sent")
    assert [(await ask(project.key, ann, new_number())).status for _ in range(2)] == [503, 503]
    assert (await read(project.owner, connection))["status"] == "error"
    assert (await ask(project.key, ann, new_number())).json["code"] == "no_sms_connection"
