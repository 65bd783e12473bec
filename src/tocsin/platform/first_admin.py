"""Whether an installation has its first admin, for a process that does nothing else with the database."""

import asyncpg

from tocsin.kit.ids import PLATFORM_ID
from tocsin.platform.links import Links

NOBODY_YET = "there is no super admin"
"""The state in which the first admin's link is good."""

HAS_SUPER_ADMIN = """
SELECT EXISTS (
    SELECT FROM tocsin.user_roles ur
    JOIN tocsin.roles r ON r.project_id = ur.project_id AND r.id = ur.role_id
    JOIN tocsin.users u ON u.project_id = ur.project_id AND u.id = ur.user_id
    WHERE r.name = 'super_admin' AND r.built_in AND u.status = 'active' AND u.password_hash IS NOT NULL)
"""
"""Whether somebody can sign in who may do everything; in the scope of the platform's project."""


_SCOPE = "SELECT set_config('tocsin.project', $1, true), set_config('tocsin.env', 'live', true)"


async def first_link(app_url: str, links: Links) -> str | None:
    """The token of the first admin's link, while there is none."""
    connection = await asyncpg.connect(app_url, timeout=10)
    try:
        async with connection.transaction():
            await connection.execute(_SCOPE, str(PLATFORM_ID))
            there = await connection.fetchval(HAS_SUPER_ADMIN)
    finally:
        await connection.close()
    return None if there else links.make(PLATFORM_ID, None, NOBODY_YET)
