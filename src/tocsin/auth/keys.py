"""API keys (A3): ``pk_{env}_...`` names a key, ``sk_{env}_...`` proves it, both end in a checksum.

A secret is compared twice: an HMAC under a key derived from the master key refuses a wrong one in
microseconds (a public ``pk_`` must not be a way to burn CPU); bcrypt then confirms it once per process, in a
pool of one with a bounded queue. Verified pairs are remembered in memory alone, under a key of the process.
"""

import asyncio
import hashlib
import os
import secrets
import time
import zlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from ipaddress import ip_address, ip_network
from typing import Any, cast
from uuid import UUID

import bcrypt
from sqlalchemy import text

from tocsin.auth.macs import SecretMacs
from tocsin.auth.principal import Principal
from tocsin.kit.crypto import MasterKey
from tocsin.kit.db import Database, Env
from tocsin.kit.errors import Forbidden, Unauthorized, Unavailable

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM_LENGTH = 6
_BCRYPT_COST = 10
_WAITING_AT_MOST = 32
_REMEMBERED = 50_000
_TRUST_SECONDS = 1.0


def new_key(env: Env) -> str:
    return _with_checksum(f"pk_{env}_", 24)


def new_secret(env: Env) -> str:
    return _with_checksum(f"sk_{env}_", 43)


def new_identity_secret(env: Env) -> str:
    return _with_checksum(f"is_{env}_", 43)


def key_env(key: str) -> Env | None:
    """The environment that a well-formed key, secret or identity secret names, else None: typos need no look-up."""
    kind, _, rest = key.partition("_")
    env, _, body = rest.partition("_")
    if kind not in ("pk", "sk", "is") or env not in ("live", "test") or len(body) <= _CHECKSUM_LENGTH:
        return None
    if not key.isascii() or not compare_digest(_checksum(key[:-_CHECKSUM_LENGTH]), key[-_CHECKSUM_LENGTH:]):
        return None
    return cast(Env, env)


def _with_checksum(prefix: str, length: int) -> str:
    body = prefix + "".join(secrets.choice(_BASE62) for _ in range(length))
    return body + _checksum(body)


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return digits


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    expires_at: datetime | None
    allowed_ips: tuple[Any, ...]


class Credentials:
    """The API keys that this process has met."""

    def __init__(self, db: Database, master: MasterKey) -> None:
        self._db = db
        self._macs = SecretMacs(master)
        self._memory_key = os.urandom(32)
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._proven: OrderedDict[bytes, str] = OrderedDict()
        self._trusted_until = 0.0
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bcrypt")
        self._waiting = 0

    async def sealed_secret(self, secret: str) -> tuple[bytes, str]:
        """What is kept of a secret: the HMAC and the bcrypt hash."""
        hashed = await self._in_pool(bcrypt.hashpw, secret.encode(), bcrypt.gensalt(_BCRYPT_COST))
        return self._macs.of(secret), hashed.decode()

    def remembered(self, key: str, secret: str, client_ip: str | None) -> Principal | None:
        """The caller, when this pair was verified before and still counts; the hot path's only cost."""
        known = self._known.get(self._memory_name(key, secret))
        if known is None or not self.trusted:
            return None
        _check_use(known.expires_at, known.allowed_ips, client_ip)
        return known.principal

    async def verify(self, key: str, secret: str, client_ip: str | None) -> Principal:
        """The caller of a key and its secret; raises Unauthorized alike for every reason."""
        principal = self.remembered(key, secret, client_ip)
        if principal is not None:
            return principal
        env = key_env(key)
        if env is None or not key.startswith("pk_") or key_env(secret) != env or not secret.startswith("sk_"):
            raise _refused()
        row = await self._find(key)
        if row is None or row.status != "active":
            raise _refused()
        hashed = self._hash_of(row, secret)
        name = self._memory_name(key, secret)
        if self._proven.get(name) != hashed:
            if not await self._in_pool(bcrypt.checkpw, secret.encode(), hashed.encode()):
                raise _refused()
            _keep(self._proven, name, hashed)
        if hashed == row.secret_hash and self._macs.outdated(bytes(row.secret_mac)):
            await self._renew_mac(row, secret)
        allowed = tuple(ip_network(entry) for entry in row.allowed_ips)
        _check_use(row.expires_at, allowed, client_ip)
        principal = _principal(row, "key")
        _keep(self._known, name, _Known(principal, row.expires_at, allowed))
        return principal

    def _hash_of(self, row: Any, secret: str) -> str:
        """The bcrypt hash that has to confirm a secret: the current one's, or the previous one's while that counts."""
        fit = self._macs.fit(secret, bytes(row.secret_mac))
        if fit == "right":
            return str(row.secret_hash)
        if row.previous_mac is not None and row.previous_until > datetime.now(UTC):
            earlier = self._macs.fit(secret, bytes(row.previous_mac))
            if earlier == "right" or (earlier == "unknown" and fit == "wrong"):
                return str(row.previous_hash)
        if fit == "unknown":
            return str(row.secret_hash)
        raise _refused()

    async def _renew_mac(self, row: Any, secret: str) -> None:
        """Keep the HMAC of a proven secret under the current master key."""
        async with self._db.scope(row.project_id, row.env) as session:
            await session.execute(
                text("UPDATE tocsin.api_keys SET secret_mac = :new WHERE id = :id AND secret_mac = :old"),
                {"new": self._macs.of(secret), "id": row.id, "old": bytes(row.secret_mac)},
            )

    async def public(self, key: str) -> Principal:
        """The caller that shows a public key alone: no permissions, only what is open to anybody's app."""
        if not key.startswith("pk_") or key_env(key) is None:
            raise _refused()
        row = await self._find(key)
        if row is None or row.status != "active":
            raise _refused()
        return _principal(row, "public_key")

    def forget_key(self, key_id: UUID) -> None:
        self._forget(lambda known: known.principal.key_id == key_id)

    def forget_project(self, project_id: UUID) -> None:
        self._forget(lambda known: known.principal.project_id == project_id)

    def trust(self) -> None:
        """Say that all revocations up to now were seen; what is remembered counts for one second more."""
        self._trusted_until = time.monotonic() + _TRUST_SECONDS

    @property
    def trusted(self) -> bool:
        """Whether what this process remembers of keys and projects still counts; if not, read it again."""
        return time.monotonic() <= self._trusted_until

    def _forget(self, gone: Any) -> None:
        for name in [name for name, known in self._known.items() if gone(known)]:
            del self._known[name]

    def _memory_name(self, key: str, secret: str) -> bytes:
        return hashlib.blake2b(f"{key}\n{secret}".encode(), key=self._memory_key, digest_size=32).digest()

    async def _find(self, key: str) -> Any:
        async with self._db.unscoped() as session:
            return (await session.execute(text("SELECT * FROM tocsin.find_api_key(:key)"), {"key": key})).one_or_none()

    async def _in_pool(self, work: Any, *args: Any) -> Any:
        if self._waiting >= _WAITING_AT_MOST:
            raise Unavailable("busy", "Too many keys are being verified at the moment; try again in a second.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        finally:
            self._waiting -= 1


def _keep(memory: OrderedDict[bytes, Any], name: bytes, value: Any) -> None:
    memory[name] = value
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)


def _principal(row: Any, kind: Any) -> Principal:
    return Principal(
        kind=kind,
        project_id=row.project_id,
        project_slug=row.project_slug,
        project_status=row.project_status,
        env=row.env,
        permissions=frozenset(row.permissions) if kind == "key" else frozenset(),
        key_id=row.id,
    )


def _check_use(expires_at: datetime | None, allowed: tuple[Any, ...], client_ip: str | None) -> None:
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise _refused()
    if allowed and (client_ip is None or not any(ip_address(client_ip) in network for network in allowed)):
        raise Forbidden("ip_not_allowed", "This API key may not be used from your address.")


def _refused() -> Unauthorized:
    return Unauthorized(
        "invalid_credentials",
        "The API key or its secret is not valid.",
        headers={"WWW-Authenticate": "Bearer"},
    )
