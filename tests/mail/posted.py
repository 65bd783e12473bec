"""An installation that can send mail: an API, a worker, and a mail server of somebody else."""

from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.client import Client, Project, sign_up
from tests.mail.mailbox import Mailboxes, token_in, url_in
from tests.running import Process, Site

PUBLIC_URL = "https://tocsin.platform.example"


@dataclass
class Posted:
    """What tests of mailed links work with; ``sql`` sees past all walls."""

    site: Site
    api: Client
    boxes: Mailboxes
    sql: asyncpg.Connection
    worker: Process

    async def sign_up(self, name: str = "Acme", **fields: Any) -> Project:
        return await sign_up(self.api, name, **fields)

    async def token(self, address: str, subject: str) -> str:
        """The token of the newest unread mail with such a subject."""
        mail = await self.boxes.next(address, subject)
        assert url_in(mail).startswith(f"{PUBLIC_URL}/account/")
        return token_in(mail)

    async def invited(self, project: Project, email: str, **fields: Any) -> str:
        """Invite somebody; the token they are mailed."""
        reply = await project.owner.post("/invites", {"email": email, **fields})
        assert reply.status == 201, reply.json
        return await self.token(email, "You are invited")

    async def member(self, project: Project, email: str, *roles: str, password: str = "a member's password") -> Client:
        """Somebody who came by an invitation, signed in."""
        token = await self.invited(project, email, roles=list(roles) or ["user"])
        reply = await self.api.post("/invites/accept", {"token": token, "password": password})
        assert reply.status == 200, reply.json
        return self.api.with_token(reply.json["tokens"]["accessToken"])

    async def actions(self, project: Project) -> list[str]:
        rows = await self.sql.fetch("SELECT action FROM tocsin.audit_log WHERE project_id = $1 ORDER BY id", project.id)
        return [row["action"] for row in rows]
