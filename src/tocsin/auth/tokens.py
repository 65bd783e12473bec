"""Access tokens (JWT, 15 minutes) and refresh tokens that change at every use (A1).

Access tokens carry no permissions: they name a session and a user, and what those may do is read afresh, so a
demotion counts at once. A refresh token is ``rt_`` and the sealed triple of project, session and generation;
because only we can have made it, one with a spent generation proves a theft and ends its session.
"""

import base64
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any
from uuid import UUID

import jwt

from tocsin.kit.crypto import MasterKey, fingerprint
from tocsin.kit.errors import Unauthorized
from tocsin.kit.ids import PLATFORM_ID, new_id, parse_id

ACCESS_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=30)
CLAIM_LIFETIME = timedelta(days=7)
_ALGORITHM = "HS256"
_SIGNING = "access-token"
_REFRESHING = "refresh-token"
_RECOVERING = "recovery-code"
_AUDIENCE = "tocsin"
_CLAIM_AUDIENCE = "tocsin:claim"
_REQUIRED = ["sub", "projectId", "type", "iat", "exp", "jti", "aud"]


@dataclass(frozen=True, slots=True)
class Access:
    """What a valid access token says."""

    user_id: UUID
    project_id: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True)
class Refresh:
    """What a genuine refresh token says; whether it is the newest one, the session knows."""

    project_id: UUID
    session_id: UUID
    generation: int
    proof: bytes


class Tokens:
    def __init__(self, master: MasterKey) -> None:
        self._master = master

    def access(self, *, user_id: UUID, project_id: UUID, session_id: UUID, roles: list[str], type_: str) -> str:
        now = datetime.now(UTC)
        claims = {
            "sub": str(user_id),
            "projectId": str(project_id),
            "roles": roles,
            "type": type_,
            "sid": str(session_id),
            "iat": now,
            "exp": now + ACCESS_LIFETIME,
            "jti": str(new_id()),
            "aud": _AUDIENCE,
        }
        return jwt.encode(claims, self._master.derive(_SIGNING), algorithm=_ALGORITHM)

    def read_access(self, token: str) -> Access:
        claims = self._decode(token, _AUDIENCE, ACCESS_LIFETIME)
        user_id, project_id, session_id = (_id(claims.get(name)) for name in ("sub", "projectId", "sid"))
        of_platform = claims["type"] == "platform_admin"
        if claims["type"] not in ("user", "project_admin", "platform_admin") or (
            of_platform and project_id != PLATFORM_ID
        ):
            raise _refused()
        return Access(user_id, project_id, session_id)

    def claim(self, *, user_id: UUID, project_id: UUID, env: str) -> str:
        """What a person who registered alone turns into tokens once somebody approved them (A5)."""
        now = datetime.now(UTC)
        claims = {
            "sub": str(user_id),
            "projectId": str(project_id),
            "env": env,
            "type": "claim",
            "iat": now,
            "exp": now + CLAIM_LIFETIME,
            "jti": str(new_id()),
            "aud": _CLAIM_AUDIENCE,
        }
        return jwt.encode(claims, self._master.derive(_SIGNING), algorithm=_ALGORITHM)

    def read_claim(self, token: str) -> dict[str, Any]:
        return self._decode(token, _CLAIM_AUDIENCE, CLAIM_LIFETIME)

    def refresh(self, *, project_id: UUID, session_id: UUID, generation: int, nonce: bytes) -> str:
        body = project_id.bytes + session_id.bytes + struct.pack(">I", generation)
        proof = fingerprint(self._master.derive(_REFRESHING), (body + nonce).hex())
        return "rt_" + base64.urlsafe_b64encode(body + proof).decode().rstrip("=")

    def read_refresh(self, token: str) -> Refresh:
        try:
            raw = base64.b64decode(token[3:] + "=" * (-len(token[3:]) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise _refused() from None
        if not token.startswith("rt_") or len(raw) != 68:
            raise _refused()
        (generation,) = struct.unpack(">I", raw[32:36])
        return Refresh(UUID(bytes=raw[:16]), UUID(bytes=raw[16:32]), generation, raw[36:])

    def genuine(self, refresh: Refresh, nonce: bytes) -> bool:
        """Whether we made this token for that session (the nonce is the session's own)."""
        body = refresh.project_id.bytes + refresh.session_id.bytes + struct.pack(">I", refresh.generation)
        text = (body + nonce).hex()
        return any(compare_digest(refresh.proof, fingerprint(key, text)) for key in self._master.tries(_REFRESHING))

    def recovery_code_mac(self, project_id: UUID, user_id: UUID, code: str) -> bytes:
        """What is kept of a recovery code. It has 50 random bits, and without our key nobody can try them.

        The id of the master key stands in front, 4 bytes: with that key the code is lost.
        """
        key = self._master.derive(_RECOVERING)
        return bytes.fromhex(self._master.id) + fingerprint(key, f"{project_id}:{user_id}:{code}")

    def recovery_code_macs(self, project_id: UUID, user_id: UUID, code: str) -> list[bytes]:
        """What may be kept of a recovery code, by the accepted master keys."""
        self._master.refresh()
        keys = zip(self._master.ids, self._master.derived(_RECOVERING), strict=True)
        return [bytes.fromhex(id_) + fingerprint(key, f"{project_id}:{user_id}:{code}") for id_, key in keys]

    def _decode(self, token: str, audience: str, longest: timedelta) -> dict[str, Any]:
        for key in self._master.tries(_SIGNING):
            try:
                claims: dict[str, Any] = jwt.decode(
                    token, key, algorithms=[_ALGORITHM], audience=audience, options={"require": _REQUIRED}
                )
                break
            except jwt.InvalidSignatureError:
                continue
            except (jwt.InvalidTokenError, OverflowError, ValueError, TypeError):
                raise _refused() from None
        else:
            raise _refused()
        if not _is_lifetime(claims["iat"], claims["exp"], longest):
            raise _refused()
        return claims


def _is_lifetime(began: object, ends: object, longest: timedelta) -> bool:
    """The library reads digits in a text as a number too."""
    if not isinstance(began, int | float) or not isinstance(ends, int | float):
        return False
    return ends - began <= longest.total_seconds()


def _id(value: object) -> UUID:
    parsed = parse_id(value) if isinstance(value, str) else None
    if parsed is None:
        raise _refused()
    return parsed


def _refused() -> Unauthorized:
    return Unauthorized(
        "invalid_token",
        "The token is not valid or has expired; sign in again or refresh it.",
        headers={"WWW-Authenticate": "Bearer"},
    )
