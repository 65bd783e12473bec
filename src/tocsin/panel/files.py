"""What was built of the panel: read once, at start, with its compressed siblings."""

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DIST = Path(__file__).with_name("dist")

PAGE = "index.html"
PLATFORM_PAGE = "platform.html"
_NOT_SERVED = frozenset({PAGE, PLATFORM_PAGE, "manifest.json", "built"})
_ENCODINGS = {".br": "br", ".gz": "gzip"}
"""In order of preference."""

_REFUSED = re.compile(r";\s*q=0(\.0*)?\s*$")
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


@dataclass(frozen=True)
class File:
    """One file as it is served. ``encoded`` holds its compressed forms by the name of their encoding."""

    body: bytes
    media_type: str
    etag: str
    cache_control: str
    encoded: Mapping[str, bytes] = field(default_factory=dict)

    def accepted(self, accept_encoding: str) -> tuple[bytes, str | None]:
        """The smallest form that a client takes, and its encoding."""
        offered = {part.partition(";")[0].strip() for part in accept_encoding.split(",") if not _REFUSED.search(part)}
        for encoding, body in self.encoded.items():
            if encoding in offered:
                return body, encoding
        return self.body, None


def read(folder: Path = DIST) -> dict[str, File]:
    """Every file by its path below the folder; empty where nothing was built."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in _ENCODINGS)
    return {path.relative_to(folder).as_posix(): _file(path, folder) for path in paths if path.name not in _NOT_SERVED}


def read_page(folder: Path = DIST, name: str = PAGE) -> str | None:
    """A page as it was built, or None."""
    path = folder / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _file(path: Path, folder: Path) -> File:
    body = path.read_bytes()
    siblings = {name: path.with_name(path.name + suffix) for suffix, name in _ENCODINGS.items()}
    # The names of assets carry a digest of what is in them.
    hashed = path.relative_to(folder).parts[0] == "assets"
    return File(
        body,
        _media_type(path),
        f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        _FOR_EVER if hashed else _ASK_AGAIN,
        {name: sibling.read_bytes() for name, sibling in siblings.items() if sibling.is_file()},
    )


def _media_type(path: Path) -> str:
    """Not what the machine thinks of a suffix: some call JavaScript text/plain, and browsers then refuse it."""
    known = {".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml", ".css": "text/css"}
    return known.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
