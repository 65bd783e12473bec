"""People who come through an app that holds only a public key (A5)."""

from sqlalchemy import select, text

from tocsin.auth.guard import Call, Called, client_ip, guarded_router, public_key
from tocsin.auth.schemas import TokensAnswer
from tocsin.kit.errors import Conflict, Unauthorized
from tocsin.kit.ids import new_id, parse_id
from tocsin.signin.sessions import begin_session
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
        user = await register_vouched(call, body.identity_token)
        known = await shown_one(call.session, user)
        await call.audit("user.identified", "user", user.id, after=known.model_dump(mode="json", by_alias=True))
        tokens = await _tokens_for(call, user)
        return RegisterAnswer(user=RegisteredUser(id=user.id, status="active"), tokens=tokens.model_dump(by_alias=True))
    made, status = await register_alone(call, body)
    if made is not None:
        pending = await shown_one(call.session, made)
        await call.audit("user.registered", "user", made.id, after=pending.model_dump(mode="json", by_alias=True))
    # Whether or not the e-mail is known, the answer looks the same and carries a claim token.
    claim = call.gate.tokens.claim(user_id=made.id if made else new_id(), project_id=call.project_id, env=call.env)
    return RegisterAnswer(user=RegisteredUser.model_validate({"id": None, "status": status}), claim_token=claim)


@router.post("/users/register/claim", operation_id="claim_registration", tags=["users"])
@public_key
async def claim(call: Called, body: Claim) -> RegisterAnswer:
    """Turn a claim token into real tokens, once somebody approved the person."""
    claims = call.gate.tokens.read_claim(body.claim_token)
    user_id = parse_id(str(claims["sub"]))
    if claims["projectId"] != str(call.project_id) or claims["env"] != call.env or user_id is None:
        raise Unauthorized("invalid_token", "This claim token belongs elsewhere.")
    user = (await call.session.scalars(select(User).where(User.id == user_id))).one_or_none()
    if user is None or user.status != "active":
        raise Conflict("not_approved", "Nobody has approved this registration yet.")
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
