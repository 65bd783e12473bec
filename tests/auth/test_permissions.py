"""Every route says what it needs, and what it says holds (A6)."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount, Route

from tests.client import Client, Project
from tests.contract.endpoints import SIGNED
from tests.running import Site
from tocsin.app import create_app
from tocsin.auth.guard import GuardedRoute, guarded_router, needs
from tocsin.auth.permissions import BUILT_IN_ROLES, PERMISSIONS
from tocsin.settings import Settings

OPEN = {"/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs", "/setup", "/account/{page}"}
"""For machines and readers: they show nothing of any project."""

STRANGERS = {
    "/api/v1/auth/email/verify",
    "/api/v1/auth/login",
    "/api/v1/auth/password/forgot",
    "/api/v1/auth/password/reset",
    "/api/v1/auth/refresh",
    "/api/v1/auth/sso/exchange",
    "/api/v1/auth/sso/{slug}/callback",
    "/api/v1/auth/sso/{slug}/start",
    "/api/v1/domains/ask",
    "/api/v1/invites/accept",
    "/api/v1/meta/egress-addresses",
    "/api/v1/platform/about",
    "/api/v1/platform/auth/login",
    "/api/v1/platform/setup",
    "/api/v1/signup",
}
"""Stand before any credential."""

PANEL = {"/", "/panel", "/panel/{path:path}", "/platform", "/platform/{path:path}"}
"""The panels' own files, and the way there: what they show comes from the API."""

APPLESS = {"/users/{user_id}/terminate_connections"}
"""A signed path of Pusher's HTTP API that no document has."""

CALLED_BACK = {"/api/v1/hooks/whatsapp/app/{token}", "/api/v1/hooks/{provider}/{token}"}
"""Providers prove themselves by the address and by a secret or signature of their own."""

CLICKED = {"/api/v1/ack/{token}", "/api/v1/opt-out/{token}", "/api/v1/sound-files/{name}"}
"""Stands in what we send, and is signed by us."""


def walk(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, BaseRoute]]:
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from walk(included.routes, prefix + route.include_context.prefix)  # type: ignore[attr-defined]
        elif isinstance(route, Mount) and route.routes:
            yield from walk(route.routes, prefix + route.path)
        else:
            yield prefix + getattr(route, "path", ""), route


def undeclared(routes: list[BaseRoute], documented: dict[str, Any]) -> list[str]:
    """Routes that nobody can say the permission of."""
    found = []
    for path, route in walk(routes):
        if path in OPEN | PANEL | SIGNED | APPLESS | CALLED_BACK | CLICKED or path.startswith("/docs/assets"):
            continue
        if isinstance(route, GuardedRoute):
            if route.need.permission is None and not route.need.public_key and path not in STRANGERS:
                found.append(path)
        elif isinstance(route, Route) and not isinstance(route, APIRoute):
            operations = documented.get(path, {})
            methods = {method.lower() for method in route.methods or ()} - {"head"}
            if not methods or any(operations.get(m, {}).get("x-permission") not in PERMISSIONS for m in methods):
                found.append(path)
        else:
            found.append(path)
    return found


@pytest.fixture(scope="module")
def application(site: Site) -> Any:
    """The application itself, not running: only its table of routes is read."""
    return create_app(Settings(), site.app_url, site.platform_url, site.master).app


def test_every_route_declares_what_it_needs(application: Any) -> None:
    assert undeclared(application.router.routes, application.openapi()["paths"]) == []


def test_a_route_that_declares_nothing_is_found(application: Any) -> None:
    async def bare() -> None: ...

    planted: list[BaseRoute] = [
        APIRoute("/api/v1/bare", bare),
        Route("/api/v1/hot", bare, methods=["POST"]),
        Mount("/api/v1/inner", routes=[Route("/bare", bare)]),
    ]
    assert undeclared(planted, application.openapi()["paths"]) == [
        "/api/v1/bare",
        "/api/v1/hot",
        "/api/v1/inner/bare",
    ]


def test_a_guarded_router_takes_no_endpoint_that_declares_nothing() -> None:
    async def bare() -> None: ...

    with pytest.raises(TypeError, match="declare"):
        guarded_router().add_api_route("/bare", bare)
    with pytest.raises(ValueError, match="vocabulary"):
        needs("everything:do")


async def test_every_permission_is_listed_with_words(acme: Project) -> None:
    listed = (await acme.key.get("/permissions")).json
    assert {row["name"] for row in listed} == set(PERMISSIONS)
    assert all(row["description"] for row in listed)


async def test_a_new_project_has_the_built_in_roles(acme: Project) -> None:
    roles = (await acme.key.get("/roles", limit=200)).json["items"]
    built_in = {role["name"]: set(role["permissions"]) for role in roles if role["builtIn"]}
    assert built_in == {name: set(permissions) for name, (_, permissions) in BUILT_IN_ROLES.items()}


CALLS = [
    ("GET", "/projects/me", "project:read", None),
    ("PUT", "/projects/me", "project:manage", {}),
    ("GET", "/projects/me/api-keys", "keys:manage", None),
    ("GET", "/users", "users:read", None),
    ("POST", "/users", "users:manage", {"name": "x"}),
    ("GET", "/roles", "roles:read", None),
    ("POST", "/roles", "roles:manage", {"name": "made-by-a-key"}),
    ("POST", "/events", "events:write", {"type": "a.b", "payload": {}}),
    ("POST", "/events/batch", "events:write", {"events": [{"type": "a.b", "payload": {}}]}),
]


@pytest.mark.parametrize(("method", "path", "permission", "body"), CALLS)
async def test_one_permission_opens_a_call_and_all_others_do_not(
    acme: Project, method: str, path: str, permission: str, body: Any
) -> None:
    _, holder = await acme.new_key(permission)
    _, others = await acme.new_key(*(set(PERMISSIONS) - {permission}))
    assert (await holder.send(method, path, body)).status < 300
    reply = await others.send(method, path, body)
    assert (reply.status, reply.code) == (403, "permission_missing")


async def test_nobody_gives_away_more_than_they_have(acme: Project) -> None:
    _, small = await acme.new_key("keys:manage", "roles:manage", "users:manage", "roles:read", "users:read")
    key = {"name": "more", "permissions": ["project:delete"]}
    role = {"name": "more", "permissions": ["audit:read"]}
    user = {"email": "more@acme.example", "roles": ["owner"]}
    for path, body in (("/projects/me/api-keys", key), ("/roles", role), ("/users", user)):
        reply = await small.post(path, body)
        assert reply.status == 403, path
    sync = {"users": [{"externalUserId": "more", "roles": ["admin"]}]}
    assert (await small.post("/users/sync", sync)).status == 403


async def test_a_permission_nobody_knows_is_refused(acme: Project) -> None:
    for path in ("/projects/me/api-keys", "/roles"):
        reply = await acme.owner.post(path, {"name": "strange", "permissions": ["everything:do"]})
        assert (reply.status, reply.pointers) == (422, ["/permissions"])


async def test_documented_permissions_are_those_that_hold(api: Client) -> None:
    document = (await api.get("/openapi.json")).json
    said = {
        (method, path): operation["x-permission"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "x-permission" in operation
    }
    for method, path, permission, _ in CALLS:
        assert said[method.lower(), f"/api/v1{path}"] == permission
