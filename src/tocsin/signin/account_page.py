"""Where links in mails lead: one small page that shows a button and calls the API when it is pressed.

Opening the page uses nothing up, because mail scanners open links too. The token stands behind the # of the
address, which no server sees; the page forgets it once it was used.
"""

import base64
import hashlib
import re
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_PAGE = Path(__file__).with_name("account.html").read_text(encoding="utf-8")


def _source(tag: str) -> str:
    """The page's one element of this kind as a source of its content security policy."""
    found = re.search(rf"<{tag}>(.*?)</{tag}>", _PAGE, re.DOTALL)
    assert found is not None
    return f"'sha256-{base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()}'"


_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src {_source('script')}; style-src {_source('style')}; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def write_account_pages(app: FastAPI) -> None:
    """Serve the page under ``/account/``, whatever it is for; it looks at its address itself."""

    async def account(_request: Request) -> Response:
        return HTMLResponse(_PAGE, headers=_HEADERS)

    app.add_route("/account/{page}", account, include_in_schema=False)
