"""The HTML and CSS that mail programs show alike and that can do no harm."""

import re

from tocsin.kit.css import LOOKS

TAGS = (
    frozenset({"a", "b", "blockquote", "br", "center", "code", "div", "em", "hr", "i", "img", "li", "ol", "p", "pre"})
    | {"s", "small", "span", "strong", "sub", "sup", "u", "ul", "h1", "h2", "h3", "h4", "h5", "h6"}
    | {"table", "tbody", "td", "tfoot", "th", "thead", "tr"}
)
HOLDS_CONTENT = frozenset({"", "div", "td", "th", "center", "blockquote"})
"""The elements that what the mail says may stand in; it has headings and paragraphs of its own."""

_CELL = frozenset({"colspan", "rowspan", "width", "height", "valign", "bgcolor"})
ATTRIBUTES: dict[str, frozenset[str]] = {
    "*": frozenset({"style", "align", "dir", "lang", "title", "role"}),
    "a": frozenset({"href"}),
    "img": frozenset({"src", "alt", "width", "height", "border"}),
    "table": frozenset({"width", "border", "cellpadding", "cellspacing", "bgcolor"}),
    "tr": frozenset({"valign", "bgcolor"}),
    "td": _CELL,
    "th": _CELL,
}
PROPERTIES = (
    LOOKS
    | {"background", "font", "width", "min-width", "max-width", "height", "min-height", "max-height", "display"}
    | {"margin", "margin-top", "margin-right", "margin-bottom", "margin-left", "vertical-align", "white-space"}
    | {"border-bottom", "border-collapse", "border-spacing", "table-layout", "word-break", "overflow-wrap"}
    | {"direction", "list-style-type", "mso-line-height-rule", "mso-table-lspace", "mso-table-rspace"}
    | {f"border-{side}-{what}" for side in ("top", "right", "bottom", "left") for what in ("color", "style", "width")}
)
SCHEMES = frozenset({"https", "mailto", "tel"})

PICTURE = re.compile(r"https://[^\s\x00-\x1f\x7f<>\"]+\Z", re.IGNORECASE)
LINK = re.compile(r"(https://|mailto:|tel:)[^\s\x00-\x1f\x7f<>\"]+\Z", re.IGNORECASE)
