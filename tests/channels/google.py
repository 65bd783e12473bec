"""Google on loopback: grants tokens to a service account that proves itself, and answers messages as a test says."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.channels.far_end import Asked


@cache
def key_pair() -> tuple[str, rsa.RSAPublicKey]:
    """The key of a service account as its file has it; making one takes a while."""
    key = rsa.generate_private_key(65_537, 2_048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), key.public_key()


def service_account(google: "Google", **changes: Any) -> str:
    """The file that the console gives out."""
    account = {
        "type": "service_account",
        "project_id": "acme-bakery",
        "private_key_id": "key-1",
        "private_key": key_pair()[0],
        "client_email": "push@acme-bakery.iam.gserviceaccount.com",
        "token_uri": f"{google.url}/token",
        "universe_domain": "googleapis.com",
    }
    return json.dumps(account | changes)


@dataclass
class Google:
    """``answers`` are statuses and bodies for messages, the last one again and again."""

    answers: list[tuple[int, Any]] = field(default_factory=lambda: [(200, {"name": "projects/acme-bakery/messages/1"})])
    headers: dict[str, str] = field(default_factory=dict)
    grants: tuple[int, Any] | None = None
    expires_in: int = 3_599
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        claims = jwt.decode(
            str(form["assertion"]), key_pair()[1], ["RS256"], audience="https://oauth2.googleapis.com/token"
        )
        self.claims.append(claims)
        status, body = self.grants or (200, self._granted())
        return web.json_response(body, status=status)

    def _granted(self) -> dict[str, Any]:
        return {
            "access_token": f"ya29.token-{len(self.claims)}",
            "expires_in": self.expires_in,
            "token_type": "Bearer",
        }

    async def message(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.asked.append(Asked(request.method, request.path, dict(request.query), dict(request.headers), body))
        status, answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            return web.Response(status=status, text=answer, headers=self.headers)
        return web.json_response(answer, status=status, headers=self.headers)


@asynccontextmanager
async def google_on_loopback() -> AsyncIterator[Google]:
    google = Google()
    app = web.Application()
    app.router.add_post("/token", google.token)
    app.router.add_post("/v1/projects/{project}/messages:send", google.message)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        google.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield google
    finally:
        await runner.cleanup()


def refused(status: int, code: str, error_code: str | None = None, *, field_name: str | None = None) -> tuple[int, Any]:
    """An error as Google's APIs write it."""
    details: list[dict[str, Any]] = []
    if error_code:
        details.append({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": error_code})
    if field_name:
        violation = {"field": field_name, "description": "Invalid registration token"}
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]})
    return status, {"error": {"code": status, "message": "No.", "status": code, "details": details}}
