"""The way in with e-mail and password: tries are counted, the password fits one account, a code may be asked for.

Unknown e-mail, wrong password and blocked account look, cost and count alike.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.call import Gate
from tocsin.auth.devices import Device
from tocsin.auth.passwords import matches
from tocsin.auth.schemas import TokensAnswer
from tocsin.auth.tenant import PLATFORM_SLUG
from tocsin.auth.tries import CODES, PASSWORDS, Counter, network_of
from tocsin.kit.db import Env
from tocsin.kit.errors import Conflict, TooManyRequests, Unauthorized
from tocsin.signin.schemas import LoginBody
from tocsin.signin.second_factor import read_factor, spend
from tocsin.signin.sessions import begin_session
from tocsin.signin.sso.required import refuse_password
from tocsin.signin.suspicious import is_new_place, tell_suspicious


class CodeMissing(Unauthorized):
    """Everything was right so far."""

    def __init__(self) -> None:
        detail = "Send the code of your authenticator app, or a recovery code."
        super().__init__("second_factor_required", detail)


@dataclass(frozen=True, slots=True)
class Knocking:
    """Who knocks, as far as a request tells."""

    ip: str | None
    user_agent: str | None
    device: Device | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    project_id: UUID
    user_id: UUID
    env: Env
    tokens: TokensAnswer


async def sign_in(gate: Gate, body: LoginBody, slug: str | None, knocking: Knocking) -> SignedIn:
    """Begin a session of the one account that fits, in the project of that slug if there is one.

    Raises Unauthorized, Conflict where several projects fit, TooManyRequests for who has to wait.
    """
    accounts = await _accounts(gate, body.email, slug)
    async with AsyncExitStack() as tries:
        candidates = await _admitted(gate, tries, body, accounts, knocking)
        account = await _fitting(body, candidates)
        try:
            tokens = await _enter(gate, body, account, knocking)
        except CodeMissing:
            tokens = None  # the password was right, so this try is not counted
    if tokens is None:
        raise CodeMissing
    return SignedIn(account.project_id, account.user_id, account.env, tokens)


async def _accounts(gate: Gate, email: str, slug: str | None) -> list[Any]:
    async with gate.db.unscoped() as session:
        rows = (await session.execute(text("SELECT * FROM tocsin.find_logins(:email)"), {"email": email})).all()
    if slug is None:
        # Who also runs the installation has that account by name alone, and no answer tells of it.
        return [row for row in rows if row.project_slug != PLATFORM_SLUG]
    return [row for row in rows if row.project_slug == slug]


async def _admitted(
    gate: Gate, tries: AsyncExitStack, body: LoginBody, accounts: Sequence[Any], knocking: Knocking
) -> list[Any]:
    """The accounts whose password may be tried now, as one of these tries.

    Those the device is known to are tried on its own counter. The others share the counter of the e-mail, which
    strangers may have used up, and that of the network; so does a device that has used up its own.
    """
    known = [row for row in accounts if gate.devices.knows(knocking.device, row.project_id, row.user_id)]
    strange = [row for row in accounts if row not in known]
    if known and knocking.device is not None:
        own = Counter("device", knocking.device.id, PASSWORDS)
        try:
            await tries.enter_async_context(gate.tries.attempt(own))
        except TooManyRequests:
            known, strange = [], list(accounts)
    if strange or not known:
        shared = (Counter("email", body.email, PASSWORDS), *network_of(knocking.ip))
        try:
            await tries.enter_async_context(gate.tries.attempt(*shared))
        except TooManyRequests:
            if not known:
                raise
            strange = []
    return known + strange


async def _fitting(body: LoginBody, accounts: Sequence[Any]) -> Any:
    fitting = [row for row in accounts if await matches(body.password, row.password_hash)]
    if not accounts:
        await matches(body.password, None)
    fitting = [row for row in fitting if row.status == "active"]
    if not fitting:
        raise Unauthorized("invalid_login", "The e-mail or the password is not right.")
    if len(fitting) > 1:
        slugs = ", ".join(sorted(row.project_slug for row in fitting))
        raise Conflict("project_required", f"Several projects fit; name one as project: {slugs}.")
    return fitting[0]


async def _enter(gate: Gate, body: LoginBody, account: Any, knocking: Knocking) -> TokensAnswer:
    """The tokens of a new session. Raises CodeMissing, Unauthorized for a wrong code, Forbidden without sign-on."""
    place = account.project_id, account.env, account.user_id
    known = gate.devices.knows(knocking.device, account.project_id, account.user_id)
    counter = Counter("code", f"{account.project_id}:{account.user_id}", CODES)
    if knocking.device is not None and known:
        counter = Counter("device code", knocking.device.id, CODES)
    try:
        async with code_shown(gate, *place, body.code, counter) as session:
            await refuse_password(session, account.user_id)
            if not known and await is_new_place(session, account.user_id, knocking.ip):
                await tell_suspicious(session, *place, "new_place", knocking.ip)
            return await begin_session(
                gate, session, account.project_id, account.user_id, ip=knocking.ip, user_agent=knocking.user_agent
            )
    except TooManyRequests:
        async with gate.db.scope(account.project_id, account.env) as session:
            await tell_suspicious(session, *place, "wrong_codes", knocking.ip)
        raise


@asynccontextmanager
async def code_shown(
    gate: Gate, project_id: UUID, env: Env, user_id: UUID, code: str | None, counter: Counter
) -> AsyncIterator[AsyncSession]:
    """A transaction of the project for somebody who has used up a code, if the account asks for one.

    Raises CodeMissing, or Unauthorized for a wrong code, which is counted.
    """
    async with gate.db.scope(project_id, env) as session:
        asked = (await read_factor(session, user_id)).since is not None
    if not asked:
        async with gate.db.scope(project_id, env) as session:
            yield session
        return
    if code is None:
        raise CodeMissing
    async with gate.tries.attempt(counter), gate.db.scope(project_id, env) as session:
        await spend(gate, session, project_id, user_id, code)
        yield session
