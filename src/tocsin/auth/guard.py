"""The one place every request of the API passes: who calls, may they, in which transaction, sent twice?

A router made by ``guarded_router`` accepts only endpoints that declare what they need:

    @router.post("/rules", status_code=201)
    @needs("rules:manage")
    async def create_rule(call: Called, body: RuleBody) -> RuleAnswer: ...

``Called`` is the request's ``Call``: the principal and the one open transaction, committed before the answer
leaves. ``needs(own=True)`` admits whoever may manage own things, and ``call.own_only`` tells the endpoint to
show no more than that. ``public`` is for the few calls that stand before any credential.

An endpoint that asks the network declares ``needs(..., network_first=True)`` and takes ``Admitted`` instead: its
caller is checked, no transaction is open, and ``await admitted.begin()`` opens the request's one afterwards.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.body import WRITES, checked_body
from tocsin.auth.call import Call, Gate, client_ip
from tocsin.auth.entry import enter
from tocsin.auth.limits import limits_of
from tocsin.auth.once import Once, Replayed
from tocsin.auth.permissions import OWN, PERMISSIONS, PLATFORM_PERMISSIONS
from tocsin.auth.principal import Principal
from tocsin.auth.source import networks
from tocsin.auth.tenant import PLATFORM_SLUG, Named
from tocsin.auth.tokens import Access
from tocsin.auth.visit import visitor
from tocsin.kit import crash
from tocsin.kit.db import Env
from tocsin.kit.errors import BadRequest, FieldError, Forbidden, Invalid, Unauthorized
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.strict_json import escaped

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Need:
    """What an endpoint asks of its caller."""

    permission: str | None
    own: bool = False
    public_key: bool = False
    idempotent: bool = True
    while_suspended: bool = False
    network_first: bool = False
    form: bool = False
    upload: bool = False
    before_enrolment: bool = False
    foreign_query: bool = False


def needs(
    permission: str,
    *,
    own: bool = False,
    idempotent: bool = True,
    while_suspended: bool = False,
    network_first: bool = False,
    form: bool = False,
    upload: bool = False,
    before_enrolment: bool = False,
) -> Callable[[Endpoint], Endpoint]:
    """Declare the permission of an endpoint; ``own`` also admits people to their own things.

    With ``form`` a urlencoded form is taken too, and reaches the endpoint as the JSON object of its fields.
    With ``upload`` the body is a multipart form, and nothing else.
    ``before_enrolment`` also admits who has yet to set up the second factor that the project requires.
    """
    if permission not in PERMISSIONS | PLATFORM_PERMISSIONS:
        raise ValueError(f"{permission!r} is not in the vocabulary")
    return _declare(
        Need(
            permission,
            own=own,
            idempotent=idempotent,
            while_suspended=while_suspended,
            network_first=network_first,
            form=form,
            upload=upload,
            before_enrolment=before_enrolment,
        )
    )


def public(endpoint: Endpoint) -> Endpoint:
    """Declare that an endpoint stands before any credential (sign-up, login)."""
    return _declare(Need(None, idempotent=False))(endpoint)


def landing(endpoint: Endpoint) -> Endpoint:
    """Declare where somebody else's page sends a browser back: no credential, and whatever they add to the query."""
    return _declare(Need(None, idempotent=False, foreign_query=True))(endpoint)


def public_key(endpoint: Endpoint) -> Endpoint:
    """Declare that an endpoint is for apps that hold only ``pk_...``."""
    return _declare(Need(None, public_key=True))(endpoint)


def _declare(need: Need) -> Callable[[Endpoint], Endpoint]:
    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__need__ = need  # type: ignore[attr-defined]
        return endpoint

    return mark


def need_of(endpoint: Callable[..., Any]) -> Need:
    """What an endpoint declared; raises when it declared nothing."""
    need = getattr(endpoint, "__need__", None)
    if not isinstance(need, Need):
        raise TypeError(f"{endpoint.__qualname__} does not declare what it needs")
    return need


class GuardedRoute(APIRoute):
    """A route that runs its endpoint inside the guard."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.need = need_of(endpoint)
        options.setdefault("openapi_extra", {})
        options["openapi_extra"] = {
            **openapi_part(self.need, options.get("methods") or ()),
            **(options["openapi_extra"] or {}),
        }
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        fields = get_flat_params(self.dependant)
        known = frozenset(field.alias for field in fields if isinstance(field.field_info, Query)) | {"tenant"}

        async def guarded(request: Request) -> Response:
            _check_query(request, known, foreign=self.need.foreign_query)
            required = self.body_field is not None and self.body_field.field_info.is_required()
            checked = await checked_body(request, required=required, form=self.need.form, upload=self.need.upload)
            if self.need.permission is None and not self.need.public_key:
                return await handle(checked)
            return await _inside(self.need, checked, handle)

        return guarded


def _check_query(request: Request, known: frozenset[str], *, foreign: bool) -> None:
    """Refuse a filter that would silently filter nothing, unless others may add some, and one that is said twice."""
    sent = [name for name, _ in request.query_params.multi_items()]
    errors = [
        FieldError(f"/query/{escaped(name[:80])}", "unknown_field", "There is no such query parameter.")
        for name in dict.fromkeys(sent)
        if name not in known and not foreign
    ]
    errors += [
        FieldError(f"/query/{name}", "doubled", "This query parameter was sent twice.")
        for name in known
        if sent.count(name) > 1
    ]
    if errors:
        raise Invalid(errors[:20])


def guarded_router(**options: Any) -> APIRouter:
    return APIRouter(route_class=GuardedRoute, **options)


def called(request: Request) -> Call:
    """The dependency behind ``Called``."""
    return cast(Call, request.state.call)


Called = Annotated[Call, Depends(called)]


def gate_of(request: Request) -> Gate:
    return cast(Gate, request.app.state.gate)


Gated = Annotated[Gate, Depends(gate_of)]


async def _inside(need: Need, request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
    """Authenticate, open the transaction, check, run, commit; or check, and let the endpoint open it."""
    try:
        async with AsyncExitStack() as ending:
            known = await _known(need, request)
            named = await gate_of(request).tenants.named(request.scope)
            admission = Admission(need, known, named, request, ending)
            if need.network_first:
                request.state.admission = admission
                await admission.look()
            else:
                request.state.call = await admission.begin()
            response = await handle(request)
            await admission.end(response)
    except Replayed as replayed:
        return replayed.response
    return response


async def _known(need: Need, request: Request) -> Principal | Access:
    """Whoever the credential names, before anything is known of what they may."""
    gate = gate_of(request)
    key = request.headers.get("x-api-key")
    _wanted_env(request)
    if need.public_key:
        caller = await gate.credentials.public(key or "")
    elif key is not None:
        refuse_token_beside_key(request.headers.get("authorization", ""))
        caller = await gate.credentials.verify(key, request.headers.get("x-api-secret", ""), client_ip(request))
    else:
        return gate.tokens.read_access(_bearer(request))
    await enter(caller, gate.rates, request.scope)
    return caller


class Admission:
    """The way of one request into its transaction."""

    def __init__(
        self,
        need: Need,
        known: Principal | Access,
        named: list[Named],
        request: Request,
        ending: AsyncExitStack,
    ) -> None:
        self._need = need
        self._known = known
        self._named = named
        self._request = request
        self._ending = ending
        self._entered = isinstance(known, Principal)
        self._call: Call | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Call]:
        """A transaction of its own, committed at the end of the block; the caller is checked as they are now."""
        gate, known = gate_of(self._request), self._known
        env = known.env if isinstance(known, Principal) else _wanted_env(self._request)
        if isinstance(known, Access):
            known = await visiting(gate, known, env, self._named) or known
        async with gate.db.scope(known.project_id, env) as session:
            principal = known if isinstance(known, Principal) else await self._read(session, known, env)
            if not self._entered:
                self._entered = True
                await enter(principal, gate.rates, self._request.scope)
            gate.tenants.confirm(principal, self._named, self._request.scope)
            own_only = _check(self._need, principal, self._request)
            call = Call(principal, session, gate, self._request, own_only)
            yield call
            crash.here("call.before_commit")
        crash.here("call.after_commit")
        for tell in call.after_commit:
            tell()

    async def _read(self, session: AsyncSession, access: Access, env: Env) -> Principal:
        return await read_user(session, access, env, before_enrolment=self._need.before_enrolment)

    async def look(self) -> None:
        """Refuse whoever may not, and whatever was answered already, without leaving a transaction open."""
        async with self.transaction() as call:
            if self._kept_once:
                await _once(call).replay()

    async def begin(self) -> Call:
        """Open the transaction of the request; it ends after the answer was made and before that leaves."""
        self._call = await self._ending.enter_async_context(self.transaction())
        if self._kept_once:
            await _once(self._call).replay()
        return self._call

    async def end(self, response: Response) -> None:
        """Undo what an answer that refuses has changed; keep the answer of a POST that may be repeated."""
        if self._call is None:
            return
        if response.status_code >= 400:
            await self._call.session.rollback()
            self._call.after_commit.clear()
        elif self._kept_once:
            await _once(self._call).keep(response)

    @property
    def _kept_once(self) -> bool:
        return self._need.idempotent and self._request.method == "POST" and "idempotency-key" in self._request.headers


def _once(call: Call) -> Once:
    return Once(call.session, call.gate.vault, call.principal, call.request)


def admitted(request: Request) -> Admission:
    """The dependency behind ``Admitted``."""
    return cast(Admission, request.state.admission)


Admitted = Annotated[Admission, Depends(admitted)]


def _check(need: Need, principal: Principal, request: Request) -> bool:
    """Refuse whoever may not; whether the caller is confined to own things."""
    if principal.project_status in ("suspended", "cancelled") and request.method in WRITES and not need.while_suspended:
        raise Forbidden(f"project_{principal.project_status}", f"The project is {principal.project_status}.")
    if need.permission is None or principal.may(need.permission):
        return False
    if need.own and principal.kind == "user" and principal.permissions >= OWN:
        return True
    raise Forbidden("permission_missing", f"This needs the permission {need.permission}.")


async def visiting(gate: Gate, access: Access, env: Env, named: list[Named]) -> Principal | None:
    """The platform admin inside the project that the request chooses (T4), or None when this is no such request."""
    wanted = next((other.name for other in named if other.source in ("header", "query")), None)
    if access.project_id != PLATFORM_ID or wanted in (None, PLATFORM_SLUG, str(PLATFORM_ID)):
        return None
    async with gate.db.scope(PLATFORM_ID, "live") as session:
        admin = await read_user(session, access, "live")
    return await visitor(gate.db, admin, env, wanted)


_READ_USER = text("""
SELECT u.status, p.slug, p.status AS project_status, s.revoked_at,
    NOT s.vouched AND COALESCE(p.settings #>> '{security,require2fa}' = 'true', false) AND NOT EXISTS (
        SELECT FROM tocsin.second_factors f
        WHERE f.project_id = u.project_id AND f.user_id = u.id AND f.confirmed_at IS NOT NULL) AS must_enrol,
    tocsin.allowed_networks(p.settings) AS allowed_networks, tocsin.calls_per_hour(p.id) AS calls_per_hour,
    ARRAY(SELECT r.name FROM tocsin.user_roles ur JOIN tocsin.roles r
        ON r.project_id = ur.project_id AND r.id = ur.role_id
        WHERE ur.project_id = u.project_id AND ur.user_id = u.id ORDER BY r.name) AS roles,
    ARRAY(SELECT DISTINCT unnest(r.permissions) FROM tocsin.user_roles ur JOIN tocsin.roles r
        ON r.project_id = ur.project_id AND r.id = ur.role_id
        WHERE ur.project_id = u.project_id AND ur.user_id = u.id) AS permissions
FROM tocsin.users u
JOIN tocsin.projects p ON p.id = u.project_id
JOIN tocsin.sessions s ON s.project_id = u.project_id AND s.user_id = u.id AND s.id = :session
    AND s.expires_at > now()
WHERE u.project_id = :project AND u.id = :user
""")


async def read_user(session: AsyncSession, access: Access, env: Env, *, before_enrolment: bool = False) -> Principal:
    """The user of a token as they are now: a demotion, a block or a logout counts at once."""
    row = (
        await session.execute(
            _READ_USER,
            {"project": access.project_id, "user": access.user_id, "session": access.session_id},
        )
    ).one_or_none()
    if row is None or row.status != "active" or row.revoked_at is not None:
        raise Unauthorized("invalid_token", "The session has ended; sign in again.")
    if row.must_enrol and not before_enrolment:
        detail = "The project requires a second factor; set one up with POST /auth/2fa/enrol."
        raise Forbidden("second_factor_enrolment_required", detail)
    return Principal(
        kind="user",
        project_id=access.project_id,
        project_slug=row.slug,
        project_status=row.project_status,
        env=env,
        permissions=frozenset(row.permissions) | OWN,
        user_id=access.user_id,
        session_id=access.session_id,
        roles=tuple(row.roles),
        allowed_from=(networks(row.allowed_networks),) if row.allowed_networks else (),
        limits=limits_of(env, row.calls_per_hour),
    )


def refuse_token_beside_key(authorization: str) -> None:
    """Two credentials may name two callers; choosing one in silence would do the wrong one's work."""
    if authorization[:7].lower() == "bearer ":
        raise Unauthorized("two_credentials", "Send either an API key with its secret or a token, not both.")


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise Unauthorized(
            "not_authenticated",
            "Send X-API-Key and X-API-Secret, or Authorization: Bearer with an access token.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return token.strip()


def _wanted_env(request: Request) -> Env:
    env = request.headers.get("x-tocsin-env", "live")
    if env not in ("live", "test"):
        raise BadRequest("invalid_env", "X-Tocsin-Env must be live or test.")
    return cast(Env, env)


def openapi_part(need: Need, methods: Collection[str]) -> dict[str, Any]:
    """What the guard adds to the description of an operation: who may call it, and the headers it reads."""
    if need.permission is None and not need.public_key:
        return {"security": []}
    headers = [ENV_HEADER, TENANT_HEADER]
    if need.idempotent and "POST" in methods:
        headers.append(IDEMPOTENCY_HEADER)
    if need.public_key:
        return {"security": [{"publicKey": []}], "parameters": headers}
    keys: list[dict[str, list[str]]] = [] if need.permission in OWN else [{"apiKey": [], "apiSecret": []}]
    return {
        "security": [{"bearer": []}, *keys],
        "x-permission": need.permission,
        "parameters": headers,
    }


ENV_HEADER = {
    "name": "X-Tocsin-Env",
    "in": "header",
    "required": False,
    "description": "Environment of a token's call; API keys imply it.",
    "schema": {"type": "string", "enum": ["live", "test"], "default": "live"},
}
TENANT_HEADER = {
    "name": "X-Tenant-Id",
    "in": "header",
    "required": False,
    "description": "Id or slug of a project. Platform admins choose the one they visit by it; of anybody else's "
    "credential it must name the project. `?tenant=` does the same.",
    "schema": {"type": "string", "maxLength": 63},
}
IDEMPOTENCY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A repeat under the same key gets the same answer for 24 hours and has no further effect.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON answer built by hand."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")
