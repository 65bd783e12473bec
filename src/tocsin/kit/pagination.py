"""Lists in pages: keyset by id, with a cursor that only its own project and query can use."""

from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, Field
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from tocsin.kit.cursors import Cursors

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
