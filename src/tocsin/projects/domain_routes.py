"""A project's own host name over HTTP (T1, T8), and the question a proxy asks before it gets a certificate."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import Field
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.call import Call
from tocsin.auth.guard import Admitted, Called, Gated, guarded_router, needs, public
from tocsin.auth.revocation import revoke
from tocsin.kit.db import violated
from tocsin.kit.errors import Conflict, FieldError, Invalid, NotFound, TooManyRequests, Unavailable
from tocsin.kit.hostnames import LONGEST, Refused, claimable, host_of, lies_under, readable
from tocsin.kit.ids import new_id
from tocsin.kit.schema import Answer, Body, Text, Time
from tocsin.plans.entitlements import check_feature
from tocsin.projects.models import Domain
from tocsin.projects.proof import Names, Records, Seen, Unreachable, records
from tocsin.settings import Settings

CHECK_EVERY = timedelta(days=1)
UNKNOWN_ASKED_A_SECOND = 50
"""Questions for names this process does not remember, each of which asks the database."""

router = guarded_router(tags=["project"])


class DomainClaim(Body):
    domain: Annotated[Text, Field(min_length=1, max_length=LONGEST, examples=["alerts.client.com"])]


class Record(Answer):
    """One record to set in the DNS of the domain."""

    type: Literal["CNAME", "TXT"]
    name: str
    value: str


class DomainAnswer(Answer):
    id: UUID
    domain: str
    readable: str = Field(description="The same name with its letters beyond ASCII.")
    status: Literal["pending", "verified", "suspended"]
    records: list[Record]
    verified_at: Time | None
    checked_at: Time | None
    missing_since: Time | None = Field(description="Since when a verified domain's TXT record is gone.")
    created_at: Time


_ABSENT: dict[int | str, dict[str, Any]] = {404: {"description": "The project has no domain of its own."}}


@router.post("/projects/me/domain", operation_id="claim_domain", status_code=201)
@needs("project:manage")
async def claim(call: Called, body: DomainClaim) -> DomainAnswer:
    """Claim a host name; the answer holds the DNS records that prove it. It counts once verified."""
    target = _target(call.request)
    name = _checked(call.request, body.domain)
    mine = await _find(call.session)
    if mine is not None and mine.domain == name:
        return _shown(mine, target)
    if mine is not None:
        raise Conflict("domain_exists", "The project has another domain; DELETE it first.")
    await check_feature(call.session, call.project_id, "customDomain")
    await _refuse_taken(call, name)
    domain = Domain(project_id=call.project_id, id=new_id(), domain=name, token=secrets.token_urlsafe(24))
    call.session.add(domain)
    await call.session.flush()
    await call.session.refresh(domain)
    await call.audit("domain.claimed", "domain", domain.id, after={"domain": name})
    return _shown(domain, target)


@router.get("/projects/me/domain", operation_id="read_domain", responses=_ABSENT)
@needs("project:read")
async def read(call: Called) -> DomainAnswer:
    return _shown(await _existing(call), _target(call.request))


@router.post("/projects/me/domain/verify", operation_id="verify_domain")
@needs("project:manage", network_first=True)
async def verify(request: Request, admitted: Admitted) -> DomainAnswer:
    """Look the two records up. From a success on, requests under the name are this project's."""
    target = _target(request)
    async with admitted.transaction() as before:
        claimed = await _existing(before)
    _checked(request, claimed.domain)
    wanted = records(claimed.domain, claimed.token, target)
    try:
        seen = await cast(Names, request.app.state.names).look(claimed.domain, wanted)
    except Unreachable:
        detail = "No DNS server answered for this name; try again in a minute."
        raise Unavailable("dns_unreachable", detail, retry_after=60) from None
    if missing := _missing(wanted, seen):
        raise Invalid(missing, code="domain_not_proven")
    call = await admitted.begin()
    domain = await _existing(call)
    if domain.id != claimed.id:
        raise Conflict("domain_changed", "The claim was replaced meanwhile; verify the new one.")
    await _prove(call, domain)
    return _shown(domain, target)


@router.delete("/projects/me/domain", operation_id="remove_domain", status_code=204, responses=_ABSENT)
@needs("project:manage", while_suspended=True)
async def remove(call: Called) -> Response:
    """Give the name up; within a second no process answers under it for this project."""
    domain = await _existing(call)
    await call.session.delete(domain)
    await revoke(call.session, call.project_id, "domain", domain.domain)
    _forget_here(call, domain.domain)
    await call.audit("domain.removed", "domain", domain.id, before={"domain": domain.domain, "status": domain.status})
    return Response(status_code=204)


@router.get(
    "/domains/ask",
    operation_id="ask_domain",
    status_code=200,
    response_class=Response,
    responses={404: {"description": "Nobody has proven the name."}},
)
@public
async def ask(request: Request, gate: Gated, domain: Annotated[str, Query(max_length=LONGEST)]) -> Response:
    """For a proxy that gets certificates on demand: 200 when the name is a verified domain, else 404."""
    name = host_of(domain.encode())
    if name is None:
        raise _unknown()
    if not gate.tenants.heard_of(name) and not cast(Asked, request.app.state.asked).room():
        raise TooManyRequests("too_many_names", "Too many unknown names at once.", headers={"Retry-After": "1"})
    if await gate.tenants.find(name) is None:
        raise _unknown()
    return Response(status_code=200)


def _unknown() -> NotFound:
    return NotFound("unknown_domain", "No project has proven this name.")


class Asked:
    """How many unknown names were asked for in this second, so that a flood of them costs no look-ups."""

    def __init__(self) -> None:
        self._second = 0
        self._count = 0

    def room(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= UNKNOWN_ASKED_A_SECOND


def target_of(settings: Settings) -> str | None:
    """Where a CNAME must lead: the installation's public name, else its base domain."""
    return settings.public_host or settings.base_domain


def _target(request: Request) -> str:
    target = target_of(cast(Settings, request.app.state.settings))
    if target is None:
        raise Conflict("domains_not_set_up", "The operator has to set TOCSIN_PUBLIC_URL or TOCSIN_BASE_DOMAIN first.")
    return target


def _checked(request: Request, text: str) -> str:
    """The name as it is kept; raises Invalid for what nobody may claim here."""
    settings = cast(Settings, request.app.state.settings)
    try:
        name = claimable(text)
    except Refused as refusal:
        raise Invalid([FieldError("/domain", refusal.code, refusal.detail)], code="invalid_domain") from None
    if any(own and lies_under(name, own) for own in (settings.public_host, settings.base_domain)):
        raise Invalid([FieldError("/domain", "own_domain", "This name is the installation's own.")], "invalid_domain")
    return name


async def _find(session: AsyncSession) -> Domain | None:
    return (await session.scalars(select(Domain))).one_or_none()


async def _existing(call: Call) -> Domain:
    domain = await _find(call.session)
    if domain is None:
        raise NotFound("no_domain", "The project has no domain of its own.")
    return domain


async def _refuse_taken(call: Call, name: str) -> None:
    owner = await call.session.scalar(text("SELECT project_id FROM tocsin.find_domain(:name)"), {"name": name})
    if owner not in (None, call.project_id):
        raise _taken()


def _taken() -> Conflict:
    return Conflict("domain_taken", "This name was proven elsewhere in this installation.")


def _missing(wanted: Records, seen: Seen) -> list[FieldError]:
    errors = []
    if seen.cname != wanted.cname_target:
        found = f"it leads to {seen.cname[:100]}" if seen.cname else "there is none"
        detail = f"The CNAME must lead to {wanted.cname_target}; {found}."
        errors.append(FieldError("/records/0", "cname_missing", detail))
    if not seen.txt:
        detail = f"{wanted.txt_name} has no TXT record {wanted.txt_value}."
        errors.append(FieldError("/records/1", "txt_missing", detail))
    return errors


async def _prove(call: Call, domain: Domain) -> None:
    before = domain.status
    now = datetime.now(UTC)
    domain.verified_at = domain.verified_at if before == "verified" else now
    domain.status, domain.checked_at, domain.missing_since = "verified", now, None
    domain.next_check_at = now + CHECK_EVERY
    try:
        await call.session.flush()
    except IntegrityError as error:
        if violated(error) != "domains_domain_taken":
            raise
        raise _taken() from None
    await call.session.refresh(domain)
    if before != "verified":
        await revoke(call.session, call.project_id, "domain", domain.domain)
        _forget_here(call, domain.domain)
        await call.audit("domain.verified", "domain", domain.id, before={"status": before}, after=_named(domain))


def _named(domain: Domain) -> dict[str, str]:
    return {"domain": domain.domain, "status": domain.status}


def _forget_here(call: Call, name: str) -> None:
    """This process need not wait until it reads its own revocation."""
    call.after_commit.append(lambda: call.gate.tenants.revoked(call.project_id, "domain", name))


def _shown(domain: Domain, target: str) -> DomainAnswer:
    wanted = records(domain.domain, domain.token, target)
    return DomainAnswer(
        id=domain.id,
        domain=domain.domain,
        readable=readable(domain.domain),
        status=cast(Literal["pending", "verified", "suspended"], domain.status),
        records=[
            Record(type="CNAME", name=domain.domain, value=wanted.cname_target),
            Record(type="TXT", name=wanted.txt_name, value=wanted.txt_value),
        ],
        verified_at=domain.verified_at,
        checked_at=domain.checked_at,
        missing_since=domain.missing_since,
        created_at=domain.created_at,
    )
