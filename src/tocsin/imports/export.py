"""The export of a single-tenant installation (docs/import.md), as accounts of the project and of its people."""

from typing import Annotated, Any, Literal

from pydantic import Field

from tocsin.imports.wanted import Account, BadInput, GivenConnection, Part, account_of, checked
from tocsin.kit import strict_json
from tocsin.kit.errors import FieldError, Problem
from tocsin.kit.schema import Body
from tocsin.users.contact import Email

MOST_PEOPLE = 1_000
_MOST_CONNECTIONS = 20
"""Of one owner."""

_Connections = Annotated[list[GivenConnection], Field(max_length=_MOST_CONNECTIONS)]


class _Person(Body):
    email: Email
    connections: _Connections = Field([])


class _Export(Body):
    """``rules`` may be there and are not imported."""

    version: Literal[1]
    connections: _Connections = Field([])
    users: list[_Person] = Field([], max_length=MOST_PEOPLE)
    rules: Any = None


def read_export(raw: bytes) -> tuple[tuple[Part, ...], list[str]]:
    """The parts, and what was left out in words. Raises BadInput with every mistake."""
    try:
        decoded = strict_json.decode(raw)
        if not isinstance(decoded, dict):
            raise BadInput("this is no JSON object; docs/import.md shows what an export looks like.")
        export = checked(_Export, decoded)
    except Problem as problem:
        raise BadInput(*_in_words(problem)) from None
    mistakes: list[str] = []
    parts = [Part("project", _accounts(export.connections, "/connections", mistakes))]
    for number, person in enumerate(export.users):
        parts.append(Part(person.email, _accounts(person.connections, f"/users/{number}/connections", mistakes)))
    mistakes += _doubled(export)
    if mistakes:
        raise BadInput(*mistakes)
    if not any(part.accounts for part in parts):
        raise BadInput("there is nothing to import: neither the project nor anybody has connections here.")
    return tuple(part for part in parts if part.accounts), _left_out(export)


def _accounts(given: list[GivenConnection], pointer: str, mistakes: list[str]) -> tuple[Account, ...]:
    accounts: dict[tuple[str, str], Account] = {}
    for number, each in enumerate(given):
        try:
            account = account_of(each)
            if accounts.setdefault((each.provider, account.id), account) is not account:
                mistakes.append(f"{pointer}/{number}: This account is there twice.")
        except Problem as problem:
            mistakes += [_mistake(error, f"{pointer}/{number}") for error in problem.errors]
    return tuple(accounts.values())


def _doubled(export: _Export) -> list[str]:
    emails = [person.email for person in export.users]
    return [
        f"/users/{number}/email: Somebody before has the same."
        for number, email in enumerate(emails)
        if email in emails[:number]
    ]


def _left_out(export: _Export) -> list[str]:
    return ["rules are not imported; make them with POST /rules"] if export.rules else []


def _in_words(problem: Problem) -> list[str]:
    return [_mistake(error) for error in problem.errors] or [problem.detail]


def _mistake(error: FieldError, below: str = "") -> str:
    return f"{below}{error.pointer}: {error.detail}"
