"""Which methods a path takes, by the OpenAPI document: what `Allow` says of a 405.

The framework would name the methods of one of a path's routes only, and take `GET /users/sync` for a person
whose id is not well formed.
"""

import re
from collections.abc import Mapping
from typing import Any

from tocsin.kit.errors import MethodNotAllowed


class Methods:
    """The methods of all documented paths."""

    def __init__(self, paths: Mapping[str, Mapping[str, Any]]) -> None:
        allowed = {path: ", ".join(sorted(map(str.upper, operations))) for path, operations in paths.items()}
        self._literal = {path: methods for path, methods in allowed.items() if "{" not in path}
        self._templates = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), methods) for path, methods in allowed.items() if "{" in path
        ]

    def refusal(self, method: str, path: str) -> MethodNotAllowed | None:
        """Why this method is not taken there; None when it is, or when nobody documented the path."""
        allowed = self._literal.get(path) or self._of_template(path)
        if allowed is None or method in allowed.split(", "):
            return None
        detail = f"This path takes {allowed}."
        return MethodNotAllowed("method_not_allowed", detail, headers={"Allow": allowed})

    def _of_template(self, path: str) -> str | None:
        return next((methods for template, methods in self._templates if template.fullmatch(path)), None)
