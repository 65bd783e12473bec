"""The words of providers and libraries without our secrets, should they repeat them (C3).

Far ends repeat what they were sent: an address that holds a token, a header, a login. So a secret is known in every
form in which it travels, and everything that is kept or answered of what anybody out there says goes through here.
"""

import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus, unquote
from weakref import WeakKeyDictionary

import msgspec

from tocsin.channels.contract import Described

MASK = "****"
SHORTEST_PART, LONG_PART = 8, 16
"""Of a secret address. A part that is shorter, or not long and without a digit, is a word that anybody may say."""

SHORTEST_ENCODED = 8
_SEPARATORS = re.compile(r"[/?&=@:#]")


@dataclass(frozen=True, slots=True)
class _Forms:
    """How the secrets of some credentials may be written, the longest first, so that no form hides the rest of a longer
    one; and what may be base64 of more than a secret, without its padding: a login is shown so."""

    raw: frozenset[str]
    written: tuple[str, ...]
    encoded: re.Pattern[str]


_known: WeakKeyDictionary[Described, _Forms] = WeakKeyDictionary()
"""Kept while the credentials are: this runs for every message that is sent."""


def without_secrets(text: str, credentials: Described) -> str:
    """The same text with ``MASK`` in the place of every secret."""
    forms = _remembered(credentials)
    if not text or not forms.raw:
        return text
    for form in forms.written:
        text = text.replace(form, MASK)
    return forms.encoded.sub(lambda found: MASK if _tells(found[0], forms.raw) else found[0], text)


def all_without_secrets(value: Any, credentials: Described) -> Any:
    """The same JSON with that done to each text in it; keys stay."""
    if isinstance(value, str):
        return without_secrets(value, credentials)
    if isinstance(value, dict):
        return {key: all_without_secrets(each, credentials) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [all_without_secrets(each, credentials) for each in value]
    return value


def _remembered(credentials: Described) -> _Forms:
    try:
        forms = _known.get(credentials)
        if forms is None:
            forms = _known[credentials] = _forms(credentials)
    except TypeError:  # those of somebody else's channel may hold a list, which cannot be a key
        return _forms(credentials)
    return forms


def _forms(credentials: Described) -> _Forms:
    revealed, masked = credentials.revealed(), credentials.masked()
    secrets = [text for name, text in revealed.items() if isinstance(text, str) and text and text != masked[name]]
    raw = frozenset(each for secret in secrets for each in (secret, *_parts(secret)))
    written = {form for secret in raw for form in _written(secret)}
    shortest = max(SHORTEST_ENCODED, math.ceil(min(map(len, raw), default=0) * 4 / 3))
    return _Forms(raw, tuple(sorted(written, key=len, reverse=True)), re.compile(rf"[A-Za-z0-9+/_-]{{{shortest},}}"))


def _parts(secret: str) -> Iterator[str]:
    """The parts of an address that are secret by themselves: a far end is not sent the whole of it."""
    _, is_address, rest = secret.partition("://")
    if not is_address:
        return
    login, _, _ = rest.rpartition("@")
    password = login.partition(":")[2]
    path = rest.partition("/")[2]
    for part in (password, path, *filter(_looks_secret, _SEPARATORS.split(rest))):
        if part:
            yield from (part, unquote(part))


def _looks_secret(part: str) -> bool:
    """Host names, ``services`` and the like anybody may say."""
    is_word = len(part) < LONG_PART and not any(each.isdigit() for each in part)
    return len(part) >= SHORTEST_PART and "." not in part and not is_word


def _written(secret: str) -> Iterator[str]:
    """As it is, as in an address, as in JSON."""
    yield from (secret, quote(secret), quote(secret, safe=""), quote_plus(secret))
    yield msgspec.json.encode(secret).decode()[1:-1]


def _tells(word: str, secrets: frozenset[str]) -> bool:
    """Whether a word is base64 of something that holds a secret."""
    usual = word.replace("+", "-").replace("/", "_")
    if len(usual) % 4 == 1:
        return False  # no text of base64 is as long
    plain = urlsafe_b64decode(usual + "=" * (-len(usual) % 4)).decode(errors="replace")
    return any(secret in plain for secret in secrets)
