"""API keys over HTTP (A3)."""

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Response
from sqlalchemy import select

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.auth.keys import new_key, new_secret
from tocsin.auth.revocation import end_key, revoke
from tocsin.kit.errors import Conflict, Forbidden, NotFound
from tocsin.kit.ids import new_id
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.plans.entitlements import check_feature
from tocsin.projects.key_schemas import KeyAnswer, KeyCreate, KeyCreated, KeyUpdate, RotateKey
from tocsin.projects.models import ApiKey
from tocsin.projects.rotation import masked, rotate_secret_of

router = guarded_router(tags=["project"])


@router.post("/projects/me/api-keys", status_code=201)
@needs("keys:manage")
async def create_key(call: Called, body: KeyCreate) -> KeyCreated:
    """A further key. Its secret is in this answer and nowhere else."""
    _check_given(call, body.permissions)
    if body.allowed_ips:
        await check_feature(call.session, call.project_id, "keyIpLists")
    secret = new_secret(body.env)
    mac, hashed = await call.gate.credentials.sealed_secret(secret)
    row = ApiKey(
        project_id=call.project_id,
        id=new_id(),
        key=new_key(body.env),
        secret_mac=mac,
        secret_hash=hashed,
        created_by=call.principal.user_id,
        env=body.env,
        **_columns(body),
    )
    call.session.add(row)
    answer = await _stored(call, row)
    await call.audit("key.created", "api_key", row.id, after=_as_audited(answer))
    return KeyCreated(**answer.model_dump(), secret=secret)


@router.get("/projects/me/api-keys")
@needs("keys:manage")
async def list_keys(call: Called, paging: Annotated[Paging, Depends()]) -> Page[KeyAnswer]:
    found = await page(
        call.session, select(ApiKey), ApiKey.id, paging, call.gate.cursors, call.place, KeyAnswer.model_validate
    )
    return Page[KeyAnswer](**found)


@router.get("/projects/me/api-keys/{key_id}")
@needs("keys:manage")
async def read_key(call: Called, key_id: PathId) -> KeyAnswer:
    return KeyAnswer.model_validate(await _found(call, key_id))


@router.put("/projects/me/api-keys/{key_id}")
@needs("keys:manage")
async def update_key(call: Called, key_id: PathId, body: KeyUpdate) -> KeyAnswer:
    """Change what is sent, on every process within a second. `autoRevokeAfter` begins to count anew."""
    row = await _usable(call, key_id)
    before = _as_audited(KeyAnswer.model_validate(row))
    _check_given(call, set(body.permissions or ()) - set(row.permissions))
    if "allowed_ips" in body.model_fields_set and body.allowed_ips and body.allowed_ips != row.allowed_ips:
        await check_feature(call.session, call.project_id, "keyIpLists")
    for name, value in _columns(body).items():
        setattr(row, name, value)
    if "auto_revoke_after" in body.model_fields_set:
        row.failed_secrets = 0
    if set(before["permissions"]) - set(row.permissions):
        await _sign_again(call, row)
    answer = await _stored(call, row)
    await _forget(call, row)
    await call.audit("key.updated", "api_key", row.id, before=before, after=_as_audited(answer))
    return answer


@router.post("/projects/me/api-keys/{key_id}/rotate")
@needs("keys:manage")
async def rotate_key(call: Called, key_id: PathId, body: RotateKey) -> KeyCreated:
    """A new secret for the same `pk_...`; both count for the overlap. A secret from before the old one does not."""
    row = await _usable(call, key_id)
    # Whoever is shown the secret can do what the key can.
    _check_given(call, row.permissions)
    before = _as_audited(KeyAnswer.model_validate(row))
    secret = await rotate_secret_of(call, row, body.overlap_seconds)
    answer = await _stored(call, row)
    await _forget(call, row)
    if body.overlap_seconds == 0:
        await _sign_again(call, row)
    after = {**_as_audited(answer), "secret": masked(secret)}
    await call.audit("key.rotated", "api_key", row.id, before=before, after=after)
    return KeyCreated(**answer.model_dump(), secret=secret)


@router.delete("/projects/me/api-keys/{key_id}", status_code=204)
@needs("keys:manage", while_suspended=True)
async def revoke_key(call: Called, key_id: PathId) -> Response:
    """Revoke a key: refused by every process within a second."""
    row = await _found(call, key_id)
    row.status = "revoked"
    await end_key(call.session, call.project_id, row.id, row.key)
    _forget_here(call, row)
    await call.audit("key.revoked", "api_key", row.id, before={"name": row.name, "key": row.key})
    return Response(status_code=204)


async def _found(call: Call, key_id: UUID) -> ApiKey:
    row = (await call.session.scalars(select(ApiKey).where(ApiKey.id == key_id))).one_or_none()
    if row is None:
        raise NotFound()
    return row


async def _usable(call: Call, key_id: UUID) -> ApiKey:
    """The key, held against other changes until the end of this one."""
    row = (await call.session.scalars(select(ApiKey).where(ApiKey.id == key_id).with_for_update())).one_or_none()
    if row is None:
        raise NotFound()
    if row.status != "active":
        raise Conflict("key_revoked", "This key is revoked for good; create another one.")
    return row


def _check_given(call: Call, permissions: Iterable[str]) -> None:
    beyond = sorted(set(permissions) - call.principal.permissions)
    if beyond:
        raise Forbidden("permission_missing", f"You cannot give a permission you do not have: {beyond[0]}.")


def _columns(body: KeyCreate | KeyUpdate) -> dict[str, Any]:
    """What was sent, as it is stored."""
    columns = body.model_dump(exclude_unset=isinstance(body, KeyUpdate), exclude={"env", "rate_limit"})
    if "rate_limit" in body.model_fields_set:
        columns["rate_limit"] = body.rate_limit.model_dump(by_alias=True) if body.rate_limit else None
    return columns


async def _stored(call: Call, row: ApiKey) -> KeyAnswer:
    await call.session.flush()
    await call.session.refresh(row)
    return KeyAnswer.model_validate(row)


async def _forget(call: Call, row: ApiKey) -> None:
    """Have every process read the key again."""
    await revoke(call.session, call.project_id, "key", str(row.id))
    _forget_here(call, row)


async def _sign_again(call: Call, row: ApiKey) -> None:
    """Send away the sockets that stand on what the key signed; they come back where it signs for them again."""
    await revoke(call.session, call.project_id, "access", str(row.id))


def _forget_here(call: Call, row: ApiKey) -> None:
    call.after_commit.append(partial(call.gate.credentials.forget_key, row.id))


def _as_audited(answer: KeyAnswer) -> dict[str, Any]:
    return answer.model_dump(mode="json", by_alias=True)
