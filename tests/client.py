"""A small client of the API for tests, and the projects they work with."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp
import msgspec

PASSWORD = "correct horse battery"
JSON = ("application/json", "application/problem+json")

_numbers = itertools.count(1)


class Reply(NamedTuple):
    """An answer: its status, its decoded body (None when empty) and its headers."""

    status: int
    json: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str | None:
        """The stable code of a problem."""
        return self.json.get("code") if isinstance(self.json, dict) else None

    @property
    def pointers(self) -> list[str]:
        """The places a problem complains about."""
        return [error["pointer"] for error in self.json.get("errors", [])]


class Client:
    """One caller of one API process; ``/x`` stands for ``/api/v1/x``, paths with a scheme for themselves."""

    def __init__(self, http: aiohttp.ClientSession, base: str, headers: Mapping[str, str] | None = None) -> None:
        self.http = http
        self.base = base
        self.headers = dict(headers or {})

    async def get(self, path: str, **params: Any) -> Reply:
        return await self.send("GET", path, params=params)

    async def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        """``idempotency_key="x"`` sends ``Idempotency-Key: x``."""
        return await self.send("POST", path, body, headers=headers)

    async def put(self, path: str, body: Any = None, **headers: str) -> Reply:
        return await self.send("PUT", path, body, headers=headers)

    async def delete(self, path: str) -> Reply:
        return await self.send("DELETE", path)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Any request; a body of bytes goes out as it is, everything else as JSON."""
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in (headers or {}).items()}}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else msgspec.json.encode(body, enc_hook=str)
        url = (
            f"{self.base}/api/v1{path}"
            if not path.startswith(("/health", "/openapi", "/metrics"))
            else (f"{self.base}{path}")
        )
        async with self.http.request(method, url, data=body, params=params, headers=sent) as answer:
            raw = await answer.read()
            decoded = (
                msgspec.json.decode(raw)
                if raw and answer.content_type in JSON
                else raw.decode(errors="replace") or None
            )
            return Reply(answer.status, decoded, answer.headers)

    def at(self, other: "Client") -> "Client":
        """The same caller at another process."""
        return Client(self.http, other.base, self.headers)

    def with_key(self, key: str, secret: str) -> "Client":
        return Client(self.http, self.base, {"X-API-Key": key, "X-API-Secret": secret})

    def with_public_key(self, key: str) -> "Client":
        return Client(self.http, self.base, {"X-API-Key": key})

    def with_token(self, token: str, env: str | None = None) -> "Client":
        env_header = {"X-Tocsin-Env": env} if env else {}
        return Client(self.http, self.base, {"Authorization": f"Bearer {token}", **env_header})

    def with_headers(self, **headers: str) -> "Client":
        return Client(
            self.http, self.base, {**self.headers, **{n.replace("_", "-"): value for n, value in headers.items()}}
        )


@dataclass(frozen=True)
class Project:
    """A project with its first callers. ``signed_up`` is the whole answer of the sign-up."""

    id: str
    slug: str
    email: str
    signed_up: Any
    key: Client
    """Its backend: the live key and secret."""
    test_key: Client
    """Its backend in the sandbox."""
    owner: Client
    """Its owner, by token, live."""
    app: Client
    """An app that holds only the live public key."""
    test_app: Client

    async def add_user(self, *, roles: list[str] | None = None, env: str = "live", **fields: Any) -> Any:
        """A new user of the project, as the API shows it."""
        number = next(_numbers)
        body = {"email": f"user-{number}@{self.slug}.example", "roles": roles or [], **fields}
        caller = self.key if env == "live" else self.test_key
        reply = await caller.post("/users", {name: value for name, value in body.items() if value is not None})
        assert reply.status == 201, reply.json
        return reply.json

    async def new_key(self, *permissions: str, env: str = "live", **fields: Any) -> tuple[Any, Client]:
        """A further key with these permissions, as the API showed it, and a caller who holds it."""
        body = {"name": "further", "permissions": list(permissions), "env": env, **fields}
        reply = await self.owner.post("/projects/me/api-keys", body)
        assert reply.status == 201, reply.json
        return reply.json, self.key.with_key(reply.json["key"], reply.json["secret"])


async def sign_up(api: Client, name: str = "Acme", **fields: Any) -> Project:
    """A new project with keys and tokens of its own."""
    number = next(_numbers)
    slug = f"{name.lower()}-{number}"
    body = {"email": f"owner@{slug}.example", "password": PASSWORD, "projectName": name, "slug": slug, **fields}
    reply = await api.post("/signup", body)
    assert reply.status == 201, reply.json
    live, test = (reply.json["apiKeys"][env] for env in ("live", "test"))
    return Project(
        id=reply.json["project"]["id"],
        slug=reply.json["project"]["slug"],
        email=body["email"],
        signed_up=reply.json,
        key=api.with_key(live["key"], live["secret"]),
        test_key=api.with_key(test["key"], test["secret"]),
        owner=api.with_token(reply.json["tokens"]["accessToken"]),
        app=api.with_public_key(live["key"]),
        test_app=api.with_public_key(test["key"]),
    )
