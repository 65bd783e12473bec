"""The one-time link over HTTP, and the page it opens."""

import base64
import hashlib
from typing import cast

from fastapi import Request
from fastapi.responses import HTMLResponse

from tocsin.audit.record import Actor
from tocsin.auth.call import client_ip, request_id
from tocsin.auth.guard import Gated, guarded_router, public
from tocsin.platform.links import Links
from tocsin.platform.schemas import FirstAdminAnswer, Setup
from tocsin.platform.setup import set_up

router = guarded_router(tags=["platform"])


@router.post("/platform/setup", operation_id="use_setup_link")
@public
async def use_link(request: Request, gate: Gated, body: Setup) -> FirstAdminAnswer:
    """Choose a password with a one-time link. The first admin of an installation says an e-mail too."""
    visitor = Actor("user", None, client_ip(request), request.headers.get("user-agent"), request_id(request))
    return await set_up(gate.db, cast(Links, request.app.state.links), body, visitor)


async def page(_request: Request) -> HTMLResponse:
    """A form of its own, with nothing from elsewhere, so that the link works before there is any panel."""
    return HTMLResponse(_PAGE, headers=_HEADERS)


_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:24rem;margin:12vh auto;padding:0 1rem}
label{display:block;margin-top:1rem}input{width:100%;padding:.5rem;font:inherit;box-sizing:border-box}
button{margin-top:1.5rem;padding:.5rem 1.5rem;font:inherit}"""

_SCRIPT = """const form=document.querySelector('form'),told=document.querySelector('output');
const token=location.hash.slice(1);history.replaceState(null,'',location.pathname);
document.querySelector('#who').hidden=token.length>50;
form.addEventListener('submit',async e=>{e.preventDefault();
const body={token,password:form.password.value};
if(form.email.value)body.email=form.email.value;
const answer=await fetch('/api/v1/platform/setup',{method:'POST',
headers:{'Content-Type':'application/json'},body:JSON.stringify(body)});
const json=await answer.json();
told.textContent=answer.ok?'Done. Sign in as '+json.email+' (project '+json.project+').':json.detail;
if(answer.ok){form.hidden=true;const door=document.createElement('a');door.textContent='Sign in';
door.href=json.project==='platform'?'/platform/':'/panel/';told.append(' ',door);}});"""

_PAGE = f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Choose a password</title><style>{_STYLE}</style><h1>Choose a password</h1>
<form><label id="who">E-mail<input name="email" type="email" autocomplete="username"></label>
<label>Password<input name="password" type="password" autocomplete="new-password" required></label>
<button>Save</button></form><p><output role="status"></output></p>
<noscript>This page needs JavaScript.</noscript><script>{_SCRIPT}</script></html>
"""


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        f"default-src 'none'; connect-src 'self'; style-src {_digest(_STYLE)}; script-src {_digest(_SCRIPT)};"
        " form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
}
