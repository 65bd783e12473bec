"""What travels sealed through the browser: a flow in a cookie, a passage in the address of the app.

Nothing of an unfinished sign-in is stored, so that beginning one, which anybody may, costs no row. What may count
once is noted when it is used (``used_tokens``).
"""

import base64
import os
from typing import Literal, TypeVar
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tocsin.kit.crypto import MasterKey

FLOW_SECONDS = 600
PASSAGE_SECONDS = 60
PASSAGE_PREFIX = "sc_"
_NONCE_BYTES = 12
_PURPOSE = "single-sign-on"

Purpose = Literal["sign_in", "link"]


class Identity(msgspec.Struct, frozen=True):
    """Who somebody is at a provider. ``email`` is there only where the provider says that it is verified."""

    issuer: str
    subject: str
    email: str | None = None
    name: str | None = None


class Flow(msgspec.Struct, frozen=True):
    """A sign-in under way; ``began`` in seconds since 1970, ``network`` where its beginning was counted."""

    project_id: UUID
    state: str
    nonce: str
    verifier: str
    issuer: str
    client_id: str
    return_url: str
    purpose: Purpose
    challenge: str | None
    began: int
    network: str | None = None


class Passage(msgspec.Struct, frozen=True):
    """The one-time code behind a finished flow: ``user_id`` may come in, or ``identity`` may be linked."""

    project_id: UUID
    id: str
    purpose: Purpose
    identity: Identity
    user_id: UUID | None
    challenge: str | None
    expires: int


Ticket = TypeVar("Ticket", Flow, Passage)


class Tickets:
    """Seals and opens both kinds; one never opens as the other."""

    def __init__(self, master: MasterKey) -> None:
        self._master = master

    def seal(self, ticket: Flow | Passage) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self._master.derive(_PURPOSE)).encrypt(nonce, msgspec.json.encode(ticket), _place(type(ticket)))
        return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")

    def open(self, text: str, kind: type[Ticket]) -> Ticket | None:
        """The ticket, or None for what we have not sealed as this kind."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        for key in self._master.tries(_PURPOSE):
            try:
                plain = AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _place(kind))
                return msgspec.json.decode(plain, type=kind)
            except (ValueError, InvalidTag):
                continue
        return None


def _place(kind: type[Flow] | type[Passage]) -> bytes:
    return f"sso:{kind.__name__}".encode()
