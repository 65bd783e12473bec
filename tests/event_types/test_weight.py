"""What judging costs is known when a schema is saved: no short text makes it long (P20)."""

from typing import Any

import pytest

from tocsin.event_types.fields import knows
from tocsin.event_types.schema import BUDGET, Schema, check
from tocsin.event_types.weight import MOST, Circular, weigh


def _twice(name: str) -> dict[str, Any]:
    return {"allOf": [{"$ref": f"#/$defs/{name}"}, {"$ref": f"#/$defs/{name}"}]}


def doubling(levels: int) -> dict[str, Any]:
    """Each level looks at the same value twice by the next one."""
    defs: dict[str, Any] = {f"n{level}": _twice(f"n{level + 1}") for level in range(levels)}
    return {"$defs": {**defs, f"n{levels}": {"type": "string"}}, **_twice("n0")}


def tree() -> dict[str, Any]:
    """Each member is looked at twice, and so are its members."""
    return {"properties": {"a": _twice("t")}, "$defs": {"t": {"properties": {"a": _twice("t")}}}}


def test_a_schema_of_many_fields_weighs_as_much_as_the_heaviest() -> None:
    field = {"type": "object", "properties": {"b": {"type": "string", "pattern": "^x"}}}
    alone = weigh({"properties": {"a": field}})
    assert weigh({"properties": {f"a{n}": field for n in range(200)}}) == alone


def test_a_schema_that_goes_on_in_its_members_is_light() -> None:
    node = {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "items": {"type": "array"}}}
    assert weigh(node) <= MOST
    assert check(node, "/schema") == []


@pytest.mark.parametrize("schema", [doubling(40), tree(), {"anyOf": [{"pattern": "x"}] * 30}])
def test_what_multiplies_is_refused(schema: dict[str, Any]) -> None:
    assert [error.code for error in check(schema, "/schema")] == ["too_complex"]


def test_a_schema_that_only_means_itself_is_refused() -> None:
    with pytest.raises(Circular):
        weigh({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"})


def test_a_payload_beyond_the_budget_is_not_judged() -> None:
    schema = Schema(b'{"properties": {"a": {"type": "string"}}}', 2)
    assert schema.faults({"a": 1}, BUDGET // 2)[0].code == "schema_mismatch"
    assert schema.faults({"a": "x"}, BUDGET // 2 + 1)[0].code == "schema_too_costly"


def test_faults_are_few_and_repeat_no_value() -> None:
    schema = Schema(b'{"items": {"type": "string"}}', 2)
    faults = schema.faults([{"secret": "canary"}] * 50, 1_000)
    assert len(faults) == 10
    assert not any("canary" in fault.detail for fault in faults)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        (["id"], True),
        (["idd"], False),
        (["lines", 0, "sku"], True),
        (["lines", 0, "skew"], False),
        (["card", "number"], True),
        (["iban"], True),
        (["free", "whatever"], True),
        (["x-mark"], True),
        (["self", "self", "id"], True),
        (["self", "self", "no"], False),
        (["id", "deeper"], True),
    ],
)
def test_the_fields_that_a_schema_knows(path: list[str | int], known: bool) -> None:
    schema: dict[str, Any] = {
        "properties": {
            "id": {"type": "string"},
            "lines": {"items": {"$ref": "#/$defs/line"}},
            "free": {"type": "object"},
            "self": {"$ref": "#"},
        },
        "patternProperties": {"^x-": {}},
        "anyOf": [{"properties": {"card": {"properties": {"number": {}}}}}, {"properties": {"iban": {}}}],
        "$defs": {"line": {"properties": {"sku": {"type": "string"}}}},
    }
    assert knows(schema, path) is known
