"""What names of sounds stand for, and what keeps a sound from being deleted."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.errors import Conflict, FieldError
from tocsin.sounds.built_in import BUILT_IN
from tocsin.sounds.models import Sound

MOST_NAMED = 5


async def unknown_names(session: AsyncSession, project_id: UUID, named: Mapping[str, str]) -> list[FieldError]:
    """Mistakes by their pointers: names of sounds that are neither the project's nor built in.

    Until the end of the transaction nobody deletes a sound, so that what is saved in it keeps its sounds.
    """
    wanted = set(named.values()) - BUILT_IN.keys()
    if not wanted:
        return []
    await session.execute(_KEEP, {"name": _lock(project_id)})
    known = set(await session.scalars(select(Sound.name).where(Sound.name.in_(wanted))))
    return [
        FieldError(pointer, "unknown_sound", f"There is no sound {name[:63]!r}; GET /sounds lists those there are.")
        for pointer, name in named.items()
        if name in wanted - known
    ]


async def default_sound(session: AsyncSession, topic: str | None, priority: str) -> str | None:
    """By what a notification is heard whose rule names no sound."""
    name: str | None = await session.scalar(_PRESET, {"topic": topic, "priority": priority})
    return name


async def refuse_in_use(session: AsyncSession, sound: Sound) -> None:
    """Raise Conflict naming what would be left without its sound; the caller holds the project's sounds."""
    rules = list(await session.scalars(_RULES, {"name": sound.name, "env": sound.env, "most": MOST_NAMED + 1}))
    if rules:
        raise Conflict("sound_in_use", f"Rules still name this sound: {_listed(rules)}. Change them first.")
    if await session.scalar(_DEFAULT, {"name": sound.name, "env": sound.env}):
        raise Conflict("sound_in_use", "The defaults still name this sound; change them first.")


async def hold(session: AsyncSession, project_id: UUID) -> None:
    """Let nobody else add, delete or begin to name sounds of this project until the end of the transaction."""
    await session.execute(_HOLD, {"name": _lock(project_id)})


def _lock(project_id: UUID) -> str:
    return f"sounds:{project_id}"


def _listed(names: Iterable[str]) -> str:
    first = list(names)
    more = " and others" if len(first) > MOST_NAMED else ""
    return ", ".join(repr(name) for name in first[:MOST_NAMED]) + more


_KEEP = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))")
_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_RULES = text("SELECT name FROM tocsin.rules WHERE sound = :name AND env = :env ORDER BY id LIMIT :most")
_PRESET = text("""
SELECT coalesce(d.topics->>:topic, d.priorities->>:priority) FROM tocsin.sound_defaults d ORDER BY d.env DESC LIMIT 1
""")
_DEFAULT = text("""
SELECT EXISTS (
    SELECT FROM tocsin.sound_defaults d
    CROSS JOIN LATERAL (SELECT value FROM json_each_text(d.topics) UNION ALL
        SELECT value FROM json_each_text(d.priorities)) AS each
    WHERE d.env = :env AND each.value = :name)
""")
