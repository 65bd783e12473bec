"""Where a list goes on: a sealed place that only its own project and query can use."""

import base64
import hashlib
import os
import struct
import time
from collections.abc import Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tocsin.kit.crypto import MasterKey
from tocsin.kit.errors import BadRequest

CURSOR_LIFETIME_SECONDS = 24 * 3600
_PURPOSE = "cursor"


class Cursors:
    """Seals and opens cursors under a key of the installation."""

    def __init__(self, master: MasterKey) -> None:
        self._master = master

    def seal(self, place: bytes, last: UUID) -> str:
        nonce = os.urandom(12)
        plain = struct.pack(">Q", int(time.time())) + last.bytes
        sealed = AESGCM(self._master.derive(_PURPOSE)).encrypt(nonce, plain, place)
        return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")

    def open(self, place: bytes, cursor: str) -> UUID:
        try:
            sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            plain = self._opened(sealed, place)
        except (ValueError, InvalidTag):
            raise _refused() from None
        (made,) = struct.unpack(">Q", plain[:8])
        if time.time() - made > CURSOR_LIFETIME_SECONDS:
            raise _refused()
        return UUID(bytes=plain[8:])

    def _opened(self, sealed: bytes, place: bytes) -> bytes:
        for key in self._master.tries(_PURPOSE):
            try:
                return AESGCM(key).decrypt(sealed[:12], sealed[12:], place)
            except InvalidTag:
                continue
        raise InvalidTag


def place_of(project_id: UUID, env: str, path: str, filters: Sequence[tuple[str, str]]) -> bytes:
    """What a cursor is bound to: project, environment, path and every filter but limit and cursor."""
    query = sorted((name, value) for name, value in filters if name not in ("limit", "cursor"))
    return hashlib.sha256(repr((str(project_id), env, path, query)).encode()).digest()


def _refused() -> BadRequest:
    return BadRequest("invalid_cursor", "The cursor is not valid for this list; start again without it.")
