"""Tokens that say all there is to them and prove that we made them, so that nothing is stored and nothing expires."""

import base64
from collections.abc import Iterable
from hmac import compare_digest

from tocsin.kit.crypto import fingerprint

PROOF_BYTES = 16


def signed(body: bytes, key: bytes) -> str:
    """A token for addresses of the web."""
    return _text(body + _proof(key, body))


def unsigned(token: str, length: int, keys: Iterable[bytes]) -> bytes | None:
    """What a token says, of this length and under one of these keys; None where it is not one of ours."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except ValueError:
        return None
    body, proof = raw[:-PROOF_BYTES], raw[-PROOF_BYTES:]
    if len(body) != length or not any(compare_digest(proof, _proof(key, body)) for key in keys):
        return None
    return body if _text(raw) == token else None  # the last letter has bits that mean nothing


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def _proof(key: bytes, body: bytes) -> bytes:
    return fingerprint(key, body.hex())[:PROOF_BYTES]
