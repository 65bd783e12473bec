"""The second factor over HTTP: set up, taken away, and reset for somebody who lost it.

Where a code or password is tried, transactions are short and the endpoint's own: the try must stay counted when
the request is refused.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from fastapi import Response
from sqlalchemy import select

from tocsin.auth.call import Call
from tocsin.auth.guard import Admitted, Called, guarded_router, needs
from tocsin.auth.passwords import matches
from tocsin.auth.revocation import end_sessions_of
from tocsin.auth.tries import CODES, Counter
from tocsin.kit.errors import Conflict, Forbidden, Unauthorized
from tocsin.kit.schema import PathId
from tocsin.projects.models import Project
from tocsin.signin import second_factor
from tocsin.signin.models import Session
from tocsin.signin.schemas import ConfirmBody, EnrolAnswer, EnrolBody, ProofBody, RecoveryCodesAnswer
from tocsin.users.people import find_user
from tocsin.users.rights import check_may_give
from tocsin.users.roles import find_roles, role_names

FRESH = timedelta(minutes=15)
"""So long after a sign-in its password need not be shown again to set up a second factor."""

router = guarded_router()


class _Person(NamedTuple):
    user_id: UUID
    session_id: UUID
    signed_in_at: datetime
    password_hash: str | None


@router.post("/auth/2fa/enrol", operation_id="enrol_second_factor", tags=["auth"])
@needs("own:manage", idempotent=False, while_suspended=True, network_first=True, before_enrolment=True)
async def enrol(admitted: Admitted, body: EnrolBody | None = None) -> EnrolAnswer:
    """A secret for an authenticator app. It counts once `/auth/2fa/confirm` has seen a code made with it."""
    password = body.password if body else None
    async with admitted.transaction() as call:
        person = await _person(call)
    if password is not None or person.signed_in_at < datetime.now(UTC) - FRESH:
        async with _counted(call, person):
            await _check_password(person, password)
    async with admitted.transaction() as call:
        user = await find_user(call.session, person.user_id)
        project = (await call.session.scalars(select(Project))).one()
        secret, uri = await second_factor.enrol(
            call.gate,
            call.session,
            call.project_id,
            user.id,
            account=user.email or user.name or str(user.id),
            issuer=project.name,
        )
        await call.audit("second_factor.enrolled", "user", user.id)
    return EnrolAnswer(secret=secret, uri=uri)


@router.post("/auth/2fa/confirm", operation_id="confirm_second_factor", tags=["auth"])
@needs("own:manage", idempotent=False, while_suspended=True, network_first=True, before_enrolment=True)
async def confirm(admitted: Admitted, body: ConfirmBody) -> RecoveryCodesAnswer:
    """Turn the second factor on with a first code; the answer has the recovery codes."""
    async with admitted.transaction() as call:
        person = await _person(call)
    async with _counted(call, person), admitted.transaction() as call:
        codes = await second_factor.confirm(call.gate, call.session, call.project_id, person.user_id, body.code)
        await call.audit("second_factor.confirmed", "user", person.user_id)
    return RecoveryCodesAnswer(recovery_codes=codes)


@router.post("/auth/2fa/disable", operation_id="disable_second_factor", status_code=204, tags=["auth"])
@needs("own:manage", idempotent=False, while_suspended=True, network_first=True)
async def disable(admitted: Admitted, body: ProofBody) -> Response:
    """Turn the second factor off."""
    async with _proven(admitted, body) as (call, person):
        await second_factor.disable(call.session, person.user_id)
        await call.audit("second_factor.disabled", "user", person.user_id)
    return Response(status_code=204)


@router.post("/auth/2fa/recovery-codes", operation_id="renew_recovery_codes", tags=["auth"])
@needs("own:manage", idempotent=False, while_suspended=True, network_first=True)
async def renew_recovery_codes(admitted: Admitted, body: ProofBody) -> RecoveryCodesAnswer:
    """New recovery codes; those there were work no longer."""
    async with _proven(admitted, body) as (call, person):
        codes = await second_factor.new_recovery_codes(call.gate, call.session, call.project_id, person.user_id)
        await call.audit("second_factor.codes_renewed", "user", person.user_id)
    return RecoveryCodesAnswer(recovery_codes=codes)


@router.delete("/users/{user_id}/2fa", operation_id="reset_second_factor", status_code=204, tags=["users"])
@needs("users:manage")
async def reset(call: Called, user_id: PathId) -> Response:
    """Take the second factor from somebody who lost app and recovery codes, and end their sessions."""
    user = await find_user(call.session, user_id)
    call.write_to(user.env)
    held = (await role_names(call.session, [user.id])).get(user.id, [])
    check_may_give(call.principal.permissions, await find_roles(call.session, held, "/roles"))
    if await second_factor.disable(call.session, user.id):
        await end_sessions_of(call.session, call.project_id, [user.id], "second factor reset")
        await call.audit("second_factor.reset", "user", user.id)
    return Response(status_code=204)


@asynccontextmanager
async def _proven(admitted: Admitted, body: ProofBody) -> AsyncIterator[tuple[Call, _Person]]:
    """A transaction of somebody who has shown password and code once more."""
    async with admitted.transaction() as call:
        person = await _person(call)
        if (await second_factor.read_factor(call.session, person.user_id)).since is None:
            raise Conflict("no_second_factor", "There is no second factor; POST /auth/2fa/enrol sets one up.")
    async with _counted(call, person):
        await _check_password(person, body.password)
        async with admitted.transaction() as call:
            await second_factor.spend(call.gate, call.session, call.project_id, person.user_id, body.code)
            yield call, person


def _counted(call: Call, person: _Person) -> AbstractAsyncContextManager[None]:
    """One try of this session; whoever stole its token cannot use up the tries of another one."""
    return call.gate.tries.attempt(Counter("session", str(person.session_id), CODES))


async def _person(call: Call) -> _Person:
    if call.principal.user_id is None or call.principal.session_id is None:
        raise Forbidden("not_a_user", "An API key is nobody and has no second factor.")
    user = await find_user(call.session, call.principal.user_id)
    began = (await call.session.scalars(select(Session).where(Session.id == call.principal.session_id))).one()
    return _Person(user.id, began.id, began.created_at, user.password_hash)


async def _check_password(person: _Person, password: str | None) -> None:
    """Who has no password (single sign-on, an app's user) need not show one."""
    if person.password_hash is None:
        return
    if password is None:
        raise Forbidden("password_required", "Send your password once more.")
    if not await matches(password, person.password_hash):
        raise Unauthorized("invalid_password", "The password is not right.")
