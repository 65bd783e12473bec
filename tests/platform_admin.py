"""Platform admins for tests: users of the platform's own project, who sign in like anybody."""

import itertools
from dataclasses import dataclass

import asyncpg

from tests.client import PASSWORD, Client
from tocsin.auth.passwords import hash_password
from tocsin.auth.permissions import PLATFORM_ROLES
from tocsin.kit.ids import PLATFORM_ID, new_id

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Admin:
    id: str
    email: str
    name: str
    caller: Client
    """By token, outside of every project."""

    def inside(self, slug: str) -> Client:
        """The same admin, who chooses a project."""
        return self.caller.with_headers(X_Tenant_Id=slug)


async def new_admin(api: Client, sql: asyncpg.Connection, role: str = "super_admin") -> Admin:
    """A platform admin of this role, signed in at this API."""
    user_id, number = new_id(), next(_numbers)
    email, name = f"{role}-{number}@admin.example", f"Operator {number}"
    await sql.execute(
        "INSERT INTO tocsin.users (project_id, id, env, name, email, password_hash, status)"
        " VALUES ($1, $2, 'live', $3, $4, $5, 'active')",
        PLATFORM_ID,
        user_id,
        name,
        email,
        await hash_password(PASSWORD),
    )
    await give_role(sql, str(user_id), role)
    reply = await api.post("/auth/login", {"email": email, "password": PASSWORD, "project": "platform"})
    assert reply.status == 200, reply.json
    return Admin(str(user_id), email, name, api.with_token(reply.json["tokens"]["accessToken"]))


async def give_role(sql: asyncpg.Connection, user_id: str, role: str) -> None:
    """Make this the admin's only role."""
    description, permissions = PLATFORM_ROLES[role]
    await sql.execute(
        "INSERT INTO tocsin.roles (project_id, id, env, name, description, permissions, built_in)"
        " VALUES ($1, $2, 'live', $3, $4, $5, true) ON CONFLICT DO NOTHING",
        PLATFORM_ID,
        new_id(),
        role,
        description,
        sorted(permissions),
    )
    await sql.execute("DELETE FROM tocsin.user_roles WHERE project_id = $1 AND user_id = $2", PLATFORM_ID, user_id)
    await sql.execute(
        "INSERT INTO tocsin.user_roles (project_id, user_id, role_id, env)"
        " SELECT project_id, $2, id, 'live' FROM tocsin.roles WHERE project_id = $1 AND name = $3",
        PLATFORM_ID,
        user_id,
        role,
    )
