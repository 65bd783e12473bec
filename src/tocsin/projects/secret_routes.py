"""Rotation of what a project's backend signs with: identity tokens (A5) and subscriptions of sockets."""

import secrets

from sqlalchemy import select

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.auth.keys import new_identity_secret
from tocsin.auth.revocation import revoke
from tocsin.kit.schema import iso
from tocsin.projects.key_schemas import IdentitySecretRotated, RealtimeSecretRotated, RotateSecret
from tocsin.projects.models import IdentitySecret, RealtimeApp
from tocsin.projects.rotation import masked, rotate_sealed

router = guarded_router(tags=["project"])


@router.post("/projects/me/identity-secrets/rotate")
@needs("keys:manage")
async def rotate_identity_secret(call: Called, body: RotateSecret) -> IdentitySecretRotated:
    """A new identity secret of one environment; tokens signed with the old one are taken for the overlap."""
    query = select(IdentitySecret).where(IdentitySecret.env == body.env).with_for_update()
    row = (await call.session.scalars(query)).one()
    secret = new_identity_secret(body.env)
    await rotate_sealed(call, row, secret, body.overlap_seconds)
    await _record(call, "identity_secret", row, secret)
    return IdentitySecretRotated(env=body.env, secret=secret, previous_until=row.previous_until)


@router.post("/projects/me/realtime/rotate")
@needs("keys:manage")
async def rotate_realtime_secret(call: Called, body: RotateSecret) -> RealtimeSecretRotated:
    """A new secret of one environment's realtime app; what the old one signs is taken for the overlap."""
    query = select(RealtimeApp).where(RealtimeApp.env == body.env).with_for_update()
    row = (await call.session.scalars(query)).one()
    secret = secrets.token_hex(20)
    await rotate_sealed(call, row, secret, body.overlap_seconds)
    await revoke(call.session, call.project_id, "project", str(call.project_id))
    await _record(call, "realtime_app", row, secret)
    return RealtimeSecretRotated(app_id=str(row.app_id), env=body.env, secret=secret, previous_until=row.previous_until)


async def _record(call: Call, kind: str, row: IdentitySecret | RealtimeApp, secret: str) -> None:
    until = iso(row.previous_until) if row.previous_until else None
    await call.audit(f"{kind}.rotated", kind, row.env, after={"secret": masked(secret), "previousUntil": until})
