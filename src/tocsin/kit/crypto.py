"""Secrets at rest: one master key, one data key per project, AES-256-GCM, nothing that can be moved.

A sealed text is ``v1.<data key id>.<nonce>.<ciphertext>``; the place it belongs to (project, table, row,
field) is bound in as associated data, each part with its length, so a ciphertext copied to another row
never opens. Old data keys stay readable by their id; new secrets use the newest.
"""

import base64
import hashlib
import hmac
import os
import stat
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class Unreadable(Exception):
    """A sealed text that does not open here: moved, damaged, or sealed under a key that is gone."""


class MasterKey:
    """The installation's root secret; everything else is derived from it by name or wrapped by it."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise ValueError("the master key must be 32 bytes, written as base64 (openssl rand -base64 32)")
        self._secret = secret
        self.id = self.derive("id")[:4].hex()
        self._wrapper = AESGCM(self.derive("wrap"))

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"

    @classmethod
    def load(cls, configured: str | None, home: Path) -> "MasterKey":
        """The configured key, else the one kept in the data folder, else a new one kept there (mode 0600)."""
        if configured:
            return cls(_decode_key(configured))
        path = home / "master.key"
        try:
            home.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(base64.b64encode(os.urandom(32)).decode() + "\n")
        except FileExistsError:
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                path.chmod(0o600)
        return cls(_decode_key(path.read_text()))

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one named purpose; knowing them tells nothing about the master key."""
        return hmac.digest(self._secret, b"tocsin:" + purpose.encode(), "sha256")

    def database_password(self, role: str) -> str:
        """The password of a database login, so that no file has to carry it."""
        return hmac.new(self._secret, f"pg:{role}".encode(), "sha256").hexdigest()

    def wrap(self, data_key: bytes, place: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._wrapper.encrypt(nonce, data_key, place)

    def unwrap(self, wrapped: bytes, place: bytes) -> bytes:
        try:
            return self._wrapper.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], place)
        except InvalidTag:
            raise Unreadable("a data key does not open under this master key") from None


def _decode_key(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError:
        raise ValueError("the master key must be base64 (openssl rand -base64 32)") from None


class DataKey:
    """One key of one project."""

    def __init__(self, id_: UUID, secret: bytes) -> None:
        self.id = id_
        self._cipher = AESGCM(secret)

    @classmethod
    def new(cls, master: MasterKey, project_id: UUID, id_: UUID) -> tuple["DataKey", bytes]:
        """A fresh key and its wrapped form for the database."""
        secret = AESGCM.generate_key(256)
        return cls(id_, secret), master.wrap(secret, bound(project_id, "data_keys", id_, "wrapped"))

    @classmethod
    def opened(cls, master: MasterKey, project_id: UUID, id_: UUID, wrapped: bytes) -> "DataKey":
        return cls(id_, master.unwrap(wrapped, bound(project_id, "data_keys", id_, "wrapped")))

    def seal(self, plain: bytes, place: bytes) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, plain, place)
        return ".".join(("v1", str(self.id), _b64(nonce), _b64(sealed)))

    def open(self, sealed: str, place: bytes) -> bytes:
        try:
            _, _, nonce, body = sealed.split(".")
            return self._cipher.decrypt(_unb64(nonce), _unb64(body), place)
        except (ValueError, InvalidTag):
            raise Unreadable("a sealed value does not open in this place") from None


def data_key_id(sealed: str) -> UUID:
    """Which data key a sealed text needs."""
    try:
        version, id_, _, _ = sealed.split(".")
        if version != "v1":
            raise ValueError(version)
        return UUID(id_)
    except ValueError:
        raise Unreadable("not a sealed value") from None


def bound(project_id: UUID, table: str, row: UUID | str, field: str) -> bytes:
    """The associated data of one field of one row: parts with their lengths, so none can flow into the next."""
    parts = ("v1", str(project_id), table, str(row), field)
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)


def fingerprint(key: bytes, text: str) -> bytes:
    """A keyed hash for comparing secrets without keeping them."""
    return hmac.digest(key, text.encode(), "sha256")


def content_hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
