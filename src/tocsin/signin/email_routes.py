"""Proving and changing one's e-mail address over HTTP (A5, C10)."""

from fastapi import Request

from tocsin.audit.record import record
from tocsin.auth.call import Call
from tocsin.auth.guard import Called, Gated, guarded_router, needs, public
from tocsin.auth.passwords import matches
from tocsin.kit.errors import Conflict, Forbidden
from tocsin.signin.account_schemas import Accepted, EmailChange, EmailVerified, EmailVerify
from tocsin.signin.asking import base_url, visitor
from tocsin.signin.links import read_token, take_link
from tocsin.signin.verification import ask_to_change, ask_to_verify, check_address_limit, confirm
from tocsin.users.models import User
from tocsin.users.people import find_user

router = guarded_router(tags=["auth"])


@router.post("/auth/email/verify", operation_id="verify_email")
@public
async def verify(request: Request, gate: Gated, body: EmailVerify) -> EmailVerified:
    """Use the link of a mail: the address is the person's, and a new address the account's from now on."""
    shown = read_token(body.token)
    async with gate.db.scope(shown.project_id, shown.env) as session:
        taken = await take_link(session, shown, "verify_email", "change_email")
        before = taken.user.email
        await confirm(session, taken)
        user = taken.user
        await session.refresh(user)
        changed = taken.purpose == "change_email"
        metadata = {"before": {"email": before}, "after": {"email": user.email}} if changed else {"email": user.email}
        action = "email.changed" if changed else "email.verified"
        actor = visitor(request, user.id)
        await record(session, user.project_id, user.env, actor, action, "user", user.id, metadata)
        return EmailVerified.model_validate(user)


@router.post("/auth/email/resend", operation_id="resend_verification", status_code=202)
@needs("own:manage", idempotent=False, while_suspended=True)
async def resend(call: Called) -> Accepted:
    """Send the caller the mail that proves their address once more."""
    user = await own_account(call)
    if user.email is None:
        raise Conflict("no_email", "Your account has no e-mail address.")
    if user.email_verified_at is not None:
        raise Conflict("already_verified", "Your e-mail address is confirmed already.")
    await check_address_limit(call.session, user, user.email)
    await ask_to_verify(call.session, call.gate.vault, base_url(call.request), user)
    return Accepted()


@router.post("/auth/email/change", operation_id="change_email", status_code=202)
@needs("own:manage", idempotent=False, while_suspended=True)
async def change(call: Called, body: EmailChange) -> Accepted:
    """Ask for another address: it is mailed a link, the old one a notice. Until the link is used nothing changes."""
    user = await own_account(call)
    if user.password_hash is not None and not await matches(body.password or "", user.password_hash):
        raise Forbidden("wrong_password", "The password is not right.")
    if body.email == user.email:
        raise Conflict("same_email", "This is your address already.")
    await check_address_limit(call.session, user, body.email)
    await ask_to_change(call.session, call.gate.vault, base_url(call.request), user, body.email)
    await call.audit(
        "email.change_requested", "user", user.id, before={"email": user.email}, after={"email": body.email}
    )
    return Accepted()


async def own_account(call: Call) -> User:
    """The caller's own row, in the environment it belongs to."""
    if call.principal.user_id is None:
        raise Forbidden("not_a_user", "An API key is nobody; sign in as a person.")
    user = await find_user(call.session, call.principal.user_id)
    call.write_to(user.env)
    return user
