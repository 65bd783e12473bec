"""Signing up, in and out over HTTP."""

from typing import cast

from fastapi import Request, Response
from sqlalchemy import select

from tocsin.auth.call import Gate, client_ip
from tocsin.auth.guard import Called, Gated, guarded_router, needs, public
from tocsin.auth.revocation import end_session
from tocsin.auth.schemas import RefreshAnswer, RefreshBody
from tocsin.auth.tenant import PLATFORM_SLUG
from tocsin.kit.errors import Forbidden
from tocsin.projects.models import Project
from tocsin.projects.run_time import in_force
from tocsin.projects.schemas import ProjectAnswer, SignUp, SignUpAnswer
from tocsin.settings import Settings
from tocsin.signin.asking import visitor
from tocsin.signin.login import Knocking, sign_in
from tocsin.signin.schemas import LoginAnswer, LoginBody, MeAnswer, PlatformLogin, SecondFactorAnswer
from tocsin.signin.second_factor import read_factor, requires_second_factor
from tocsin.signin.sessions import renew
from tocsin.signin.signup import sign_up
from tocsin.users.people import find_user, shown_one

router = guarded_router()


@router.post("/signup", operation_id="sign_up", status_code=201, tags=["sign-up"])
@public
async def signup(request: Request, response: Response, gate: Gated, body: SignUp) -> SignUpAnswer:
    """Make a project: its owner, live and test key pairs, identity secrets and realtime apps, all shown once."""
    given = cast(Settings, request.app.state.settings)
    settings = await in_force(gate.db, given)
    if settings.signup == "closed" or given.single_project is not None:
        raise Forbidden("signup_closed", "This installation does not take new projects.")
    if settings.signup == "invite":
        raise Forbidden("signup_by_invitation", "Here the operator makes projects; ask for one.")
    made = await sign_up(gate, body, plan=settings.default_plan, actor=visitor(request), base_url=given.base_url)
    gate.devices.remember(response, gate.devices.of(request), made.project.id, made.user.id)
    return made


@router.post("/auth/login", operation_id="sign_in", tags=["auth"])
@public
async def login(request: Request, response: Response, gate: Gated, body: LoginBody) -> LoginAnswer:
    """Sign in with e-mail, password and, where the account has one, a second factor.

    Without a project, the one in which they fit. Too many wrong tries are answered 429 with `Retry-After`; the
    cookie of the answer keeps a browser in which you signed in from waiting for the tries of others.
    """
    return await _sign_in(request, response, gate, body, await gate.tenants.chosen(request.scope, body.project))


@router.post("/platform/auth/login", operation_id="sign_in_platform", tags=["platform"])
@public
async def login_to_platform(request: Request, response: Response, gate: Gated, body: PlatformLogin) -> LoginAnswer:
    """Sign in as an admin of the installation; otherwise like `/auth/login`."""
    slug = await gate.tenants.chosen(request.scope, PLATFORM_SLUG)
    return await _sign_in(request, response, gate, LoginBody.model_validate(body.model_dump(by_alias=True)), slug)


async def _sign_in(request: Request, response: Response, gate: Gate, body: LoginBody, slug: str | None) -> LoginAnswer:
    knocking = Knocking(client_ip(request), request.headers.get("user-agent"), gate.devices.of(request))
    signed_in = await sign_in(gate, body, slug, knocking)
    gate.devices.remember(response, knocking.device, signed_in.project_id, signed_in.user_id)
    async with gate.db.scope(signed_in.project_id, signed_in.env) as session:
        user = await find_user(session, signed_in.user_id)
        project = (await session.scalars(select(Project))).one()
        return LoginAnswer(
            tokens=signed_in.tokens, user=await shown_one(session, user), project=ProjectAnswer.model_validate(project)
        )


@router.post("/auth/refresh", operation_id="refresh_tokens", tags=["auth"])
@public
async def refresh(request: Request, gate: Gated, body: RefreshBody) -> RefreshAnswer:
    """A new pair of tokens; the old refresh token is spent.

    Using it again within ten seconds gives the same successor, later it ends the session.
    """
    named = await gate.tenants.named(request.scope)
    return RefreshAnswer(tokens=await renew(gate, body.refresh_token, named, client_ip(request)))


@router.post("/auth/logout", operation_id="sign_out", status_code=204, tags=["auth"])
@needs("own:manage", idempotent=False, while_suspended=True, before_enrolment=True)
async def logout(call: Called) -> Response:
    """End the session of this access token, on every process at once."""
    if call.principal.session_id is None:
        raise Forbidden("not_a_session", "An API key has no session to end; revoke the key instead.")
    await end_session(call.session, call.project_id, call.principal.session_id, "logout")
    return Response(status_code=204)


@router.get("/auth/me", operation_id="read_me", tags=["auth"])
@needs("own:manage", before_enrolment=True)
async def me(call: Called) -> MeAnswer:
    if call.principal.user_id is None:
        raise Forbidden("not_a_user", "An API key is nobody; GET /projects/me shows its project.")
    user = await find_user(call.session, call.principal.user_id)
    factor = await read_factor(call.session, user.id)
    project = (await call.session.scalars(select(Project))).one()
    return MeAnswer(
        user=await shown_one(call.session, user),
        project=ProjectAnswer.model_validate(project),
        permissions=sorted(call.principal.permissions),
        second_factor=SecondFactorAnswer(
            enabled=factor.since is not None,
            since=factor.since,
            recovery_codes_left=factor.recovery_codes_left,
            required=requires_second_factor(project.settings),
        ),
    )
