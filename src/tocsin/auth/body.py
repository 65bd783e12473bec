"""The body of a request: read within its limit of size, and decoded strictly before anything looks at it."""

from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import Receive, Scope

from tocsin.kit.errors import BadRequest, RequestTimeout, TooLarge, UnsupportedMediaType
from tocsin.kit.strict_json import decode

MAX_BODY_BYTES = 6 * 1024 * 1024
TOO_SLOW = "tocsin.too_slow"
"""Where the scope of a request whose body was given up carries the seconds it had: the connection keeps the clock."""
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"


async def checked_body(request: Request, *, required: bool, form: bool, upload: bool = False) -> Request:
    """The request with its body already read and decoded; raises the Problem that is wrong with it.

    With ``form`` a urlencoded form is taken too, as the JSON object of its fields. With ``upload`` a multipart form is
    taken and nothing else; it is read, and taken apart by the endpoint's framework.
    """
    if request.method not in WRITES:
        return request
    body = await read_body(request.headers.get("content-length"), request.scope, request.receive, MAX_BODY_BYTES)
    if upload:
        return _with_form(request, body)
    # Some clients name a type for the body they do not send (aiohttp: application/octet-stream).
    if not body and not required:
        return _decoded(request, body, None)
    if form and request.headers.get("content-type", "").lower().startswith(_FORM):
        return _decoded(_as_json(request), body, _read_form(body))
    check_content_type(request.headers.get("content-type", ""), request.headers.get("content-encoding", ""))
    return _decoded(request, body, decode(body))


async def read_body(declared: str | None, scope: Scope, receive: Receive, most: int) -> bytes:
    """The whole body; ``declared`` is its Content-Length. What is too long is refused before it is read to its end."""
    if declared is not None and declared.isdecimal() and int(declared) > most:
        raise _too_large(most)
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if TOO_SLOW in scope:
            raise RequestTimeout("body_too_slow", f"The body did not arrive within {scope[TOO_SLOW]:.0f} seconds.")
        if message["type"] == "http.disconnect":
            raise BadRequest("body_cut_short", "The connection ended before the body did.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise _too_large(most)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(most: int) -> TooLarge:
    return TooLarge("body_too_large", f"The body is larger than {most // 1024} KiB.")


def check_content_type(value: str, encoding: str, wanted: str = "application/json") -> None:
    """Refuse whatever is not JSON in UTF-8; a form that a browser may send across sites is not.

    A compressed body would have to be unpacked before anything is known of its size.
    """
    if encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("unsupported_encoding", "Send the body as it is, without Content-Encoding.")
    kind, _, parameters = value.partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() != wanted or charset not in ("", "utf-8"):
        raise UnsupportedMediaType("unsupported_media_type", f"Send the body as {wanted} in UTF-8.")


def _with_form(request: Request, body: bytes) -> Request:
    if not request.headers.get("content-type", "").lower().startswith(_MULTIPART):
        raise UnsupportedMediaType("unsupported_media_type", f"Send the body as {_MULTIPART}.")
    return _decoded(request, body, None)


def _as_json(request: Request) -> Request:
    """The same request under the content type of what its form stands for.

    In the same scope, because the edge reads there who called.
    """
    others = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
    request.scope["headers"] = [*others, (b"content-type", b"application/json")]
    return Request(request.scope, request.receive)


def _read_form(body: bytes) -> dict[str, str]:
    """The fields of a urlencoded form; each may stand there once."""
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise BadRequest("malformed_form", "The body is not a urlencoded form in UTF-8.") from None
    if len(dict(fields)) != len(fields):
        raise BadRequest("malformed_form", "A field of the form was sent twice.")
    return dict(fields)


class _Decoded(Request):
    """A request whose JSON was already read strictly."""

    decoded: Any

    async def json(self) -> Any:
        return self.decoded


def _decoded(request: Request, body: bytes, value: Any) -> Request:
    checked = _Decoded(request.scope, request.receive)
    checked._body = body
    checked.decoded = value
    return checked
