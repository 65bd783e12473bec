"""A project's own style sheet, taken only as far as it can do no harm (P4).

Parsed by the rules of CSS, never searched as text, and written anew from what was understood:

- rules of plain selectors: classes ``.brand-...`` with ``:hover``, ``:focus`` and the like; nothing else is reached
- properties of look, not of place: no ``position``, ``display`` or ``content``, so nothing is hidden or laid over
- values without addresses, so nothing is fetched; the functions are those of colour and measure
"""

import re
from collections.abc import Iterable
from typing import Any

import tinycss2

from tocsin.kit.css import LOOKS, mistakes
from tocsin.kit.errors import FieldError

LONGEST = 32 * 1024
MOST_RULES = 500
MOST_DECLARATIONS = 50
_MOST_ERRORS = 20
_CLASS_PREFIX = "brand-"

_STATES = frozenset({"hover", "focus", "focus-visible", "active", "disabled", "checked"})


class Unsafe(ValueError):
    """What cannot be taken, where."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__(errors[0].detail)
        self.errors = errors


def checked(css: str) -> str:
    """The style sheet as it is kept; raises ``Unsafe`` with each place that cannot stay."""
    if len(css.encode()) > LONGEST:
        raise Unsafe([FieldError("/customCss", "too_long", f"The style sheet may have {LONGEST // 1024} KiB at most.")])
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    if len(rules) > MOST_RULES:
        raise Unsafe([FieldError("/customCss", "too_many_rules", f"At most {MOST_RULES} rules.")])
    errors = [error for rule in rules for error in _wrong_with(rule)]
    if errors:
        raise Unsafe(errors[:_MOST_ERRORS])
    return "\n".join(_written(rule) for rule in rules)


def _wrong_with(rule: Any) -> Iterable[FieldError]:
    if rule.type == "error":
        yield _error(rule, "css_syntax", rule.message)
    elif rule.type == "at-rule":
        yield _error(rule, "css_at_rule", f"@{rule.at_keyword[:40]} is not taken; write plain rules.")
    else:
        yield from _wrong_selector(rule)
        declarations = _declarations(rule)
        if len(declarations) > MOST_DECLARATIONS:
            yield _error(rule, "css_too_many", f"At most {MOST_DECLARATIONS} declarations in a rule.")
        for declaration in declarations:
            yield from _wrong_declaration(declaration)


def _wrong_selector(rule: Any) -> Iterable[FieldError]:
    if not _SELECTORS.fullmatch("".join(_kind(token) for token in rule.prelude)):
        detail = f"Selectors are classes that begin with .{_CLASS_PREFIX}, with states such as :hover."
        yield _error(rule, "css_selector", detail)


def _kind(token: Any) -> str:
    """One letter for what a token of a selector is: c(lass), s(tate), > for a combinator, ? for what is not taken."""
    if token.type == "comment":
        return ""
    if token.type == "whitespace":
        return " "
    if token.type == "ident" and token.value.startswith(_CLASS_PREFIX):
        return "c"
    if token.type == "ident" and token.lower_value in _STATES:
        return "s"
    if token.type == "literal" and token.value in (".", ":", ","):
        return str(token.value)
    return ">" if token.type == "literal" and token.value in (">", "+", "~") else "?"


_COMPOUND = r"(\.c)+(:s)*"
_SELECTOR = rf"{_COMPOUND}(( *> *| +){_COMPOUND})*"
_SELECTORS = re.compile(rf" *{_SELECTOR}( *, *{_SELECTOR})* *")


def _wrong_declaration(declaration: Any) -> Iterable[FieldError]:
    if declaration.type != "declaration":
        yield _error(
            declaration, "css_syntax", getattr(declaration, "message", "Only declarations may stand in a rule.")
        )
    elif declaration.lower_name not in LOOKS:
        yield _error(declaration, "css_property", f"The property {declaration.name[:40]} is not taken.")
    else:
        for token in declaration.value:
            yield from (_error(*mistake) for mistake in mistakes(token))


def _declarations(rule: Any) -> list[Any]:
    found: list[Any] = tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True)
    return found


def _written(rule: Any) -> str:
    selector = tinycss2.serialize(rule.prelude).strip()
    lines = [
        f"{each.lower_name}: {tinycss2.serialize(each.value).strip()}{' !important' if each.important else ''};"
        for each in _declarations(rule)
    ]
    return f"{selector} {{ {' '.join(lines)} }}"


def _error(token: Any, code: str, detail: str) -> FieldError:
    return FieldError("/customCss", code, detail, line=token.source_line, column=token.source_column)
