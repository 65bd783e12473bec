"""HTML as a tree with places, read more strictly than a browser would: each element is closed where it should be.

Not by the parser of Python: it takes quadratic time for some texts, and does not say where an attribute stands.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from tocsin.kit.errors import FieldError

DEEPEST = 100
"""Elements within elements. Five tables in one another come to 20."""
MOST_MISTAKES = 20
VOID = frozenset({"br", "hr", "img"})


@dataclass(slots=True)
class Text:
    """What stands between tags, as it was written. ``at`` counts characters from the beginning."""

    source: str
    at: int


@dataclass(slots=True)
class Element:
    """``attributes`` are unescaped; ``places`` says where each begins."""

    tag: str
    attributes: dict[str, str]
    at: int
    places: dict[str, int] = field(default_factory=dict)
    children: "list[Element | Text]" = field(default_factory=list)


@dataclass(slots=True)
class Fault:
    code: str
    detail: str
    at: int

    def as_error(self, source: str) -> FieldError:
        line, column = source.count("\n", 0, self.at) + 1, self.at - source.rfind("\n", 0, self.at)
        return FieldError("/body", self.code, self.detail, line, column)


def read(source: str) -> tuple[Element, list[Fault]]:
    """The tree below an element without a name, and what is no HTML. Comments are left out. After 20 faults it ends."""
    tree = _Growing()
    at = 0
    while at < len(source) and len(tree.faults) < MOST_MISTAKES:
        at = _next(source, at, tree)
    tree.faults += [Fault("not_closed", f"<{each.tag}> is not closed.", each.at) for each in tree.open[1:]]
    return tree.root, tree.faults


def elements(root: Element) -> Iterator[Element]:
    """An element and all below it, in their order."""
    yield root
    for child in root.children:
        if isinstance(child, Element):
            yield from elements(child)


class _Growing:
    """A tree while it is read; ``open`` are the elements that are not closed yet, the innermost last."""

    def __init__(self) -> None:
        self.root = Element("", {}, 0)
        self.open = [self.root]
        self.faults: list[Fault] = []

    def add(self, child: Element | Text) -> None:
        self.open[-1].children.append(child)

    def wrong(self, code: str, detail: str, at: int) -> None:
        self.faults.append(Fault(code, detail, at))


def _next(source: str, at: int, tree: _Growing) -> int:
    """Take the text or the tag that begins here; where the next one does."""
    if source[at] != "<":
        end = source.find("<", at)
        end = len(source) if end < 0 else end
        tree.add(Text(source[at:end], at))
        return end
    if source.startswith("<!--", at) and (end := source.find("-->", at)) >= 0:
        return end + len("-->")
    if tag := _TAG.match(source, at):
        (_close if tag["close"] else _begin)(tag, tree)
        return tag.end()
    tree.wrong(*_no_tag(source[at + 1 : at + 2]), at)
    return at + 1


def _no_tag(following: str) -> tuple[str, str]:
    if following in ("!", "?"):
        return "not_taken", "A mail has its own beginning, and no conditions: write what stands within the body."
    return "syntax", 'This is no tag, such as <td align="left">. The character alone is written &lt;'


def _begin(tag: re.Match[str], tree: _Growing) -> None:
    element = Element(tag["name"].lower(), {}, tag.start())
    for found in _ATTRIBUTE.finditer(tag["attributes"]):
        name, at = found["name"].lower(), tag.start("attributes") + found.start("name")
        if name in element.attributes:
            tree.wrong("syntax", f"The attribute {name[:40]} stands here twice.", at)
        element.attributes[name] = unescape((found["value"] or "").strip("\"'"))
        element.places[name] = at
    tree.add(element)
    if element.tag in VOID or tag["empty"]:
        return
    if len(tree.open) > DEEPEST:
        tree.wrong("too_deep", f"Elements stand in one another {DEEPEST} levels deep at most.", element.at)
    else:
        tree.open.append(element)


def _close(tag: re.Match[str], tree: _Growing) -> None:
    name, names = tag["name"].lower(), [element.tag for element in tree.open]
    if name == names[-1]:
        tree.open.pop()
    elif name in names:
        tree.wrong("not_closed", f"Before </{name}>, <{names[-1]}> is to be closed.", tag.start())
        del tree.open[len(names) - 1 - names[::-1].index(name) :]
    else:
        tree.wrong("syntax", f"There is no <{name}> that this could close.", tag.start())


# Nothing is tried twice (++), so the time is linear whatever is written.
_NAMED = r"""(?P<name>[^\s=<>"'/{}]++)(?:\s*+=\s*+(?P<value>"[^"<]*+"|'[^'<]*+'|[^\s"'=<>`]++))?+"""
_ATTRIBUTE = re.compile(rf"\s++{_NAMED}")
_UNNAMED = re.sub(r"\?P<\w+>", "?:", _NAMED)
_TAG = re.compile(
    rf"<(?P<close>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*+)(?P<attributes>(?:\s++{_UNNAMED})*+)\s*+(?P<empty>/?)>"
)
