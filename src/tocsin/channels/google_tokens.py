"""Access tokens of Google's service accounts, asked for with an assertion that we sign (RFC 7523).

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

import asyncio
import re
import time
from collections import OrderedDict
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode
from weakref import WeakValueDictionary

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tocsin.channels.calling import call, decoded
from tocsin.channels.contract import BadCredentials, Rejected
from tocsin.kit.http import Door

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://oauth2.googleapis.com/token"
"""Whom an assertion is for, always, wherever the file says that tokens are asked for."""
ASSERTION_SECONDS = 3_600
SPARE_SECONDS = 300
"""A token is given up so long before its end, because a request takes its time and clocks differ."""
MOST_KEPT = 1_000

_PROJECT = re.compile(r"[a-z0-9.:-]{1,100}")


class ServiceAccount(msgspec.Struct, frozen=True):
    """What we need of the JSON file that the console gives out."""

    project_id: str
    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = AUDIENCE

    def __repr__(self) -> str:
        return f"ServiceAccount({self.client_email!r})"


def read_account(text: str) -> ServiceAccount:
    """Raises ValueError with words that repeat nothing of the file."""
    try:
        return msgspec.json.decode(text, type=ServiceAccount)
    except msgspec.MsgspecError:
        raise ValueError("must be the JSON file of a service account, unchanged") from None


def check_account(text: str) -> None:
    """The same, and its key can be used. Raises ValueError; takes some 50 ms."""
    account = read_account(text)
    if not _PROJECT.fullmatch(account.project_id):
        raise ValueError("has a project_id that is none")
    try:
        key = load_pem_private_key(account.private_key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("has a private key that cannot be read") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("has a private key that is not RSA")


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int


class GoogleTokens:
    """Tokens by account and scope. Each is used until shortly before its end, and dropped when it is refused."""

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._kept: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._asking: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def token(self, account: ServiceAccount, door: Door) -> str:
        """A token that works, asked for once however many wait for it. Raises BadCredentials or Unavailable."""
        name = _name(account)
        asking = self._asking.setdefault(name, asyncio.Lock())
        async with asking:
            token, ends_at = self._kept.get(name, ("", 0.0))
            if time.monotonic() >= ends_at:
                granted = await self._granted(account, door)
                token, ends_at = granted.access_token, time.monotonic() + granted.expires_in - SPARE_SECONDS
            self._kept[name] = token, ends_at
        self._kept.move_to_end(name)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return token

    def drop(self, account: ServiceAccount, token: str) -> None:
        """Forget a token that was refused, unless there is a newer one."""
        name = _name(account)
        if self._kept.get(name, ("", 0.0))[0] == token:
            del self._kept[name]

    async def _granted(self, account: ServiceAccount, door: Door) -> _Granted:
        form = urlencode({"grant_type": GRANT, "assertion": _assertion(account, self._scope)}).encode()
        try:
            return decoded(await call(door, "POST", account.token_uri, form=form), _Granted)
        except Rejected as refusal:
            # invalid_grant: the account or its key is gone, or our clock is wrong. The message has no part in it.
            raise BadCredentials(
                "Google refuses the service account.", status=refusal.status, answer=refusal.answer
            ) from refusal


def _name(account: ServiceAccount) -> bytes:
    """Of all that decides about a token: accounts that only claim to be the same share none."""
    return sha256(msgspec.json.encode(account)).digest()


def _assertion(account: ServiceAccount, scope: str) -> str:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": account.client_email,
        "scope": scope,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
    }
    return jwt.encode(claims, account.private_key, "RS256", headers={"kid": account.private_key_id})
