"""API keys over HTTP (A3)."""

from typing import Annotated

from fastapi import Depends, Response
from sqlalchemy import select

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.auth.keys import new_key, new_secret
from tocsin.auth.revocation import revoke
from tocsin.kit.errors import Forbidden, NotFound
from tocsin.kit.ids import new_id
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.projects.models import ApiKey
from tocsin.projects.schemas import KeyAnswer, KeyCreate, KeyCreated

router = guarded_router()


@router.post("/projects/me/api-keys", status_code=201, tags=["project"])
@needs("keys:manage")
async def create_key(call: Called, body: KeyCreate) -> KeyCreated:
    """A further key. Its secret is in this answer and nowhere else."""
    beyond = sorted(set(body.permissions) - call.principal.permissions)
    if beyond:
        raise Forbidden("permission_missing", f"You cannot give a permission you do not have: {beyond[0]}.")
    secret = new_secret(body.env)
    mac, hashed = await call.gate.credentials.sealed_secret(secret)
    row = ApiKey(
        project_id=call.project_id,
        id=new_id(),
        env=body.env,
        name=body.name,
        key=new_key(body.env),
        secret_mac=mac,
        secret_hash=hashed,
        permissions=body.permissions,
        allowed_ips=body.allowed_ips,
        expires_at=body.expires_at,
        created_by=call.principal.user_id,
    )
    call.session.add(row)
    await call.session.flush()
    await call.session.refresh(row)
    answer = KeyAnswer.model_validate(row)
    await call.audit("key.created", "api_key", row.id, after=answer.model_dump(mode="json", by_alias=True))
    return KeyCreated(**answer.model_dump(), secret=secret)


@router.get("/projects/me/api-keys", tags=["project"])
@needs("keys:manage")
async def list_keys(call: Called, paging: Annotated[Paging, Depends()]) -> Page[KeyAnswer]:
    found = await page(
        call.session, select(ApiKey), ApiKey.id, paging, call.gate.cursors, call.place, KeyAnswer.model_validate
    )
    return Page[KeyAnswer](**found)


@router.delete("/projects/me/api-keys/{key_id}", status_code=204, tags=["project"])
@needs("keys:manage", while_suspended=True)
async def revoke_key(call: Called, key_id: PathId) -> Response:
    """Revoke a key: refused by every process within a second."""
    row = (await call.session.scalars(select(ApiKey).where(ApiKey.id == key_id))).one_or_none()
    if row is None:
        raise NotFound()
    row.status = "revoked"
    await revoke(call.session, call.project_id, "key", str(row.id))
    await revoke(call.session, call.project_id, "public_key", row.key)
    await call.audit("key.revoked", "api_key", row.id, before={"name": row.name, "key": row.key})
    call.gate.credentials.forget_key(row.id)
    return Response(status_code=204)
