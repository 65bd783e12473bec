"""How an entry is hashed into its chain, told a second time, apart from the SQL that does it (migration 0009).

    hash    = SHA-256(hash before || seq, 8 bytes || framed fixed fields || details digest || origin digest)
    digest  = SHA-256(salt || framed details), of the metadata, and of address and user agent

``framed`` is each text in UTF-8 with its length in four bytes in front, -1 for null; numbers are big-endian.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

GENESIS = bytes(32)
"""What stands before the first entry."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def entry_hash(before: bytes, seq: int, entry: Mapping[str, Any]) -> bytes:
    """The hash of an entry at this place of the chain."""
    fixed = framed(
        str(entry["project_id"]),
        str(entry["id"]),
        entry["env"],
        entry["action"],
        entry["actor_type"],
        entry["actor_id"],
        entry["resource_type"],
        entry["resource_id"],
        entry["request_id"],
        str((entry["at"] - _EPOCH) // timedelta(microseconds=1)),
    )
    digests = (entry["details_digest"] or b"") + (entry["origin_digest"] or b"")
    return hashlib.sha256(before + seq.to_bytes(8, "big") + fixed + digests).digest()


def details_fit(entry: Mapping[str, Any]) -> bool:
    """Whether metadata, address and user agent are those of the digests, or were erased with their salts."""
    return _fits(entry["details_salt"], entry["details_digest"], entry["metadata"]) and _fits(
        entry["origin_salt"], entry["origin_digest"], entry["ip_address"], entry["user_agent"]
    )


def _fits(salt: bytes | None, digest: bytes | None, *details: str | None) -> bool:
    if salt is None:
        return not any(details)
    return hashlib.sha256(salt + framed(*details)).digest() == digest


def framed(*parts: str | None) -> bytes:
    return b"".join(_framed(part) for part in parts)


def _framed(part: str | None) -> bytes:
    if part is None:
        return b"\xff\xff\xff\xff"
    written = part.encode()
    return len(written).to_bytes(4, "big") + written
