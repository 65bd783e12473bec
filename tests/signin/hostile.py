"""An issuer that lies: what no honest provider's software would say. It answers every call as it is told."""

import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.client import Project
from tests.signin.providers import Browser, configure, refusal, told

CLIENT = {"clientId": "tocsin", "clientSecret": "a secret / of + many kinds"}
Forge = Callable[["Liar", dict[str, Any]], str]


def new_key(bits: int = 2_048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


def public_jwk(key: rsa.RSAPrivateKey, **more: Any) -> dict[str, Any]:
    return {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "use": "sig", **more}


@dataclass
class Liar:
    """``claims`` change what its ID tokens say, ``discovery`` what it says of itself; ``forge`` makes the token."""

    issuer: str = ""
    key: rsa.RSAPrivateKey = field(default_factory=new_key)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    keys: list[dict[str, Any]] | None = None
    userinfo: dict[str, Any] | None = None
    token_answer: dict[str, Any] = field(default_factory=dict)
    forge: Forge | None = None
    calls: list[str] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)
    authorization: str = ""

    @property
    def email(self) -> str:
        """Its own, for an e-mail that came from one issuer leads to nobody from another."""
        return f"s-{self.issuer.rpartition(':')[2]}@known.example"

    async def answer(self, request: web.Request) -> web.Response:
        self.calls.append(request.path)
        if request.path.endswith("/.well-known/openid-configuration"):
            return web.json_response(self.described())
        if request.path == "/keys":
            return web.json_response({"keys": [public_jwk(self.key, kid="k1")] if self.keys is None else self.keys})
        if request.path == "/userinfo":
            return web.json_response(self.userinfo)
        if request.path == "/token":
            self.asked = {name: str(value) for name, value in (await request.post()).items()}
            self.authorization = request.headers.get("Authorization", "")
            return web.json_response({"access_token": "at", "id_token": self.token(), **self.token_answer})
        if request.path in ("/authorize", "/app"):
            return web.Response(text="a page for people")
        return web.Response(status=404, text="nothing here")

    def described(self) -> dict[str, Any]:
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo" if self.userinfo is not None else None,
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            **self.discovery,
        }
        return {name: value for name, value in said.items() if value is not None}

    def token(self) -> str:
        now = int(time.time())
        said = {
            "iss": self.issuer,
            "aud": "tocsin",
            "sub": "s-1",
            "exp": now + 300,
            "iat": now,
            "nonce": self.asked["code"],
            "email": self.email,
            "email_verified": True,
            "name": "S",
            **self.claims,
        }
        claims = {name: value for name, value in said.items() if value is not None}
        if self.forge is not None:
            return self.forge(self, claims)
        return signed(self.key, claims, **{"kid": "k1", **self.header})

    async def callback(self, chrome: Browser, project: Project, **query: str) -> str:
        """Begin a sign-in and come back as if somebody had logged in here; the address to come back to."""
        begun = await chrome.start(project.slug, **query)
        assert begun.status == 303, await begun.text()
        return came_back(begun.headers["Location"])


def came_back(location: str) -> str:
    """Where the browser would be sent that was sent here; the nonce is the code, so that flows may overlap."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    return f"{asked['redirect_uri']}?{urlencode({'code': asked['nonce'], 'state': asked['state']})}"


def signed(key: rsa.RSAPrivateKey, claims: dict[str, Any], **header: Any) -> str:
    return jwt.encode(claims, key, algorithm="RS256", headers=header)


def raw_token(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@contextlib.asynccontextmanager
async def lying(host: str = "127.0.0.1") -> AsyncIterator[Liar]:
    liar = Liar()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", liar.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, 0)
        await site.start()
        liar.issuer = f"http://{host}:{runner.addresses[0][1]}"
        yield liar
    finally:
        await runner.cleanup()


async def set_up(project: Project, liar: Liar, **fields: Any) -> None:
    await configure(project, liar.issuer, CLIENT, **{"createUnknown": True, **fields})


async def outcome(chrome: Browser, project: Project, liar: Liar) -> dict[str, str]:
    """What the app is told of a sign-in that comes through."""
    answer = await chrome.get(await liar.callback(chrome, project))
    assert answer.status == 303, await answer.text()
    return told(answer)


async def refused(chrome: Browser, project: Project, liar: Liar) -> tuple[int, str]:
    return await refusal(chrome, await liar.callback(chrome, project))
