"""Small pages that links in messages lead to: a sentence, and buttons or switches where there is something to do.

Opening one does nothing, because scanners of mails and previews of chats open links too; the button posts to the same
address. There is no script, and the words are escaped.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from fastapi.responses import HTMLResponse

_STYLE = """
body{margin:0;min-height:100vh;display:grid;place-items:center;background:#f3f4f6;color:#111827;
font:16px/1.5 system-ui,sans-serif}
main{box-sizing:border-box;width:min(26rem,100vw - 2rem);margin:1rem;padding:2rem;background:#fff;border-radius:12px;
box-shadow:0 1px 3px #0002}
h1{margin:0 0 .5rem;font-size:1.25rem;overflow-wrap:anywhere}p{margin:0 0 1rem;color:#4b5563;overflow-wrap:anywhere}
button{width:100%;padding:.8rem;border:0;border-radius:8px;background:#1f2937;color:#fff;font:inherit;cursor:pointer}
form+form{margin-top:1.5rem;padding-top:1.5rem;border-top:1px solid #e5e7eb}
form+form button{background:none;color:inherit;border:1px solid #9ca3af}
label{display:flex;gap:.75rem;align-items:center;padding:.7rem 0;border-bottom:1px solid #e5e7eb;cursor:pointer;
overflow-wrap:anywhere}
label span{flex:1;min-width:0}label input{width:1.25rem;height:1.25rem;margin:0;flex:none;accent-color:#1f2937}
label+button{margin-top:1.25rem}
button:focus-visible,input:focus-visible{outline:3px solid #60a5fa;outline-offset:2px}
@media(prefers-color-scheme:dark){body{background:#111827;color:#f9fafb}main{background:#1f2937}p{color:#d1d5db}
button{background:#f9fafb;color:#111827}form+form,label{border-color:#374151}label input{accent-color:#f9fafb}}
"""
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Switches:
    """What is on or off, by name, and the words of the button that posts it: as ``on`` what is on, as ``shown`` all
    that could be chosen, and ``save``."""

    states: Sequence[tuple[str, bool]]
    button: str


def page(
    heading: str,
    words: str = "",
    *,
    switches: Switches | None = None,
    button: str | None = None,
    status: int = 200,
) -> HTMLResponse:
    """A heading with words below it; ``switches`` and ``button`` post to where the page is, each for itself."""
    parts = [f"<h1>{escape(heading)}</h1>"]
    if words:
        parts.append(f"<p>{escape(words)}</p>")
    if switches:
        parts.append(_form(switches))
    if button:
        parts.append(f'<form method="post"><button{"" if switches else " autofocus"}>{escape(button)}</button></form>')
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(heading)}</title><style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n",
        status,
        headers=_HEADERS,
    )


def _form(switches: Switches) -> str:
    rows = "".join(
        f'<input type="hidden" name="shown" value="{escape(name)}"><label><span>{escape(name)}</span>'
        f'<input type="checkbox" name="on" value="{escape(name)}"{" checked" if on else ""}></label>'
        for name, on in switches.states
    )
    return f'<form method="post">{rows}<button name="save" value="1">{escape(switches.button)}</button></form>'
