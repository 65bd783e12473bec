"""Sounds over HTTP: a project's library."""

from typing import Annotated, Any, Literal, cast

from fastapi import Depends, Form, Query, Request, Response
from sqlalchemy import delete, select

from tocsin.auth.guard import Admitted, Called, guarded_router, needs
from tocsin.kit.errors import Conflict, NotFound
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.sounds.built_in import BY_ID
from tocsin.sounds.models import Sound
from tocsin.sounds.names import hold, refuse_in_use
from tocsin.sounds.ranges import DOCUMENTED, file_answer
from tocsin.sounds.recoding import Recoder
from tocsin.sounds.schemas import SoundAnswer, SoundUpload
from tocsin.sounds.show import MP3, as_row, content, everything, find, shown
from tocsin.sounds.upload import keep, uploaded

router = guarded_router(tags=["sounds"])

WAV = "audio/wav"


def _recoder(request: Request) -> Recoder:
    return cast(Recoder, request.app.state.recoder)


Recoding = Annotated[Recoder, Depends(_recoder)]
Uploaded = Annotated[SoundUpload, Form(media_type="multipart/form-data")]


@router.post("/sounds", operation_id="create_sound", status_code=201)
@needs("sounds:manage", network_first=True, upload=True)
async def create(admitted: Admitted, recoder: Recoding, body: Uploaded) -> SoundAnswer:
    """Upload a sound. It is kept as an MP3 made of it, without anything else that was in the file."""
    outcome = await recoder.recoded(await uploaded(body.file))
    call = await admitted.begin()
    answer = shown(call, await find(call.session, await keep(call, body.name, outcome)))
    await call.audit("sound.created", "sound", answer.id, after=answer.model_dump(mode="json", by_alias=True))
    return answer


@router.get("/sounds")
@needs("sounds:read")
async def list_sounds(call: Called, paging: Annotated[Paging, Depends()]) -> Page[SoundAnswer]:
    """The project's sounds and, as the oldest, those that are built in."""
    listed = everything(call)

    def one(sound: Any) -> SoundAnswer:
        return shown(call, sound)

    found = await page(call.session, select(listed), listed.id, paging, call.gate.cursors, call.place, one)
    return Page[SoundAnswer](**found)


@router.get(
    "/sounds/{sound_id}/file",
    operation_id="read_sound_file",
    response_class=Response,
    responses={**DOCUMENTED, 200: {"content": {MP3: {}, WAV: {}}, "description": "The file."}},
)
@needs("sounds:read", network_first=True)
async def read_file(
    admitted: Admitted,
    recoder: Recoding,
    request: Request,
    sound_id: PathId,
    format: Annotated[Literal["mp3", "wav"], Query(description="wav: to be put into an app.")] = "mp3",
) -> Response:
    """The sound as a file. It never changes; `Range` and `If-None-Match` are understood."""
    async with admitted.transaction() as call:
        sound = as_row(call, sound_id) if sound_id in BY_ID else await find(call.session, sound_id)
        name, digest = sound.name, sound.digest
        data = await content(call.session, digest)
    if data is None:
        raise NotFound()
    private = f'attachment; filename="{name}.{format}"'
    if format == "mp3":
        return file_answer(data, digest, request.headers, MP3, private)
    return file_answer((await recoder.recoded(data, "WAV")).file, f"{digest}-wav", request.headers, WAV, private)


@router.delete("/sounds/{sound_id}", operation_id="delete_sound", status_code=204)
@needs("sounds:manage")
async def remove(call: Called, sound_id: PathId) -> Response:
    """Delete a sound that no rule and no default names. Notifications that were made are silent from now on."""
    if sound_id in BY_ID:
        raise Conflict("built_in_sound", "Built-in sounds cannot be deleted.")
    await hold(call.session, call.project_id)
    sound = await find(call.session, sound_id)
    call.write_to(sound.env)
    await refuse_in_use(call.session, sound)
    before = shown(call, sound).model_dump(mode="json", by_alias=True)
    await call.session.execute(delete(Sound).where(Sound.id == sound_id))
    await call.audit("sound.deleted", "sound", sound_id, before=before)
    return Response(status_code=204)
