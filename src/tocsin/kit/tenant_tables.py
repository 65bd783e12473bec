"""The tables that hold rows of projects, as the database's own catalogue knows them.

For what must miss none of them, those of later versions included: the export and the purge of a project.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    quoted: str
    type: str


@dataclass(frozen=True, slots=True)
class TenantTable:
    """A table with a ``project_id``; ``quoted`` names are ready for SQL. ``key`` is the rest of its primary key."""

    name: str
    quoted: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    parents: frozenset[str]

    @property
    def has_env(self) -> bool:
        return any(column.name == "env" for column in self.columns)


async def tenant_tables(session: AsyncSession) -> list[TenantTable]:
    """All of them, each behind those that it refers to; partitions are in their parent."""
    waiting = {row.name: _table(*row) for row in await session.execute(_TABLES)}
    ordered: list[TenantTable] = []
    while waiting:
        ready = [table for table in waiting.values() if not table.parents & waiting.keys() - {table.name}]
        if not ready:
            raise RuntimeError(f"tables refer to each other in a circle: {sorted(waiting)}")
        ordered += ready
        waiting = {name: table for name, table in waiting.items() if table not in ready}
    return ordered


def _table(name: str, quoted: str, columns: list[list[str]], key: list[str], parents: list[str]) -> TenantTable:
    return TenantTable(name, quoted, tuple(Column(*each) for each in columns), tuple(key), frozenset(parents))


_TABLES = text("""
SELECT c.relname::text AS name, format('tocsin.%I', c.relname) AS quoted,
    (SELECT json_agg(json_build_array(a.attname, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod))
        ORDER BY a.attnum)
     FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    ARRAY(SELECT quote_ident(a.attname) FROM pg_catalog.pg_index i
        CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
        WHERE i.indrelid = c.oid AND i.indisprimary AND a.attname <> 'project_id' ORDER BY k.place) AS key,
    ARRAY(SELECT DISTINCT p.relname::text FROM pg_catalog.pg_constraint f
        JOIN pg_catalog.pg_class p ON p.oid = f.confrelid
        WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid AND p.relname <> 'projects') AS parents
FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'tocsin'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attname = 'project_id' AND NOT a.attisdropped)
ORDER BY 1
""")
