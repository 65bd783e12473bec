"""Signing up, in and out over HTTP."""

from typing import cast
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy import select, text

from tocsin.auth.guard import Called, Gate, Gated, client_ip, guarded_router, needs, public
from tocsin.auth.passwords import matches
from tocsin.auth.schemas import RefreshAnswer, RefreshBody
from tocsin.kit.db import Env
from tocsin.kit.errors import Conflict, Forbidden, Unauthorized
from tocsin.projects.models import Project
from tocsin.projects.schemas import ProjectAnswer, SignUp, SignUpAnswer
from tocsin.settings import Settings
from tocsin.signin.asking import visitor
from tocsin.signin.schemas import LoginAnswer, LoginBody, MeAnswer
from tocsin.signin.sessions import begin_session, carry_on, end_session
from tocsin.signin.signup import sign_up
from tocsin.users.people import find_user, shown_one

router = guarded_router()


@router.post("/signup", operation_id="sign_up", status_code=201, tags=["sign-up"])
@public
async def signup(request: Request, gate: Gated, body: SignUp) -> SignUpAnswer:
    """Make a project: its owner, live and test key pairs, identity secrets and realtime apps, all shown once."""
    settings = cast(Settings, request.app.state.settings)
    if settings.signup == "closed" or settings.single_project is not None:
        raise Forbidden("signup_closed", "This installation does not take new projects.")
    actor = visitor(request)
    return await sign_up(gate, body, plan=settings.default_plan, actor=actor, base_url=settings.base_url)


@router.post("/auth/login", operation_id="sign_in", tags=["auth"])
@public
async def login(request: Request, gate: Gated, body: LoginBody) -> LoginAnswer:
    """Sign in with e-mail and password. Without a project, the one in which they fit."""
    slug = await gate.tenants.chosen(request.scope, body.project)
    project_id, user_id, env = await _who(gate, body, slug)
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
async def refresh(request: Request, gate: Gated, body: RefreshBody) -> RefreshAnswer:
    """A new pair of tokens; the old refresh token is spent, and using it again ends the session."""
    named = await gate.tenants.named(request.scope)
    return RefreshAnswer(tokens=await carry_on(gate, body.refresh_token, named, client_ip(request)))


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


async def _who(gate: Gate, body: LoginBody, slug: str | None) -> tuple[UUID, UUID, Env]:
    """The one account that fits. Unknown e-mail, wrong password and blocked account look and cost alike."""
    async with gate.db.unscoped() as session:
        rows = (await session.execute(text("SELECT * FROM tocsin.find_logins(:email)"), {"email": body.email})).all()
    if slug is not None:
        rows = [row for row in rows if row.project_slug == slug]
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
