"""Addresses by which a sound is played: of its content, good for as long as that is there, and enough by themselves.

A browser's player sends no headers, so whoever was sent the address may hear the sound.
"""

from typing import NamedTuple
from uuid import UUID

from tocsin.kit.crypto import MasterKey
from tocsin.kit.db import Env
from tocsin.kit.signed import signed, unsigned

PATH = "/sound-files"
SUFFIX = ".mp3"
_PURPOSE = "sound-file"
_ENVS: tuple[Env, ...] = ("live", "test")
_LENGTH = 16 + 1 + 16


class SoundLink(NamedTuple):
    """Content that a project can hear in an environment; ``digest`` is 32 hexadecimal digits."""

    project_id: UUID
    env: Env
    digest: str


class SoundLinks:
    def __init__(self, master: MasterKey, base_url: str) -> None:
        """``base_url`` is how the world reaches the installation."""
        self._master = master
        self._base_url = base_url

    def make(self, project_id: UUID, env: Env, digest: str | None) -> str | None:
        """The same address whenever it is asked for; None for no sound, or one that is known by its name alone."""
        if digest is None:
            return None
        body = project_id.bytes + bytes([_ENVS.index(env)]) + bytes.fromhex(digest)
        return f"{self._base_url}/api/v1{PATH}/{signed(body, self._master.derive(_PURPOSE))}{SUFFIX}"

    def read(self, name: str) -> SoundLink | None:
        """What the last part of an address leads to, or None: it is not one of ours."""
        token = name.removesuffix(SUFFIX)
        body = unsigned(token, _LENGTH, self._master.tries(_PURPOSE)) if token != name else None
        return SoundLink(UUID(bytes=body[:16]), _ENVS[body[16]], body[17:].hex()) if body else None
