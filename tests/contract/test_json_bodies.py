"""Bodies that no operation takes, sent to every operation that has one (bad inputs 5 to 18)."""

import gzip
from typing import Any

import pytest

from tests.contract.conftest import Refused
from tests.contract.endpoints import WITH_BODY, Operation, resolved

pytestmark = pytest.mark.usefixtures("nothing_stored")

every_operation = pytest.mark.parametrize("operation", WITH_BODY, ids=str)
needing_a_body = pytest.mark.parametrize("operation", [o for o in WITH_BODY if o.needs_body], ids=str)

MALFORMED = {
    "truncated": b'{"name": "a',
    "unclosed": b'{"name": "a"',
    "two values": b'{"name": "a"} {"name": "b"}',
    "trailing garbage": b'{"name": "a"}]',
    "single quotes": b"{'name': 'a'}",
    "trailing comma": b'{"name": "a",}',
    "comment": b'{"name": "a"} // b',
    "byte order mark": b'\xef\xbb\xbf{"name": "a"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "UTF-32": '{"name": "a"}'.encode("utf-32-le"),
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "surrogate in UTF-8": b'{"name": "\xed\xa0\x80"}',
    "lone surrogate": b'{"name": "\\ud800"}',
    "reversed surrogates": b'{"name": "\\udc00\\ud800"}',
    "control character": b'{"name": "a\nb"}',
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": Infinity}',
    "minus Infinity": b'{"name": -Infinity}',
    "1e400": b'{"name": 1e400}',
    "5,000 digits": b'{"name": ' + b"9" * 5_000 + b"}",
    "leading zero": b'{"name": 01}',
    "hexadecimal": b'{"name": 0x10}',
    "33 levels": b'{"name":' + b"[" * 32 + b"]" * 32 + b"}",
    "1,000 levels": b'{"name":' + b"[" * 1_000 + b"]" * 1_000 + b"}",
    "100,000 levels": b'{"name":' * 100_000 + b"1" + b"}" * 100_000,
    "100,000 brackets": b"[" * 100_000,
    "same key twice": b'{"name": "a", "name": "b"}',
    "same key twice, one escaped": b'{"name": "a", "n\\u0061me": "b"}',
    "same key twice, deep": b'{"name": {"a": [{"b": 1, "b": 2}]}}',
}


@every_operation
async def test_what_is_no_json_is_refused(refused: Refused, operation: Operation) -> None:
    # Events are decoded straight into their shape, which may end at the unknown field, or at 256 KiB, first.
    expected = {400, 413, 422} if str(operation) in ("send_event", "send_events") else {400}
    await refused.each_of(MALFORMED, lambda body: refused.by(operation, expected, body))


UNSTORABLE = {
    "NUL": b'{"name": "a\\u0000b"}',
    "NUL in a key": b'{"na\\u0000me": "a"}',
    "2 to the 63rd": b'{"name": 9223372036854775808}',
    "below 64 bits": b'{"name": -9223372036854775809}',
    "1,001 keys": b'{"name": {' + b",".join(b'"k%d": 1' % n for n in range(1_001)) + b"}}",
    "unknown field": b'{"no_such_field": 1}',
    "__proto__": b'{"__proto__": {"admin": true}}',
    "constructor": b'{"constructor": {"prototype": {"admin": true}}}',
    "__class__": b'{"__class__": "Admin"}',
    "an array": b"[]",
    "a text": b'"name"',
    "a number": b"1",
    "true": b"true",
}


@every_operation
async def test_what_cannot_be_kept_is_refused(refused: Refused, operation: Operation) -> None:
    async def is_refused(body: bytes) -> None:
        assert (await refused.by(operation, {422}, body)).json["errors"]

    await refused.each_of(UNSTORABLE, is_refused)


MANY_KEYS = b'{"name": {' + b",".join(b'"%x": 1' % n for n in range(300_000)) + b"}}"


@every_operation
async def test_three_hundred_thousand_keys_are_refused(refused: Refused, operation: Operation) -> None:
    await refused.by(operation, {413, 422}, MANY_KEYS)


@needing_a_body
async def test_nothing_is_no_body(refused: Refused, operation: Operation) -> None:
    await refused.by(operation, {400}, b"")
    await refused.by(operation, {400}, b" \n")
    await refused.by(operation, {422}, b"null")


OTHER_KINDS = [
    "text/plain",
    "application/xml",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "application/json; charset=utf-16",
    "application/json; charset=latin-1",
    "application",
    ";",
]


@every_operation
async def test_only_json_in_utf_8_is_read(refused: Refused, operation: Operation) -> None:
    await refused.each_of(
        {kind: kind for kind in OTHER_KINDS},
        lambda kind: refused.by(operation, {415}, b'{"name": "a"}', Content_Type=kind),
    )


COMPRESSED = gzip.compress(bytes(1_000_000))


@every_operation
async def test_no_compressed_body_is_unpacked(refused: Refused, operation: Operation) -> None:
    await refused.each_of(
        {encoding: encoding for encoding in ("gzip", "deflate", "br", "identity, gzip")},
        lambda encoding: refused.by(operation, {415}, COMPRESSED, Content_Encoding=encoding),
    )


@every_operation
async def test_an_unknown_field_is_named(refused: Refused, operation: Operation) -> None:
    if str(operation) == "authorize_socket":
        pytest.skip("Pusher's clients add fields of the app to it.")
    reply = await refused.by(operation, {422}, {"surprise/~": 1})
    assert ("/surprise~1~0", "unknown_field") in [(error["pointer"], error["code"]) for error in reply.json["errors"]]


@every_operation
async def test_a_field_of_another_type_is_named(refused: Refused, operation: Operation) -> None:
    fields = {name: resolved(schema) for name, schema in (operation.schema or {}).get("properties", {}).items()}

    async def is_named(name: str) -> None:
        body = {**_others(operation), name: _of_another_type(fields[name])}
        pointers = (await refused.by(operation, {422}, body)).pointers
        assert any(pointer == f"/{name}" or pointer.startswith(f"/{name}/") for pointer in pointers), pointers

    typed = [name for name, schema in fields.items() if schema.get("type") is not None or schema.get("enum")]
    await refused.each_of({name: name for name in typed}, is_named)


@every_operation
async def test_a_required_field_is_named(refused: Refused, operation: Operation) -> None:
    schema = operation.schema or {}

    async def is_named(name: str) -> None:
        missing = {field: value for field, value in _others(operation).items() if field != name}
        null = {**missing, name: None}
        for body in (missing,) if _may_be_null(schema["properties"][name]) else (missing, null):
            assert f"/{name}" in (await refused.by(operation, {422}, body)).pointers, body

    await refused.each_of({name: name for name in schema.get("required", [])}, is_named)


def _may_be_null(schema: dict[str, Any]) -> bool:
    """Null removes it, and is still to be said."""
    return any(each.get("type") == "null" for each in schema.get("anyOf", ()))


def _others(operation: Operation) -> dict[str, Any]:
    """What is right about the body, where the decoder stops at the first mistake."""
    return {"type": "a", "payload": {}} if str(operation) == "send_event" else {}


def _of_another_type(schema: dict[str, Any]) -> Any:
    kinds = schema.get("type", "string")
    return {"array": {"0": "a"}, "object": ["a"], "string": {"a": 1}, "integer": "1", "boolean": "true"}.get(
        kinds if isinstance(kinds, str) else kinds[0]
    )
