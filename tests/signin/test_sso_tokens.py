"""ID tokens that prove nothing, from an issuer that lies (A4; bad inputs 88 and 97)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from tests.client import Client, Project, sign_up
from tests.signin.hostile import Liar, lying, new_key, outcome, public_jwk, raw_token, refused, set_up, signed
from tests.signin.providers import Browser
from tocsin.signin.sso.provider import KEYS_AGAIN_SECONDS

REFUSED = (401, "sso_refused")


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    async with lying() as issuer:
        yield issuer


@pytest.fixture(scope="module")
async def shop(api: Client) -> Project:
    return await sign_up(api, "Shop")


async def test_an_honest_token_of_this_issuer_lets_in(liar: Liar, shop: Project, chrome: Browser) -> None:
    """Without this, everything below might be refused for another reason."""
    await set_up(shop, liar)
    assert set(await outcome(chrome, shop, liar)) == {"code"}


FALSE: list[tuple[str, dict[str, Any]]] = [
    ("another issuer", {"iss": "https://accounts.google.com"}),
    ("no issuer", {"iss": None}),
    ("the issuer with a slash", {"iss": "{issuer}/"}),
    ("another audience", {"aud": "somebody-else"}),
    ("no audience", {"aud": None}),
    ("several audiences and no party", {"aud": ["tocsin", "somebody-else"]}),
    ("another party", {"aud": ["tocsin", "somebody-else"], "azp": "somebody-else"}),
    ("another party alone", {"azp": "somebody-else"}),
    ("another nonce", {"nonce": "x" * 43}),
    ("no nonce", {"nonce": None}),
    ("a nonce that is no text", {"nonce": 7}),
    ("expired", {"exp": int(time.time()) - 120}),
    ("no end", {"exp": None}),
    ("an end that is a word", {"exp": "never"}),
    ("an endless end", {"exp": 1e308}),
    ("made before the sign-in", {"iat": int(time.time()) - 3_600}),
    ("made in the future", {"iat": int(time.time()) + 86_400}),
    ("no date", {"iat": None}),
    ("not yet valid", {"nbf": int(time.time()) + 86_400}),
    ("no subject", {"sub": None}),
    ("an empty subject", {"sub": ""}),
    ("a subject that is a number", {"sub": 7}),
    ("a long subject", {"sub": "s" * 256}),
    ("a subject with a zero byte", {"sub": "s\0"}),
    ("a wrong at_hash", {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
]


@pytest.mark.parametrize("claims", [claims for _, claims in FALSE], ids=[name for name, _ in FALSE])
async def test_a_token_with_a_false_claim_lets_nobody_in(
    liar: Liar, shop: Project, chrome: Browser, claims: dict[str, Any]
) -> None:
    await set_up(shop, liar)
    liar.claims = {
        name: value.format(issuer=liar.issuer) if isinstance(value, str) else value for name, value in claims.items()
    }
    assert await refused(chrome, shop, liar) == REFUSED


async def test_this_client_among_several_audiences_lets_in_as_the_party(
    liar: Liar, shop: Project, chrome: Browser
) -> None:
    await set_up(shop, liar)
    liar.claims = {"aud": ["somebody-else", "tocsin"], "azp": "tocsin"}
    assert set(await outcome(chrome, shop, liar)) == {"code"}


async def test_the_hash_of_the_access_token_is_compared(liar: Liar, shop: Project, chrome: Browser) -> None:
    await set_up(shop, liar)
    half = hashlib.sha256(b"at").digest()[:16]
    liar.claims = {"at_hash": base64.urlsafe_b64encode(half).decode().rstrip("=")}
    assert set(await outcome(chrome, shop, liar)) == {"code"}


def no_signature(liar: Liar, claims: dict[str, Any]) -> str:
    return raw_token({"alg": "none"}, claims)


def without_its_signature(liar: Liar, claims: dict[str, Any]) -> str:
    return raw_token({"alg": "RS256", "kid": "k1"}, claims)


def keyed_with(secret: bytes, liar: Liar, claims: dict[str, Any]) -> str:
    signing = raw_token({"alg": "HS256", "kid": "k1"}, claims).rsplit(".", 1)[0]
    mac = hmac.digest(secret, signing.encode(), "sha256")
    return f"{signing}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def keyed_with_our_secret(liar: Liar, claims: dict[str, Any]) -> str:
    return keyed_with(b"a secret / of + many kinds", liar, claims)


def keyed_with_the_public_key(liar: Liar, claims: dict[str, Any]) -> str:
    spelled = liar.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return keyed_with(spelled, liar, claims)


def keyed_with_the_jwk(liar: Liar, claims: dict[str, Any]) -> str:
    return keyed_with(json.dumps(public_jwk(liar.key, kid="k1")).encode(), liar, claims)


def signed_by_a_stranger(liar: Liar, claims: dict[str, Any]) -> str:
    return signed(new_key(), claims, kid="k1")


def bringing_its_own_key(liar: Liar, claims: dict[str, Any]) -> str:
    key = new_key()
    return signed(key, claims, kid="k1", jwk=public_jwk(key))


def naming_a_key_elsewhere(liar: Liar, claims: dict[str, Any]) -> str:
    elsewhere = f"{liar.issuer}/elsewhere"
    return signed(new_key(), claims, kid="k1", jku=elsewhere, x5u=elsewhere)


def naming_a_file(liar: Liar, claims: dict[str, Any]) -> str:
    return signed(liar.key, claims, kid="../../../../dev/null")


def asking_for_an_extension(liar: Liar, claims: dict[str, Any]) -> str:
    return signed(liar.key, claims, kid="k1", crit=["exp"])


def changed_after_signing(liar: Liar, claims: dict[str, Any]) -> str:
    head, _, signature = signed(liar.key, claims, kid="k1").split(".")
    other = raw_token({}, {**claims, "sub": "somebody-else"}).split(".")[1]
    return f"{head}.{other}.{signature}"


def encrypted(liar: Liar, claims: dict[str, Any]) -> str:
    return "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwiemlwIjoiREVGIn0..AAAA.AAAA.AAAA"


def no_token(liar: Liar, claims: dict[str, Any]) -> str:
    return "not a token"


FORGERIES = [
    no_signature,
    without_its_signature,
    keyed_with_our_secret,
    keyed_with_the_public_key,
    keyed_with_the_jwk,
    signed_by_a_stranger,
    bringing_its_own_key,
    naming_a_key_elsewhere,
    naming_a_file,
    asking_for_an_extension,
    changed_after_signing,
    encrypted,
    no_token,
]


@pytest.mark.parametrize("forge", FORGERIES)
async def test_a_forged_token_lets_nobody_in(liar: Liar, shop: Project, chrome: Browser, forge: Any) -> None:
    await set_up(shop, liar)
    liar.forge = forge
    assert await refused(chrome, shop, liar) == REFUSED
    assert "/elsewhere" not in liar.calls


async def test_an_answer_without_an_id_token_lets_nobody_in(liar: Liar, shop: Project, chrome: Browser) -> None:
    await set_up(shop, liar)
    for id_token in (None, 7, {}):
        liar.token_answer = {"id_token": id_token}
        assert await refused(chrome, shop, liar) == REFUSED


async def test_userinfo_of_somebody_else_lets_nobody_in(liar: Liar, shop: Project, chrome: Browser) -> None:
    liar.userinfo = {"sub": "somebody-else", "email": liar.email, "email_verified": True}
    await set_up(shop, liar)
    liar.claims = {"email": None, "email_verified": None}
    assert await refused(chrome, shop, liar) == REFUSED
    liar.userinfo["sub"] = "s-1"
    assert set(await outcome(chrome, shop, liar)) == {"code"}


async def test_userinfo_does_not_verify_the_email_of_the_token(liar: Liar, shop: Project, chrome: Browser) -> None:
    liar.userinfo = {"sub": "s-1", "email": "x@known.example", "email_verified": True}
    await set_up(shop, liar, allowedDomains=["known.example"])
    liar.claims = {"email_verified": None, "name": None}
    assert await refused(chrome, shop, liar) == (403, "sso_email_unverified")


@pytest.mark.parametrize("verified", [False, None, "true", 1, "false"])
async def test_only_true_verifies_an_email(liar: Liar, shop: Project, chrome: Browser, verified: Any) -> None:
    await set_up(shop, liar, allowedDomains=["known.example"])
    liar.claims = {"email_verified": verified}
    assert await refused(chrome, shop, liar) == (403, "sso_email_unverified")


async def test_the_client_proves_itself_with_its_encoded_secret_and_the_verifier(
    liar: Liar, shop: Project, chrome: Browser
) -> None:
    """Both parts of Basic are form-encoded first: RFC 6749, 2.3.1."""
    await set_up(shop, liar)
    await outcome(chrome, shop, liar)
    pair = base64.b64decode(liar.authorization.removeprefix("Basic ")).decode()
    assert pair == "tocsin:a+secret+%2F+of+%2B+many+kinds"
    assert liar.asked["grant_type"] == "authorization_code"
    assert len(liar.asked["code_verifier"]) >= 43
    assert "client_secret" not in liar.asked


async def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(
    liar: Liar, shop: Project, chrome: Browser
) -> None:
    liar.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    await set_up(shop, liar)
    await outcome(chrome, shop, liar)
    assert (liar.asked["client_id"], liar.asked["client_secret"]) == ("tocsin", "a secret / of + many kinds")
    assert liar.authorization == ""


async def test_a_key_that_was_changed_is_found_and_strange_names_do_not_make_us_ask_forever(
    liar: Liar, shop: Project, chrome: Browser
) -> None:
    await set_up(shop, liar)
    await outcome(chrome, shop, liar)
    liar.key = new_key()
    liar.keys = [public_jwk(liar.key, kid="k2")]
    liar.header = {"kid": "k2"}
    assert set(await outcome(chrome, shop, liar)) == {"code"}
    before = liar.calls.count("/keys")
    for number in range(5):
        liar.header = {"kid": f"made-up-{number}"}
        assert await refused(chrome, shop, liar) == REFUSED
    assert KEYS_AGAIN_SECONDS > 30
    assert liar.calls.count("/keys") == before


async def test_discovery_and_keys_are_not_fetched_for_every_sign_in(liar: Liar, shop: Project, chrome: Browser) -> None:
    await set_up(shop, liar)
    await outcome(chrome, shop, liar)
    before = [path for path in liar.calls if path != "/token"]
    for _ in range(3):
        await outcome(chrome, shop, liar)
    assert [path for path in liar.calls if path != "/token"] == before


async def test_a_small_rsa_key_signs_nothing(liar: Liar, shop: Project, chrome: Browser) -> None:
    liar.key = new_key(1_024)
    await set_up(shop, liar)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        assert await refused(chrome, shop, liar) == REFUSED


async def test_a_key_for_encryption_signs_nothing(liar: Liar, shop: Project, chrome: Browser) -> None:
    liar.keys = [public_jwk(new_key(), kid="k0"), public_jwk(liar.key, kid="k1", use="enc")]
    await set_up(shop, liar)
    assert await refused(chrome, shop, liar) == REFUSED


async def test_no_secret_and_no_code_of_a_sign_in_stands_in_the_log(
    liar: Liar, shop: Project, chrome: Browser, api: Client
) -> None:
    from tests import running

    await set_up(shop, liar)
    liar.claims = {"aud": "somebody-else"}
    assert await refused(chrome, shop, liar) == REFUSED
    liar.token_answer = {"error": "oops", "id_token": None, "access_token": "at-secret"}
    assert await refused(chrome, shop, liar) == REFUSED
    (process,) = [process for process in running.alive if process.url == api.base]
    log = process.log.read_text(errors="replace")
    assert "single sign-on refused" in log
    assert shop.id in log
    assert "a secret / of + many kinds" not in log
    assert liar.asked["code"] not in log
    assert "at-secret" not in log
