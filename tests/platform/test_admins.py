"""Platform admins: who they are, what each role may, and the last one (A6, O1)."""

import asyncio
import time
from typing import Any

import asyncpg
import jwt
import pytest

from tests.client import PASSWORD, Client, Project, sign_up
from tests.contract.endpoints import NOBODY
from tests.operators import Operator, admin_create, operator, signed_in, token_of
from tests.running import Site, running_api
from tocsin.auth.permissions import PLATFORM_PERMISSIONS, PLATFORM_ROLES

PLATFORM = "00000000-0000-7000-8000-000000000000"


async def invited(root: Operator, role: str = "support") -> tuple[Any, str]:
    """An admin who has a link and no password yet, and what the link carries."""
    email = f"invited-{time.time_ns()}@operator.example"
    reply = await root.client.post("/platform/admins", {"email": email, "role": role, "name": "Ann"})
    assert reply.status == 201, reply.json
    return reply.json, token_of(reply.json["setupUrl"])


async def test_an_invited_admin_chooses_a_password_and_signs_in(api: Client, root: Operator) -> None:
    admin, token = await invited(root)
    assert (admin["status"], admin["role"], admin["name"]) == ("invited", "support", "Ann")
    reply = await api.post("/platform/setup", {"token": token, "password": PASSWORD})
    assert (reply.status, reply.json) == (200, {"email": admin["email"], "project": "platform"})
    me = await (await signed_in(api, admin["email"])).client.get("/auth/me")
    assert me.json["user"]["roles"] == ["support"]
    assert set(me.json["permissions"]) == set(PLATFORM_ROLES["support"][1])


async def test_a_link_works_once(api: Client, root: Operator) -> None:
    _, token = await invited(root)
    assert (await api.post("/platform/setup", {"token": token, "password": PASSWORD})).status == 200
    again = await api.post("/platform/setup", {"token": token, "password": "another one entirely"})
    assert (again.status, again.code) == (401, "invalid_link")


async def test_of_two_who_use_a_link_at_once_one_comes_in(api: Client, root: Operator) -> None:
    admin, token = await invited(root)
    passwords = [f"a password of number {n}" for n in range(4)]
    replies = await asyncio.gather(
        *(api.post("/platform/setup", {"token": token, "password": password}) for password in passwords)
    )
    assert sorted(reply.status for reply in replies) == [200, 401, 401, 401]
    winner = next(password for password, reply in zip(passwords, replies, strict=True) if reply.status == 200)
    await signed_in(api, admin["email"], winner)


async def test_every_changed_character_of_a_link_is_noticed(api: Client, root: Operator) -> None:
    _, token = await invited(root)
    for index in range(0, len(token), 7):
        other = "A" if token[index] != "A" else "B"
        changed = token[:index] + other + token[index + 1 :]
        reply = await api.post("/platform/setup", {"token": changed, "password": PASSWORD})
        assert (reply.status, reply.code) == (401, "invalid_link"), index
    assert (await api.post("/platform/setup", {"token": token, "password": PASSWORD})).status == 200


@pytest.mark.parametrize("token", ["x", "lt_", "lt_AAAA", "lt_ä", "rt_" + "A" * 59, "lt_" + "A" * 59, "lt_" + "A" * 38])
async def test_what_is_no_link_is_refused_alike(api: Client, root: Operator, token: str) -> None:
    reply = await api.post("/platform/setup", {"token": token, "password": PASSWORD, "email": "a@b.example"})
    assert (reply.status, reply.code) == (401, "invalid_link")


async def test_a_link_is_for_one_e_mail(api: Client, root: Operator) -> None:
    _, token = await invited(root)
    body = {"token": token, "password": PASSWORD, "email": "somebody.else@operator.example"}
    reply = await api.post("/platform/setup", body)
    assert (reply.status, reply.pointers) == (422, ["/email"])


async def test_a_new_link_is_for_those_who_have_not_come_yet(api: Client, root: Operator, support: Operator) -> None:
    admin, _ = await invited(root)
    renewed = await root.client.post(f"/platform/admins/{admin['id']}/link")
    token = token_of(renewed.json["setupUrl"])
    assert (await api.post("/platform/setup", {"token": token, "password": PASSWORD})).status == 200
    assert (await root.client.post(f"/platform/admins/{admin['id']}/link")).code == "set_up_already"


async def test_a_disabled_admin_ends_on_every_session_and_link(api: Client, root: Operator) -> None:
    admin, token = await invited(root)
    _, unused = await invited(root)
    await api.post("/platform/setup", {"token": token, "password": PASSWORD})
    gone = await signed_in(api, admin["email"])
    assert (await gone.client.get("/platform/projects")).status == 200
    reply = await root.client.put(f"/platform/admins/{admin['id']}", {"status": "disabled"})
    assert (reply.status, reply.json["status"]) == (200, "disabled")
    assert (await gone.client.get("/platform/projects")).status == 401
    login = {"email": admin["email"], "password": PASSWORD}
    assert (await api.post("/platform/auth/login", login)).status == 401
    back = await root.client.put(f"/platform/admins/{admin['id']}", {"status": "active"})
    assert back.json["status"] == "active"
    assert (await gone.client.get("/platform/projects")).status == 401, "the old session is not revived"
    await signed_in(api, admin["email"])
    assert unused != token


async def test_a_disabled_admins_unused_link_is_void(api: Client, root: Operator) -> None:
    admin, token = await invited(root)
    await root.client.put(f"/platform/admins/{admin['id']}", {"status": "disabled"})
    assert (await api.post("/platform/setup", {"token": token, "password": PASSWORD})).status == 401


async def test_nobody_is_active_without_a_password(root: Operator) -> None:
    admin, _ = await invited(root)
    reply = await root.client.put(f"/platform/admins/{admin['id']}", {"status": "active"})
    assert (reply.status, reply.code) == (409, "not_set_up")


async def test_a_demotion_counts_at_once(api: Client, root: Operator, site: Site) -> None:
    other = await operator(api, site)
    assert (await other.client.get("/platform/admins")).status == 200
    reply = await root.client.put(f"/platform/admins/{other.id}", {"role": "billing"})
    assert (reply.status, reply.json["role"]) == (200, "billing")
    assert (await other.client.get("/platform/admins")).code == "permission_missing"


async def test_the_list_shows_admins_and_no_project_of_another(root: Operator, acme: Project) -> None:
    listed = (await root.client.get("/platform/admins", limit=200)).json["items"]
    mine = next(admin for admin in listed if admin["id"] == root.id)
    assert (mine["role"], mine["status"], mine["email"]) == ("super_admin", "active", root.email)
    assert mine["lastLoginAt"] is not None
    assert acme.email not in {admin["email"] for admin in listed}
    page = (await root.client.get("/platform/admins", limit=1)).json
    following = (await root.client.get("/platform/admins", limit=1, cursor=page["nextCursor"])).json
    assert page["items"][0]["id"] > following["items"][0]["id"]


async def test_an_e_mail_is_one_admin(root: Operator) -> None:
    reply = await root.client.post("/platform/admins", {"email": root.email, "role": "billing"})
    assert (reply.status, reply.code) == (409, "email_taken")


async def test_a_role_of_a_project_is_none_of_the_platforms(root: Operator) -> None:
    reply = await root.client.post("/platform/admins", {"email": "a@operator.example", "role": "owner"})
    assert (reply.status, reply.pointers) == (422, ["/role"])


async def test_a_user_of_a_project_is_no_admin(root: Operator, acme: Project) -> None:
    owner = acme.signed_up["user"]["id"]
    absent = await root.client.put(f"/platform/admins/{NOBODY}", {"name": "X"})
    foreign = await root.client.put(f"/platform/admins/{owner}", {"name": "X"})
    assert (foreign.status, foreign.code) == (absent.status, absent.code) == (404, "not_found")


async def test_every_change_of_admins_is_on_the_record(root: Operator) -> None:
    admin, _ = await invited(root)
    await root.client.put(f"/platform/admins/{admin['id']}", {"role": "billing"})
    entries = (await root.client.get("/platform/audit", resourceId=admin["id"])).json["items"]
    assert [entry["action"] for entry in entries] == ["admin.updated", "admin.invited"]
    assert entries[0]["metadata"]["before"]["role"] == "support"
    assert entries[0]["metadata"]["after"]["role"] == "billing"
    assert entries[0]["actorId"] == root.id


async def test_the_token_says_what_it_is(root: Operator) -> None:
    token = root.client.headers["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["type"], claims["projectId"], claims["roles"]) == ("platform_admin", PLATFORM, ["super_admin"])


async def test_a_refreshed_token_is_an_admins_still(api: Client, root: Operator) -> None:
    reply = await api.post("/platform/auth/login", {"email": root.email, "password": PASSWORD})
    again = await api.post("/auth/refresh", {"refreshToken": reply.json["tokens"]["refreshToken"]})
    client = api.with_token(again.json["tokens"]["accessToken"])
    assert (await client.get("/platform/projects")).status == 200


async def test_each_door_lets_in_its_own(api: Client, root: Operator, acme: Project) -> None:
    stranger = await api.post("/platform/auth/login", {"email": "nobody@x.example", "password": PASSWORD})
    owner = await api.post("/platform/auth/login", {"email": acme.email, "password": PASSWORD})
    assert (owner.status, owner.code) == (stranger.status, stranger.code) == (401, "invalid_login")
    admin = await api.post("/auth/login", {"email": root.email, "password": PASSWORD})
    named = await api.post("/auth/login", {"email": root.email, "password": PASSWORD, "project": "platform"})
    assert (admin.status, named.status) == (401, 200), "the platform's account has to be asked for by name"


async def test_an_admin_who_also_owns_a_project_needs_not_say_which(api: Client, root: Operator) -> None:
    body = {"email": root.email, "password": PASSWORD, "projectName": "Mine"}
    assert (await api.post("/signup", body)).status == 201
    reply = await api.post("/auth/login", {"email": root.email, "password": PASSWORD})
    assert (reply.status, reply.json["project"]["name"]) == (200, "Mine")


CALLS = [
    ("GET", "/platform/admins", "platform:admins", None),
    ("POST", "/platform/admins", "platform:admins", {"email": "x@y.example", "role": "support"}),
    ("PUT", f"/platform/admins/{NOBODY}", "platform:admins", {"name": "X"}),
    ("POST", f"/platform/admins/{NOBODY}/link", "platform:admins", None),
    ("GET", "/platform/projects", "platform:read", None),
    ("POST", "/platform/projects", "platform:projects", {"name": "X", "ownerEmail": "x@y.example"}),
    ("GET", f"/platform/projects/{NOBODY}", "platform:read", None),
    ("PUT", f"/platform/projects/{NOBODY}", "platform:billing", {"plan": "free"}),
    ("DELETE", f"/platform/projects/{NOBODY}", "platform:projects", None),
    ("POST", f"/platform/projects/{NOBODY}/suspend", "platform:projects", {"reason": "X"}),
    ("POST", f"/platform/projects/{NOBODY}/activate", "platform:projects", None),
    ("GET", f"/platform/projects/{NOBODY}/export", "platform:projects", None),
    ("GET", "/platform/metrics", "platform:read", None),
    ("GET", "/platform/audit", "platform:audit", None),
    ("GET", "/platform/settings", "platform:settings", None),
    ("PUT", "/platform/settings", "platform:settings", {}),
]


@pytest.mark.parametrize(("method", "path", "permission", "body"), CALLS)
async def test_a_role_may_what_its_permissions_say_and_nothing_else(
    root: Operator, support: Operator, billing: Operator, method: str, path: str, permission: str, body: Any
) -> None:
    for who, role in ((support, "support"), (billing, "billing")):
        reply = await who.client.send(method, path, body)
        if permission in PLATFORM_ROLES[role][1]:
            assert reply.status in (200, 404), (role, reply.json)
        else:
            assert (reply.status, reply.code) == (403, "permission_missing"), role
    assert permission in PLATFORM_ROLES["super_admin"][1]


@pytest.mark.parametrize(("method", "path", "permission", "body"), CALLS)
async def test_no_caller_of_a_project_may_anything_here(
    acme: Project, method: str, path: str, permission: str, body: Any
) -> None:
    for caller in (acme.owner, acme.key):
        reply = await caller.send(method, path, body)
        assert (reply.status, reply.code) == (403, "permission_missing")


@pytest.mark.parametrize("permission", sorted(PLATFORM_PERMISSIONS))
async def test_no_role_or_key_of_a_project_carries_a_permission_of_the_platform(acme: Project, permission: str) -> None:
    for path in ("/roles", "/projects/me/api-keys"):
        reply = await acme.owner.post(path, {"name": "sly", "permissions": [permission]})
        assert (reply.status, reply.pointers) == (422, ["/permissions"])
    role = (await acme.owner.post("/roles", {"name": f"r-{permission.partition(':')[2]}"})).json
    reply = await acme.owner.put(f"/roles/{role['id']}", {"permissions": [permission]})
    assert (reply.status, reply.pointers) == (422, ["/permissions"])


async def test_an_admin_may_nothing_in_the_platforms_project_beyond_the_role(root: Operator) -> None:
    for method, path, body in (
        ("POST", "/roles", {"name": "more", "permissions": []}),
        ("POST", "/users", {"email": "more@operator.example", "roles": ["super_admin"]}),
        ("POST", "/projects/me/api-keys", {"name": "more", "permissions": []}),
        ("PUT", "/projects/me", {"name": "Mine"}),
        ("DELETE", "/projects/me", None),
    ):
        assert (await root.client.send(method, path, body)).code == "permission_missing"
    mine = await root.client.put(f"/users/{root.id}", {"roles": ["support"]})
    assert mine.code == "permission_missing"


async def test_the_sandbox_makes_no_admins(api: Client, root: Operator) -> None:
    client = root.client.with_headers(X_Tocsin_Env="test")
    reply = await client.post("/platform/admins", {"email": "t@operator.example", "role": "support"})
    assert (reply.status, reply.code) == (403, "live_object")


@pytest.fixture(scope="module")
async def fresh(database: str, home: Any) -> Site:
    return Site(database, home)


@pytest.fixture(scope="module")
async def alone(fresh: Site, api: Client) -> Any:
    """An API of an installation that nobody has set up."""
    with running_api(fresh) as process:
        yield Client(api.http, process.url)


async def test_the_first_and_the_last_super_admin(fresh: Site, alone: Client) -> None:
    """One story, because an installation has one first admin."""
    status, link = await admin_create(fresh, "first@operator.example", "--name", "First")
    assert status == 0
    token = token_of(link)
    reply = await alone.post("/platform/setup", {"token": token, "password": PASSWORD})
    assert reply.status == 200
    assert (await alone.post("/platform/setup", {"token": token, "password": PASSWORD})).status == 401
    first = await signed_in(alone, "first@operator.example")
    await _cannot_leave(first)

    # One who is only invited, and one who may less, cannot take over.
    await first.client.post("/platform/admins", {"email": "second@operator.example", "role": "super_admin"})
    await operator(alone, fresh, "support")
    await _cannot_leave(first)

    second = await operator(alone, fresh)
    replies = await asyncio.gather(
        first.client.put(f"/platform/admins/{first.id}", {"status": "disabled"}),
        second.client.put(f"/platform/admins/{second.id}", {"role": "support"}),
    )
    assert sorted(reply.status for reply in replies) == [200, 409], "of two who go at once, one stays"


async def _cannot_leave(only: Operator) -> None:
    for change in ({"status": "disabled"}, {"role": "support"}):
        reply = await only.client.put(f"/platform/admins/{only.id}", change)
        assert (reply.status, reply.code) == (409, "last_super_admin")
    assert (await only.client.get("/platform/admins")).status == 200


async def test_the_command_takes_a_password_from_its_input(api: Client, site: Site) -> None:
    email = "typed@operator.example"
    status, output = await admin_create(site, email, "--role", "billing", "--password-stdin", typed=PASSWORD)
    assert (status, output) == (0, f"{email} can sign in.\n")
    me = await (await signed_in(api, email)).client.get("/auth/me")
    assert me.json["user"]["roles"] == ["billing"]


async def test_the_command_helps_back_in_who_forgot(api: Client, site: Site) -> None:
    lost = await operator(api, site, "support")
    status, link = await admin_create(site, lost.email)
    assert status == 0
    reply = await api.post("/platform/setup", {"token": token_of(link), "password": "a new one, made up"})
    assert reply.status == 200
    assert (await lost.client.get("/platform/projects")).status == 401, "whoever was in is out"
    back = await signed_in(api, lost.email, "a new one, made up")
    me = (await back.client.get("/auth/me")).json
    assert me["user"]["roles"] == ["support"]


@pytest.mark.parametrize(
    ("words", "typed", "told"),
    [
        (("nobody",), "", "email"),
        (("a@b.example", "--role", "owner"), "", "role"),
        (("a@b.example", "--password-stdin"), "short", "password"),
    ],
)
async def test_the_command_says_what_is_wrong(site: Site, words: tuple[str, ...], typed: str, told: str) -> None:
    status, output = await admin_create(site, *words, typed=typed)
    assert status == 1
    assert told in output
    assert "Traceback" not in output


async def test_a_disabled_admin_gets_no_link_from_the_command(api: Client, root: Operator, site: Site) -> None:
    gone = await operator(api, site, "support")
    await root.client.put(f"/platform/admins/{gone.id}", {"status": "disabled"})
    status, output = await admin_create(site, gone.email)
    assert (status, "disabled" in output) == (1, True)


async def test_the_password_of_an_admin_is_kept_like_any_other(sql: asyncpg.Connection, root: Operator) -> None:
    kept = await sql.fetchval("SELECT password_hash FROM tocsin.users WHERE id = $1", root.id)
    assert kept.startswith("$argon2id$")


async def test_the_page_of_a_link_needs_nothing_from_elsewhere(api: Client) -> None:
    async with api.http.get(f"{api.base}/setup") as answer:
        page = await answer.text()
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "http://" not in page and "https://" not in page


async def test_another_project_knows_nothing_of_it(api: Client, root: Operator) -> None:
    other = await sign_up(api, "Outside")
    assert (await other.key.get(f"/users/{root.id}")).status == 404
