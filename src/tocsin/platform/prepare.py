"""The platform's own project: what it needs before anybody can work in it."""

from sqlalchemy import text

from tocsin.auth.permissions import PLATFORM_ROLES
from tocsin.kit.db import Database
from tocsin.kit.ids import PLATFORM_ID, new_id
from tocsin.kit.vault import Vault


async def prepare(db: Database, vault: Vault) -> None:
    """Give the platform its data key and its roles; where they are there, and as this version wants them, nothing."""
    async with db.scope(PLATFORM_ID, "live") as session:
        await session.execute(_ONE_AT_A_TIME)
        if not await session.scalar(_HAS_KEY):
            await vault.new_data_key(session, PLATFORM_ID)
        for name, (description, permissions) in PLATFORM_ROLES.items():
            await session.execute(
                _ROLE,
                {
                    "project": PLATFORM_ID,
                    "id": new_id(),
                    "name": name,
                    "description": description,
                    "permissions": sorted(permissions),
                },
            )


_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('tocsin platform'))")
_HAS_KEY = text("SELECT EXISTS (SELECT FROM tocsin.data_keys)")
_ROLE = text("""
INSERT INTO tocsin.roles AS r (project_id, id, env, name, description, permissions, built_in)
VALUES (:project, :id, 'live', :name, :description, CAST(:permissions AS text[]), true)
ON CONFLICT ON CONSTRAINT roles_name_taken DO UPDATE
SET description = excluded.description, permissions = excluded.permissions, built_in = true, updated_at = now()
WHERE (r.description, r.permissions, r.built_in)
    IS DISTINCT FROM (excluded.description, excluded.permissions, true)
""")
