"""From the code that the browser brought back to a checked identity (OpenID Connect Core 1.0, 3.1.3)."""

import base64
import re
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any
from urllib.parse import quote_plus, urlencode

import jwt

from tocsin.kit.http import Door, Reply
from tocsin.signin.sso.provider import Metadata, ProviderFailed, Providers, ask, decoded
from tocsin.signin.sso.tickets import Flow, Identity
from tocsin.users.contact import normal_email

SKEW_SECONDS = 60
"""How far the provider's clock may be off."""

_REQUIRED = ["iss", "sub", "aud", "exp", "iat", "nonce"]
_MOST_SUBJECT = 255  # OpenID Connect Core 1.0, 2: sub "MUST NOT exceed 255 ASCII characters"
_MOST_NAME = 200
_ERROR_CODE = re.compile(r"[a-z_]{1,60}")  # RFC 6749, 5.2, and its extensions
_LONGEST_SECONDS = 31 * 86_400  # what the usual providers let their customers set at most is 30 days


async def identity_of(
    door: Door, providers: Providers, metadata: Metadata, flow: Flow, *, code: str, secret: str, redirect_uri: str
) -> Identity:
    """Who the provider says came back. Raises ProviderFailed for whatever it refuses, and for what proves nothing."""
    answer = await _redeemed(door, metadata, flow, code, secret, redirect_uri)
    id_token, access_token = answer.get("id_token"), answer.get("access_token")
    if not isinstance(id_token, str):
        raise ProviderFailed("id_token_refused", "The provider sent no ID token.")
    claims = await _claims(door, providers, metadata, flow, id_token)
    if isinstance(access_token, str):
        _check_at_hash(claims, id_token, access_token)
        claims = await _with_userinfo(door, metadata, claims, access_token)
    return Identity(metadata.issuer, claims["sub"], _verified_email(claims), _name(claims))


async def _redeemed(
    door: Door, metadata: Metadata, flow: Flow, code: str, secret: str, redirect_uri: str
) -> Mapping[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": flow.verifier,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if metadata.secret_in_body:
        form |= {"client_id": flow.client_id, "client_secret": secret}
    else:
        # Both are form-encoded before they are joined: RFC 6749, 2.3.1.
        pair = f"{quote_plus(flow.client_id)}:{quote_plus(secret)}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    body = urlencode(form).encode()
    reply = await ask(door, "POST", metadata.token_endpoint, "token endpoint", headers=headers, body=body)
    return _told(reply, "token endpoint")


def _told(reply: Reply, what: str) -> dict[str, Any]:
    """The JSON object of an answer that holds secrets: of one that is a refusal, its code alone is quoted."""
    document = decoded(reply)
    if reply.status == 200 and document is not None:
        return document
    code = document.get("error") if document else None
    words = f" ({code})" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""
    detail = f"The {what} answered {reply.status}{words}."
    raise ProviderFailed("code_refused", detail, temporary=reply.status >= 500)


async def _claims(door: Door, providers: Providers, metadata: Metadata, flow: Flow, id_token: str) -> dict[str, Any]:
    """The claims of an ID token that this provider made, for us, for this flow, just now."""
    header = _header(id_token)
    algorithm = header.get("alg")
    if algorithm not in metadata.algorithms:
        raise _refused("its algorithm is not one that the provider announces")
    if "crit" in header:
        raise _refused("it asks for an extension that we do not know (crit)")
    kid = header.get("kid")
    # The header may also name or bring a key (jku, x5u, jwk, x5c); only keys from the provider's own set count.
    key = await providers.key(door, metadata, kid if isinstance(kid, str) else None, algorithm)
    try:
        claims: dict[str, Any] = jwt.decode(
            id_token,
            key,
            algorithms=[algorithm],
            audience=flow.client_id,
            issuer=metadata.issuer,
            leeway=SKEW_SECONDS,
            options={"require": _REQUIRED},
        )
    except (jwt.PyJWTError, OverflowError, ValueError, TypeError) as error:
        raise _refused(str(error)) from None
    _check_party(claims, flow)
    return claims


def _header(id_token: str) -> dict[str, Any]:
    try:
        return jwt.get_unverified_header(id_token)
    except (jwt.PyJWTError, ValueError) as error:
        raise _refused(str(error)) from None


def _check_party(claims: Mapping[str, Any], flow: Flow) -> None:
    audience, party = claims["aud"], claims.get("azp")
    if (isinstance(audience, list) and len(audience) > 1 and party is None) or party not in (None, flow.client_id):
        raise _refused("it was made for another client (azp)")
    if not isinstance(claims["nonce"], str) or not compare_digest(claims["nonce"].encode(), flow.nonce.encode()):
        raise _refused("it belongs to another sign-in (nonce)")
    if claims["iat"] < flow.began - SKEW_SECONDS:
        raise _refused("it is older than this sign-in (iat)")
    if claims["exp"] - claims["iat"] > _LONGEST_SECONDS:
        raise _refused("it is good for too long (exp)")
    _check_subject(claims["sub"])


def _check_subject(subject: object) -> None:
    if not isinstance(subject, str) or not 1 <= len(subject) <= _MOST_SUBJECT or not subject.isprintable():
        raise _refused(f"sub must be a text of 1 to {_MOST_SUBJECT} characters")


def _check_at_hash(claims: Mapping[str, Any], id_token: str, access_token: str) -> None:
    """Where the ID token names its access token, it is this one (OpenID Connect Core 1.0, 3.1.3.8)."""
    if "at_hash" not in claims:
        return
    algorithm = jwt.get_algorithm_by_name(_header(id_token)["alg"])
    try:
        digest = algorithm.compute_hash_digest(access_token.encode())
    except NotImplementedError:  # EdDSA, for which the specification names no hash
        return
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")
    if claims["at_hash"] != half:
        raise _refused("it belongs to another access token (at_hash)")


async def _with_userinfo(door: Door, metadata: Metadata, claims: dict[str, Any], access_token: str) -> dict[str, Any]:
    """What the ID token leaves out; providers may keep e-mail and name for the userinfo endpoint (Core, 5.4)."""
    if metadata.userinfo_endpoint is None or ("email" in claims and "name" in claims):
        return claims
    headers = {"Authorization": f"Bearer {access_token}"}
    reply = await ask(door, "GET", metadata.userinfo_endpoint, "userinfo endpoint", headers=headers)
    told = _told(reply, "userinfo endpoint")
    if told.get("sub") != claims["sub"]:
        raise ProviderFailed("id_token_refused", "The userinfo endpoint speaks of somebody else (sub).")
    if "email" in claims:
        # An e-mail and whether it is verified are one statement; they are not put together from two.
        told = {name: value for name, value in told.items() if name not in ("email", "email_verified")}
    return {**told, **claims}


def _verified_email(claims: Mapping[str, Any]) -> str | None:
    """Only JSON's own ``true`` verifies: what else a provider may mean by it is not for us to guess."""
    if claims.get("email_verified") is not True or not isinstance(claims.get("email"), str):
        return None
    try:
        return normal_email(claims["email"])
    except ValueError:
        return None


def _name(claims: Mapping[str, Any]) -> str | None:
    name = claims.get("name")
    return name[:_MOST_NAME] if isinstance(name, str) and name.strip() and "\0" not in name else None


def _refused(reason: str) -> ProviderFailed:
    return ProviderFailed("id_token_refused", f"The provider's ID token is refused: {reason}.")
