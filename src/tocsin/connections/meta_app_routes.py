"""Apps at Meta over HTTP (C8)."""

from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import Field, SecretStr
from sqlalchemy import select, text

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.connections.meta_apps import (
    MetaApp,
    callback_url,
    find,
    find_to_change,
    give_address,
    numbers_under,
    put_under,
    unknown_numbers,
)
from tocsin.connections.schemas import Name
from tocsin.kit.ids import new_id
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import Answer, Body, FilterId, PathId, Time
from tocsin.settings import Settings

router = guarded_router(tags=["connections"])

MOST_NUMBERS = 100

_TOUCH = text("UPDATE tocsin.meta_apps SET updated_at = now() WHERE id = :id")

AppSecret = Annotated[SecretStr, Field(min_length=16, max_length=128)]
ConnectionIds = Annotated[list[FilterId], Field(max_length=MOST_NUMBERS)]


class MetaAppCreate(Body):
    """An app of Meta's that has several numbers of the project."""

    name: Name
    app_secret: AppSecret = Field(description="From the app's basic settings; proves what Meta sends.")
    connection_ids: ConnectionIds = Field([], description="Connections to the numbers under this app.")


class MetaAppUpdate(Body):
    """What is left out stays as it is."""

    name: Name | None = None
    app_secret: AppSecret | None = None
    connection_ids: ConnectionIds | None = Field(None, description="Replaces all of them.")


class MetaAppAnswer(Answer):
    id: UUID
    env: str
    name: str
    callback_url: str = Field(description="To be entered in the app, with the verify token.")
    app_secret: str = Field(description="Its last four characters.")
    connection_ids: list[UUID]
    handshake_at: Time | None = Field(description="When Meta last found the address to be ours.")
    last_received_at: Time | None
    created_at: Time
    updated_at: Time


class UnknownNumber(Answer):
    phone_number_id: str
    items: int
    last_received_at: Time


class MetaAppDetails(MetaAppAnswer):
    """With what has to be entered at Meta, and what came in for numbers that nobody registered."""

    verify_token: str
    unknown_numbers: list[UnknownNumber] = Field(description="Of the last seven days.")


@router.post("/meta-apps", operation_id="create_meta_app", status_code=201)
@needs("connections:manage")
async def create(request: Request, call: Called, body: MetaAppCreate) -> MetaAppDetails:
    """Register an app; its address and verify token are in the answer."""
    row = MetaApp(project_id=call.project_id, id=new_id(), env=call.env, name=body.name)
    row.app_secret = await _sealed(call, row, body.app_secret)
    await give_address(call, row)
    call.session.add(row)
    await call.session.flush()
    await put_under(call, row, body.connection_ids)
    await call.session.refresh(row)
    answer = await _details(request, call, row)
    await call.audit("meta_app.created", "meta_app", row.id, after=_audited(answer))
    return answer


@router.get("/meta-apps", operation_id="list_meta_apps")
@needs("connections:read")
async def list_apps(request: Request, call: Called, paging: Annotated[Paging, Depends()]) -> Page[MetaAppAnswer]:
    found = await page(
        call.session, select(MetaApp), MetaApp.id, paging, call.gate.cursors, call.place, lambda row: row
    )
    items = [await _shown(request, call, row) for row in found["items"]]
    return Page[MetaAppAnswer](items=items, nextCursor=found["nextCursor"])


@router.get("/meta-apps/{app_id}", operation_id="read_meta_app")
@needs("connections:manage")
async def read(request: Request, call: Called, app_id: PathId) -> MetaAppDetails:
    return await _details(request, call, await find(call, app_id))


@router.put("/meta-apps/{app_id}", operation_id="change_meta_app")
@needs("connections:manage")
async def change(request: Request, call: Called, app_id: PathId, body: MetaAppUpdate) -> MetaAppDetails:
    row = await find_to_change(call, app_id)
    before = _audited(await _shown(request, call, row))
    if body.name is not None:
        row.name = body.name
    if body.app_secret is not None:
        row.app_secret = await _sealed(call, row, body.app_secret)
    if body.connection_ids is not None:
        await put_under(call, row, body.connection_ids)
    return await _changed(request, call, row, "meta_app.updated", before)


@router.post("/meta-apps/{app_id}/regenerate", operation_id="regenerate_meta_app")
@needs("connections:manage")
async def regenerate(request: Request, call: Called, app_id: PathId) -> MetaAppDetails:
    """Another address and another verify token; Meta is refused until both are entered there."""
    row = await find_to_change(call, app_id)
    before = _audited(await _shown(request, call, row))
    await give_address(call, row)
    return await _changed(request, call, row, "meta_app.regenerated", before)


@router.delete("/meta-apps/{app_id}", operation_id="delete_meta_app", status_code=204)
@needs("connections:manage")
async def remove(request: Request, call: Called, app_id: PathId) -> Response:
    """Hear this app no more. The connections stay, and keep the addresses of their own."""
    row = await find_to_change(call, app_id)
    before = _audited(await _shown(request, call, row))
    await call.session.delete(row)
    await call.audit("meta_app.deleted", "meta_app", row.id, before=before)
    return Response(status_code=204)


async def _changed(request: Request, call: Call, row: MetaApp, action: str, before: dict[str, Any]) -> MetaAppDetails:
    await call.session.flush()
    await call.session.execute(_TOUCH, {"id": row.id})
    await call.session.refresh(row)
    answer = await _details(request, call, row)
    await call.audit(action, "meta_app", row.id, before=before, after=_audited(answer))
    return answer


async def _shown(request: Request, call: Call, row: MetaApp) -> MetaAppAnswer:
    settings = cast(Settings, request.app.state.settings)
    secret = await call.open("meta_apps", row.id, "app_secret", row.app_secret)
    values = {name: getattr(row, name) for name in ("id", "env", "name", "handshake_at", "last_received_at")}
    return MetaAppAnswer(
        **values,
        callback_url=callback_url(settings, row),
        app_secret=f"****{secret[-4:]}",
        connection_ids=await numbers_under(call.session, row.id),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def _details(request: Request, call: Call, row: MetaApp) -> MetaAppDetails:
    answer = await _shown(request, call, row)
    return MetaAppDetails(
        **answer.model_dump(),
        verify_token=await call.open("meta_apps", row.id, "verify_token", row.verify_token),
        unknown_numbers=[UnknownNumber(**each._asdict()) for each in await unknown_numbers(call.session, row.id)],
    )


def _audited(answer: MetaAppAnswer) -> dict[str, Any]:
    """What the audit log keeps: nothing that opens the address."""
    hidden = {"verify_token", "unknown_numbers", "callback_url"}
    return answer.model_dump(mode="json", by_alias=True, exclude=hidden)


async def _sealed(call: Call, row: MetaApp, secret: SecretStr) -> str:
    return await call.seal("meta_apps", row.id, "app_secret", secret.get_secret_value())
