"""Sounds as answers: the project's own, and the built-in ones as if they were its rows."""

from typing import Any, Literal, cast
from uuid import UUID

from sqlalchemy import Select, literal, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from tocsin.auth.call import Call
from tocsin.kit.errors import NotFound
from tocsin.sounds.built_in import BUILT_IN, BY_DIGEST, BY_ID, MADE_AT
from tocsin.sounds.links import SoundLinks
from tocsin.sounds.models import Sound
from tocsin.sounds.schemas import SoundAnswer

MP3 = "audio/mpeg"

_CONTENT = text("SELECT data FROM tocsin.sounds WHERE digest = :digest LIMIT 1")


def shown(call: Call, sound: Sound) -> SoundAnswer:
    url = cast(SoundLinks, call.request.app.state.sound_links).make(call.project_id, call.env, sound.digest)
    assert url is not None
    return SoundAnswer(
        id=sound.id,
        env=cast(Literal["live", "test"], sound.env),
        name=sound.name,
        content_type=sound.content_type,
        duration=sound.duration_ms / 1000,
        bytes=sound.bytes,
        built_in=sound.id in BY_ID,
        url=url,
        created_by=sound.created_by,
        created_at=sound.created_at,
    )


async def find(session: AsyncSession, sound_id: UUID) -> Sound:
    """A sound of the project's own. Raises NotFound."""
    sound = (await session.scalars(select(Sound).where(Sound.id == sound_id))).one_or_none()
    if sound is None:
        raise NotFound()
    return sound


def everything(call: Call) -> Any:
    """An entity like `Sound` that has the built-in ones too."""
    return aliased(Sound, union_all(select(Sound), *_built_in(call)).subquery())


def _built_in(call: Call) -> list[Select[Any]]:
    columns = Sound.__table__.columns
    return [
        select(*(literal(getattr(row, column.name), column.type).label(column.name) for column in columns))
        for row in (as_row(call, sound_id) for sound_id in BY_ID)
    ]


def as_row(call: Call, sound_id: UUID) -> Sound:
    """A built-in sound as if it were the caller's, in no session."""
    ours = BY_ID[sound_id]
    return Sound(
        project_id=call.project_id,
        id=ours.id,
        env=call.env,
        name=ours.name,
        content_type=MP3,
        duration_ms=ours.duration_ms,
        bytes=len(BUILT_IN[ours.name].data),
        digest=ours.digest,
        created_by=None,
        created_at=MADE_AT,
    )


async def content(session: AsyncSession, digest: str) -> bytes | None:
    """The file with this digest that the scope may hear; None where it is gone."""
    ours = BY_DIGEST.get(digest)
    return ours.data if ours else await session.scalar(_CONTENT, {"digest": digest})
