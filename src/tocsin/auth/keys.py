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
from typing import Any, Literal, cast
from uuid import UUID

import bcrypt
from sqlalchemy import text

from tocsin.auth.guesses import Guesses
from tocsin.auth.last_used import LastUsed
from tocsin.auth.limits import limits_of_key
from tocsin.auth.macs import SecretMacs
from tocsin.auth.principal import Principal
from tocsin.auth.source import networks
from tocsin.kit.crypto import MasterKey
from tocsin.kit.db import Database, Env
from tocsin.kit.errors import Unauthorized, Unavailable

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM_LENGTH = 6
_BCRYPT_COST = 10
_SHARED_SECONDS = 0.25
"""How old the read of a key may be that another call joins."""
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
    """Of the key or of this secret of it, whichever comes first."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """Of one secret of a key: HMAC, bcrypt hash (none once it counts no more), and until when it counts."""

    mac: bytes
    hashed: str | None
    until: datetime | None


_RENEW = text("""
UPDATE tocsin.api_keys SET secret_mac = CASE secret_mac WHEN :old THEN :new ELSE secret_mac END,
    previous_mac = CASE previous_mac WHEN :old THEN :new ELSE previous_mac END
WHERE id = :id
""")


class Credentials:
    """The API keys that this process has met."""

    def __init__(self, db: Database, master: MasterKey) -> None:
        self.last_used = LastUsed(db)
        self._guesses = Guesses(db)
        self._db = db
        self._macs = SecretMacs(master)
        self._memory_key = os.urandom(32)
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._proven: OrderedDict[bytes, str] = OrderedDict()
        self._proving: dict[bytes, asyncio.Future[bool]] = {}
        self._finding: dict[str, tuple[asyncio.Future[Any], float]] = {}
        self._forgotten = 0
        self._trusted_until = 0.0
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bcrypt")
        self._waiting = 0

    async def sealed_secret(self, secret: str) -> tuple[bytes, str]:
        """What is kept of a secret: the HMAC and the bcrypt hash."""
        hashed = await self._in_pool(bcrypt.hashpw, secret.encode(), bcrypt.gensalt(_BCRYPT_COST))
        return self._macs.of(secret), hashed.decode()

    def remembered(self, key: str, secret: str) -> Principal | None:
        """The caller, when this pair was verified before and still counts; the hot path's only cost."""
        known = self._known.get(self._memory_name(key, secret))
        if known is None or not self.trusted or _over(known.expires_at):
            return None
        principal = known.principal
        self.last_used.note(principal.project_id, principal.id)
        return principal

    async def verify(self, key: str, secret: str, client_ip: str | None) -> Principal:
        """The caller of a key and its secret; raises Unauthorized alike for every reason, and TooManyRequests to a
        source that went on guessing. From where and how often it may call is for ``entry`` to say."""
        principal = self.remembered(key, secret)
        if principal is not None:
            return principal
        env = key_env(key)
        if env is None or not key.startswith("pk_"):
            raise _refused()
        self._guesses.check(key, client_ip, lambda kept: self._macs.fit(secret, kept) == "right")
        forgotten = self._forgotten
        row = await self._well_formed(key, secret, env, client_ip)
        proof = await self._proof(row, key, secret, client_ip)
        if self._macs.outdated(proof.mac):
            await self._renew_mac(row, secret, proof.mac)
        principal = principal_of(row, "key")
        name = self._memory_name(key, secret)
        # What was read may be from before a revocation, and what bcrypt had no time for is asked of it again.
        if forgotten == self._forgotten and self._proven.get(name) == (proof.hashed or ""):
            _keep(self._known, name, _Known(principal, proof.until))
        self.last_used.note(principal.project_id, principal.id)
        return principal

    async def _well_formed(self, key: str, secret: str, env: Env, client_ip: str | None) -> Any:
        """The row of a key, for a secret that could be its own."""
        if key_env(secret) != env or not secret.startswith("sk_"):
            if secret:
                await self._guesses.failed(key, client_ip)
            raise _refused()
        row = await self._find(key)
        if row is None:
            await self._guesses.failed(key, client_ip)
            raise _refused()
        return row

    async def _proof(self, row: Any, key: str, secret: str, client_ip: str | None) -> _Kept:
        """What is kept of the secret that was shown. Only where no HMAC can tell, bcrypt alone decides."""
        kept = _secrets_of(row)
        fits = [(self._macs.fit(secret, each.mac), each) for each in kept]
        for each in [one for fit, one in fits if fit == "right"]:
            # No guess where it does not count: it was right once, and a server may have been forgotten.
            if _counts(row, each) and await self._confirmed_by(key, secret, each):
                return each
            raise _refused()
        for each in [one for fit, one in fits if fit == "unknown" and _counts(row, one)]:
            if await self._proven_by(key, secret, each):
                return each
        await self._guesses.failed(key, client_ip, row, tuple([each.mac for each in kept]))
        raise _refused()

    async def _confirmed_by(self, key: str, secret: str, kept: _Kept) -> bool:
        """What bcrypt says of a secret whose HMAC is right. A process that starts meets all keys at once: where too
        many wait the HMAC will do for this call, and the next one asks again."""
        try:
            return await self._proven_by(key, secret, kept)
        except Unavailable:
            return True

    async def _proven_by(self, key: str, secret: str, kept: _Kept) -> bool:
        name = self._memory_name(key, secret)
        hashed = kept.hashed or ""
        return self._proven.get(name) == hashed or await self._prove(name, secret, hashed)

    async def _prove(self, name: bytes, secret: str, hashed: str) -> bool:
        """bcrypt once, however many calls wait for it: those of a busy backend with a new secret come all at once."""
        proving = self._proving.get(name)
        if proving is None:
            proving = asyncio.ensure_future(self._in_pool(bcrypt.checkpw, secret.encode(), hashed.encode()))
            self._proving[name] = proving
            proving.add_done_callback(lambda _: self._proving.pop(name, None))
        if not await asyncio.shield(proving):
            return False
        _keep(self._proven, name, hashed)
        return True

    async def _renew_mac(self, row: Any, secret: str, old: bytes) -> None:
        """Keep the HMAC of a proven secret under the current master key."""
        async with self._db.scope(row.project_id, row.env) as session:
            await session.execute(_RENEW, {"new": self._macs.of(secret), "id": row.id, "old": old})

    async def public(self, key: str) -> Principal:
        """The caller that shows a public key alone: no permissions, only what is open to anybody's app."""
        if not key.startswith("pk_") or key_env(key) is None:
            raise _refused()
        row = await self._find(key)
        if row is None or row.status != "active" or _over(row.expires_at):
            raise _refused()
        self.last_used.note(row.project_id, row.id)
        return principal_of(row, "public_key")

    def forget_key(self, key_id: UUID) -> None:
        self._guesses.forget_key(key_id)
        self._forget(lambda known: known.principal.key_id == key_id)

    def forget_project(self, project_id: UUID) -> None:
        self._forget(lambda known: known.principal.project_id == project_id)

    def forget_all(self) -> None:
        self._forget(lambda _: True)

    def trust(self) -> None:
        """Say that all revocations up to now were seen; what is remembered counts for one second more."""
        self._trusted_until = time.monotonic() + _TRUST_SECONDS

    @property
    def trusted(self) -> bool:
        """Whether what this process remembers of keys and projects still counts; if not, read it again."""
        return time.monotonic() <= self._trusted_until

    def _forget(self, gone: Any) -> None:
        self._forgotten += 1
        self._finding.clear()
        for name in [name for name, known in self._known.items() if gone(known)]:
            del self._known[name]

    def _memory_name(self, key: str, secret: str) -> bytes:
        return hashlib.blake2b(f"{key}\n{secret}".encode(), key=self._memory_key, digest_size=32).digest()

    async def _find(self, key: str) -> Any:
        """The row of a key, read once for all who ask meanwhile: a busy backend asks with all its connections when
        this process is new. A read that is older than a moment may be from before a revocation."""
        now = time.monotonic()
        finding, began = self._finding.get(key, (None, 0.0))
        if finding is None or now - began > _SHARED_SECONDS:
            finding = asyncio.ensure_future(self._read(key))
            self._finding[key] = finding, now
            finding.add_done_callback(lambda done: self._found(key, done))
        return await asyncio.shield(finding)

    def _found(self, key: str, done: asyncio.Future[Any]) -> None:
        if self._finding.get(key, (None, 0.0))[0] is done:
            del self._finding[key]

    async def _read(self, key: str) -> Any:
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


def _secrets_of(row: Any) -> list[_Kept]:
    """What is kept of a key's secret and of the one it was rotated from; without a hash that counts no more."""
    ends = [end for end in (row.previous_until, row.expires_at) if end is not None]
    current = _Kept(bytes(row.secret_mac), row.secret_hash, row.expires_at)
    if row.previous_mac is None:
        return [current]
    return [current, _Kept(bytes(row.previous_mac), row.previous_hash, min(ends, default=None))]


def principal_of(row: Any, kind: Literal["key", "public_key"]) -> Principal:
    """The caller of a row of ``find_api_key``: a backend, or an app that shows the public half alone."""
    # A key's own list is for its secret: the apps that show its public half call from anywhere.
    lists = (row.allowed_ips, row.allowed_networks) if kind == "key" else (row.allowed_networks,)
    return Principal(
        kind=kind,
        project_id=row.project_id,
        project_slug=row.project_slug,
        project_status=row.project_status,
        env=row.env,
        permissions=frozenset(row.permissions) if kind == "key" else frozenset(),
        key_id=row.id,
        allowed_from=tuple([networks(entries) for entries in lists if entries]),
        limits=limits_of_key(row.env, row.id, row.rate_limit, row.calls_per_hour, public=kind == "public_key"),
    )


def _counts(row: Any, kept: _Kept) -> bool:
    return kept.hashed is not None and row.status == "active" and not _over(kept.until)


def _over(until: datetime | None) -> bool:
    return until is not None and until <= datetime.now(UTC)


def _refused() -> Unauthorized:
    return Unauthorized(
        "invalid_credentials",
        "The API key or its secret is not valid.",
        headers={"WWW-Authenticate": "Bearer"},
    )
