"""The API as its own document describes it: every operation, and a request for it that only needs spoiling."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tocsin.described import openapi_text

NOBODY = "00000000-0000-7000-8000-00000000dead"
"""An id that names nothing."""

DOCUMENT: dict[str, Any] = json.loads(openapi_text())


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    template: str
    described: dict[str, Any]

    def __str__(self) -> str:
        return str(self.described["operationId"])

    @property
    def path(self) -> str:
        """Its path with ids that name nothing, as ``Client.send`` wants it."""
        return self.path_with(NOBODY)

    def path_with(self, id_: str) -> str:
        names = [p["name"] for p in self.described.get("parameters", []) if p["in"] == "path"]
        return self.template.removeprefix("/api/v1").format(**dict.fromkeys(names, id_))

    @property
    def schema(self) -> dict[str, Any] | None:
        """Of its JSON body."""
        content = self.described.get("requestBody", {}).get("content", {})
        return resolved(content["application/json"]["schema"]) if "application/json" in content else None

    @property
    def needs_body(self) -> bool:
        return bool(self.described.get("requestBody", {}).get("required"))

    @property
    def takes_files(self) -> bool:
        return "multipart/form-data" in self.described.get("requestBody", {}).get("content", {})

    @property
    def caller(self) -> str:
        """Which caller fits: a project's key, its owner, its public key, the operator, or nobody in particular."""
        security, permission = self.described.get("security"), self.described.get("x-permission", "")
        if not security:
            return "nobody"
        if security == [{"publicKey": []}]:
            return "app"
        if permission.startswith("platform:"):
            return "operator"
        # What people do with their own account is for nobody else, and a key is no person; nor does one own a project.
        return "owner" if permission in ("own:manage", "project:delete") else "key"

    @property
    def is_list(self) -> bool:
        return any(p["name"] == "cursor" for p in self.described.get("parameters", []))


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, where it is only named; of a nullable one, the part that is not null."""
    if "$ref" in schema:
        return resolved(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    return resolved(choices[0]) if len(choices) == 1 else schema


def operations() -> Iterator[Operation]:
    for template, methods in DOCUMENT["paths"].items():
        if template.startswith("/api/"):
            yield from (Operation(method.upper(), template, described) for method, described in methods.items())


ALL = list(operations())
SIGNED = {template for template in DOCUMENT["paths"] if template.startswith("/apps/")}
"""Pusher's HTTP API: whoever has the app's secret may all of it, and its errors are its own."""
OPEN = {"/health/live", "/health/ready", "/metrics"}
"""For machines; they show nothing of any project."""
WITH_BODY = [operation for operation in ALL if operation.schema is not None]
WITH_ID = [operation for operation in ALL if "{" in operation.template]
LISTS = [operation for operation in ALL if operation.is_list and "{" not in operation.template]
"""Those of the whole project; a list of somebody's things is asked wrongly in the tests of its feature."""
