"""Links by which whoever got a message says "mine" with one tap (R3).

A link is good for one notification and one person, or for whoever reads along where a message goes to a place that is
no person. It asks for no login: a phone at night has none. It is worth nothing once the notification is gone.
"""

from typing import NamedTuple
from uuid import UUID

from tocsin.kit.crypto import MasterKey
from tocsin.kit.db import Env
from tocsin.kit.signed import signed, unsigned

PATH = "/ack"
VIA = "link"
_PURPOSE = "ack-link"
_ENVS: tuple[Env, ...] = ("live", "test")
_LENGTH = 16 + 1 + 16 + 16
_NOBODY = UUID(int=0)


class AckLink(NamedTuple):
    """What a link is good for; ``user_id`` is None where it went to a place that is no person."""

    project_id: UUID
    env: Env
    notification_id: UUID
    user_id: UUID | None


class AckLinks:
    def __init__(self, master: MasterKey, base_url: str) -> None:
        """``base_url`` is how the world reaches the installation."""
        self._master = master
        self._base_url = base_url

    def make(self, link: AckLink) -> str:
        body = (
            link.project_id.bytes
            + bytes([_ENVS.index(link.env)])
            + link.notification_id.bytes
            + (link.user_id or _NOBODY).bytes
        )
        return f"{self._base_url}/api/v1{PATH}/{signed(body, self._master.derive(_PURPOSE))}"

    def read(self, token: str) -> AckLink | None:
        """What it is good for, or None: it is not one of ours."""
        body = unsigned(token, _LENGTH, self._master.tries(_PURPOSE))
        if body is None:
            return None
        user_id = UUID(bytes=body[33:])
        return AckLink(
            UUID(bytes=body[:16]),
            _ENVS[body[16]],
            UUID(bytes=body[17:33]),
            None if user_id == _NOBODY else user_id,
        )
