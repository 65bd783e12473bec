"""People who come through an app that holds only a public key (A5)."""

from typing import Any

from sqlalchemy import select, text

from tocsin.auth.call import Call, client_ip
from tocsin.auth.guard import Called, guarded_router, public_key
from tocsin.auth.schemas import TokensAnswer
from tocsin.kit.errors import Conflict, Unauthorized
from tocsin.kit.ids import new_id, parse_id
from tocsin.mail.post import MOST_PER_ADDRESS, post, within_limit
from tocsin.signin.account_schemas import Accepted
from tocsin.signin.asking import base_url
from tocsin.signin.forgotten import check_source
from tocsin.signin.sessions import begin_session
from tocsin.signin.verification import ask_to_verify
from tocsin.users.models import User
from tocsin.users.people import shown_one
from tocsin.users.register import register_alone, register_vouched
from tocsin.users.schemas import Claim, Register, RegisterAnswer, RegisteredUser

router = guarded_router()


@router.post("/users/register", operation_id="register_user", status_code=201, tags=["users"])
@public_key
async def register(call: Called, body: Register) -> RegisterAnswer:
    """For apps that hold only `pk_...`: register alone and wait for approval, or show an identity token."""
    if body.identity_token is not None:
        user, is_new = await register_vouched(call, body.identity_token)
        known = await shown_one(call.session, user)
        action = "user.registered" if is_new else "user.identified"
        await call.audit(action, "user", user.id, after=known.model_dump(mode="json", by_alias=True))
        tokens = await _tokens_for(call, user)
        return RegisterAnswer(user=RegisteredUser(id=user.id, status="active"), tokens=tokens.model_dump(by_alias=True))
    made, status = await register_alone(call, body)
    if made is not None:
        pending = await shown_one(call.session, made)
        await call.audit("user.registered", "user", made.id, after=pending.model_dump(mode="json", by_alias=True))
    if status == "unverified" and body.email is not None:
        await _mail_about(call, body.email, made)
    # Whether or not the e-mail is known, the answer looks the same and carries a claim token.
    claim = call.gate.tokens.claim(user_id=made.id if made else new_id(), project_id=call.project_id, env=call.env)
    return RegisterAnswer(user=RegisteredUser.model_validate({"id": None, "status": status}), claim_token=claim)


@router.post("/users/register/claim", operation_id="claim_registration", tags=["users"])
@public_key
async def claim(call: Called, body: Claim) -> RegisterAnswer:
    """Turn a claim token into real tokens, once somebody approved the person or their e-mail is proven."""
    claims, user = await _claimed(call, body.claim_token)
    if user is None or user.status != "active":
        raise Conflict("not_approved", "Nobody has approved this registration yet, nor was its e-mail confirmed.")
    used = await call.session.scalar(
        text(
            "INSERT INTO tocsin.used_tokens (project_id, env, jti, expires_at) VALUES"
            " (:project, :env, :jti, to_timestamp(:exp)) ON CONFLICT DO NOTHING RETURNING jti"
        ),
        {"project": call.project_id, "env": call.env, "jti": claims["jti"], "exp": claims["exp"]},
    )
    if used is None:
        raise Unauthorized("invalid_token", "This claim token was used before.")
    tokens = await _tokens_for(call, user)
    return RegisterAnswer(user=RegisteredUser(id=user.id, status="active"), tokens=tokens.model_dump(by_alias=True))


@router.post("/users/register/resend", operation_id="resend_registration", status_code=202, tags=["users"])
@public_key
async def resend(call: Called, body: Claim) -> Accepted:
    """Send the mail that proves the e-mail of a registration once more. The answer is always the same."""
    _, user = await _claimed(call, body.claim_token)
    if user is not None and user.status == "unverified" and user.email is not None:
        await _mail_about(call, user.email, user)
    return Accepted()


async def _claimed(call: Call, token: str) -> tuple[dict[str, Any], User | None]:
    """What a claim token of this project says, and whose it is."""
    claims = call.gate.tokens.read_claim(token)
    user_id = parse_id(str(claims["sub"]))
    if claims["projectId"] != str(call.project_id) or claims["env"] != call.env or user_id is None:
        raise Unauthorized("invalid_token", "This claim token belongs elsewhere.")
    return claims, (await call.session.scalars(select(User).where(User.id == user_id))).one_or_none()


async def _mail_about(call: Call, email: str, made: User | None) -> None:
    """A link for who is new, a word for who is known; to an address that had enough mails, nothing."""
    await check_source(call.session, call.project_id, client_ip(call.request))
    if not await within_limit(call.session, call.project_id, f"address:{email}", MOST_PER_ADDRESS):
        return
    if made is not None:
        await ask_to_verify(call.session, call.gate.vault, base_url(call.request), made)
        return
    known = (await call.session.scalars(select(User).where(User.email == email, User.env == call.env))).one_or_none()
    if known is not None:
        await post(
            call.session,
            call.gate.vault,
            call.project_id,
            call.env,
            "already_registered",
            email,
            {},
            user_id=known.id,
        )


async def _tokens_for(call: Call, user: User) -> TokensAnswer:
    return await begin_session(
        call.gate,
        call.session,
        call.project_id,
        user.id,
        ip=client_ip(call.request),
        user_agent=call.request.headers.get("user-agent"),
        as_plain_user=True,
    )
