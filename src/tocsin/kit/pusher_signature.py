"""How requests of Pusher's HTTP API are signed, whichever end of it we are.

HMAC-SHA256 in hex over method, path and query, a line each; the query in order of its names, with its values as they
are and not as a URL spells them. A body is in it by its MD5.
(https://pusher.com/docs/channels/library_auth_reference/rest-api/#authentication)
"""

import hmac
import time
from collections.abc import Mapping
from hashlib import md5

VERSION = "1.0"
SIGNATURE = "auth_signature"


def signature(secret: str, text: str) -> str:
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()


def text_to_sign(method: str, path: str, params: Mapping[str, str]) -> str:
    query = "&".join(f"{name.lower()}={params[name]}" for name in sorted(params) if name != SIGNATURE)
    return f"{method}\n{path}\n{query}"


def digest(body: bytes) -> str:
    """MD5 is the protocol's choice; what protects the body is the signature over it and the connection."""
    return md5(body, usedforsecurity=False).hexdigest()


def signed_query(key: str, secret: str, method: str, path: str, body: bytes = b"") -> dict[str, str]:
    """The query to send, good for ten minutes from now."""
    params = {"auth_key": key, "auth_timestamp": str(int(time.time())), "auth_version": VERSION}
    if body:
        params["body_md5"] = digest(body)
    return {**params, SIGNATURE: signature(secret, text_to_sign(method, path, params))}
