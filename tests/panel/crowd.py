"""A project with very many people, for lists that have to stay smooth. Written past the API, which counts them."""

from uuid import UUID

import asyncpg

PEOPLE = 100_000

_FILL = """
INSERT INTO tocsin.users (project_id, id, env, name, email, status, external_user_id)
SELECT $1, ('01f00000-0000-7000-8000-' || lpad(to_hex($2 - n), 12, '0'))::uuid, 'live',
    'Person ' || lpad(n::text, 6, '0'), 'person-' || n || '@crowd.example.com', 'active', 'person-' || n
FROM generate_series(1, $2::int) n
"""


async def crowd(url: str, project_id: str) -> None:
    """Person 000001 is the first of the list."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_FILL, UUID(project_id), PEOPLE)
        await connection.execute("ANALYZE tocsin.users")
    finally:
        await connection.close()
