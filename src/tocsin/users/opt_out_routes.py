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
from tocsin.kit.page import page
from tocsin.users.opting_out import PATH, OptOut, OptOutLinks, opt_out

STRANGERS = Pace(20, again=False)
"""Addresses of one network that were not ours, in a quarter of an hour."""

router = APIRouter(include_in_schema=False)


@router.get(f"{PATH}/{{token}}")
async def show(request: Request, token: str) -> HTMLResponse:
    return _ask() if await _read(request, token) else _wrong()


@router.post(f"{PATH}/{{token}}")
async def leave(request: Request, token: str) -> HTMLResponse:
    """The body is of no interest: whoever has the address may."""
    asked = await _read(request, token)
    if asked is None:
        return _wrong()
    async with gate_of(request).db.scope(asked.project_id, asked.env) as session:
        if await opt_out(session, asked):
            ip, agent = client_ip(request), request.headers.get("user-agent")
            actor = Actor("user", str(asked.user_id), ip, agent, request_id(request))
            where = (asked.project_id, asked.env, actor, "address.opted_out", "user", asked.user_id)
            await record(session, *where, {"after": {"channel": "email"}})
    return _done()


async def _read(request: Request, token: str) -> OptOut | None:
    asked = cast(OptOutLinks, request.app.state.opt_outs).read(token)
    if asked is None:
        await gate_of(request).tries.spend(*network_of(client_ip(request), "opt-outs", STRANGERS))
    return asked


def _ask() -> HTMLResponse:
    return page("No more of these mails?", "This mailbox gets nothing more from this project.", button="Unsubscribe")


def _done() -> HTMLResponse:
    return page("Unsubscribed", "This mailbox gets no more of these notifications.")


def _wrong() -> HTMLResponse:
    return page("This link is not valid", status=404)
