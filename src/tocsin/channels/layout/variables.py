"""What a layout may name, where, and how it is found in a text."""

import re
from collections.abc import Iterator, Mapping

CONTENT = "content"
UNSUBSCRIBE = "unsubscribeUrl"

PLACES: dict[str, tuple[str, ...]] = {
    CONTENT: ("text",),
    "project.name": ("text", "alt", "title"),
    "branding.logoUrl": ("src",),
    "branding.brandColor": ("style", "bgcolor"),
    "branding.emailFooter": ("text",),
    UNSUBSCRIBE: ("href",),
}
"""The variables, and the attributes that take them; `text` is what stands between tags."""

_VARIABLE = re.compile(r"\{\{([^{}]*)\}\}")


def found_in(text: str) -> Iterator[tuple[str, int]]:
    """The name in each ``{{ name }}``, whether there is such a variable or not, and where it begins."""
    return ((found[1].strip(), found.start()) for found in _VARIABLE.finditer(text))


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with values; what has none stays, as ``mark`` has it."""
    return _VARIABLE.sub(lambda found: values.get(name := found[1].strip(), mark(name)), text)


def mark(name: str) -> str:
    return f"{{{{ {name} }}}}"
