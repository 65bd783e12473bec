"""The groups and channels that a bot is in, over HTTP: what a destination may be made of (C12)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.connections.rows import find
from tocsin.kit.db import Table
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import Answer, PathId, Time

router = guarded_router(tags=["connections"])


class Chat(Table):
    """``target`` is its id at the provider; ``closed`` where the account was thrown out or left."""

    __tablename__ = "chats"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID]
    target: Mapped[str]
    env: Mapped[str]
    kind: Mapped[str]
    title: Mapped[str]
    state: Mapped[str]
    changed_at: Mapped[datetime]


class ChatAnswer(Answer):
    id: UUID
    target: str = Field(description="What a destination names.", examples=["-1001234567890"])
    kind: str = Field(examples=["supergroup"])
    title: str
    state: Literal["open", "closed"]
    changed_at: Time


@router.get("/connections/{connection_id}/chats", operation_id="list_chats")
@needs("connections:read")
async def list_chats(call: Called, connection_id: PathId, paging: Annotated[Paging, Depends()]) -> Page[ChatAnswer]:
    """Groups and channels that took the bot in, as it noticed; the newest first."""
    await find(call, connection_id)
    query = select(Chat).where(Chat.connection_id == connection_id)
    found = await page(call.session, query, Chat.id, paging, call.gate.cursors, call.place, lambda row: row)
    return Page[ChatAnswer](
        items=[ChatAnswer.model_validate(row) for row in found["items"]], nextCursor=found["nextCursor"]
    )
