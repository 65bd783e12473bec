"""Sessions: begun at a sign-in, carried on by refresh tokens, ended by logout, theft or a block."""

import os
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.guard import Gate
from tocsin.auth.permissions import opens_panel
from tocsin.auth.schemas import TokensAnswer
from tocsin.auth.source import check_address, networks
from tocsin.auth.tenant import Named
from tocsin.auth.tokens import ACCESS_LIFETIME, REFRESH_LIFETIME
from tocsin.kit.errors import Unauthorized
from tocsin.kit.ids import PLATFORM_ID, new_id


async def begin_session(
    gate: Gate,
    session: AsyncSession,
    project_id: UUID,
    user_id: UUID,
    *,
    ip: str | None,
    user_agent: str | None,
    as_plain_user: bool = False,
) -> TokensAnswer:
    """A new session and its first pair of tokens; raises Forbidden where the project's list leaves the address out."""
    check_address(ip, networks(await session.scalar(_ALLOWED) or ()))
    session_id, nonce = new_id(), os.urandom(16)
    await session.execute(
        text(
            "INSERT INTO tocsin.sessions (project_id, id, user_id, nonce, ip_address, user_agent, expires_at)"
            " VALUES (:project, :id, :user, :nonce, :ip, :agent, :expires)"
        ),
        {
            "project": project_id,
            "id": session_id,
            "user": user_id,
            "nonce": nonce,
            "ip": ip,
            "agent": (user_agent or "")[:400] or None,
            "expires": datetime.now(UTC) + REFRESH_LIFETIME,
        },
    )
    await session.execute(text("UPDATE tocsin.users SET last_seen_at = now() WHERE id = :user"), {"user": user_id})
    return await _tokens(gate, session, project_id, user_id, session_id, 1, nonce, as_plain_user=as_plain_user)


_ALLOWED = text("SELECT tocsin.allowed_networks(settings) FROM tocsin.projects")


async def carry_on(gate: Gate, token: str, named: list[Named], ip: str | None) -> TokensAnswer:
    """The next pair of tokens; a spent one ends the session, for whoever holds its successor.

    ``named`` is what names a project beside the token, and must name the same.
    """
    refresh = gate.tokens.read_refresh(token)
    stolen = False
    async with gate.db.scope(refresh.project_id, "test") as session:
        row = (
            await session.execute(
                text(
                    "SELECT s.user_id, s.nonce, s.generation, s.revoked_at, s.expires_at, u.status,"
                    " p.slug FROM tocsin.sessions s"
                    " JOIN tocsin.users u ON u.project_id = s.project_id AND u.id = s.user_id"
                    " JOIN tocsin.projects p ON p.id = s.project_id"
                    " WHERE s.id = :id FOR UPDATE OF s"
                ),
                {"id": refresh.session_id},
            )
        ).one_or_none()
        if row is None or not gate.tokens.genuine(refresh, bytes(row.nonce)):
            raise _ended()
        gate.tenants.agree(refresh.project_id, row.slug, named)
        if row.revoked_at is not None or row.status != "active" or row.expires_at <= datetime.now(UTC):
            raise _ended()
        check_address(ip, networks(await session.scalar(_ALLOWED) or ()))
        if refresh.generation != row.generation:
            await end_session(session, refresh.session_id, "a spent refresh token was used")
            stolen = True
        else:
            await session.execute(
                text("UPDATE tocsin.sessions SET generation = generation + 1, last_used_at = now() WHERE id = :id"),
                {"id": refresh.session_id},
            )
            tokens = await _tokens(
                gate,
                session,
                refresh.project_id,
                row.user_id,
                refresh.session_id,
                refresh.generation + 1,
                bytes(row.nonce),
            )
    if stolen:
        raise _ended()
    return tokens


async def end_session(session: AsyncSession, session_id: UUID, reason: str) -> None:
    await session.execute(
        text(
            "UPDATE tocsin.sessions SET revoked_at = now(), revoked_reason = :reason"
            " WHERE id = :id AND revoked_at IS NULL"
        ),
        {"id": session_id, "reason": reason},
    )


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
