"""Where in a JSON Schema there are schemas, and how each of them meets a value."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from tocsin.kit.strict_json import escaped

Schema = dict[str, Any] | bool
Meets = Literal["same", "one", "any", "named"]

_SAME = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
_ONE = ("properties", "prefixItems")
_ANY = ("patternProperties", "additionalProperties", "propertyNames", "items", "contains")
_NAMED = ("$defs",)
MEETING: dict[str, Meets] = {
    **dict.fromkeys(_SAME, "same"),
    **dict.fromkeys(_ONE, "one"),
    **dict.fromkeys(_ANY, "any"),
    **dict.fromkeys(_NAMED, "named"),
}
"""How the schemas of a keyword meet a value: its own (``same``), one of its members each (``one``), every member
(``any``), or only where they are referred to (``named``)."""


class Part(NamedTuple):
    """A schema inside another one; ``key`` is its name or number under the keyword, if it has one."""

    keyword: str
    key: str | int | None
    schema: Schema

    @property
    def pointer(self) -> str:
        return f"/{escaped(self.keyword)}" + ("" if self.key is None else f"/{escaped(self.key)}")


def parts(schema: Schema) -> Iterator[Part]:
    """The schemas directly inside one. What is no schema is passed over: the compiler complains about it."""
    if not isinstance(schema, dict):
        return
    for keyword in MEETING.keys() & schema.keys():
        value = schema[keyword]
        if keyword in ("properties", "patternProperties", "dependentSchemas", "$defs"):
            yield from _each(keyword, value.items() if isinstance(value, dict) else ())
        elif isinstance(value, list):
            yield from _each(keyword, enumerate(value))
        elif isinstance(value, (dict, bool)):
            yield Part(keyword, None, value)


def _each(keyword: str, values: Any) -> Iterator[Part]:
    return (Part(keyword, key, schema) for key, schema in values if isinstance(schema, (dict, bool)))


def everywhere(schema: Schema, pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """A schema and all inside it, each with its JSON pointer."""
    waiting: list[tuple[str, Schema]] = [(pointer, schema)]
    while waiting:
        place, found = waiting.pop()
        if isinstance(found, dict):
            yield place, found
            waiting += [(place + part.pointer, part.schema) for part in parts(found)]


def referred(root: Schema, schema: dict[str, Any]) -> Schema | None:
    """What its ``$ref`` means: the whole document or one of its ``$defs``."""
    name = schema.get("$ref")
    if name == "#":
        return root
    if isinstance(name, str) and name.startswith("#/$defs/") and isinstance(root, dict):
        found = root.get("$defs", {}).get(name.removeprefix("#/$defs/"))
        return found if isinstance(found, (dict, bool)) else None
    return None
