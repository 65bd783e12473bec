"""`/opt-out/{token}`: where the headers of a notification by mail lead (C10, RFC 8058).

A mail program posts there when its button is pressed, without asking anything. Whoever opens the address sees a page
with the same button: opening does nothing, because mail scanners open links too. Not of the API's document.
"""

from typing import cast

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from tocsin.audit.record import Actor, record
from tocsin.auth.guard import client_ip, gate_of, request_id
from tocsin.auth.tries import Pace, network_of
from tocsin.users.opting_out import PATH, OptOut, OptOutLinks, opt_out

STRANGERS = Pace(20, again=False)
"""Addresses of one network that were not ours, in a quarter of an hour."""

router = APIRouter(include_in_schema=False)


@router.get(f"{PATH}/{{token}}")
async def show(request: Request, token: str) -> HTMLResponse:
    return _page(_ASK) if await _read(request, token) else _page(_WRONG, 404)


@router.post(f"{PATH}/{{token}}")
async def leave(request: Request, token: str) -> HTMLResponse:
    """The body is of no interest: whoever has the address may."""
    asked = await _read(request, token)
    if asked is None:
        return _page(_WRONG, 404)
    async with gate_of(request).db.scope(asked.project_id, asked.env) as session:
        if await opt_out(session, asked):
            ip, agent = client_ip(request), request.headers.get("user-agent")
            actor = Actor("user", str(asked.user_id), ip, agent, request_id(request))
            where = (asked.project_id, asked.env, actor, "address.opted_out", "user", asked.user_id)
            await record(session, *where, {"after": {"channel": "email"}})
    return _page(_DONE)


async def _read(request: Request, token: str) -> OptOut | None:
    asked = cast(OptOutLinks, request.app.state.opt_outs).read(token)
    if asked is None:
        await gate_of(request).tries.spend(*network_of(client_ip(request), "opt-outs", STRANGERS))
    return asked


def _page(words: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(words=words), status, headers=_HEADERS)


_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>Notifications by mail</title>{words}</html>\n"
)
_ASK = '<h1>No more of these mails?</h1><form method="post"><button>Unsubscribe</button></form>'
_DONE = "<h1>Unsubscribed</h1><p>This mailbox gets no more of these notifications.</p>"
_WRONG = "<h1>This link is not valid</h1>"
