"""Setting single sign-on up, over HTTP."""

from typing import Annotated, Any, cast

from fastapi import Depends, Response
from sqlalchemy import func, select, text

from tocsin.auth.call import Call
from tocsin.auth.guard import Admitted, Called, guarded_router, needs
from tocsin.kit.errors import FieldError, Invalid, NotFound
from tocsin.kit.http import Door
from tocsin.kit.schema import PathId
from tocsin.projects.models import Project
from tocsin.settings import Settings
from tocsin.signin.sso.models import IdentityProvider
from tocsin.signin.sso.people import HELD
from tocsin.signin.sso.provider import Metadata, ProviderFailed, discovered, signing_keys
from tocsin.signin.sso.routes import Sso, callback_url, outside, single_sign_on, start_url
from tocsin.signin.sso.schemas import SsoAnswer, SsoSettings, SsoTestAnswer
from tocsin.users.models import Role
from tocsin.users.people import find_user
from tocsin.users.rights import check_may_give
from tocsin.users.roles import roles_named

router = guarded_router()

Outside = Annotated[Door, Depends(outside)]
SignOn = Annotated[Sso, Depends(single_sign_on)]

# At these issuers anybody may open an account, so "whoever they know" would be the whole world.
_OPEN_TO_ALL = (
    "https://accounts.google.com",
    "https://appleid.apple.com",
    "https://gitlab.com",
    "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
)
_SECRET_SHOWN = 4
_ABSENT: dict[int | str, dict[str, Any]] = {404: {"description": "Nobody has set single sign-on up."}}


@router.get("/projects/me/sso", operation_id="read_sso", tags=["project"], responses=_ABSENT)
@needs("project:read")
async def read(call: Called) -> SsoAnswer:
    """How people of the project sign in at their own provider; 404 while nobody has set that up."""
    return await _shown(call, await _configured(call))


@router.put("/projects/me/sso", operation_id="save_sso", tags=["project"])
@needs("project:manage", network_first=True)
async def save(admitted: Admitted, door: Outside, sign_on: SignOn, body: SsoSettings) -> SsoAnswer:
    """Set single sign-on up. The provider is asked for its discovery document and keys, and has to give them."""
    async with admitted.transaction() as look:
        look.write_to("live")
        await _check(look, body)
    await _asked(door, sign_on, body.issuer)
    call = await admitted.begin()
    call.write_to("live")
    before = await _existing(call, lock=True)
    shown_before = await _shown(call, before) if before else None
    row = await _written(call, before, body)
    answer = await _shown(call, row)
    was = shown_before.model_dump(mode="json", by_alias=True) if shown_before else None
    after = answer.model_dump(mode="json", by_alias=True)
    await call.audit("sso.configured", "project", call.project_id, before=was, after=after)
    return answer


@router.delete("/projects/me/sso", operation_id="delete_sso", status_code=204, tags=["project"], responses=_ABSENT)
@needs("project:manage")
async def delete(call: Called) -> Response:
    """End single sign-on. Sessions stay; whoever is linked is known again if the same issuer returns."""
    call.write_to("live")
    row = await _configured(call)
    before = await _shown(call, row)
    await call.session.delete(row)
    await call.audit("sso.removed", "project", call.project_id, before=before.model_dump(mode="json", by_alias=True))
    return Response(status_code=204)


@router.post("/projects/me/sso/test", operation_id="test_sso", tags=["project"])
@needs("project:manage", network_first=True, idempotent=False)
async def test(admitted: Admitted, door: Outside, sign_on: SignOn) -> SsoTestAnswer:
    """Ask the provider again for what it says of itself; a refusal is told in its own words."""
    async with admitted.transaction() as look:
        issuer = (await _configured(look)).issuer
    metadata, keys = await _asked(door, sign_on, issuer)
    return SsoTestAnswer(
        issuer=metadata.issuer,
        authorization_endpoint=metadata.authorization_endpoint,
        token_endpoint=metadata.token_endpoint,
        jwks_uri=metadata.jwks_uri,
        userinfo_endpoint=metadata.userinfo_endpoint,
        algorithms=list(metadata.algorithms),
        keys=keys,
    )


@router.delete("/users/{user_id}/sso", operation_id="unlink_sso", status_code=204, tags=["users"])
@needs("users:manage")
async def unlink(call: Called, user_id: PathId) -> Response:
    """Forget who the person is at the provider, e.g. before the project changes to another one."""
    user = await find_user(call.session, user_id)
    call.write_to(user.env)
    held = set(await call.session.scalars(HELD, {"user": user.id}))
    check_may_give(call.principal.permissions, [Role(name="of this user", permissions=sorted(held))])
    gone = (await call.session.execute(_UNLINK, {"user": user.id})).one_or_none()
    if gone is None:
        raise NotFound()
    await call.audit("user.sso_unlinked", "user", user.id, before=dict(gone._mapping))
    return Response(status_code=204)


_UNLINK = text("DELETE FROM tocsin.user_identities WHERE user_id = :user RETURNING issuer, subject, email")


async def _check(call: Call, body: SsoSettings) -> None:
    """What the provider need not be asked for. Raises Invalid and Forbidden."""
    errors = []
    before = await _existing(call)
    moved = before is None or (before.issuer, before.client_id) != (body.issuer, body.client_id)
    if body.client_secret is None and moved:
        # The old secret belongs to the old provider: a new address must not be sent it.
        detail = "A new issuer or client needs its own client secret."
        errors.append(FieldError("/clientSecret", "required", detail))
    if body.create_unknown and not body.allowed_domains and body.issuer.rstrip("/") in _OPEN_TO_ALL:
        detail = "Anybody can have an account at this issuer: name the domains whose people come in."
        errors.append(FieldError("/allowedDomains", "required", detail))
    if body.role == "owner":
        errors.append(FieldError("/role", "role_not_allowed", "Ownership is given by an owner, not by a provider."))
    if errors:
        raise Invalid(errors)
    await _role(call, body.role)


async def _role(call: Call, name: str | None) -> Role | None:
    if name is None:
        return None
    role = (await roles_named(call.session, [name])).get(name)
    if role is None:
        raise Invalid([FieldError("/role", "unknown_role", f"There is no role {name!r}.")])
    check_may_give(call.principal.permissions, [role])
    return role


async def _asked(door: Door, sign_on: Sso, issuer: str) -> tuple[Metadata, int]:
    """What the issuer says now, and how many keys it has. Raises Invalid with its words."""
    sign_on.providers.forget(issuer)
    try:
        metadata = await discovered(door, issuer)
        keys = await signing_keys(door, metadata)
    except ProviderFailed as failure:
        raise Invalid([FieldError("/issuer", failure.code, failure.detail)], code=failure.code) from failure
    return metadata, sum(map(len, keys.values()))


async def _existing(call: Call, *, lock: bool = False) -> IdentityProvider | None:
    query = select(IdentityProvider)
    return (await call.session.scalars(query.with_for_update() if lock else query)).one_or_none()


async def _configured(call: Call) -> IdentityProvider:
    row = await _existing(call)
    if row is None:
        raise NotFound("sso_not_configured", "Single sign-on is not set up.")
    return row


async def _written(call: Call, before: IdentityProvider | None, body: SsoSettings) -> IdentityProvider:
    await _check(call, body)
    role = await _role(call, body.role)
    row = before or IdentityProvider(project_id=call.project_id)
    for name in ("issuer", "client_id", "return_urls", "create_unknown", "enabled"):
        setattr(row, name, getattr(body, name))
    row.allowed_domains = sorted(set(body.allowed_domains))
    row.role_id = role.id if role else None
    row.reach = sorted(call.principal.permissions)
    row.updated_at = func.now()
    if body.client_secret is not None:
        row.client_secret = await _sealed(call, body.client_secret.get_secret_value())
    call.session.add(row)
    await call.session.flush()
    await call.session.refresh(row)
    return row


async def _sealed(call: Call, secret: str) -> str:
    return await call.seal("identity_providers", call.project_id, "client_secret", secret)


async def _shown(call: Call, row: IdentityProvider) -> SsoAnswer:
    settings = cast(Settings, call.request.app.state.settings)
    slug = (await call.session.scalars(select(Project.slug))).one()
    role = await call.session.scalar(select(Role.name).where(Role.id == row.role_id))
    secret = await call.open("identity_providers", call.project_id, "client_secret", row.client_secret)
    fields: dict[str, Any] = {name: getattr(row, name) for name in SsoAnswer.model_fields if hasattr(row, name)}
    fields["client_secret"] = f"…{secret[-_SECRET_SHOWN:]}" if len(secret) > 2 * _SECRET_SHOWN else "…"
    return SsoAnswer(
        **fields, role=role, redirect_uri=callback_url(settings, slug), start_url=start_url(settings, slug)
    )
