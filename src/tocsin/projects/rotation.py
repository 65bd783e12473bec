"""Secrets replaced without downtime: the old one goes on counting for the overlap, at most one of them (A3)."""

from datetime import UTC, datetime, timedelta

from tocsin.auth.call import Call
from tocsin.auth.keys import new_secret
from tocsin.kit.db import Env
from tocsin.projects.models import ApiKey, IdentitySecret, RealtimeApp


async def rotate_secret_of(call: Call, key: ApiKey, overlap_seconds: int) -> str:
    """Give a key a new secret, which is returned; wrong ones are counted from the beginning.

    The MAC of the old one is kept even without an overlap: whoever goes on sending it is refused, and is no guesser.
    """
    env: Env = "test" if key.env == "test" else "live"
    secret = new_secret(env)
    mac, hashed = await call.gate.credentials.sealed_secret(secret)
    key.previous_until = _until(overlap_seconds)
    key.previous_mac = key.secret_mac
    key.previous_hash = key.secret_hash if overlap_seconds else None
    key.secret_mac, key.secret_hash = mac, hashed
    key.failed_secrets = 0
    return secret


async def rotate_sealed(call: Call, row: IdentitySecret | RealtimeApp, secret: str, overlap_seconds: int) -> None:
    """Replace a secret that is kept readable. It opens in its own column alone, so the old one is sealed anew."""
    table = row.__tablename__
    old = await call.open(table, row.env, "secret", row.secret)
    row.previous_until = _until(overlap_seconds)
    row.previous_secret = await call.seal(table, row.env, "previous_secret", old) if overlap_seconds else None
    row.secret = await call.seal(table, row.env, "secret", secret)


def masked(secret: str) -> str:
    """A secret as it may stand in the audit log: its last four characters (C3)."""
    return f"****{secret[-4:]}"


def _until(overlap_seconds: int) -> datetime | None:
    return datetime.now(UTC) + timedelta(seconds=overlap_seconds) if overlap_seconds else None
