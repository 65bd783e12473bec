"""`/opt-out/{token}`: where a notification by mail leads whoever wants less of them (C10, R4, RFC 8058).

A mail program posts there when its button is pressed, without asking anything. Whoever opens the address sees a page
with the same button, and the topics by which they may be told something, to be switched on and off: opening does
nothing, because mail scanners open links too. Not of the API's document.
"""

from typing import Any, cast
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.auth.body import read_body
from tocsin.auth.call import client_ip, request_id
from tocsin.auth.guard import gate_of
from tocsin.auth.tries import Pace, network_of
from tocsin.kit.errors import BadRequest
from tocsin.kit.page import Switches, page
from tocsin.users.models import User
from tocsin.users.opting_out import PATH, OptOut, OptOutLinks, opt_out, whose
from tocsin.users.preferences import PreferencesUpdate, TopicWish, prefer, shown
from tocsin.users.topics import MOST_SHOWN, topics_of

STRANGERS = Pace(20, again=False)
"""Addresses of one network that were not ours, in a quarter of an hour."""
MAX_FORM_BYTES = 1024 * 1024
_NO_MORE = "No more of these mails"
_PROJECT = text("SELECT name FROM tocsin.projects WHERE id = :id")

router = APIRouter(include_in_schema=False)


@router.get(f"{PATH}/{{token}}")
async def show(request: Request, token: str) -> HTMLResponse:
    asked = await _read(request, token)
    if asked is None:
        return _wrong()
    async with gate_of(request).db.scope(asked.project_id, asked.env) as session:
        person = await whose(session, asked)
        topics = await topics_of(session, person.id) if person else []
        project = await session.scalar(_PROJECT, {"id": asked.project_id})
    if not topics:
        return page(f"{_NO_MORE}?", "This mailbox gets nothing more from this project.", button="Unsubscribe")
    switches = Switches([(topic.name, topic.on) for topic in topics], "Save")
    words = f"{project}: what is switched off reaches you by no channel."
    return page("What do you want to hear of?", words, switches=switches, button=_NO_MORE)


@router.post(f"{PATH}/{{token}}")
async def choose(request: Request, token: str) -> HTMLResponse:
    """Without ``save``, whatever else is in the body: no more mails. Whoever has the address may."""
    asked = await _read(request, token)
    if asked is None:
        return _wrong()
    form = await _form(request)
    async with gate_of(request).db.scope(asked.project_id, asked.env) as session:
        if "save" not in form:
            await _leave(request, session, asked)
            return page("Unsubscribed", "This mailbox gets no more of these notifications.")
        person = await whose(session, asked)
        if person is None:
            return _wrong()
        await _switch(request, session, person, asked, shown=form.get("shown", []), on=form.get("on", []))
        return page("Saved", "It counts from the next notification on.")


async def _form(request: Request) -> dict[str, list[str]]:
    body = await read_body(request.headers.get("content-length"), request.scope, request.receive, MAX_FORM_BYTES)
    try:
        return parse_qs(body.decode("latin-1"), max_num_fields=2 * MOST_SHOWN + 1)
    except ValueError:
        raise BadRequest("malformed_form", "The form has more fields than the page has.") from None


async def _leave(request: Request, session: AsyncSession, asked: OptOut) -> None:
    if await opt_out(session, asked):
        await _note(request, session, asked, "address.opted_out", {"after": {"channel": "email"}})


async def _switch(
    request: Request, session: AsyncSession, person: User, asked: OptOut, *, shown: list[str], on: list[str]
) -> None:
    """Switch off what was shown and is off, and on what is on; the rest of a wish stays."""
    changed = {
        topic.name: TopicWish.model_validate(topic.switched(on=not topic.on))
        for topic in await topics_of(session, person.id)
        if topic.name in shown and topic.on != (topic.name in on)
    }
    if changed:
        before = _audited(person)
        await prefer(session, person, PreferencesUpdate.model_validate({"topics": changed}))
        await _note(request, session, asked, "preferences.updated", {"before": before, "after": _audited(person)})


def _audited(person: User) -> dict[str, Any]:
    return shown(person).model_dump(mode="json", by_alias=True)


async def _note(request: Request, session: AsyncSession, asked: OptOut, action: str, details: dict[str, Any]) -> None:
    actor = Actor(
        "user", str(asked.user_id), client_ip(request), request.headers.get("user-agent"), request_id(request)
    )
    await record(session, asked.project_id, asked.env, actor, action, "user", asked.user_id, details)


async def _read(request: Request, token: str) -> OptOut | None:
    asked = cast(OptOutLinks, request.app.state.opt_outs).read(token)
    if asked is None:
        await gate_of(request).tries.spend(*network_of(client_ip(request), "opt-outs", STRANGERS))
    return asked


def _wrong() -> HTMLResponse:
    return page("This link is not valid", status=404)
