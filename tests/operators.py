"""Platform admins for tests, made by what `tocsin admin create` calls."""

import asyncio
import itertools
import sys
from dataclasses import dataclass

from tests.client import PASSWORD, Client
from tests.running import Site
from tocsin.admin import create
from tocsin.kit.roles import Roles
from tocsin.settings import Settings
from tocsin.startup import Installation

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Operator:
    """A signed-in platform admin."""

    id: str
    email: str
    name: str
    client: Client
    """By token, outside of every project."""

    def inside(self, slug: str) -> Client:
        """The same admin, who chooses a project."""
        return self.client.with_headers(X_Tenant_Id=slug)


async def operator(api: Client, site: Site, role: str = "super_admin") -> Operator:
    """A new platform admin of this role, signed in at this API."""
    number = next(_numbers)
    email = f"{role.replace('_', '-')}-{number}@operator.example"
    settings = Settings.model_validate({"database_url": site.installer_url, "home": site.home})
    await create(Installation(settings, site.master, Roles()), email, f"Operator {number}", role, PASSWORD)
    return await signed_in(api, email)


async def signed_in(api: Client, email: str, password: str = PASSWORD) -> Operator:
    reply = await api.post("/platform/auth/login", {"email": email, "password": password})
    assert reply.status == 200, reply.json
    user = reply.json["user"]
    return Operator(user["id"], email, user["name"], api.with_token(reply.json["tokens"]["accessToken"]))


async def admin_create(site: Site, *words: str, typed: str = "") -> tuple[int, str]:
    """`tocsin admin create` beside a running installation: its exit code and everything it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tocsin", "admin", "create", *words),
        cwd=site.home,
        env=site.environment(8700),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(f"{typed}\n".encode())
    assert process.returncode is not None
    return process.returncode, output.decode()


def token_of(link: str) -> str:
    """What follows # in a one-time link."""
    address, _, token = link.strip().rpartition("#")
    assert address.endswith("/setup"), link
    return token
