"""`/ack/{token}`: where a message's "Acknowledge" leads (R3). Not of the API's document: these are pages."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor
from tocsin.auth.call import client_ip, request_id
from tocsin.auth.guard import gate_of
from tocsin.auth.tries import Pace, network_of
from tocsin.deliveries.ack_links import PATH, VIA, AckLink, AckLinks
from tocsin.kit.broker import Broker
from tocsin.kit.page import page
from tocsin.notifications.acknowledge import set_acknowledged, tell

STRANGERS = Pace(20, again=False)
"""Addresses of one network that were not ours, in a quarter of an hour."""

router = APIRouter(include_in_schema=False)


@router.get(f"{PATH}/{{token}}")
async def show(request: Request, token: str) -> HTMLResponse:
    link = await _read(request, token)
    if link is None:
        return _wrong()
    async with gate_of(request).db.scope(link.project_id, link.env) as session:
        found = await _found(session, link)
    if found is None:
        return _wrong()
    if found.acked_at is not None:
        return page(found.title, _who(found))
    return page(found.title, f"{found.project}: say that you see to it.", button="Acknowledge")


@router.post(f"{PATH}/{{token}}")
async def acknowledge(request: Request, token: str) -> HTMLResponse:
    """The body is of no interest: whoever has the address may."""
    link = await _read(request, token)
    if link is None:
        return _wrong()
    async with gate_of(request).db.scope(link.project_id, link.env) as session:
        found = await _found(session, link)
        if found is None:
            return _wrong()
        first = found.acked_at is None and await _acknowledged(request, session, link)
        if not first and found.acked_at is None:  # somebody was faster just now
            found = await _found(session, link)
    if first:
        tell(cast(Broker, request.app.state.broker), link.project_id, link.env, link.notification_id)
        return page("Acknowledged", "Everybody who was told knows that it is seen to.")
    return page(found.title, _who(found)) if found is not None else _wrong()


async def _read(request: Request, token: str) -> AckLink | None:
    link = cast(AckLinks, request.app.state.ack_links).read(token)
    if link is None:
        await gate_of(request).tries.spend(*network_of(client_ip(request), "ack-links", STRANGERS))
    return link


async def _found(session: AsyncSession, link: AckLink) -> Any:
    """The notification as it stands, where the link is still worth anything: its person is there and may sign in."""
    return (await session.execute(_NOTIFICATION, {"id": link.notification_id, "user": link.user_id})).one_or_none()


async def _acknowledged(request: Request, session: AsyncSession, link: AckLink) -> bool:
    user_id: UUID | None = link.user_id
    agent = request.headers.get("user-agent")
    actor = Actor("user", str(user_id) if user_id else None, client_ip(request), agent, request_id(request))
    return await set_acknowledged(session, link.project_id, link.env, actor, link.notification_id, user_id, None, VIA)


def _who(found: Any) -> str:
    """And when, by the clock and in the zone of whom the link went to, else in the project's."""
    who = f"Acknowledged by {found.acked_name}" if found.acked_name else "Acknowledged already"
    return f"{who}, {_moment(found.acked_at, found.way)}."


def _moment(at: datetime, way: str) -> str:
    _, clock, _, zone = way.split("|", 3)
    here = at.astimezone(ZoneInfo(zone))
    time = f"{here.hour % 12 or 12}:{here:%M} {'am' if here.hour < 12 else 'pm'}" if clock == "12h" else f"{here:%H:%M}"
    return f"{here:%Y-%m-%d} {time} {here:%Z}"


def _wrong() -> HTMLResponse:
    return page("This link is not valid", "It may be of a notification that is gone.", status=404)


_NOTIFICATION = text("""
SELECT n.title, n.acked_at, p.name AS project,
    coalesce((SELECT u.name FROM tocsin.users u WHERE u.id = n.acked_by), n.acked_as) AS acked_name,
    tocsin.way_of_reading(reader.timezone, p.settings->>'timezone', reader.preferences) AS way
FROM tocsin.notifications n JOIN tocsin.projects p ON p.id = n.project_id
LEFT JOIN tocsin.users reader ON reader.project_id = p.id AND reader.id = :user
WHERE n.id = :id AND n.require_ack AND p.status <> 'cancelled'
    AND (CAST(:user AS uuid) IS NULL OR EXISTS (
        SELECT FROM tocsin.notification_recipients r
        JOIN tocsin.users u ON u.project_id = r.project_id AND u.id = r.user_id
        WHERE r.notification_id = n.id AND r.user_id = :user AND u.status = 'active'))
""")
