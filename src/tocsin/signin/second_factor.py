"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost (A4).

None, ``enrolled`` (a secret was shown, nothing is asked for yet), ``confirmed`` (a code has proved that the app
has the secret; from then on every sign-in with the password needs one). A code counts once, as does a recovery
code, whatever happens at the same time.
"""

import base64
import os
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from hmac import compare_digest
from typing import Any, NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.call import Gate
from tocsin.kit.errors import Conflict, Unauthorized

STEP_SECONDS = 30
DIGITS = 6
STEPS_BESIDE = 1
"""Codes of the step before and after count too, for clocks that are off."""

RECOVERY_CODES = 10

_SECRET_BYTES = 20  # what SHA-1 asks for, RFC 4226 section 4
_RECOVERY_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_RECOVERY_CODE = re.compile(rf"[{_RECOVERY_ALPHABET}]{{10}}")


class Factor(NamedTuple):
    """What a person has; ``since`` is None until it is confirmed."""

    since: datetime | None
    recovery_codes_left: int


def requires_second_factor(settings: Mapping[str, Any]) -> bool:
    """Whether a project with these settings wants one of everybody who signs in with a password."""
    security = settings.get("security")
    return isinstance(security, Mapping) and security.get("require2fa") is True


async def read_factor(session: AsyncSession, user_id: UUID) -> Factor:
    row = (await session.execute(_READ, {"user": user_id})).one()
    return Factor(row.confirmed_at, row.codes)


_READ = text("""
SELECT (SELECT confirmed_at FROM tocsin.second_factors WHERE user_id = :user) AS confirmed_at,
    (SELECT count(*) FROM tocsin.recovery_codes WHERE user_id = :user) AS codes
""")


async def enrol(
    gate: Gate, session: AsyncSession, project_id: UUID, user_id: UUID, *, account: str, issuer: str
) -> tuple[str, str]:
    """A new secret in base32, and the URI that authenticator apps read from a QR code.

    Instead of one that was not confirmed; raises Conflict where one was.
    """
    raw = os.urandom(_SECRET_BYTES)
    secret = base64.b32encode(raw).decode()
    sealed = await gate.vault.seal(session, project_id, "second_factors", user_id, "secret", secret)
    values = {"project": project_id, "user": user_id, "secret": sealed}
    if await session.scalar(_ENROL, values) is None:
        raise Conflict("second_factor_exists", "There is a second factor already; disable it first.")
    uri = TOTP(raw, DIGITS, SHA1(), STEP_SECONDS).get_provisioning_uri(account, issuer)
    return secret, uri


_ENROL = text("""
INSERT INTO tocsin.second_factors AS f (project_id, user_id, secret) VALUES (:project, :user, :secret)
ON CONFLICT (project_id, user_id) DO UPDATE SET secret = excluded.secret, last_step = 0, created_at = now()
WHERE f.confirmed_at IS NULL
RETURNING user_id
""")


async def confirm(gate: Gate, session: AsyncSession, project_id: UUID, user_id: UUID, code: str) -> list[str]:
    """Prove the enrolled secret with a code; the recovery codes. Raises Conflict, or Unauthorized for the code."""
    factor = await read_factor(session, user_id)
    if factor.since is not None:
        raise Conflict("second_factor_exists", "The second factor is confirmed already.")
    if not await _spend_totp(gate, session, project_id, user_id, code):
        raise wrong_code()
    await session.execute(
        text("UPDATE tocsin.second_factors SET confirmed_at = now() WHERE user_id = :user"), {"user": user_id}
    )
    return await new_recovery_codes(gate, session, project_id, user_id)


async def spend(gate: Gate, session: AsyncSession, project_id: UUID, user_id: UUID, code: str) -> None:
    """Use up a code of the app or a recovery code; raises Unauthorized for any other."""
    recovery = _as_recovery_code(code)
    if recovery is None:
        good = await _spend_totp(gate, session, project_id, user_id, code)
    else:
        good = await _spend_recovery(gate, session, project_id, user_id, recovery)
    if not good:
        raise wrong_code()


async def new_recovery_codes(gate: Gate, session: AsyncSession, project_id: UUID, user_id: UUID) -> list[str]:
    """Ten codes, instead of those there were; they are kept as keyed hashes only."""
    codes = ["".join(secrets.choice(_RECOVERY_ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES)]
    macs = [gate.tokens.recovery_code_mac(project_id, user_id, code) for code in codes]
    await session.execute(_FORGET_CODES, {"user": user_id})
    await session.execute(_KEEP_CODES, {"project": project_id, "user": user_id, "macs": macs})
    return [f"{code[:5]}-{code[5:]}" for code in codes]


_FORGET_CODES = text("DELETE FROM tocsin.recovery_codes WHERE user_id = :user")
_KEEP_CODES = text("""
INSERT INTO tocsin.recovery_codes (project_id, user_id, code_mac)
SELECT :project, :user, unnest(CAST(:macs AS bytea[]))
""")


async def disable(session: AsyncSession, user_id: UUID) -> bool:
    """Ask for no second factor any more; False when there was none."""
    await session.execute(_FORGET_CODES, {"user": user_id})
    gone = text("DELETE FROM tocsin.second_factors WHERE user_id = :user RETURNING user_id")
    return await session.scalar(gone, {"user": user_id}) is not None


def wrong_code() -> Unauthorized:
    return Unauthorized("invalid_code", "The code is not right, or was used before; wait for the next one.")


async def _spend_totp(gate: Gate, session: AsyncSession, project_id: UUID, user_id: UUID, code: str) -> bool:
    row = (await session.execute(_LOCK, {"user": user_id})).one_or_none()
    if row is None or len(code) != DIGITS or not (code.isascii() and code.isdecimal()):
        return False
    secret = await gate.vault.open(session, project_id, "second_factors", user_id, "secret", row.secret)
    step = matching_step(secret, code, row.now // STEP_SECONDS)
    if step is None or step <= row.last_step:
        return False
    spent = text("UPDATE tocsin.second_factors SET last_step = :step WHERE user_id = :user")
    await session.execute(spent, {"step": step, "user": user_id})
    return True


# The database's clock, so that every process asks the same one.
_LOCK = text("""
SELECT secret, last_step, extract(epoch FROM clock_timestamp())::bigint AS now
FROM tocsin.second_factors WHERE user_id = :user FOR UPDATE
""")


def matching_step(secret: str, code: str, now: int) -> int | None:
    """The step around ``now`` whose code this is. The newest first: an older one would leave it usable."""
    generator = HOTP(base64.b32decode(secret), DIGITS, SHA1())
    steps = range(now + STEPS_BESIDE, now - STEPS_BESIDE - 1, -1)
    matching = [step for step in steps if compare_digest(generator.generate(step), code.encode())]
    return matching[0] if matching else None


async def _spend_recovery(gate: Gate, session: AsyncSession, project_id: UUID, user_id: UUID, code: str) -> bool:
    """Of two at once the second waits for the row and finds it gone."""
    macs = gate.tokens.recovery_code_macs(project_id, user_id, code)
    return await session.scalar(_SPEND_CODE, {"user": user_id, "macs": macs}) is not None


_SPEND_CODE = text("""
DELETE FROM tocsin.recovery_codes WHERE user_id = :user AND code_mac = ANY(CAST(:macs AS bytea[])) RETURNING user_id
""")


def _as_recovery_code(code: str) -> str | None:
    """The ten characters of a recovery code however it was typed, or None when it cannot be one."""
    plain = re.sub(r"[\s-]", "", code).lower()
    return plain if _RECOVERY_CODE.fullmatch(plain) else None
