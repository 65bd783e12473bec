"""Links that let somebody choose a password, once: an invited admin, the owner of a project, the very first admin.

A link is ``lt_`` and what it is for, when it ends and a proof. The proof covers what the account was when the link
was made (its state and password), so that using it spends it, and every other link for the same account with it; no
table remembers links. It stands in the fragment of the address, which no browser sends to a server or a log.
"""

import base64
import struct
import time
from dataclasses import dataclass
from hmac import compare_digest
from uuid import UUID

from tocsin.kit.crypto import MasterKey, fingerprint
from tocsin.kit.errors import Unauthorized
from tocsin.kit.ids import PLATFORM_ID

LIFETIME_SECONDS = 24 * 3600
_PROOF_BYTES = 24
_PURPOSE = "setup-link"


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says; ``proven_by`` whether it is true and unspent. Without a user it is the first admin's."""

    project_id: UUID
    user_id: UUID | None
    ends_at: int
    proof: bytes


class Links:
    def __init__(self, master: MasterKey) -> None:
        self._master = master

    def make(self, project_id: UUID, user_id: UUID | None, state: str) -> str:
        """A link for the account as it is now; ``state`` is any text that changes when the link is used."""
        ends_at = int(time.time()) + LIFETIME_SECONDS
        place = _place(project_id, user_id)
        body = place + struct.pack(">I", ends_at)
        proof = _proof(self._master.derive(_PURPOSE), body, state)
        return "lt_" + base64.urlsafe_b64encode(body + proof).decode().rstrip("=")

    def read(self, token: str) -> Link:
        """What the link says. Raises Unauthorized for what is none or is over."""
        try:
            raw = base64.b64decode(token[3:] + "=" * (-len(token[3:]) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise spent() from None
        place, rest = raw[: -4 - _PROOF_BYTES], raw[-4 - _PROOF_BYTES :]
        if not token.startswith("lt_") or len(rest) != 4 + _PROOF_BYTES or len(place) not in (0, 16, 32):
            raise spent()
        (ends_at,) = struct.unpack(">I", rest[:4])
        if ends_at <= time.time():
            raise spent()
        project_id = UUID(bytes=place[:16]) if len(place) == 32 else PLATFORM_ID
        return Link(project_id, UUID(bytes=place[-16:]) if place else None, ends_at, rest[4:])

    def proven_by(self, link: Link, state: str) -> bool:
        """Whether we made this link for an account in this state."""
        body = _place(link.project_id, link.user_id) + struct.pack(">I", link.ends_at)
        return any(compare_digest(link.proof, _proof(key, body, state)) for key in self._master.tries(_PURPOSE))


def _proof(key: bytes, body: bytes, state: str) -> bytes:
    return fingerprint(key, f"{body.hex()} {state}")[:_PROOF_BYTES]


def address(base_url: str, token: str) -> str:
    """Where a person opens the link."""
    return f"{base_url}/setup#{token}"


def spent() -> Unauthorized:
    return Unauthorized("invalid_link", "The link was used or is over; ask for a new one.")


def _place(project_id: UUID, user_id: UUID | None) -> bytes:
    """As short as can be, so that the first admin's link fits into a line of a terminal."""
    if user_id is None:
        return b""
    return user_id.bytes if project_id == PLATFORM_ID else project_id.bytes + user_id.bytes
