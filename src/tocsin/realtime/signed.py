"""Requests that the holder of an app's secret has signed, as Pusher's server libraries sign them."""

import hmac
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from tocsin.kit.errors import BadRequest, Unauthorized
from tocsin.kit.pusher_signature import SIGNATURE, VERSION, digest, signature, text_to_sign

OUT_OF_STEP_SECONDS = 600
"""How far the clocks may be apart. A request can be repeated for as long, since nothing in it counts once."""

_NEEDED = ("auth_key", "auth_timestamp", "auth_version", SIGNATURE)


@dataclass(frozen=True, slots=True)
class Signed:
    """A request with all that a signature needs; whose it is and whether it is right has not been looked at."""

    key: str
    params: Mapping[str, str]
    texts: tuple[str, ...]
    signature: str

    def by(self, secrets: Iterable[str]) -> bool:
        """Whether one of the secrets signed this."""
        given = self.signature.encode()
        return any(
            hmac.compare_digest(given, signature(each, text).encode()) for each in secrets for text in self.texts
        )


def read_signed(method: str, paths: Iterable[str], query: str, body: bytes, now: float | None = None) -> Signed:
    """A request as it came. ``paths`` are the spellings of its path, with and without percent signs.

    Raises BadRequest for a query that is none, Unauthorized for what no signature could mend.
    """
    params = _params(query)
    for name in _NEEDED:
        if not params.get(name):
            raise _refused(f"The query needs {name}.")
    if params["auth_version"] != VERSION:
        raise _refused(f"The only auth_version is {VERSION}.")
    _check_time(params["auth_timestamp"], time.time() if now is None else now)
    if (body or "body_md5" in params) and digest(body) != params.get("body_md5"):
        raise _refused("body_md5 is not the MD5 of the body, in hex.")
    texts = dict.fromkeys(text_to_sign(method, path, params) for path in paths)
    return Signed(params["auth_key"], params, tuple(texts), params[SIGNATURE])


def _params(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise BadRequest("malformed_query", "The query is not urlencoded UTF-8 of at most 50 fields.") from None
    params = dict(pairs)
    if len(params) != len(pairs):
        raise BadRequest("doubled", "A parameter of the query was sent twice.")
    return params


def _check_time(text: str, now: float) -> None:
    if not (text.isascii() and text.isdigit() and len(text) < 13):
        raise _refused("auth_timestamp is a whole number of seconds since 1970.")
    if abs(int(text) - now) > OUT_OF_STEP_SECONDS:
        raise _refused(f"auth_timestamp is more than {OUT_OF_STEP_SECONDS} s away from the time here, {int(now)}.")


def _refused(detail: str) -> Unauthorized:
    return Unauthorized("invalid_signature", detail)
