"""Signing in at the project's own provider, over HTTP."""

import base64
import hashlib
import re
import secrets
import time
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlencode

import structlog
from fastapi import Depends, Query, Request, Response
from pydantic import BeforeValidator, WithJsonSchema
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import record
from tocsin.auth.call import Gate, client_ip, request_id
from tocsin.auth.guard import Called, Gated, guarded_router, landing, needs, public
from tocsin.kit.errors import BadRequest, FieldError, Forbidden, Invalid, NotFound, Problem, Unauthorized, Unavailable
from tocsin.kit.http import Door
from tocsin.projects.models import Project
from tocsin.projects.schemas import ProjectAnswer
from tocsin.settings import Settings
from tocsin.signin.asking import visitor
from tocsin.signin.schemas import LoginAnswer
from tocsin.signin.sessions import begin_session
from tocsin.signin.sso.models import IdentityProvider
from tocsin.signin.sso.people import link_own, person_of
from tocsin.signin.sso.provider import Metadata, ProviderFailed, Providers
from tocsin.signin.sso.redeem import identity_of
from tocsin.signin.sso.schemas import Challenge, SsoCode, SsoLink, SsoLinkAnswer
from tocsin.signin.sso.tickets import (
    FLOW_SECONDS,
    PASSAGE_PREFIX,
    PASSAGE_SECONDS,
    Flow,
    Identity,
    Passage,
    Purpose,
    Tickets,
)
from tocsin.signin.sso.tries import beginning, beginnings, codes
from tocsin.users.people import find_user, shown_one

router = guarded_router(tags=["auth"])
log = structlog.get_logger(__name__)

COOKIE = "tocsin-sso"
_PATH = "/api/v1/auth/sso"
_SCOPE = "openid email profile"
_QUIET = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_REDIRECT: dict[int | str, dict[str, Any]] = {
    303: {"description": "On to the provider or back to the app; see `Location`."},
    429: {"description": "Too many sign-ins from your network were begun here and not finished; see `Retry-After`."},
}


@dataclass(slots=True)
class Sso:
    """What single sign-on keeps in one process (``app.state.sso``)."""

    tickets: Tickets
    providers: Providers = field(default_factory=Providers)


def single_sign_on(request: Request) -> Sso:
    return cast(Sso, request.app.state.sso)


def outside(request: Request) -> Door:
    return cast(Door, request.app.state.door)


Outside = Annotated[Door, Depends(outside)]
SignOn = Annotated[Sso, Depends(single_sign_on)]


def _slug_or_not_found(value: object) -> str:
    if not isinstance(value, str) or not _SLUG.fullmatch(value):
        raise _nothing_here()
    return value


_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
PathSlug = Annotated[
    str, BeforeValidator(_slug_or_not_found), WithJsonSchema({"type": "string", "pattern": f"^{_SLUG.pattern}$"})
]
"""A project in a path: what cannot be a slug is absent, like what is none."""


def callback_url(settings: Settings, slug: str) -> str:
    return f"{settings.base_url}{_PATH}/{slug}/callback"


def start_url(settings: Settings, slug: str) -> str:
    return f"{settings.base_url}{_PATH}/{slug}/start"


@router.get("/auth/sso/{slug}/start", operation_id="start_sso", status_code=303, responses=_REDIRECT)
@public
async def start(
    request: Request,
    gate: Gated,
    door: Outside,
    sign_on: SignOn,
    slug: PathSlug,
    returnTo: Annotated[str | None, Query(max_length=500, description="One of the return URLs that are set.")] = None,
    challenge: Annotated[
        Challenge | None, Query(description="S256 of a verifier that the app keeps and shows with the code (RFC 7636).")
    ] = None,
    purpose: Annotated[
        Purpose, Query(description="`link` gives a signed-in person this way in; it needs a challenge.")
    ] = "sign_in",
) -> Response:
    """Send a browser to the project's provider."""
    await gate.tenants.chosen(request.scope, slug)
    provider = await _provider(request, gate, slug)
    if returnTo is not None and returnTo not in provider.return_urls:
        detail = "This is not one of the return URLs that the project has set."
        raise Invalid([FieldError("/query/returnTo", "return_url_not_allowed", detail)])
    if purpose == "link" and challenge is None:
        # Whoever ties an account to a person must be the one who began: else a planted code would open the account.
        raise Invalid([FieldError("/query/challenge", "required", "Linking needs a challenge.")])
    counted = beginnings(client_ip(request), provider.project_id)
    await gate.tries.spend(*counted)
    try:
        metadata = await sign_on.providers.metadata(door, provider.issuer)
    except ProviderFailed as failure:
        await gate.tries.give_back(*counted)
        raise _problem(failure) from failure
    network = counted[0].of if counted else None
    flow = _begun(provider, returnTo or provider.return_urls[0], challenge, purpose, network)
    where = _authorization(metadata, flow, callback_url(_settings(request), slug))
    answer = Response(status_code=303, headers={"Location": where, **_QUIET})
    _set_cookie(answer, request, slug, sign_on.tickets.seal(flow), FLOW_SECONDS)
    return answer


@router.get("/auth/sso/{slug}/callback", operation_id="finish_sso", status_code=303, responses=_REDIRECT)
@landing
async def callback(
    request: Request,
    gate: Gated,
    door: Outside,
    sign_on: SignOn,
    slug: PathSlug,
    state: Annotated[str | None, Query(max_length=200)] = None,
    code: Annotated[str | None, Query(max_length=4_000)] = None,
    iss: Annotated[str | None, Query(max_length=500)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
    error_description: Annotated[str | None, Query(max_length=3_000)] = None,
) -> Response:
    """Where the provider sends the browser back; ends at the app with a one-time `code`.

    A browser is sent back to the app also when it is refused, with `error`, once it is clear which app that is;
    whoever does not ask for HTML reads the problem itself.
    """
    provider = await _provider(request, gate, slug)
    flow = await _finished(request, gate, sign_on, provider, state)
    try:
        _check_answer(flow, iss, error, error_description)
        if code is None:
            raise BadRequest("sso_no_code", "The provider sent the browser back without a code.")
        identity = await _identified(request, gate, door, sign_on, provider, flow, slug, code, iss)
        user_id = None
        if flow.purpose == "sign_in":
            async with gate.db.scope(provider.project_id, "live") as session:
                user_id = await person_of(session, provider, identity, visitor(request))
    except Problem as problem:
        _note(request, provider, problem)
        if isinstance(problem, Unavailable):
            await gate.tries.give_back(*beginning(flow.network, provider.project_id))
        if "text/html" not in request.headers.get("accept", ""):
            raise
        return _sent_back(request, slug, flow, error=problem.code, error_description=problem.detail)
    if user_id is not None:
        await gate.tries.give_back(*beginning(flow.network, provider.project_id))
    passage = Passage(
        project_id=provider.project_id,
        id=secrets.token_urlsafe(16),
        purpose=flow.purpose,
        identity=identity,
        user_id=user_id,
        challenge=flow.challenge,
        expires=int(time.time()) + PASSAGE_SECONDS,
    )
    return _sent_back(request, slug, flow, code=PASSAGE_PREFIX + sign_on.tickets.seal(passage))


@router.post("/auth/sso/exchange", operation_id="exchange_sso")
@public
async def exchange(request: Request, gate: Gated, sign_on: SignOn, body: SsoCode) -> LoginAnswer:
    """Turn the one-time code of a finished sign-in into tokens, within a minute.

    Too many wrong codes from a network are answered 429 with `Retry-After`; right ones go on being taken.
    """
    async with codes(gate.tries, client_ip(request)):
        return await _exchanged(request, gate, sign_on, body)


async def _exchanged(request: Request, gate: Gate, sign_on: Sso, body: SsoCode) -> LoginAnswer:
    passage = _opened(sign_on, body.code, body.verifier, "sign_in")
    async with gate.db.scope(passage.project_id, "live") as session:
        await _use_once(session, passage)
        user = await find_user(session, passage.user_id) if passage.user_id else None
        if user is None or user.status != "active":
            raise _code_refused()
        tokens = await begin_session(
            gate,
            session,
            passage.project_id,
            user.id,
            ip=client_ip(request),
            user_agent=request.headers.get("user-agent"),
            vouched=True,
        )
        project = (await session.scalars(select(Project))).one()
        said = {"by": "sso", "issuer": passage.identity.issuer}
        actor = visitor(request, user.id)
        await record(session, passage.project_id, "live", actor, "user.signed_in", "user", user.id, said)
        return LoginAnswer(
            tokens=tokens, user=await shown_one(session, user), project=ProjectAnswer.model_validate(project)
        )


@router.post("/auth/sso/link", operation_id="link_sso")
@needs("own:manage", idempotent=False)
async def link(call: Called, sign_on: SignOn, body: SsoLink) -> SsoLinkAnswer:
    """Let the caller sign in with the account that a flow with `purpose=link` has proven."""
    if call.principal.user_id is None:
        raise Forbidden("not_a_user", "An API key is nobody; this is for people.")
    passage = _opened(sign_on, body.code, body.verifier, "link")
    if passage.project_id != call.project_id:
        raise _code_refused()
    user = await find_user(call.session, call.principal.user_id)
    call.write_to(user.env)
    await _use_once(call.session, passage)
    await link_own(call.session, call.project_id, user.id, passage.identity, call.actor)
    identity = passage.identity
    return SsoLinkAnswer(issuer=identity.issuer, subject=identity.subject, email=identity.email)


async def _provider(request: Request, gate: Gate, slug: str) -> IdentityProvider:
    """The project's provider. Raises NotFound alike for projects without one and for names of no project."""
    provider = await _configured(gate, slug)
    if provider is None:
        await gate.tries.spend(*beginnings(client_ip(request), None))
        raise _nothing_here()
    return provider


async def _configured(gate: Gate, slug: str) -> IdentityProvider | None:
    async with gate.db.unscoped() as session:
        project = (
            await session.execute(text("SELECT * FROM tocsin.find_project(:slug)"), {"slug": slug})
        ).one_or_none()
    if project is None:
        return None
    async with gate.db.scope(project.project_id, "live") as session:
        row = (await session.scalars(select(IdentityProvider))).one_or_none()
    return row if row is not None and row.enabled else None


def _nothing_here() -> NotFound:
    return NotFound("sso_not_configured", "There is no single sign-on here.")


def _begun(
    provider: IdentityProvider, return_url: str, challenge: str | None, purpose: Purpose, network: str | None
) -> Flow:
    return Flow(
        project_id=provider.project_id,
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        issuer=provider.issuer,
        client_id=provider.client_id,
        return_url=return_url,
        purpose=purpose,
        challenge=challenge,
        began=int(time.time()),
        network=network,
    )


def _authorization(metadata: Metadata, flow: Flow, redirect_uri: str) -> str:
    asked = {
        "response_type": "code",
        "client_id": flow.client_id,
        "redirect_uri": redirect_uri,
        "scope": _SCOPE,
        "state": flow.state,
        "nonce": flow.nonce,
        "code_challenge": s256(flow.verifier),
        "code_challenge_method": "S256",
    }
    return _with_query(metadata.authorization_endpoint, asked)


def s256(verifier: str) -> str:
    """The challenge of a verifier (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


async def _finished(request: Request, gate: Gate, sign_on: Sso, provider: IdentityProvider, state: str | None) -> Flow:
    """The flow that this browser began here, used up by this. Raises BadRequest, or TooManyRequests for many."""
    flow = sign_on.tickets.open(request.cookies.get(_cookie_name(request), ""), Flow)
    # One answer for all of them: state of another browser, of another project, forged, late, or of old settings.
    if (
        flow is None
        or state is None
        or not compare_digest(flow.state.encode(), state.encode())
        or flow.project_id != provider.project_id
        or (flow.issuer, flow.client_id) != (provider.issuer, provider.client_id)
        or flow.return_url not in provider.return_urls
        or not 0 <= time.time() - flow.began <= FLOW_SECONDS
    ):
        raise await _state_refused(request, gate, provider)
    async with gate.db.scope(provider.project_id, "live") as session:
        first = await _first_use(session, f"sso:{flow.state}", flow.began + FLOW_SECONDS)
    if not first:
        raise await _state_refused(request, gate, provider)
    return flow


def _check_answer(flow: Flow, iss: str | None, error: str | None, description: str | None) -> None:
    if iss is not None and iss != flow.issuer:
        raise Unauthorized("sso_wrong_issuer", "The answer is from another provider than the one that was asked.")
    if error is not None:
        words = f"{error}: {description}" if description else error
        raise Unauthorized("sso_refused", f"The provider refused: {_readable(words)}")


async def _identified(
    request: Request,
    gate: Gate,
    door: Door,
    sign_on: Sso,
    provider: IdentityProvider,
    flow: Flow,
    slug: str,
    code: str,
    iss: str | None,
) -> Identity:
    """Who came back. No transaction is open meanwhile. Raises Problem."""
    async with gate.db.scope(provider.project_id, "live") as session:
        place = (provider.project_id, "identity_providers", provider.project_id, "client_secret")
        secret = await gate.vault.open(session, *place, provider.client_secret)
    try:
        metadata = await sign_on.providers.metadata(door, provider.issuer)
        if metadata.names_itself and iss is None:
            raise Unauthorized("sso_wrong_issuer", "The provider announces that it names itself, and did not.")
        redirect_uri = callback_url(_settings(request), slug)
        return await identity_of(
            door, sign_on.providers, metadata, flow, code=code, secret=secret, redirect_uri=redirect_uri
        )
    except ProviderFailed as failure:
        raise _problem(failure) from failure


def _problem(failure: ProviderFailed) -> Problem:
    """What a visitor is told: who is to blame; the provider's words are for the log and the project's admins."""
    log.warning("provider failed", code=failure.code, detail=failure.detail)
    if failure.temporary:
        return Unavailable("sso_provider_unreachable", "The provider does not answer at the moment; try again.", 15)
    return Unauthorized("sso_refused", f"The provider's answer is refused ({failure.code}).")


def _note(request: Request, provider: IdentityProvider, problem: Problem) -> None:
    log.warning(
        "single sign-on refused",
        project_id=str(provider.project_id),
        request_id=request_id(request),
        code=problem.code,
        detail=problem.detail,
        ip_address=client_ip(request),
    )


def _sent_back(request: Request, slug: str, flow: Flow, **said: str) -> Response:
    """To the app, with the code or the error; the flow's cookie ends."""
    if flow.purpose == "link":
        said["purpose"] = "link"
    answer = Response(status_code=303, headers={"Location": _with_query(flow.return_url, said), **_QUIET})
    _set_cookie(answer, request, slug, "", 0)
    return answer


def _with_query(url: str, said: dict[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(said)}"


def _set_cookie(answer: Response, request: Request, slug: str, value: str, seconds: int) -> None:
    """Bind the flow to this browser. Lax, because the provider's page leads back here by a plain navigation."""
    secure = _is_https(request)
    path: str = "/" if secure else f"{_PATH}/{slug}/callback"
    same_site: Literal["lax"] = "lax"
    answer.set_cookie(
        _cookie_name(request), value, max_age=seconds, path=path, secure=secure, httponly=True, samesite=same_site
    )


def _cookie_name(request: Request) -> str:
    """With https no other host of the domain can set it: the prefix makes browsers see to that."""
    return f"__Host-{COOKIE}" if _is_https(request) else COOKIE


def _is_https(request: Request) -> bool:
    return _settings(request).base_url.startswith("https:")


def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


def _opened(sign_on: Sso, code: str, verifier: str | None, purpose: Purpose) -> Passage:
    """The passage behind a code, shown by whom it was meant for. Raises Unauthorized, always alike."""
    passage = sign_on.tickets.open(code.removeprefix(PASSAGE_PREFIX), Passage)
    if passage is None or passage.purpose != purpose or passage.expires < time.time():
        raise _code_refused()
    if passage.challenge is not None and (verifier is None or s256(verifier) != passage.challenge):
        raise _code_refused()
    return passage


async def _use_once(session: AsyncSession, passage: Passage) -> None:
    if not await _first_use(session, f"sso:{passage.id}", passage.expires):
        raise _code_refused()


_FIRST_USE = text("""
INSERT INTO tocsin.used_tokens (project_id, env, jti, expires_at)
VALUES (tocsin.current_project(), 'live', :jti, to_timestamp(:expires)) ON CONFLICT DO NOTHING RETURNING jti
""")


async def _first_use(session: AsyncSession, jti: str, expires: int) -> bool:
    return await session.scalar(_FIRST_USE, {"jti": jti, "expires": expires}) is not None


async def _state_refused(request: Request, gate: Gate, provider: IdentityProvider) -> BadRequest:
    await gate.tries.spend(*beginnings(client_ip(request), provider.project_id))
    problem = BadRequest(
        "sso_state_invalid", "This sign-in was not begun in this browser, is over or took too long; begin again."
    )
    _note(request, provider, problem)
    return problem


def _code_refused() -> Unauthorized:
    return Unauthorized("invalid_sso_code", "The code is not valid, was used before or is over a minute old.")


def _readable(words: str) -> str:
    return "".join(char if char.isprintable() else " " for char in words)[:300]
