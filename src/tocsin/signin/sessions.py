"""Sessions: begun at a sign-in, carried on by refresh tokens, ended by logout, theft or a block.

A refresh token names its generation. Using the newest raises the session's; the one before it may be used for ten
seconds more and gets the very same successor, so that two tabs, or a client whose answer was lost, do not end the
session. Any other spent one proves a theft and does.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.call import Gate
from tocsin.auth.permissions import opens_panel
from tocsin.auth.revocation import end_session
from tocsin.auth.schemas import TokensAnswer
from tocsin.auth.source import check_address, networks
from tocsin.auth.tenant import Named
from tocsin.auth.tokens import ACCESS_LIFETIME, REFRESH_LIFETIME, Refresh
from tocsin.auth.tries import REFRESHES, Counter, network_of
from tocsin.kit.db import switch_scope
from tocsin.kit.errors import Unauthorized
from tocsin.kit.ids import PLATFORM_ID, new_id
from tocsin.signin.suspicious import tell_suspicious

GRACE = timedelta(seconds=10)


async def begin_session(
    gate: Gate,
    session: AsyncSession,
    project_id: UUID,
    user_id: UUID,
    *,
    ip: str | None,
    user_agent: str | None,
    as_plain_user: bool = False,
    vouched: bool = False,
) -> TokensAnswer:
    """A new session and its first pair of tokens; raises Forbidden where the project's list leaves the address out.

    ``vouched`` says that somebody else than a password answers for the person (the project's backend, single
    sign-on, the platform): a second factor that the project requires is theirs to ask for.
    """
    check_address(ip, networks(await session.scalar(_ALLOWED) or ()))
    session_id, nonce = new_id(), os.urandom(16)
    await session.execute(
        text(
            "INSERT INTO tocsin.sessions (project_id, id, user_id, nonce, ip_address, user_agent, vouched, expires_at)"
            " VALUES (:project, :id, :user, :nonce, :ip, :agent, :vouched, :expires)"
        ),
        {
            "project": project_id,
            "id": session_id,
            "user": user_id,
            "nonce": nonce,
            "ip": ip,
            "agent": (user_agent or "")[:400] or None,
            "vouched": vouched or as_plain_user,
            "expires": datetime.now(UTC) + REFRESH_LIFETIME,
        },
    )
    await session.execute(text("UPDATE tocsin.users SET last_seen_at = now() WHERE id = :user"), {"user": user_id})
    return await _tokens(gate, session, project_id, user_id, session_id, 1, nonce, as_plain_user=as_plain_user)


_ALLOWED = text("SELECT tocsin.allowed_networks(settings) FROM tocsin.projects")


async def renew(gate: Gate, token: str, named: list[Named], ip: str | None) -> TokensAnswer:
    """The next pair of tokens. Raises Unauthorized, or TooManyRequests for a network or session that overdoes it.

    ``named`` is what names a project beside the token, and must name the same. A session's own count goes up for
    genuine tokens only, so nobody else can use it up.
    """
    network = network_of(ip)
    await gate.tries.check(*network)
    try:
        refresh = gate.tokens.read_refresh(token)
        own = Counter("refresh", str(refresh.session_id), REFRESHES)
        await gate.tries.check(own)
        tokens = await _carry_on(gate, refresh, named, ip)
    except Unauthorized:
        await gate.tries.count(*network)
        raise
    await gate.tries.count(own)
    return tokens


async def _carry_on(gate: Gate, refresh: Refresh, named: list[Named], ip: str | None) -> TokensAnswer:
    """A spent token ends the session, for whoever holds its successor."""
    async with gate.db.scope(refresh.project_id, "test") as session:
        row = (await session.execute(_READ, {"id": refresh.session_id, "grace": GRACE})).one_or_none()
        if row is None or not gate.tokens.genuine(refresh, bytes(row.nonce)):
            raise _ended()
        gate.tenants.agree(refresh.project_id, row.slug, named)
        if not row.live:
            raise _ended()
        generation = _next_generation(refresh, row)
        if generation is not None:
            check_address(ip, networks(await session.scalar(_ALLOWED) or ()))
            await session.execute(_ROTATE, {"id": refresh.session_id, "generation": generation})
            nonce = bytes(row.nonce)
            return await _tokens(gate, session, refresh.project_id, row.user_id, refresh.session_id, generation, nonce)
        await end_session(session, refresh.project_id, refresh.session_id, "a spent refresh token was used")
        await switch_scope(session, refresh.project_id, row.env)
        await tell_suspicious(session, refresh.project_id, row.env, row.user_id, "spent_token", ip)
    raise _ended()


# Whoever waits for the row reads it as the one before left it, so of many at once one rotates.
_READ = text("""
SELECT s.user_id, s.nonce, s.generation, p.slug, u.env,
    s.revoked_at IS NULL AND s.expires_at > now() AND u.status = 'active' AS live,
    COALESCE(s.rotated_at > clock_timestamp() - CAST(:grace AS interval), false) AS just_rotated
FROM tocsin.sessions s JOIN tocsin.users u ON u.project_id = s.project_id AND u.id = s.user_id
    JOIN tocsin.projects p ON p.id = s.project_id
WHERE s.id = :id FOR UPDATE OF s
""")
_ROTATE = text("""
UPDATE tocsin.sessions SET generation = :generation, last_used_at = now(), rotated_at = clock_timestamp()
WHERE id = :id AND generation < :generation
""")


def _next_generation(refresh: Refresh, row: Any) -> int | None:
    """Which generation follows on this token; None when it is spent. The same generation is the same token."""
    if refresh.generation == row.generation:
        return refresh.generation + 1
    if refresh.generation + 1 == row.generation and row.just_rotated:
        return int(row.generation)
    return None


async def _tokens(
    gate: Gate,
    session: AsyncSession,
    project_id: UUID,
    user_id: UUID,
    session_id: UUID,
    generation: int,
    nonce: bytes,
    *,
    as_plain_user: bool = False,
) -> TokensAnswer:
    rows = (
        await session.execute(
            text(
                "SELECT r.name, r.permissions FROM tocsin.user_roles ur"
                " JOIN tocsin.roles r ON r.project_id = ur.project_id AND r.id = ur.role_id"
                " WHERE ur.user_id = :user ORDER BY r.name"
            ),
            {"user": user_id},
        )
    ).all()
    admin = not as_plain_user and any(opens_panel(row.permissions) for row in rows)
    access = gate.tokens.access(
        user_id=user_id,
        project_id=project_id,
        session_id=session_id,
        roles=[row.name for row in rows],
        type_="user" if not admin else "platform_admin" if project_id == PLATFORM_ID else "project_admin",
    )
    refresh = gate.tokens.refresh(project_id=project_id, session_id=session_id, generation=generation, nonce=nonce)
    return TokensAnswer(access_token=access, refresh_token=refresh, expires_in=int(ACCESS_LIFETIME.total_seconds()))


def _ended() -> Unauthorized:
    return Unauthorized("invalid_refresh_token", "The refresh token is not valid any more; sign in again.")
