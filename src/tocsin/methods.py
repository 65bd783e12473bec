"""Which methods each documented path takes: what `Allow` says of a 405.

The framework would name the methods of one of a path's routes only, and take `GET /users/sync` for a person
whose id is not well formed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from fastapi import APIRouter
from fastapi.routing import APIRoute

from tocsin.kit.errors import MethodNotAllowed


def documented(routers: Iterable[APIRouter], prefix: str) -> dict[str, set[str]]:
    """The methods of each path of these routers; the OpenAPI document says the same, and takes half a second."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                found[prefix + route.path] |= route.methods or set()
    return found


class Methods:
    """The methods of all documented paths."""

    def __init__(self, paths: Mapping[str, Iterable[str]]) -> None:
        self._literal = {path: frozenset(methods) for path, methods in paths.items() if "{" not in path}
        self._templates = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), frozenset(methods))
            for path, methods in paths.items()
            if "{" in path
        ]

    def refusal(self, method: str, path: str) -> MethodNotAllowed | None:
        """Why this method is not taken there; None when it is, or when nobody documented the path."""
        allowed = self._literal.get(path) or self._of_template(path)
        if allowed is None or method in allowed:
            return None
        names = ", ".join(sorted(allowed))
        return MethodNotAllowed("method_not_allowed", f"This path takes {names}.", headers={"Allow": names})

    def _of_template(self, path: str) -> frozenset[str] | None:
        return next((methods for template, methods in self._templates if template.fullmatch(path)), None)
