"""An authenticator app, written from RFC 4226 and RFC 6238 alone."""

import base64
import hmac
import struct
import time
from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.client import PASSWORD, Client, Project, Reply

STEP = 30


def totp(secret: bytes, step: int, digits: int = 6) -> str:
    digest = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 15
    (number,) = struct.unpack(">I", digest[offset : offset + 4])
    return str((number & 0x7FFFFFFF) % 10**digits).zfill(digits)


@dataclass
class Authenticator:
    """Holds one account's secret."""

    secret: str

    def code(self, steps: int = 0) -> str:
        """The code of now, or of so many steps later."""
        return totp(base64.b32decode(self.secret), int(time.time()) // STEP + steps)


@dataclass
class Protected:
    """A project whose owner has a second factor."""

    project: Project
    app: Authenticator
    recovery: list[str]
    sql: asyncpg.Connection

    async def code(self) -> str:
        """A code that was not used: the step before is forgotten, for the test cannot wait for the next one."""
        forget = "UPDATE tocsin.second_factors SET last_step = 0 WHERE project_id = $1::text::uuid"
        await self.sql.execute(forget, self.project.id)
        return self.app.code()

    async def login(self, api: Client, code: str | None) -> Reply:
        return await login(api, self.project, code)


async def login(api: Client, project: Project, code: Any = None, *, slug: str | None = None, **change: Any) -> Reply:
    """Sign the owner in, with what is given beside e-mail and password."""
    optional = {"code": code, "project": slug}
    given = {name: value for name, value in optional.items() if value is not None}
    return await api.post("/auth/login", {"email": project.email, "password": PASSWORD, **given, **change})


async def enrolled(caller: Client) -> Authenticator:
    reply = await caller.post("/auth/2fa/enrol")
    assert reply.status == 200, reply.json
    return Authenticator(reply.json["secret"])


async def protect(project: Project, sql: asyncpg.Connection) -> Protected:
    """Set up a second factor for the owner."""
    app = await enrolled(project.owner)
    reply = await project.owner.post("/auth/2fa/confirm", {"code": app.code()})
    assert reply.status == 200, reply.json
    return Protected(project, app, reply.json["recoveryCodes"], sql)
