"""A layout as it is mailed: written anew, through a sanitiser, with values put in behind it."""

from collections.abc import Mapping
from functools import lru_cache
from html import escape

import nh3

from tocsin.channels.layout.allowed import ATTRIBUTES, PROPERTIES, SCHEMES, TAGS
from tocsin.channels.layout.tree import VOID, Element, Text, read
from tocsin.channels.layout.variables import CONTENT, UNSUBSCRIBE, filled, found_in, mark

STANDARD = """<div style="padding:24px;font-family:sans-serif;font-size:16px;color:#111827">
<img src="{{ branding.logoUrl }}" alt="{{ project.name }}"
  style="display:block;max-height:48px;border:0;margin:0 0 16px">
{{ content }}
<p style="font-size:13px;color:#6b7280">{{ project.name }} &nbsp;
<a href="{{ unsubscribeUrl }}" style="color:#6b7280">Unsubscribe</a></p>
<p style="font-size:13px;color:#6b7280">{{ branding.emailFooter }}</p>
</div>
"""
"""That of a project without one of its own."""

_LEAVING = f'''<p style="padding:0 24px 24px;font-family:sans-serif;font-size:13px">
<a href="{mark(UNSUBSCRIBE)}" style="color:#6b7280">Unsubscribe</a></p>'''


def around(layout: str | None, content: str, color: str, values: Mapping[str, str]) -> str:
    """HTML of ours within a layout. ``color`` is ``#RRGGBB``; ``values`` are texts and addresses by the names of
    variables, empty where there is none. A way to unsubscribe that the layout does not have stands below it."""
    absent = frozenset(name for name, value in values.items() if not value)
    frame = _frame(layout or STANDARD, color, absent)
    if frame.count(mark(CONTENT)) != 1:
        frame = _frame(STANDARD, color, absent)  # saved when more was taken; a mail has to say what it is for
    if values.get(UNSUBSCRIBE) and mark(UNSUBSCRIBE) not in frame:
        frame += _LEAVING
    shown = {name: escape(value).replace("\n", "<br>\n") for name, value in values.items()}
    return filled(frame, {**shown, CONTENT: content})


@lru_cache(maxsize=64)
def _frame(layout: str, color: str, absent: frozenset[str]) -> str:
    """The layout without what has no value, clean, and with the other variables still in it."""
    root, _ = read(layout)
    return nh3.clean(
        _written(root, color, absent),
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        url_schemes=set(SCHEMES),
        filter_style_properties=set(PROPERTIES),
        link_rel=None,
    )


def _written(element: Element, color: str, absent: frozenset[str]) -> str:
    """Nothing where a variable of the element has no value. What the mail says always stays."""
    known = {"branding.brandColor": color}
    attributes = {name: filled(value, known) for name, value in element.attributes.items()}
    inner = "".join(_inner(child, color, absent) for child in element.children)
    if absent & {name for value in attributes.values() for name, _ in found_in(value)}:
        return inner if mark(CONTENT) in inner else ""
    texts = (child.source for child in element.children if isinstance(child, Text))
    if absent & {name for text in texts for name, _ in found_in(text)} and mark(CONTENT) not in inner:
        return ""
    if not element.tag:
        return inner
    shown = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return f"<{element.tag}{shown}>" + ("" if element.tag in VOID else f"{inner}</{element.tag}>")


def _inner(child: Element | Text, color: str, absent: frozenset[str]) -> str:
    return _written(child, color, absent) if isinstance(child, Element) else filled(child.source, {})
