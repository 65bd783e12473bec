"""The second factor: set up, asked for, used up, taken away (A4; rows 92 and 93)."""

import asyncio
import base64
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
import pytest

from tests.client import PASSWORD, Client, Project, sign_up
from tests.people import join
from tests.signin.authenticator import Protected, enrolled, login, protect, totp
from tocsin.signin.second_factor import matching_step

RFC_SECRET = b"12345678901234567890"
RFC_VECTORS = {59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"}


@pytest.mark.parametrize(("moment", "code"), RFC_VECTORS.items())
def test_the_codes_are_those_of_the_standard(moment: int, code: str) -> None:
    """RFC 6238, appendix B, the last six digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert totp(RFC_SECRET, moment // 30) == code
    assert matching_step(secret, code, moment // 30) == moment // 30


async def test_an_authenticator_app_can_read_the_uri(api: Client) -> None:
    project = await sign_up(api, "Readable")
    reply = await project.owner.post("/auth/2fa/enrol")
    uri = urlsplit(reply.json["uri"])
    query = {name: values[0] for name, values in parse_qs(uri.query).items()}
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == f"/Readable:{project.email}"
    assert query["secret"] == reply.json["secret"] and query["issuer"] == "Readable"
    assert (query["digits"], query["period"], query["algorithm"]) == ("6", "30", "SHA1")


async def test_nothing_is_asked_for_before_a_code_has_proved_the_secret(api: Client) -> None:
    project = await sign_up(api)
    app = await enrolled(project.owner)
    assert (await login(api, project)).status == 200
    assert (await project.owner.get("/auth/me")).json["secondFactor"]["enabled"] is False
    assert (await project.owner.post("/auth/2fa/confirm", {"code": app.code(3)})).code == "invalid_code"
    assert (await login(api, project)).status == 200


async def test_confirming_shows_ten_recovery_codes_once(protected: Protected) -> None:
    assert len(set(protected.recovery)) == 10
    shown = (await protected.project.owner.get("/auth/me")).json["secondFactor"]
    assert shown["enabled"] is True and shown["recoveryCodesLeft"] == 10 and shown["required"] is False
    assert shown["since"].endswith("Z")
    again = await protected.project.owner.post("/auth/2fa/confirm", {"code": await protected.code()})
    assert (again.status, again.code) == (409, "second_factor_exists")
    another = await protected.project.owner.post("/auth/2fa/enrol")
    assert (another.status, another.code) == (409, "second_factor_exists")


async def test_a_second_enrolment_replaces_one_that_was_not_confirmed(api: Client) -> None:
    project = await sign_up(api)
    first, second = await enrolled(project.owner), await enrolled(project.owner)
    assert (await project.owner.post("/auth/2fa/confirm", {"code": first.code()})).status == 401
    assert (await project.owner.post("/auth/2fa/confirm", {"code": second.code()})).status == 200


async def test_a_sign_in_needs_the_code(api: Client, protected: Protected) -> None:
    missing = await protected.login(api, None)
    assert (missing.status, missing.code) == (401, "second_factor_required")
    signed_in = await protected.login(api, await protected.code())
    assert signed_in.status == 200
    assert (await api.with_token(signed_in.json["tokens"]["accessToken"]).get("/auth/me")).status == 200


async def test_a_wrong_password_is_told_before_any_code_is_looked_at(api: Client, protected: Protected) -> None:
    reply = await login(api, protected.project, await protected.code(), password="wrong password")
    assert (reply.status, reply.code) == (401, "invalid_login")
    without = await login(api, protected.project, None, password="wrong password")
    assert {**without.json, "requestId": 0} == {**reply.json, "requestId": 0}


async def test_a_code_counts_once(api: Client, protected: Protected) -> None:
    code = await protected.code()
    assert (await protected.login(api, code)).status == 200
    assert (await protected.login(api, code)).code == "invalid_code"


async def test_a_code_from_before_the_last_one_counts_no_more(api: Client, protected: Protected) -> None:
    await protected.code()
    later, now = protected.app.code(1), protected.app.code()
    assert (await protected.login(api, later)).status == 200
    assert (await protected.login(api, now)).code == "invalid_code"


async def test_of_one_code_used_many_times_at_once_one_wins(pair: tuple[Client, Client]) -> None:
    """On two processes."""
    one, other = pair
    for of_the_app in (True, False):
        project = await sign_up(one)
        app = await enrolled(project.owner)
        recovery = (await project.owner.post("/auth/2fa/confirm", {"code": app.code()})).json["recoveryCodes"]
        code = app.code(1) if of_the_app else recovery[0]
        replies = await asyncio.gather(*(login((one, other)[n % 2], project, code) for n in range(4)))
        assert sorted(reply.status for reply in replies) == [200, 401, 401, 401], code


@pytest.mark.parametrize("steps", [-4, -3, 3, 4])
async def test_a_code_of_another_time_is_refused(api: Client, protected: Protected, steps: int) -> None:
    await protected.code()
    assert (await protected.login(api, protected.app.code(steps))).code == "invalid_code"


@pytest.mark.parametrize(("steps", "found"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_off_by_one_step(steps: int, found: bool) -> None:
    now = 37_037_036
    assert matching_step(base64.b32encode(RFC_SECRET).decode(), totp(RFC_SECRET, now + steps), now) == (
        now + steps if found else None
    )


def full_width(code: str) -> str:
    return "".join(chr(ord(digit) - ord("0") + ord("０")) for digit in code)


async def test_digits_of_other_scripts_are_refused(api: Client, protected: Protected) -> None:
    code = await protected.code()
    arabic = "".join(chr(ord(digit) - ord("0") + ord("٠")) for digit in code)
    for written in (full_width(code), arabic, f"{code[:3]} {code[3:]}"):
        assert (await protected.login(api, written)).code == "invalid_code"
    assert (await protected.login(api, code)).status == 200


@pytest.mark.parametrize("code", ["", "12345", "1234567", "-12345", "+12345", "0x1234", "abcde-fghjk", "é"])
async def test_what_is_no_code_is_refused(api: Client, protected: Protected, code: str) -> None:
    assert (await protected.login(api, code)).code == "invalid_code"


@pytest.mark.parametrize(("code", "pointer"), [(123456, "/code"), (["1"], "/code"), ("1" * 21, "/code")])
async def test_a_code_is_a_short_text(api: Client, acme: Project, code: Any, pointer: str) -> None:
    reply = await login(api, acme, code)
    assert (reply.status, reply.pointers) == (422, [pointer])


async def test_a_recovery_code_works_once_however_it_is_typed(api: Client, protected: Protected) -> None:
    first, second, third = protected.recovery[:3]
    for written in (first, second.upper(), third.replace("-", " ")):
        assert (await protected.login(api, written)).status == 200
        assert (await protected.login(api, written)).code == "invalid_code"
    left = (await protected.project.owner.get("/auth/me")).json["secondFactor"]["recoveryCodesLeft"]
    assert left == 7


async def test_neither_secret_nor_codes_can_be_read_from_the_database(
    protected: Protected, sql: asyncpg.Connection
) -> None:
    where = "WHERE project_id = $1::text::uuid"
    sealed = await sql.fetchval(f"SELECT secret FROM tocsin.second_factors {where}", protected.project.id)
    assert sealed.startswith("v1.") and protected.app.secret not in sealed
    kept = await sql.fetch(f"SELECT code_mac FROM tocsin.recovery_codes {where}", protected.project.id)
    assert len(kept) == 10
    plain = [code.replace("-", "").encode() for code in protected.recovery]
    assert not any(code in row["code_mac"] for row in kept for code in plain)


async def test_the_factor_of_one_account_is_none_of_anothers(
    api: Client, protected: Protected, sql: asyncpg.Connection
) -> None:
    """Same e-mail and password in another project: no code is asked for, and codes do not travel."""
    other = await sign_up(api, "Other", email=protected.project.email)
    assert (await login(api, other, slug=other.slug)).status == 200
    await protect(other, sql)
    for foreign in (await protected.code(), protected.recovery[0]):
        assert (await login(api, other, foreign, slug=other.slug)).code == "invalid_code"
    assert (await login(api, other, protected.recovery[0], slug=protected.project.slug)).status == 200


async def test_disabling_needs_password_and_code(api: Client, protected: Protected) -> None:
    owner = protected.project.owner
    no_password = await owner.post("/auth/2fa/disable", {"code": protected.recovery[0]})
    assert (no_password.status, no_password.code) == (403, "password_required")
    wrong = await owner.post("/auth/2fa/disable", {"code": protected.recovery[0], "password": "wrong password"})
    assert (wrong.status, wrong.code) == (401, "invalid_password")
    no_code = await owner.post("/auth/2fa/disable", {"password": PASSWORD})
    assert (no_code.status, no_code.pointers) == (422, ["/code"])
    bad_code = await owner.post("/auth/2fa/disable", {"code": "000000", "password": PASSWORD})
    assert (bad_code.status, bad_code.code) == (401, "invalid_code")
    assert (await protected.login(api, None)).code == "second_factor_required"
    proof = {"code": protected.recovery[0], "password": PASSWORD}
    assert (await owner.post("/auth/2fa/disable", proof)).status == 204
    assert (await protected.login(api, None)).status == 200
    again = await owner.post("/auth/2fa/disable", proof)
    assert (again.status, again.code) == (409, "no_second_factor")


async def test_new_recovery_codes_replace_the_old_ones(api: Client, protected: Protected) -> None:
    proof = {"code": await protected.code(), "password": PASSWORD}
    reply = await protected.project.owner.post("/auth/2fa/recovery-codes", proof)
    assert reply.status == 200 and not set(reply.json["recoveryCodes"]) & set(protected.recovery)
    assert (await protected.login(api, protected.recovery[0])).code == "invalid_code"
    assert (await protected.login(api, reply.json["recoveryCodes"][0])).status == 200


async def test_tries_of_one_session_are_few_and_are_nobody_elses(api: Client, protected: Protected) -> None:
    thief, owner = protected.project.owner, await _signed_in(api, protected)
    for _ in range(5):
        reply = await thief.post("/auth/2fa/disable", {"code": "000000", "password": PASSWORD})
        assert (reply.status, reply.code) == (401, "invalid_code")
    right = {"code": protected.recovery[1], "password": PASSWORD}
    refused = await thief.post("/auth/2fa/disable", right)
    assert (refused.status, refused.code) == (429, "too_many_tries")
    assert int(refused.headers["Retry-After"]) >= 1
    assert (await owner.post("/auth/2fa/disable", right)).status == 204


async def test_codes_at_the_door_are_tried_five_times(api: Client, protected: Protected) -> None:
    for _ in range(5):
        assert (await protected.login(api, "000000")).code == "invalid_code"
    refused = await protected.login(api, await protected.code())
    assert (refused.status, refused.code) == (429, "too_many_tries")


async def test_setting_up_needs_the_password_when_the_sign_in_is_a_while_ago(
    api: Client, sql: asyncpg.Connection
) -> None:
    project = await sign_up(api)
    earlier = "UPDATE tocsin.sessions SET created_at = now() - interval '16 min' WHERE project_id = $1::text::uuid"
    await sql.execute(earlier, project.id)
    without = await project.owner.post("/auth/2fa/enrol")
    assert (without.status, without.code) == (403, "password_required")
    assert (await project.owner.post("/auth/2fa/enrol", {"password": "wrong password"})).code == "invalid_password"
    assert (await project.owner.post("/auth/2fa/enrol", {"password": PASSWORD})).status == 200


async def test_a_key_has_no_second_factor(acme: Project) -> None:
    for path, body in (("enrol", None), ("confirm", {"code": "1"}), ("disable", {"code": "1"})):
        assert (await acme.key.post(f"/auth/2fa/{path}", body)).status == 403


async def test_what_happened_is_on_the_record_without_any_secret(protected: Protected, sql: asyncpg.Connection) -> None:
    query = "SELECT action, metadata::text FROM tocsin.audit_log WHERE project_id = $1::text::uuid"
    rows = await sql.fetch(f"{query} AND action LIKE 'second%'", protected.project.id)
    assert {row["action"] for row in rows} == {"second_factor.enrolled", "second_factor.confirmed"}
    told = "".join(row["metadata"] or "" for row in rows)
    assert protected.app.secret not in told and not any(code in told for code in protected.recovery)


async def _signed_in(api: Client, protected: Protected) -> Client:
    reply = await protected.login(api, protected.recovery[0])
    assert reply.status == 200, reply.json
    return api.with_token(reply.json["tokens"]["accessToken"])


async def test_an_admin_resets_the_factor_of_somebody_who_lost_it(
    api: Client, protected: Protected, rival: Project
) -> None:
    owner = await _signed_in(api, protected)
    me = protected.project.signed_up["user"]["id"]
    _, weak = await protected.project.new_key("users:manage", "users:read")
    assert (await weak.delete(f"/users/{me}/2fa")).code == "role_not_allowed"
    assert (await protected.project.test_key.delete(f"/users/{me}/2fa")).code == "live_object"
    foreign = await rival.owner.delete(f"/users/{me}/2fa")
    absent = await rival.owner.delete("/users/00000000-0000-7000-8000-000000000002/2fa")
    assert foreign.status == absent.status == 404
    assert {**foreign.json, "requestId": 0} == {**absent.json, "requestId": 0}
    assert (await protected.login(api, None)).code == "second_factor_required"
    other = await _owner_beside(api, protected.project)
    assert (await other.delete(f"/users/{me}/2fa")).status == 204
    assert (await owner.get("/auth/me")).status == 401
    assert (await protected.login(api, None)).status == 200


async def _owner_beside(api: Client, project: Project) -> Client:
    """Another owner of the project, as the project's own backend may make one."""
    person = await join(api, project)
    reply = await project.owner.put(f"/users/{person.id}", {"roles": ["owner"]})
    assert reply.status == 200, reply.json
    return person.client


@pytest.fixture
async def strict(api: Client, sql: asyncpg.Connection) -> Project:
    """A project that requires a second factor."""
    project = await sign_up(api, "Strict")
    await configure(sql, project, '{"security": {"require2fa": true}}')
    return project


async def configure(sql: asyncpg.Connection, project: Project, settings: str) -> None:
    change = "UPDATE tocsin.projects SET settings = $2::text::json WHERE id = $1::text::uuid"
    await sql.execute(change, project.id, settings)


async def test_whoever_has_none_can_only_set_one_up(api: Client, strict: Project, rival: Project) -> None:
    owner = strict.owner
    for method, path, body in (
        ("GET", "/projects/me", None),
        ("GET", "/users", None),
        ("GET", "/auth/sessions", None),
        ("POST", "/roles", {"name": "x", "permissions": []}),
        ("POST", "/events", {"type": "a.b", "payload": {}}),
        ("POST", "/realtime/auth", {"socket_id": "1.2", "channel_name": "private-room-1"}),
    ):
        reply = await owner.send(method, path, body)
        assert (reply.status, reply.code) == (403, "second_factor_enrolment_required"), path
    me = await owner.get("/auth/me")
    assert me.status == 200
    assert me.json["secondFactor"] == {"enabled": False, "since": None, "recoveryCodesLeft": 0, "required": True}
    assert (await rival.owner.get("/projects/me")).status == 200
    app = await enrolled(owner)
    assert (await owner.post("/auth/2fa/confirm", {"code": app.code()})).status == 200
    assert (await owner.get("/projects/me")).status == 200
    assert (await owner.post("/events", {"type": "a.b", "payload": {}})).status == 202


async def test_a_new_sign_in_without_one_is_let_in_to_set_one_up(api: Client, strict: Project) -> None:
    signed_in = await login(api, strict)
    assert signed_in.status == 200
    caller = api.with_token(signed_in.json["tokens"]["accessToken"])
    assert (await caller.get("/projects/me")).code == "second_factor_enrolment_required"
    refreshed = await api.post("/auth/refresh", {"refreshToken": signed_in.json["tokens"]["refreshToken"]})
    caller = api.with_token(refreshed.json["tokens"]["accessToken"])
    assert (await caller.get("/projects/me")).code == "second_factor_enrolment_required"
    assert (await caller.post("/auth/logout")).status == 204


async def test_keys_and_people_whom_the_backend_vouches_for_are_not_asked(api: Client, strict: Project) -> None:
    assert (await strict.key.get("/projects/me")).status == 200
    person = await join(api, strict)
    assert (await person.client.get(f"/users/{person.id}")).status == 200


@pytest.mark.parametrize("security", ['{"require2fa": false}', '{"require2fa": "yes"}', '"require2fa"', "null", "[]"])
async def test_any_other_setting_requires_nothing(api: Client, sql: asyncpg.Connection, security: str) -> None:
    project = await sign_up(api)
    await configure(sql, project, f'{{"security": {security}}}')
    assert (await project.owner.get("/users")).status == 200
    assert (await project.owner.get("/auth/me")).json["secondFactor"]["required"] is False
