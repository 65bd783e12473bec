"""Texts that a provider approves before they may be sent, as it last said (C8).

Read whole when a connection is verified or checked, and changed in between by what the provider tells. What it tells
late or out of order is put right by the next check.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.channels.contract import Template
from tocsin.kit.db import Table
from tocsin.kit.ids import new_id


class MessageTemplate(Table):
    """``status`` and ``category`` are the provider's words; ``places`` is unknown until the list was read."""

    __tablename__ = "message_templates"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID]
    env: Mapped[str]
    name: Mapped[str]
    language: Mapped[str]
    status: Mapped[str]
    category: Mapped[str | None]
    places: Mapped[int | None]
    changed_at: Mapped[datetime]


async def keep_templates(
    session: AsyncSession, project_id: UUID, connection_id: UUID, templates: Sequence[Template]
) -> None:
    """Exactly these are known from now on; in the scope of the connection."""
    once = {(each.name, each.language): each for each in templates}.values()
    values = {
        "project": project_id,
        "connection": connection_id,
        "ids": [new_id() for _ in once],
        "names": [each.name for each in once],
        "languages": [each.language for each in once],
        "statuses": [each.status for each in once],
        "categories": [each.category or None for each in once],
        "places": [each.places for each in once],
    }
    await session.execute(_FORGET, values)
    await session.execute(_KEEP, values)


async def note_template(
    session: AsyncSession,
    project_id: UUID,
    connection_id: UUID,
    name: str,
    language: str,
    *,
    status: str | None,
    category: str | None,
) -> None:
    """The provider says that one has changed; None leaves what was known. Of an unknown one only a status counts."""
    values = {
        "project": project_id,
        "id": new_id(),
        "connection": connection_id,
        "name": name,
        "language": language,
        "status": status,
        "category": category,
    }
    await session.execute(_NOTE if status is not None else _RECATEGORIZE, values)


_FORGET = text("""
DELETE FROM tocsin.message_templates WHERE connection_id = :connection
    AND (name, language) NOT IN (SELECT * FROM unnest(CAST(:names AS text[]), CAST(:languages AS text[])))
""")
_KEEP = text("""
INSERT INTO tocsin.message_templates AS t
    (project_id, id, connection_id, env, name, language, status, category, places)
SELECT :project, n.id, :connection, tocsin.current_env(), n.name, n.language, n.status, n.category, n.places
FROM unnest(CAST(:ids AS uuid[]), CAST(:names AS text[]), CAST(:languages AS text[]), CAST(:statuses AS text[]),
    CAST(:categories AS text[]), CAST(:places AS integer[])) AS n (id, name, language, status, category, places)
ON CONFLICT (project_id, connection_id, name, language) DO UPDATE
SET status = excluded.status, category = excluded.category, places = excluded.places, changed_at = now()
WHERE (t.status, t.category, t.places) IS DISTINCT FROM (excluded.status, excluded.category, excluded.places)
""")
_NOTE = text("""
INSERT INTO tocsin.message_templates AS t (project_id, id, connection_id, env, name, language, status, category)
VALUES (:project, :id, :connection, tocsin.current_env(), :name, :language, :status, :category)
ON CONFLICT (project_id, connection_id, name, language) DO UPDATE SET status = excluded.status, changed_at = now()
WHERE t.status <> excluded.status
""")
_RECATEGORIZE = text("""
UPDATE tocsin.message_templates SET category = :category, changed_at = now()
WHERE connection_id = :connection AND name = :name AND language = :language
    AND category IS DISTINCT FROM CAST(:category AS text) AND CAST(:category AS text) IS NOT NULL
""")
