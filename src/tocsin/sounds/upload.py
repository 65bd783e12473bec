"""Taking a sound in: what was uploaded, and what is kept of it."""

import hashlib
from uuid import UUID

from fastapi import UploadFile
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tocsin.auth.call import Call
from tocsin.kit.db import violated
from tocsin.kit.errors import Conflict, FieldError, Forbidden, Invalid, TooLarge
from tocsin.kit.ids import new_id
from tocsin.plans.totals import room_for
from tocsin.sounds.bounds import Outcome
from tocsin.sounds.names import hold
from tocsin.sounds.show import MP3

MOST_BYTES = 5 * 1024 * 1024
MOST_IN_SANDBOX = 50
"""No plan limits the sandbox."""


async def uploaded(file: UploadFile) -> bytes:
    """The bytes that were sent, their name forgotten."""
    read = await file.read(MOST_BYTES + 1)
    if len(read) > MOST_BYTES:
        raise TooLarge("sound_too_large", f"A sound may have {MOST_BYTES // 1024 // 1024} MiB at most.")
    if not read:
        raise Invalid([FieldError("/file", "sound_empty", "There is nothing in the file.")], code="sound_empty")
    return read


async def keep(call: Call, name: str, outcome: Outcome) -> UUID:
    """A new sound. Raises Forbidden over the limits of the plan, Conflict where the name is taken."""
    async with room_for(call.session, call.project_id, call.env, "sounds", "storageBytes"):
        await hold(call.session, call.project_id)
        if call.env == "test" and (await call.session.scalar(_IN_SANDBOX) or 0) >= MOST_IN_SANDBOX:
            raise Forbidden("limit_reached", f"The sandbox keeps {MOST_IN_SANDBOX} sounds at most.")
        return await _insert(call, name, outcome)


async def _insert(call: Call, name: str, outcome: Outcome) -> UUID:
    sound_id = new_id()
    row = {
        "project": call.project_id,
        "id": sound_id,
        "env": call.env,
        "name": name,
        "type": MP3,
        "duration": outcome.milliseconds,
        "bytes": len(outcome.file),
        "digest": hashlib.sha256(outcome.file).hexdigest()[:32],
        "data": outcome.file,
        "author": call.principal.id,
    }
    try:
        await call.session.execute(_INSERT, row)
    except IntegrityError as error:
        if violated(error) == "sounds_name_taken":
            raise Conflict("sound_exists", "There is already a sound of this name.") from None
        raise
    return sound_id


_IN_SANDBOX = text("SELECT count(*) FROM tocsin.sounds WHERE env = 'test'")
_INSERT = text("""
INSERT INTO tocsin.sounds (project_id, id, env, name, content_type, duration_ms, bytes, digest, data, created_by)
VALUES (:project, :id, :env, :name, :type, :duration, :bytes, :digest, :data, :author)
""")
