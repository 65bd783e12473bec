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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class Unreadable(Exception):
    """A sealed text that does not open here: moved, damaged, or sealed under a key that is gone."""


@dataclass(frozen=True, slots=True)
class _Root:
    """One master key."""

    id: str
    secret: bytes
    wrapper: AESGCM

    @classmethod
    def of(cls, secret: bytes) -> "_Root":
        if len(secret) != 32:
            raise ValueError("the master key must be 32 bytes, written as base64 (openssl rand -base64 32)")
        return cls(_derived(secret, "id")[:4].hex(), secret, AESGCM(_derived(secret, "wrap")))


class MasterKey:
    """The installation's root secret; everything else is derived from it by name or wrapped by it.

    While it rotates there are several: the first makes what is new, the others are accepted. A file of keys is looked
    at before something new is made, and when nothing known fits, so every process follows a rotation by itself.
    """

    def __init__(self, secret: bytes, accepted: Sequence[bytes] = (), file: Path | None = None) -> None:
        self._file = file
        self._stamp = _stamp(file)
        self._roots = [_Root.of(each) for each in (secret, *accepted)]
        self._derived: dict[str, tuple[bytes, ...]] = {}

    def __repr__(self) -> str:
        return f"MasterKey({', '.join(self.ids)})"

    @classmethod
    def load(cls, configured: str | None, home: Path, accepted: str | None = None) -> "MasterKey":
        """The configured key, else those kept in the data folder, else a new one kept there (mode 0600).

        ``accepted`` are further configured keys, separated by commas.
        """
        if configured:
            return cls(_decode_key(configured), [_decode_key(each) for each in (accepted or "").split(",") if each])
        path = home / "master.key"
        try:
            home.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(new_master_key() + "\n")
        except FileExistsError:
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                path.chmod(0o600)
        first, *others = _read_keys(path)
        return cls(first, others, path)

    @property
    def id(self) -> str:
        """Of the key that makes what is new."""
        return self._roots[0].id

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all accepted keys, the current one first."""
        return tuple(root.id for root in self._roots)

    @property
    def file(self) -> Path | None:
        """Where the keys are kept, unless the environment gave them."""
        return self._file

    def derive(self, purpose: str) -> bytes:
        """32 bytes for making something new; knowing them tells nothing about the master key."""
        self.refresh()
        return self.derived(purpose)[0]

    def derived(self, purpose: str) -> tuple[bytes, ...]:
        """The same of every accepted key, the current one's first, for what was made before."""
        if purpose not in self._derived:
            self._derived[purpose] = tuple(_derived(root.secret, purpose) for root in self._roots)
        return self._derived[purpose]

    def tries(self, purpose: str) -> Iterator[bytes]:
        """The keys of a purpose to try, one after the other, until something fits."""
        yield from self.derived(purpose)
        if self.refresh():
            yield from self.derived(purpose)

    def refresh(self) -> bool:
        """Read the file again if it has changed; whether there are other keys now."""
        stamp = _stamp(self._file)
        if self._file is None or stamp is None or stamp == self._stamp:
            return False
        before = self.ids
        self._roots = [_Root.of(secret) for secret in _read_keys(self._file)]
        self._derived = {}
        self._stamp = stamp
        return self.ids != before

    def database_password(self, role: str) -> str:
        """The password of a database login, so that no file has to carry it."""
        return self.database_passwords(role)[0]

    def database_passwords(self, role: str) -> list[str]:
        """The same of every accepted key: `migrate` may not have come by since a rotation, or may have."""
        return [hmac.new(root.secret, f"pg:{role}".encode(), "sha256").hexdigest() for root in self._roots]

    def wrap(self, data_key: bytes, place: bytes) -> bytes:
        self.refresh()
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._roots[0].wrapper.encrypt(nonce, data_key, place)

    def unwrap(self, wrapped: bytes, place: bytes) -> bytes:
        """A data key again, whichever accepted key wrapped it. Raises Unreadable."""
        while True:
            for root in self._roots:
                try:
                    return root.wrapper.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], place)
                except InvalidTag:
                    continue
            if not self.refresh():
                raise Unreadable("a data key does not open under any accepted master key")


def new_master_key() -> str:
    """A key as it is written in the environment or a file."""
    return base64.b64encode(os.urandom(32)).decode()


def _derived(secret: bytes, purpose: str) -> bytes:
    return hmac.digest(secret, b"tocsin:" + purpose.encode(), "sha256")


def _stamp(file: Path | None) -> tuple[int, int, int] | None:
    """What changes when a file is replaced; None where there is none."""
    try:
        seen = file.stat() if file else None
    except OSError:
        return None
    return (seen.st_mtime_ns, seen.st_ino, seen.st_size) if seen else None


def _read_keys(path: Path) -> list[bytes]:
    keys = [_decode_key(line) for line in path.read_text().splitlines() if line.strip()]
    if not keys:
        raise ValueError("the file holds no key")
    return keys


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
        version, written, _, _ = sealed.split(".")
        id_ = UUID(written)
        if version != "v1" or str(id_) != written:
            raise ValueError(version)
        return id_
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
    """Refuses every other spelling of the same bytes, so that no changed character goes unnoticed."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _b64(data) != text:
        raise ValueError("not as it was written")
    return data
