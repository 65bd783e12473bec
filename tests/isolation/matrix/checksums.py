"""What a project has in the database, table by table, so that any change shows."""

from uuid import UUID

import asyncpg

_TABLES = """
SELECT c.relname::text FROM pg_class c
WHERE c.relnamespace = 'tocsin'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname NOT IN ('alembic_version', 'api_calls') ORDER BY 1
"""
"""A project's own calls are counted a while after they were made, and times of last use are written then."""


_NOTED = ["last_used_at", "next_check_at"]
"""Columns that processes write for themselves."""

DERIVED = ("usage_hours", "usage_marks", "active_users")
"""Counted anew by the worker now and then, whoever calls."""


async def checksums(sql: asyncpg.Connection, project_id: str) -> dict[str, str]:
    """A digest of all rows of each table that belong to a project; ``sql`` sees past the walls."""
    found = {}
    for (table,) in await sql.fetch(_TABLES):
        if table in DERIVED:
            continue
        column = "id" if table == "projects" else "project_id"
        found[table] = await sql.fetchval(
            "SELECT count(*) || ' ' || COALESCE(md5(string_agg(row, '' ORDER BY row)), '') FROM ("
            f"SELECT md5((to_jsonb(t) - $2::text[])::text) AS row FROM tocsin.{table} t WHERE {column} = $1) t",
            UUID(project_id),
            _NOTED,
        )
    return found
