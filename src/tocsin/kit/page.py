"""Small pages that links in messages lead to: a sentence, and a button where there is something to do.

Opening one does nothing, because scanners of mails and previews of chats open links too; the button posts to the same
address. There is no script, and the words are escaped.
"""

import base64
import hashlib
from html import escape

from fastapi.responses import HTMLResponse

_STYLE = """
body{margin:0;min-height:100vh;display:grid;place-items:center;background:#f3f4f6;color:#111827;
font:16px/1.5 system-ui,sans-serif}
main{box-sizing:border-box;width:min(26rem,100vw - 2rem);margin:1rem;padding:2rem;background:#fff;border-radius:12px;
box-shadow:0 1px 3px #0002}
h1{margin:0 0 .5rem;font-size:1.25rem;overflow-wrap:anywhere}p{margin:0 0 1rem;color:#4b5563;overflow-wrap:anywhere}
button{width:100%;padding:.8rem;border:0;border-radius:8px;background:#1f2937;color:#fff;font:inherit;cursor:pointer}
button:focus-visible{outline:3px solid #60a5fa;outline-offset:2px}
@media(prefers-color-scheme:dark){body{background:#111827;color:#f9fafb}main{background:#1f2937}p{color:#d1d5db}
button{background:#f9fafb;color:#111827}}
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


def page(heading: str, words: str = "", *, button: str | None = None, status: int = 200) -> HTMLResponse:
    """A heading with words below it; ``button`` posts to where the page is."""
    parts = [f"<h1>{escape(heading)}</h1>"]
    if words:
        parts.append(f"<p>{escape(words)}</p>")
    if button:
        parts.append(f'<form method="post"><button autofocus>{escape(button)}</button></form>')
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(heading)}</title><style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n",
        status,
        headers=_HEADERS,
    )
