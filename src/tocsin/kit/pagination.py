"""Lists in pages: keyset by id, with a cursor that only its own project and query can use."""

import base64
import hashlib
import os
import struct
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Query
from pydantic import BaseModel, BeforeValidator, Field
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from tocsin.kit.crypto import MasterKey
from tocsin.kit.errors import BadRequest

CURSOR_LIFETIME_SECONDS = 24 * 3600
_PURPOSE = "cursor"

Item = TypeVar("Item")

Sort = Literal["createdAt", "-createdAt"]


class Page(BaseModel, Generic[Item]):
    """One page of a list. ``nextCursor`` is null at the end."""

    items: list[Item]
    nextCursor: str | None


def _digits(value: object) -> object:
    """What Python would read as a number and nobody else: 1_0, +5."""
    if isinstance(value, str) and not (value.isascii() and value.isdecimal()):
        raise ValueError("must be a whole number")
    return value


Limit = Annotated[Annotated[int, Field(ge=1, le=200)], BeforeValidator(_digits)]


class Paging:
    """The paging part of a list request: ``limit``, ``cursor`` and ``sort`` (by creation)."""

    def __init__(
        self,
        limit: Annotated[Limit, Query(description="Items per page.")] = 50,
        cursor: Annotated[str | None, Query(max_length=500, description="`nextCursor` of the page before.")] = None,
        sort: Annotated[Sort, Query(description="Newest first, or oldest first.")] = "-createdAt",
    ) -> None:
        self.limit = limit
        self.cursor = cursor
        self.newest_first = sort == "-createdAt"


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


async def page(
    session: AsyncSession,
    query: Select[Any],
    id_column: InstrumentedAttribute[UUID],
    paging: Paging,
    cursors: Cursors,
    place: bytes,
    shown: Callable[[Any], Any],
) -> dict[str, Any]:
    """Run one page of a query over rows that have a UUIDv7 ``id``."""
    if paging.cursor is not None:
        last = cursors.open(place, paging.cursor)
        query = query.where(id_column < last if paging.newest_first else id_column > last)
    order = id_column.desc() if paging.newest_first else id_column.asc()
    rows = list(await session.scalars(query.order_by(order).limit(paging.limit + 1)))
    more = len(rows) > paging.limit
    rows = rows[: paging.limit]
    last_id: UUID | None = getattr(rows[-1], id_column.key) if more else None
    return {
        "items": [shown(row) for row in rows],
        "nextCursor": cursors.seal(place, last_id) if last_id else None,
    }


def _refused() -> BadRequest:
    return BadRequest("invalid_cursor", "The cursor is not valid for this list; start again without it.")
