"""Tokens that a provider knows us by: short JWTs which we sign ourselves with elliptic keys (RFC 7519, ES256)."""

import base64
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

_SIGNING = ec.ECDSA(SHA256(), deterministic_signing=True)
_HALF = 32


def es256(claims: dict[str, Any], key: ec.EllipticCurvePrivateKey, **header: str) -> str:
    """The same bytes for the same claims and key (RFC 6979), so that processes agree without asking each other."""
    parts = [base64url(msgspec.json.encode(part)) for part in ({"alg": "ES256", "typ": "JWT", **header}, claims)]
    signed = ".".join(parts)
    r, s = decode_dss_signature(key.sign(signed.encode(), _SIGNING))
    return f"{signed}.{base64url(r.to_bytes(_HALF) + s.to_bytes(_HALF))}"


def base64url(data: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unbase64url(text: str) -> bytes:
    """With or without padding, in either alphabet. Raises ValueError."""
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
