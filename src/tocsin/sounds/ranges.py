"""A file that never changes as an answer: whole, in part, or not again (RFC 9110, sections 13 and 14).

Players ask for parts: Safari plays nothing from a server that does not give them.
"""

import re
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response

from tocsin.kit.errors import RangeNotSatisfiable

_PAST_THE_END = "The file ends before what `Range` asks for."
_YEAR = "max-age=31536000, immutable"
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


DOCUMENTED: dict[int | str, dict[str, Any]] = {
    206: {"description": "The part that `Range` asks for."},
    304: {"description": "It is what `If-None-Match` says."},
    416: {"description": _PAST_THE_END},
}


def file_answer(
    data: bytes, digest: str, asked: Headers, media_type: str, disposition: str, *, shared: bool = False
) -> Response:
    """What the headers of a GET ask for of a file with this digest; ``shared`` caches may keep it too.

    Raises RangeNotSatisfiable.
    """
    headers = {
        "ETag": f'"{digest}"',
        "Cache-Control": f"{'public' if shared else 'private'}, {_YEAR}",
        "Accept-Ranges": "bytes",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Content-Disposition": disposition,
    }
    if _matches(asked.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    wanted = _wanted(asked, headers["ETag"], len(data))
    if wanted is None:
        return Response(data, media_type=media_type, headers=headers)
    if not wanted:
        raise RangeNotSatisfiable("no_such_part", _PAST_THE_END, headers={"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{len(data)}"
    return Response(data[wanted.start : wanted.stop], 206, media_type=media_type, headers=headers)


def _matches(tags: str, etag: str) -> bool:
    return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in tags.split(","))


def _wanted(asked: Headers, etag: str, size: int) -> range | None:
    """The one part that is asked for, empty where the file has none of it; None for the whole.

    Several parts, other units and what nobody can read count as not asked (section 14.2), and so does the part of a
    file that the client knows in another version.
    """
    found = _RANGE.fullmatch(asked.get("range", "").replace(" ", ""))
    if found is None or asked.get("if-range", etag) != etag:
        return None
    first, last = found[1], found[2]
    if not first:
        return range(max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size, int(last) + 1) if last else size)
