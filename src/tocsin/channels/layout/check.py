"""What is wrong with a layout, each at its place."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import tinycss2

from tocsin.channels.layout.allowed import ATTRIBUTES, HOLDS_CONTENT, LINK, PICTURE, PROPERTIES, TAGS
from tocsin.channels.layout.tree import MOST_MISTAKES, Element, Fault, Text, elements, read
from tocsin.channels.layout.variables import CONTENT, PLACES, UNSUBSCRIBE, filled, found_in
from tocsin.kit import css
from tocsin.kit.errors import FieldError

LONGEST = 32 * 1024
"""Characters of a layout."""


def check(source: str) -> list[FieldError]:
    """Empty when it can be saved."""
    if len(source) > LONGEST:
        return [FieldError("/body", "too_long", f"A layout has at most {LONGEST:,} characters.")]
    root, faults = read(source)
    faults += [fault for element in elements(root) for fault in _wrong_with(element)]
    faults = faults or list(_wrong_number(root))
    return [fault.as_error(source) for fault in sorted(faults, key=lambda each: each.at)[:MOST_MISTAKES]]


def _wrong_number(root: Element) -> Iterator[Fault]:
    """What the mail says stands in it once."""
    places = [at for element in elements(root) for name, at in _named(element) if name == CONTENT]
    if not places:
        yield Fault("content_missing", "What the mail says must stand somewhere: {{ content }}.", 0)
    for at in places[1:]:
        yield Fault("content_twice", "{{ content }} stands in a layout once.", at)


def _wrong_with(element: Element) -> Iterator[Fault]:
    if element.tag and element.tag not in TAGS:
        detail = f"<{element.tag[:40]}> is not taken. There are {', '.join(sorted(TAGS))}."
        yield Fault("element", detail, element.at)
        return
    for name, value in element.attributes.items():
        yield from _wrong_attribute(element, name, value)
    for name, at in _named(element):
        yield from _wrong_place(name, "text", at)
        if name == CONTENT and element.tag not in HOLDS_CONTENT:
            there = ", ".join(sorted(HOLDS_CONTENT - {""}))
            yield Fault("place", f"{{{{ content }}}} stands in {there}, or in no element.", at)
    for text in _texts(element):
        yield from _wrong_brace(text.source, text.at)
        if unescape(text.source).count("{") > text.source.count("{"):
            yield Fault("syntax", "A brace is written as it is, not as an entity.", text.at)
    if any(name == UNSUBSCRIBE for name, _ in found_in(element.attributes.get("href", ""))) and not _shows(element):
        yield Fault(
            "nothing_shown", "Who wants no more mails has to see where: put words or a picture in it.", element.at
        )


def _wrong_attribute(element: Element, name: str, value: str) -> Iterator[Fault]:
    at = element.places[name]
    if name not in ATTRIBUTES["*"] | ATTRIBUTES.get(element.tag, frozenset()):
        yield Fault("attribute", f"The attribute {name[:40]} of <{element.tag}> is not taken.", at)
        return
    for variable, _ in found_in(value):
        yield from _wrong_place(variable, name, at)
    if name == "style":
        yield from _wrong_style(value, at)
    elif name in ("href", "src"):
        yield from _wrong_address(name, value, at)
    elif fault := next(_wrong_brace(value, 0), None):
        yield Fault(fault.code, fault.detail, at)


def _wrong_style(style: str, at: int) -> Iterator[Fault]:
    written = filled(style, dict.fromkeys(PLACES, "#000000"))
    for each in tinycss2.parse_blocks_contents(written, skip_comments=True, skip_whitespace=True):
        if each.type != "declaration":
            yield Fault("css_syntax", "Only declarations may stand in a style, as in color:#333.", at)
        elif each.lower_name not in PROPERTIES:
            yield Fault("css_property", f"The property {each.name[:40]} is not taken.", at)
        elif each.lower_name == "display" and any(_is_none(token) for token in each.value):
            yield Fault("css_value", "Nothing in a mail is hidden.", at)
        else:
            for mistake in (found for token in each.value for found in css.mistakes(token)):
                yield Fault(mistake.code, mistake.detail, at)


def _is_none(token: Any) -> bool:
    return bool(token.type == "ident" and token.lower_value == "none")


def _wrong_address(name: str, value: str, at: int) -> Iterator[Fault]:
    """An address is written out, or it is that of a variable and nothing else."""
    if _VARIABLE.fullmatch(value.strip()):
        return
    if "{" in value or not (LINK if name == "href" else PICTURE).match(value):
        words = "https://, mailto: or tel:" if name == "href" else "https://"
        variable = UNSUBSCRIBE if name == "href" else "branding.logoUrl"
        detail = f"An address begins with {words}, or is {{{{ {variable} }}}} and nothing else."
        yield Fault("address", detail, at)


def _wrong_place(name: str, where: str, at: int) -> Iterator[Fault]:
    if name not in PLACES:
        known = ", ".join(sorted(PLACES))
        yield Fault("unknown_name", f"There is no {name[:60]!r} here: a layout sees {known}.", at)
    elif where not in PLACES[name]:
        yield Fault("place", f"{{{{ {name} }}}} stands in {' or '.join(PLACES[name])}.", at)


def _wrong_brace(text: str, at: int) -> Iterator[Fault]:
    """Where something that is no variable begins like one."""
    if found := _BRACES.search(_VARIABLE.sub(lambda variable: "." * len(variable[0]), text)):
        detail = "A variable is written {{ name }}; a layout has no filters and no tags of Liquid."
        yield Fault("syntax", detail, at + found.start())


def _shows(element: Element) -> bool:
    """Whether there is anything to click on."""
    below = list(elements(element))
    texts = (text.source for each in below for text in _texts(each))
    return any(each.tag == "img" for each in below) or any(unescape(text).strip() for text in texts)


def _named(element: Element) -> Iterator[tuple[str, int]]:
    """The variables that stand in an element itself, and where."""
    return ((name, text.at + offset) for text in _texts(element) for name, offset in found_in(text.source))


def _texts(element: Element) -> Iterator[Text]:
    return (child for child in element.children if isinstance(child, Text))


_VARIABLE = re.compile(r"\{\{[^{}]*\}\}")
_BRACES = re.compile(r"\{\{|\{%")
