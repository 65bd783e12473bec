"""`openapi.json`: the committed file, and what it promises of itself."""

import json
import re
from pathlib import Path
from typing import Any

from tests.client import Client
from tests.contract.endpoints import ALL, DOCUMENT, WITH_BODY, resolved
from tocsin.described import openapi_text

COMMITTED = Path(__file__).parents[2] / "openapi.json"


def test_the_committed_document_is_the_one_of_this_code() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == openapi_text(), "run `make openapi`"


async def test_the_served_document_is_the_committed_one(api: Client) -> None:
    assert (await api.get("/openapi.json")).json == json.loads(COMMITTED.read_text(encoding="utf-8"))


def test_operations_have_short_names_of_their_own() -> None:
    names = [str(operation) for operation in ALL]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+){1,3}", name) for name in names)


def test_shapes_have_short_names_of_their_own() -> None:
    """Two classes of one name are told apart by their modules, which no client wants to read."""
    assert [name for name in DOCUMENT["components"]["schemas"] if "__" in name] == []


def test_every_operation_has_a_tag_and_a_summary() -> None:
    for operation in ALL:
        assert operation.described["tags"] and operation.described["summary"], str(operation)


def test_every_answer_that_refuses_is_a_documented_problem() -> None:
    for operation in ALL:
        refusals = {status: answer for status, answer in operation.described["responses"].items() if status >= "4"}
        assert {"400", "503"} <= set(refusals)
        for answer in refusals.values():
            assert list(answer["content"]) == ["application/problem+json"]


def test_bodies_take_no_unknown_fields() -> None:
    for operation in WITH_BODY:
        if str(operation) != "authorize_socket":
            assert (operation.schema or {}).get("additionalProperties") is False, str(operation)


def test_every_reference_leads_somewhere() -> None:
    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                assert resolved(value)
            for child in value.values():
                walk(child)
        elif isinstance(value, list):
            for child in value:
                walk(child)

    walk(DOCUMENT)
