"""What a provider says of itself (OpenID Connect Discovery 1.0) and the keys it signs with.

Both are fetched through the one door out and kept in this process for an hour, by issuer: they are public and come
from the issuer's own host, so projects that share one share them.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tocsin.kit.addresses import lies_in
from tocsin.kit.http import Blocked, Door, Reply, Unreachable, parse_target

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that prove who signed. `none` proves nothing, and HS* would make our copy of the secret a signing key."""

KEPT_SECONDS = 3_600.0
FAILURE_KEPT_SECONDS = 15.0
KEYS_AGAIN_SECONDS = 60.0
"""How often a key nobody knows makes us ask again; the name of the key is the caller's to choose."""

_ISSUERS_KEPT = 1_000
_MOST_KEYS = 100
_RSA_BITS = 2_048
_WORDS = 300
Told = TypeVar("Told")
_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class ProviderFailed(Exception):
    """The provider cannot be used; ``temporary`` where another try may help. ``detail`` quotes it."""

    def __init__(self, code: str, detail: str, *, temporary: bool = False) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.temporary = temporary


@dataclass(frozen=True, slots=True)
class Metadata:
    """The part of a discovery document that signing in needs, checked."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    algorithms: tuple[str, ...]
    secret_in_body: bool
    """The token endpoint takes the client's secret in the form alone, and not as HTTP Basic."""
    names_itself: bool
    """Every authorization response carries ``iss`` (RFC 9207)."""


Keys = Mapping[str | None, list[Mapping[str, Any]]]
"""By key id; those without one under None."""


async def discovered(door: Door, issuer: str) -> Metadata:
    """Fetch and check the discovery document of an issuer. Raises ProviderFailed."""
    await _check_transport(door, issuer)
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    document = await fetched(door, url, "discovery document")
    if document.get("issuer") != issuer:
        told = document.get("issuer")
        words = f"calls itself {told[:_WORDS]!r}: enter exactly this" if isinstance(told, str) else "names no issuer"
        raise ProviderFailed("issuer_mismatch", f"The discovery document {words}.")
    secure = issuer.lower().startswith("https:")
    metadata = Metadata(
        issuer=issuer,
        authorization_endpoint=_endpoint(door, document, "authorization_endpoint", secure),
        token_endpoint=await _reachable(door, document, "token_endpoint", secure),
        jwks_uri=await _reachable(door, document, "jwks_uri", secure),
        userinfo_endpoint=await _reachable(door, document, "userinfo_endpoint", secure)
        if document.get("userinfo_endpoint") is not None
        else None,
        algorithms=_algorithms(document),
        secret_in_body=_secret_in_body(document),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )
    _check_flow(document)
    return metadata


async def signing_keys(door: Door, metadata: Metadata) -> Keys:
    """The provider's keys that may sign an ID token. Raises ProviderFailed where there is none."""
    document = await fetched(door, metadata.jwks_uri, "key set")
    listed = document.get("keys")
    usable: dict[str | None, list[Mapping[str, Any]]] = {}
    for key in listed[:_MOST_KEYS] if isinstance(listed, list) else ():
        if not isinstance(key, dict) or key.get("use", "sig") != "sig" or key.get("kty") not in _KEY_TYPES.values():
            continue
        kid = key.get("kid")
        usable.setdefault(kid if isinstance(kid, str) else None, []).append(key)
    if not usable:
        raise ProviderFailed("no_signing_key", "The provider's key set holds no key that signs.")
    return usable


async def fetched(door: Door, url: str, what: str) -> dict[str, Any]:
    """A public JSON object of the provider's. Raises ProviderFailed with its own words."""
    reply = await ask(door, "GET", url, what)
    if reply.status != 200:
        detail = f"The {what} answered {reply.status}: {reply.text(_WORDS)}"
        raise ProviderFailed("provider_refused", detail, temporary=reply.status >= 500)
    document = decoded(reply)
    if document is None:
        raise ProviderFailed("provider_invalid", f"The {what} is not a JSON object: {reply.text(_WORDS)}")
    return document


async def ask(
    door: Door, method: str, url: str, what: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Reply:
    """One call through the door. Raises ProviderFailed when no whole answer came."""
    try:
        reply = await door.request(method, url, headers={"Accept": "application/json", **(headers or {})}, body=body)
    except Blocked as refusal:
        raise ProviderFailed(refusal.code, f"The {what}: {refusal.detail}") from refusal
    except Unreachable as failure:
        raise ProviderFailed("provider_unreachable", f"The {what}: {failure.reason}", temporary=True) from failure
    if reply.cut:
        raise ProviderFailed("provider_invalid", f"The {what} is too long or came too slowly.", temporary=True)
    return reply


def decoded(reply: Reply) -> dict[str, Any] | None:
    """The JSON object of an answer, or None for what is none."""
    try:
        document = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


async def _check_transport(door: Door, issuer: str) -> None:
    """Only https, but towards networks that the operator opened: whoever can change an answer signs in as anybody."""
    try:
        target = await door.check(issuer)
        if "?" in issuer or "#" in issuer:
            raise Blocked("url_invalid", "An issuer has neither query nor fragment.")
        if target.scheme == "https":
            return
        addresses = await door.judged(target.host, target.port)
    except Blocked as refusal:
        raise ProviderFailed(refusal.code, refusal.detail) from refusal
    except Unreachable as failure:
        raise ProviderFailed("provider_unreachable", failure.reason, temporary=True) from failure
    if not addresses or not all(lies_in(address, door.allowed) for address in addresses):
        raise ProviderFailed("encryption_required", "The issuer must begin with https://.")


def _endpoint(door: Door, document: Mapping[str, Any], name: str, secure: bool) -> str:
    """An address of the document, judged as text."""
    url = document.get(name)
    if not isinstance(url, str):
        raise ProviderFailed("discovery_invalid", f"The discovery document has no {name}.")
    try:
        target = parse_target(url, allowed=door.allowed)
    except Blocked as refusal:
        raise ProviderFailed(refusal.code, f"{name} of the discovery document: {refusal.detail}") from refusal
    if (secure and target.scheme != "https") or "#" in url:
        raise ProviderFailed("discovery_invalid", f"{name} of the discovery document is not a plain https address.")
    return url


async def _reachable(door: Door, document: Mapping[str, Any], name: str, secure: bool) -> str:
    """An address of the document that we call ourselves, judged also by what its name means today."""
    url = _endpoint(door, document, name, secure)
    try:
        await door.check(url)
    except Blocked as refusal:
        raise ProviderFailed(refusal.code, f"{name} of the discovery document: {refusal.detail}") from refusal
    return url


def _algorithms(document: Mapping[str, Any]) -> tuple[str, ...]:
    offered = _words(document, "id_token_signing_alg_values_supported", ["RS256"])
    if not (usable := tuple(name for name in ALGORITHMS if name in offered)):
        raise ProviderFailed("discovery_invalid", "The provider signs ID tokens by no algorithm that we accept.")
    return usable


def _secret_in_body(document: Mapping[str, Any]) -> bool:
    methods = _words(document, "token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if "client_secret_basic" in methods:
        return False
    if "client_secret_post" in methods:
        return True
    detail = "The token endpoint takes a client secret neither as client_secret_basic nor as client_secret_post."
    raise ProviderFailed("discovery_invalid", detail)


def _check_flow(document: Mapping[str, Any]) -> None:
    if "code" not in _words(document, "response_types_supported", ["code"]):
        raise ProviderFailed("discovery_invalid", "The provider does not offer the authorization code flow.")
    if "S256" not in _words(document, "code_challenge_methods_supported", ["S256"]):
        raise ProviderFailed("discovery_invalid", "The provider does not offer PKCE with S256.")


def _words(document: Mapping[str, Any], name: str, default: list[str]) -> list[str]:
    value = document.get(name, default)
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else default


@dataclass(slots=True)
class _Known:
    """What is kept of one issuer; times are those of ``time.monotonic``."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    metadata: Metadata | None = None
    metadata_until: float = 0.0
    keys: Keys = field(default_factory=dict)
    keys_until: float = 0.0
    asked_again_at: float = float("-inf")
    failure: ProviderFailed | None = None
    failure_until: float = 0.0


class Providers:
    """Discovery documents and keys, remembered by one process; one question at a time to each issuer."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def forget(self, issuer: str) -> None:
        """Ask anew next time: somebody has just changed something there."""
        self._known.pop(issuer, None)

    async def metadata(self, door: Door, issuer: str) -> Metadata:
        """Raises ProviderFailed, for a few seconds without asking again."""
        known = self._of(issuer)
        async with known.lock:
            if known.metadata is None or known.metadata_until <= time.monotonic():
                known.metadata = await _once_in_a_while(known, discovered(door, issuer))
                known.metadata_until = time.monotonic() + KEPT_SECONDS
            return known.metadata

    async def key(self, door: Door, metadata: Metadata, kid: str | None, algorithm: str) -> jwt.PyJWK:
        """The key of that name for that algorithm. Raises ProviderFailed where there is none."""
        known = self._of(metadata.issuer)
        async with known.lock:
            fresh = known.keys_until > time.monotonic()
            found = _fitting(known.keys, kid, algorithm) if fresh else None
            if found is None and (not fresh or self._may_ask_again(known)):
                known.keys = await _once_in_a_while(known, signing_keys(door, metadata))
                known.keys_until = time.monotonic() + KEPT_SECONDS
                found = _fitting(known.keys, kid, algorithm)
        if found is None:
            raise ProviderFailed("no_signing_key", "The ID token is signed with a key that the provider does not list.")
        return _usable(found, algorithm)

    def _may_ask_again(self, known: _Known) -> bool:
        now = time.monotonic()
        if now - known.asked_again_at < KEYS_AGAIN_SECONDS:
            return False
        known.asked_again_at = now
        return True

    def _of(self, issuer: str) -> _Known:
        known = self._known.setdefault(issuer, _Known())
        self._known.move_to_end(issuer)
        if len(self._known) > _ISSUERS_KEPT:
            self._known.popitem(last=False)
        return known


async def _once_in_a_while(known: _Known, asking: Coroutine[Any, Any, Told]) -> Told:
    """Ask, unless that has just failed: who begins a sign-in is anybody, and each would be a call of ours."""
    if known.failure is not None and known.failure_until > time.monotonic():
        asking.close()
        raise known.failure
    try:
        answer = await asking
    except ProviderFailed as failure:
        known.failure, known.failure_until = failure, time.monotonic() + FAILURE_KEPT_SECONDS
        raise
    known.failure = None
    return answer


def _fitting(keys: Keys, kid: str | None, algorithm: str) -> Mapping[str, Any] | None:
    """The one key that is meant; without a name, the only one there is of that kind (OpenID Connect Core, 10.1)."""
    named = keys.get(kid, []) if kid is not None else [key for listed in keys.values() for key in listed]
    fitting = [
        key for key in named if key["kty"] == _KEY_TYPES[algorithm[:2]] and key.get("alg", algorithm) == algorithm
    ]
    return fitting[0] if len(fitting) == 1 else None


def _usable(key: Mapping[str, Any], algorithm: str) -> jwt.PyJWK:
    try:
        made = jwt.PyJWK(dict(key), algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        raise ProviderFailed("no_signing_key", "The provider's key cannot be read.") from error
    if isinstance(made.key, RSAPublicKey) and made.key.key_size < _RSA_BITS:
        raise ProviderFailed("no_signing_key", f"The provider's RSA key has less than {_RSA_BITS:,} bits.")
    return made
