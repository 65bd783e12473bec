"""The way in with e-mail and password: tries are counted, the password fits one account, a code may be asked for.

Unknown e-mail, wrong password and blocked account look, cost and count alike.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.devices import Device
from tocsin.auth.guard import Gate
from tocsin.auth.guesses import CODES, PASSWORDS, Counter, network_of
from tocsin.auth.passwords import matches
from tocsin.auth.schemas import TokensAnswer
from tocsin.kit.db import Env
from tocsin.kit.errors import Conflict, TooManyRequests, Unauthorized
from tocsin.signin.schemas import LoginBody
from tocsin.signin.second_factor import read_factor, spend
from tocsin.signin.sessions import begin_session


@dataclass(frozen=True, slots=True)
class Visitor:
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


async def sign_in(gate: Gate, body: LoginBody, visitor: Visitor) -> SignedIn:
    """Begin a session of the one account that fits.

    Raises Unauthorized, Conflict where several projects fit, TooManyRequests for who has to wait.
    """
    accounts = await _accounts(gate, body)
    async with AsyncExitStack() as tries:
        candidates = await _admitted(gate, tries, body, accounts, visitor)
        account = await _fitting(body, candidates)
        tokens = await _enter(gate, body, account, visitor)
    if tokens is None:
        raise Unauthorized("second_factor_required", "Send the code of your authenticator app, or a recovery code.")
    return SignedIn(account.project_id, account.user_id, account.env, tokens)


async def _accounts(gate: Gate, body: LoginBody) -> list[Any]:
    async with gate.db.unscoped() as session:
        rows = (await session.execute(text("SELECT * FROM tocsin.find_logins(:email)"), {"email": body.email})).all()
    return [row for row in rows if body.project is None or row.project_slug == body.project]


async def _admitted(
    gate: Gate, tries: AsyncExitStack, body: LoginBody, accounts: Sequence[Any], visitor: Visitor
) -> list[Any]:
    """The accounts whose password may be tried now, as one of these tries.

    Those the device is known to are tried on its own counter. The others share the counter of the e-mail, which
    strangers may have used up, and that of the network; so does a device that has used up its own.
    """
    known = [row for row in accounts if gate.devices.knows(visitor.device, row.project_id, row.user_id)]
    strange = [row for row in accounts if row not in known]
    if known and visitor.device is not None:
        own = Counter("device", visitor.device.id, PASSWORDS)
        try:
            await tries.enter_async_context(gate.guesses.attempt(own))
        except TooManyRequests:
            known, strange = [], list(accounts)
    if strange or not known:
        shared = (Counter("email", body.email, PASSWORDS), *network_of(visitor.ip))
        try:
            await tries.enter_async_context(gate.guesses.attempt(*shared))
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


async def _enter(gate: Gate, body: LoginBody, account: Any, visitor: Visitor) -> TokensAnswer | None:
    """The tokens of a new session; None when a code is missing. Raises Unauthorized for a wrong one."""
    async with gate.db.scope(account.project_id, account.env) as session:
        factor = await read_factor(session, account.user_id)
        if factor.since is None:
            return await _begin(gate, session, account, visitor)
    if body.code is None:
        return None
    async with (
        gate.guesses.attempt(_codes(gate, account, visitor)),
        gate.db.scope(account.project_id, account.env) as session,
    ):
        await spend(gate, session, account.project_id, account.user_id, body.code)
        return await _begin(gate, session, account, visitor)


async def _begin(gate: Gate, session: AsyncSession, account: Any, visitor: Visitor) -> TokensAnswer:
    return await begin_session(
        gate, session, account.project_id, account.user_id, ip=visitor.ip, user_agent=visitor.user_agent
    )


def _codes(gate: Gate, account: Any, visitor: Visitor) -> Counter:
    if visitor.device is not None and gate.devices.knows(visitor.device, account.project_id, account.user_id):
        return Counter("device code", visitor.device.id, CODES)
    return Counter("code", f"{account.project_id}:{account.user_id}", CODES)
