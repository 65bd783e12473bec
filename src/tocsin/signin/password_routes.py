"""Forgotten and changed passwords over HTTP (A4)."""

from typing import cast

from fastapi import Request, Response

from tocsin.audit.record import record
from tocsin.auth.call import client_ip
from tocsin.auth.guard import Called, Gated, guarded_router, needs, public
from tocsin.auth.passwords import hash_password, matches
from tocsin.kit.broker import Broker
from tocsin.kit.errors import Forbidden
from tocsin.signin.account_schemas import Accepted, PasswordChange, PasswordForgot, PasswordReset
from tocsin.signin.asking import base_url, visitor
from tocsin.signin.email_routes import own_account
from tocsin.signin.forgotten import ask
from tocsin.signin.links import check_link, read_token, take_link
from tocsin.signin.passwords import replace_password

router = guarded_router(tags=["auth"])


@router.post("/auth/password/forgot", operation_id="forgot_password", status_code=202)
@public
async def forgot(request: Request, gate: Gated, body: PasswordForgot) -> Accepted:
    """Mail a link for a new password to whom this address belongs. The answer is the same for every address."""
    slug = await gate.tenants.chosen(request.scope, body.project)
    await ask(gate.db, body.email, slug, base_url(request), client_ip(request))
    cast(Broker, request.app.state.broker).wake("forgot")
    return Accepted()


@router.post("/auth/password/reset", operation_id="reset_password", status_code=204)
@public
async def reset(request: Request, gate: Gated, body: PasswordReset) -> Response:
    """Set a new password with the link of a mail. Every session of the person ends; sign in afterwards."""
    shown = read_token(body.token)
    await check_link(gate.db, shown, "reset_password")
    password_hash = await hash_password(body.password)
    async with gate.db.scope(shown.project_id, shown.env) as session:
        taken = await take_link(session, shown, "reset_password")
        user = taken.user
        ended = await replace_password(session, gate.vault, user, password_hash, reason="the password was reset")
        actor = visitor(request, user.id)
        metadata = {"sessionsEnded": ended}
        await record(session, user.project_id, user.env, actor, "password.reset", "user", user.id, metadata)
    return Response(status_code=204)


@router.post("/auth/password/change", operation_id="change_password", status_code=204)
@needs("own:manage", idempotent=False, while_suspended=True)
async def change(call: Called, body: PasswordChange) -> Response:
    """Set a new password, knowing the present one. Every other session of the person ends."""
    user = await own_account(call)
    if not await matches(body.current, user.password_hash):
        raise Forbidden("wrong_password", "The current password is not right.")
    password_hash = await hash_password(body.new)
    ended = await replace_password(
        call.session,
        call.gate.vault,
        user,
        password_hash,
        reason="the password was changed",
        keep=call.principal.session_id,
    )
    await call.audit("password.changed", "user", user.id, sessionsEnded=ended)
    return Response(status_code=204)
