"""The quick check of an API key's secret: an HMAC under a key derived from the master key, which may rotate.

What is kept is the id of the master key (4 bytes) and the HMAC-SHA256. A secret whose master key is accepted no
more cannot be checked quickly; bcrypt still can (``unknown``), and then its HMAC is made anew.
"""

from hmac import compare_digest
from typing import Literal

from tocsin.kit.crypto import MasterKey, fingerprint

PURPOSE = "api-key-mac"

Fit = Literal["right", "wrong", "unknown"]


class SecretMacs:
    def __init__(self, master: MasterKey) -> None:
        self._master = master

    def of(self, secret: str) -> bytes:
        """What is kept of a secret."""
        key = self._master.derive(PURPOSE)
        return bytes.fromhex(self._master.id) + fingerprint(key, secret)

    def fit(self, secret: str, kept: bytes) -> Fit:
        if kept[:4].hex() not in self._master.ids and not self._master.refresh():
            return "unknown"
        for id_, key in zip(self._master.ids, self._master.derived(PURPOSE), strict=True):
            if id_ == kept[:4].hex():
                return "right" if compare_digest(fingerprint(key, secret), kept[4:]) else "wrong"
        return "unknown"

    def outdated(self, kept: bytes) -> bool:
        """Whether it was made under another key than the current one."""
        return kept[:4].hex() != self._master.id
