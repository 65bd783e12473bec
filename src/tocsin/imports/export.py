"""The export of a single-tenant installation (docs/import.md), as accounts of the project and of its people."""

from collections import Counter
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


def is_export(raw: bytes) -> bool:
    """Whether a file is JSON and no list of variables, of which none begins so."""
    return raw.lstrip()[:1] in (b"{", b"[")


def read_export(raw: bytes, provider: str | None = None) -> tuple[tuple[Part, ...], list[str]]:
    """The parts, of one provider or of all, and what was left out in words. Raises BadInput with every mistake."""
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
    wanted = [_of_provider(part, provider) for part in parts]
    if not any(part.accounts for part in wanted):
        raise BadInput(f"there is nothing to import: nobody here has connections{_to(provider)}, nor has the project.")
    return tuple(part for part in wanted if part.accounts), _left_out(export, parts, provider)


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


def _of_provider(part: Part, provider: str | None) -> Part:
    if provider is None:
        return part
    return Part(part.whose, tuple(each for each in part.accounts if each.channel.provider == provider))


def _to(provider: str | None) -> str:
    return "" if provider is None else f" to {provider}"


def _left_out(export: _Export, parts: list[Part], provider: str | None) -> list[str]:
    others = Counter(each.channel.provider for part in parts for each in part.accounts)
    del others[provider or ""]
    words = [
        f"connections to {other} ({count}) are for tocsin import {other}, or all"
        for other, count in sorted(others.items())
        if provider is not None
    ]
    return [*words, "rules are not imported; make them with POST /rules"] if export.rules else words


def _in_words(problem: Problem) -> list[str]:
    return [_mistake(error) for error in problem.errors] or [problem.detail]


def _mistake(error: FieldError, below: str = "") -> str:
    return f"{below}{error.pointer}: {error.detail}"
