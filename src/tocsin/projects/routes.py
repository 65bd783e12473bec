"""Sign-up, signing in and out, the project itself, and its API keys over HTTP."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import Field
from sqlalchemy import select, text

from tocsin.audit.record import Actor
from tocsin.auth.guard import (
    Call,
    Called,
    Gate,
    Gated,
    client_ip,
    guarded_router,
    needs,
    public,
    public_key,
    request_id,
)
from tocsin.auth.keys import new_key, new_secret
from tocsin.auth.passwords import matches
from tocsin.auth.revocation import revoke
from tocsin.auth.schemas import RefreshAnswer, RefreshBody, TokensAnswer
from tocsin.kit.db import Env
from tocsin.kit.errors import Conflict, Forbidden, NotFound, Unauthorized
from tocsin.kit.ids import new_id, parse_id
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import Answer, Body, PathId
from tocsin.projects.models import ApiKey, Project
from tocsin.projects.schemas import (
    KeyAnswer,
    KeyCreate,
    KeyCreated,
    ProjectAnswer,
    ProjectUpdate,
    SignUp,
    SignUpAnswer,
    Slug,
)
from tocsin.projects.sessions import begin_session, carry_on, end_session
from tocsin.projects.signup import sign_up
from tocsin.settings import Settings
from tocsin.users.contact import Email
from tocsin.users.models import User
from tocsin.users.people import find_user, shown_one
from tocsin.users.register import register_alone, register_vouched
from tocsin.users.schemas import Claim, Register, RegisterAnswer, RegisteredUser, UserAnswer

router = guarded_router()


class LoginBody(Body):
    email: Email
    password: str = Field(max_length=1_000)
    project: Slug | None = Field(None, description="Slug; needed when several projects fit.")
    code: str | None = Field(None, max_length=20, description="Second factor, where the account has one.")


class LoginAnswer(Answer):
    tokens: TokensAnswer
    user: UserAnswer
    project: ProjectAnswer


class MeAnswer(Answer):
    user: UserAnswer
    project: ProjectAnswer
    permissions: list[str]


@router.post("/signup", operation_id="sign_up", status_code=201, tags=["sign-up"])
@public
async def signup(request: Request, gate: Gated, body: SignUp) -> SignUpAnswer:
    """Make a project: its owner, live and test key pairs, identity secrets and realtime apps, all shown once."""
    settings = cast(Settings, request.app.state.settings)
    if settings.signup == "closed":
        raise Forbidden("signup_closed", "This installation does not take new projects.")
    return await sign_up(gate, body, plan=settings.default_plan, actor=_visitor(request))


@router.post("/auth/login", operation_id="sign_in", tags=["auth"])
@public
async def login(request: Request, gate: Gated, body: LoginBody) -> LoginAnswer:
    """Sign in with e-mail and password. Without a project, the one in which they fit."""
    project_id, user_id, env = await _who(gate, body)
    async with gate.db.scope(project_id, env) as session:
        tokens = await begin_session(
            gate,
            session,
            project_id,
            user_id,
            ip=client_ip(request),
            user_agent=request.headers.get("user-agent"),
        )
        user = await find_user(session, user_id)
        project = (await session.scalars(select(Project))).one()
        return LoginAnswer(
            tokens=tokens, user=await shown_one(session, user), project=ProjectAnswer.model_validate(project)
        )


@router.post("/auth/refresh", operation_id="refresh_tokens", tags=["auth"])
@public
async def refresh(gate: Gated, body: RefreshBody) -> RefreshAnswer:
    """A new pair of tokens; the old refresh token is spent, and using it again ends the session."""
    return RefreshAnswer(tokens=await carry_on(gate, body.refresh_token))


@router.post("/auth/logout", operation_id="sign_out", status_code=204, tags=["auth"])
@needs("own:manage", idempotent=False, while_suspended=True)
async def logout(call: Called) -> Response:
    """End the session of this access token, on every process at once."""
    if call.principal.session_id is None:
        raise Forbidden("not_a_session", "An API key has no session to end; revoke the key instead.")
    await end_session(call.session, call.principal.session_id, "logout")
    return Response(status_code=204)


@router.get("/auth/me", operation_id="read_me", tags=["auth"])
@needs("own:manage")
async def me(call: Called) -> MeAnswer:
    if call.principal.user_id is None:
        raise Forbidden("not_a_user", "An API key is nobody; GET /projects/me shows its project.")
    user = await find_user(call.session, call.principal.user_id)
    project = (await call.session.scalars(select(Project))).one()
    return MeAnswer(
        user=await shown_one(call.session, user),
        project=ProjectAnswer.model_validate(project),
        permissions=sorted(call.principal.permissions),
    )


@router.post("/users/register", operation_id="register_user", status_code=201, tags=["users"])
@public_key
async def register(call: Called, body: Register) -> RegisterAnswer:
    """For apps that hold only `pk_...`: register alone and wait for approval, or show an identity token."""
    if body.identity_token is not None:
        user = await register_vouched(call, body.identity_token)
        await call.audit("user.identified", "user", user.id)
        tokens = await _tokens_for(call, user)
        return RegisterAnswer(user=RegisteredUser(id=user.id, status="active"), tokens=tokens.model_dump(by_alias=True))
    made, status = await register_alone(call, body)
    if made is not None:
        await call.audit("user.registered", "user", made.id)
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


@router.get("/projects/me", tags=["project"])
@needs("project:read")
async def read_project(call: Called) -> ProjectAnswer:
    return ProjectAnswer.model_validate((await call.session.scalars(select(Project))).one())


@router.put("/projects/me", tags=["project"])
@needs("project:manage")
async def change_project(call: Called, body: ProjectUpdate) -> ProjectAnswer:
    project = (await call.session.scalars(select(Project))).one()
    before = ProjectAnswer.model_validate(project).model_dump(mode="json", by_alias=True)
    for name, value in body.model_dump(exclude_unset=True).items():
        if value is not None or name == "description":
            setattr(project, name, value)
    await call.session.flush()
    await call.session.refresh(project)
    answer = ProjectAnswer.model_validate(project)
    after = answer.model_dump(mode="json", by_alias=True)
    await call.audit("project.updated", "project", project.id, before=before, after=after)
    return answer


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


async def _who(gate: Gate, body: LoginBody) -> tuple[UUID, UUID, Env]:
    """The one account that fits. Unknown e-mail, wrong password and blocked account look and cost alike."""
    async with gate.db.unscoped() as session:
        rows = (await session.execute(text("SELECT * FROM tocsin.find_logins(:email)"), {"email": body.email})).all()
    if body.project is not None:
        rows = [row for row in rows if row.project_slug == body.project]
    fitting = [row for row in rows if await matches(body.password, row.password_hash)]
    if not rows:
        await matches(body.password, None)
    fitting = [row for row in fitting if row.status == "active"]
    if not fitting:
        raise Unauthorized("invalid_login", "The e-mail or the password is not right.")
    if len(fitting) > 1:
        slugs = ", ".join(sorted(row.project_slug for row in fitting))
        raise Conflict("project_required", f"Several projects fit; name one as project: {slugs}.")
    row = fitting[0]
    return row.project_id, row.user_id, row.env


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


def _visitor(request: Request) -> Actor:
    return Actor("user", None, client_ip(request), request.headers.get("user-agent"), request_id(request))
