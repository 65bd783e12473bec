"""Which project a request is for: the credential first, and everything else must agree (T1)."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict

from tests.client import PASSWORD, Client, Project, Reply, sign_up
from tests.hosted import BASE, PUBLIC, Hosted, at
from tests.operators import operator

EVENT = {"type": "order.created", "payload": {}}


@pytest.fixture(scope="module")
async def acme(hosted: Hosted) -> Project:
    return await sign_up(hosted.api, "Acme")


@pytest.fixture(scope="module")
async def rival(hosted: Hosted) -> Project:
    return await sign_up(hosted.api, "Rival")


def host_of(project: Project) -> str:
    return f"{project.slug}.{BASE}"


CALLS: list[tuple[str, Callable[[Project], Client], str, str, Any]] = [
    ("key", lambda p: p.key, "POST", "/users", {"name": "Misled"}),
    ("token", lambda p: p.owner, "POST", "/users", {"name": "Misled"}),
    ("key on events", lambda p: p.key, "POST", "/events", EVENT),
    ("token on events", lambda p: p.owner, "POST", "/events", EVENT),
    ("key on a batch", lambda p: p.key, "POST", "/events/batch", {"events": [EVENT]}),
    ("public key", lambda p: p.app, "POST", "/users/register", {"externalUserId": "misled"}),
    ("key in the sandbox", lambda p: p.test_key, "GET", "/users", None),
]


@pytest.mark.parametrize(
    "host",
    [
        BASE,
        PUBLIC,
        f"{PUBLIC}:8443",
        f"{BASE.upper()}.",
        "127.0.0.1",
        "127.0.0.1:8700",
        "[::1]:8700",
        "api",
        "localhost",
        f"www.{BASE}",
        f"API.{BASE}",
        "nobody.example.org",
        "a_b.example.org",
    ],
)
async def test_a_host_that_is_no_projects_leaves_the_choice_to_the_credential(acme: Project, host: str) -> None:
    assert (await at(acme.key, host).get("/projects/me")).json["id"] == acme.id
    assert (await at(acme.key, host).post("/events", EVENT)).status == 202


@pytest.mark.parametrize("form", ["{}", "{}:443", "{}.", "{}.:8700"])
async def test_a_project_answers_under_its_slug(acme: Project, form: str) -> None:
    for host in (form.format(host_of(acme)), form.format(host_of(acme).upper())):
        assert (await at(acme.owner, host).get("/projects/me")).json["id"] == acme.id
        assert (await at(acme.key, host).post("/events", EVENT)).status == 202


@pytest.mark.parametrize(("caller", "method", "path", "body"), [c[1:] for c in CALLS], ids=[c[0] for c in CALLS])
async def test_a_credential_at_the_host_of_another_project_does_nothing_at_all(
    hosted: Hosted,
    acme: Project,
    rival: Project,
    caller: Callable[[Project], Client],
    method: str,
    path: str,
    body: Any,
) -> None:
    before = await traces(hosted, acme, rival)
    reply = await at(caller(acme), host_of(rival)).send(method, path, body)
    assert (reply.status, reply.code) == (403, "tenant_mismatch")
    assert await traces(hosted, acme, rival) == before
    assert (await at(caller(acme), host_of(acme)).send(method, path, body)).status < 300


async def traces(hosted: Hosted, *projects: Project) -> list[int]:
    """How many rows the projects have of whatever a call could leave."""
    tables = ("users", "events", "sessions", "audit_log", "idempotency_records", "revocations")
    ids = [project.id for project in projects]
    count = "SELECT count(*) FROM tocsin.{} WHERE project_id = ANY($1)"
    return [await hosted.sql.fetchval(count.format(table), ids) for table in tables]


@pytest.mark.parametrize("host", [f"no-such-project.{BASE}", f"a.b.{BASE}", f"platform.{BASE}"])
async def test_a_name_below_the_base_domain_that_is_not_the_callers_is_refused(acme: Project, host: str) -> None:
    for reply in (await at(acme.key, host).get("/projects/me"), await at(acme.key, host).post("/events", EVENT)):
        assert (reply.status, reply.code) == (403, "tenant_mismatch")


async def test_a_name_deeper_below_the_callers_own_is_not_theirs(acme: Project) -> None:
    assert (await at(acme.key, f"deep.{host_of(acme)}").get("/projects/me")).code == "tenant_mismatch"


@pytest.mark.parametrize("path", ["/users", "/events"])
async def test_a_tenant_header_may_agree_and_may_not_differ(acme: Project, rival: Project, path: str) -> None:
    body = EVENT if path == "/events" else {"name": "Named"}
    for caller in (acme.key, acme.owner):
        for mine in (acme.id, acme.slug):
            assert (await caller.post(path, body, X_Tenant_Id=mine)).status < 300
        for other in (rival.id, rival.slug, "nobody", "", "*", f"{acme.slug},{rival.slug}", acme.slug.upper()):
            reply = await caller.post(path, body, X_Tenant_Id=other)
            assert (reply.status, reply.code) == (403, "tenant_mismatch"), other


@pytest.mark.parametrize("path", ["/users", "/events"])
@pytest.mark.parametrize("turned", [False, True])
async def test_of_two_tenant_headers_none_may_differ(
    hosted: Hosted, acme: Project, rival: Project, http: aiohttp.ClientSession, path: str, turned: bool
) -> None:
    both = [acme.slug, rival.slug]
    headers = CIMultiDict(acme.key.headers)
    for slug in reversed(both) if turned else both:
        headers.add("X-Tenant-Id", slug)
    async with http.post(f"{hosted.api.base}/api/v1{path}", json=EVENT, headers=headers) as answer:
        assert answer.status == 403
        assert (await answer.json(content_type=None))["code"] == "tenant_mismatch"


async def test_a_tenant_in_the_query_may_agree_and_may_not_differ(acme: Project, rival: Project) -> None:
    for path, body in (("/users", {"name": "Named"}), ("/events", EVENT)):
        assert (await acme.key.send("POST", path, body, params={"tenant": acme.slug})).status < 300
        reply = await acme.key.send("POST", path, body, params={"tenant": rival.slug})
        assert (reply.status, reply.code) == (403, "tenant_mismatch")
        assert (await acme.key.send("POST", f"{path}?tenant={acme.slug}&tenant={rival.slug}", body)).status in (
            403,
            422,
        )
        assert (await acme.key.send("POST", f"{path}?%74enant={rival.slug}", body)).code == "tenant_mismatch"


async def test_a_wrong_credential_hears_nothing_of_projects(rival: Project, hosted: Hosted) -> None:
    """Otherwise the difference would tell which names are taken."""
    stranger = hosted.api.with_key(rival.key.headers["X-API-Key"], "sk_live_wrong")
    for host in (host_of(rival), f"no-such-project.{BASE}"):
        assert (await at(stranger, host).get("/users")).code == "invalid_credentials"


def login(of: Project, **change: Any) -> dict[str, Any]:
    return {"email": of.email, "password": PASSWORD, **change}


async def test_at_a_projects_host_nobody_names_it_to_sign_in(hosted: Hosted) -> None:
    email = "both@hosts.example"
    one, two = [await sign_up(hosted.api, name, email=email) for name in ("First", "Second")]
    assert (await hosted.api.post("/auth/login", login(one))).code == "project_required"
    for project in (one, two):
        reply = await at(hosted.api, host_of(project)).post("/auth/login", login(one))
        assert reply.json["project"]["id"] == project.id


async def test_a_public_call_may_name_the_project_by_header_or_query(hosted: Hosted) -> None:
    email = "named@hosts.example"
    projects = [await sign_up(hosted.api, name, email=email) for name in ("Left", "Right")]
    for project in projects:
        body = login(projects[0])
        replies = [
            await hosted.api.post("/auth/login", body, X_Tenant_Id=project.slug),
            await hosted.api.post("/auth/login", body, X_Tenant_Id=project.id),
            await hosted.api.send("POST", "/auth/login", body, params={"tenant": project.slug}),
            await at(hosted.api, host_of(project)).post("/auth/login", body, X_Tenant_Id=project.id),
        ]
        assert [reply.json["project"]["id"] for reply in replies] == [project.id] * 4


async def test_signing_in_under_two_names_is_refused_and_leaves_nothing(
    hosted: Hosted, acme: Project, rival: Project
) -> None:
    before = await traces(hosted, acme, rival)
    door = at(hosted.api, host_of(acme))
    replies = [
        await door.post("/auth/login", login(acme, project=rival.slug)),
        await door.post("/auth/login", login(acme), X_Tenant_Id=rival.slug),
        await door.send("POST", "/auth/login", login(acme), params={"tenant": rival.slug}),
        await hosted.api.post("/auth/login", login(acme, project=acme.slug), X_Tenant_Id=rival.id),
    ]
    assert [(reply.status, reply.code) for reply in replies] == [(403, "tenant_mismatch")] * 4
    assert await traces(hosted, acme, rival) == before


async def test_signing_in_at_the_wrong_host_looks_like_a_wrong_password(
    hosted: Hosted, acme: Project, rival: Project
) -> None:
    replies = [
        await at(hosted.api, host_of(rival)).post("/auth/login", login(acme)),
        await at(hosted.api, f"no-such-project.{BASE}").post("/auth/login", login(acme)),
        await at(hosted.api, host_of(acme)).post("/auth/login", login(acme, password="wrong password")),
    ]
    assert [reply.status for reply in replies] == [401] * 3
    assert len({str(without_request(reply)) for reply in replies}) == 1


def without_request(reply: Reply) -> dict[str, Any]:
    return {**reply.json, "requestId": None}


async def test_a_refresh_token_at_the_host_of_another_project_is_not_spent(
    hosted: Hosted, acme: Project, rival: Project
) -> None:
    tokens = (await hosted.api.post("/auth/login", login(acme))).json["tokens"]
    body = {"refreshToken": tokens["refreshToken"]}
    reply = await at(hosted.api, host_of(rival)).post("/auth/refresh", body)
    assert (reply.status, reply.code) == (403, "tenant_mismatch")
    assert (await at(hosted.api, host_of(acme)).post("/auth/refresh", body)).status == 200


async def test_a_password_forgotten_at_a_projects_host_is_that_projects(hosted: Hosted, acme: Project) -> None:
    door, body = at(hosted.api, host_of(acme)), {"email": "forgotten@hosts.example"}
    assert (await door.post("/auth/password/forgot", body)).status == 202
    slugs = await hosted.sql.fetch("SELECT project_slug FROM tocsin.resets WHERE email = $1", body["email"])
    assert [row["project_slug"] for row in slugs] == [acme.slug]
    assert (await door.post("/auth/password/forgot", {**body, "project": "another"})).code == "tenant_mismatch"


async def test_the_platform_signs_in_under_its_own_name(hosted: Hosted, acme: Project) -> None:
    admin = await operator(hosted.api, hosted.site)
    body = {"email": admin.email, "password": PASSWORD}
    reply = await at(hosted.api, f"platform.{BASE}").post("/auth/login", body)
    assert reply.json["project"]["slug"] == "platform"
    assert (await at(admin.client, host_of(acme)).get("/auth/me")).code == "tenant_mismatch"
