"""What a project has in the database, table by table, so that any change shows."""

from uuid import UUID

import asyncpg

_TABLES = """
SELECT c.relname::text FROM pg_class c
WHERE c.relnamespace = 'tocsin'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname <> 'alembic_version' ORDER BY 1
"""


async def checksums(sql: asyncpg.Connection, project_id: str) -> dict[str, str]:
    """A digest of all rows of each table that belong to a project; ``sql`` sees past the walls."""
    found = {}
    for (table,) in await sql.fetch(_TABLES):
        column = "id" if table == "projects" else "project_id"
        found[table] = await sql.fetchval(
            f"SELECT count(*) || ' ' || COALESCE(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '')"
            f" FROM tocsin.{table} t WHERE {column} = $1",
            UUID(project_id),
        )
    return found
