"""`/sound-files/{name}`: where players get a sound. Not of the API's document: whoever has an address needs no more."""

from typing import cast

from fastapi import APIRouter, Request, Response

from tocsin.auth.guard import gate_of
from tocsin.kit.errors import NotFound
from tocsin.sounds.links import PATH, SoundLinks
from tocsin.sounds.ranges import file_answer
from tocsin.sounds.show import MP3, content

router = APIRouter(include_in_schema=False)


@router.get(f"{PATH}/{{name}}")
async def play(request: Request, name: str) -> Response:
    """The content that the address was signed for, while a sound of the project has it."""
    link = cast(SoundLinks, request.app.state.sound_links).read(name)
    if link is None:
        raise NotFound()
    async with gate_of(request).db.scope(link.project_id, link.env) as session:
        data = await content(session, link.digest)
    if data is None:
        raise NotFound()
    return file_answer(data, link.digest, request.headers, MP3, "inline", shared=True)
