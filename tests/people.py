"""Signed-in people of a project, as its own backend vouches for them."""

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt

from tests.client import Client, Project
from tocsin.kit.db import Env

if TYPE_CHECKING:
    from tests.realtime.pusher_js import PusherJs


@dataclass(frozen=True)
class Person:
    """A signed-in user of a project, who is asked to prove it by the app's public key."""

    id: str
    client: Client
    key: str
    external_id: str

    @property
    def channel(self) -> str:
        return f"private-user-{self.id}"

    def options(self) -> dict[str, Any]:
        """For the official client: it asks our own endpoints, as a form, with the person's token."""
        how = {"endpoint": f"{self.client.base}/api/v1/realtime/auth", "headers": self.client.headers}
        return {
            "channelAuthorization": {"transport": "ajax", **how},
            "userAuthentication": {"transport": "ajax", **how},
        }

    async def connect(self, js: "PusherJs", name: str) -> str:
        return await js.connect(name, key=self.key, **self.options())


async def join(api: Client, project: Project, env: Env = "live", name: str = "Ann") -> Person:
    """A person with an identity token (A5), at one API process."""
    claims = {
        "sub": secrets.token_hex(6),
        "name": name,
        "aud": project.id,
        "exp": int(time.time()) + 300,
        "jti": secrets.token_hex(8),
    }
    token = jwt.encode(claims, project.signed_up["identitySecrets"][env], algorithm="HS256")
    app = project.app if env == "live" else project.test_app
    reply = await app.at(api).post("/users/register", {"identityToken": token})
    assert reply.status == 201, reply.json
    client = api.with_token(reply.json["tokens"]["accessToken"], env)
    return Person(reply.json["user"]["id"], client, project.signed_up["apiKeys"][env]["key"], claims["sub"])
