"""Notifications over HTTP: one's own feed, the project's list, acknowledgement, counts."""

from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import Depends, Query, Request
from sqlalchemy import Select, select

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.broker import Broker
from tocsin.kit.errors import FieldError, Invalid, NotFound
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import FilterId, PathId
from tocsin.notifications.acknowledge import acknowledge
from tocsin.notifications.models import Notification, NotificationRecipient
from tocsin.notifications.schemas import Acknowledge, NotificationAnswer, Priority, Seen
from tocsin.notifications.seen import mark_seen
from tocsin.notifications.show import shown
from tocsin.notifications.stats import Stats, counted
from tocsin.sounds.links import SoundLinks

router = guarded_router(tags=["notifications"])


@router.get("/notifications")
@needs("notifications:read", own=True)
async def list_notifications(
    call: Called,
    paging: Annotated[Paging, Depends()],
    sinceSeq: Annotated[
        int | None,
        Query(ge=0, le=2**62, description="What your feed got after this number, oldest first: what a client missed."),
    ] = None,
    since: Annotated[FilterId | None, Query(description="What came after this notification, oldest first.")] = None,
    userId: Annotated[FilterId | None, Query(description="One person's feed.")] = None,
    acknowledged: bool | None = None,
    priority: Priority | None = None,
    ruleId: Annotated[FilterId | None, Query()] = None,
    eventId: Annotated[FilterId | None, Query()] = None,
) -> Page[NotificationAnswer]:
    """People see their own feed; whoever may read all sees all, or one person's with `userId`."""
    if call.own_only and userId not in (None, call.principal.user_id):
        return Page[NotificationAnswer](items=[], nextCursor=None)
    whose = call.principal.user_id if call.own_only or (sinceSeq is not None and userId is None) else userId
    if sinceSeq is not None and whose is None:
        raise Invalid([FieldError("/query/userId", "required", "Say whose feed: a key has none of its own.")])
    query = select(Notification)
    if priority:
        query = query.where(Notification.priority == priority)
    if ruleId:
        query = query.where(Notification.rule_id == ruleId)
    if eventId:
        query = query.where(Notification.event_id == eventId)
    if acknowledged is not None:
        query = query.where(Notification.acked_at.is_not(None) if acknowledged else Notification.acked_at.is_(None))
    if since is not None:
        seen = await _seq_of(call, since, whose) if whose is not None else None
        if seen is not None:
            sinceSeq = max(seen, sinceSeq or 0)
        else:
            query = query.where(Notification.id > since)
            paging.newest_first = False
    if whose is None:
        found = await page(call.session, query, Notification.id, paging, call.gate.cursors, call.place, _same)
        return Page[NotificationAnswer](
            items=await shown(call.session, _sounds(call), found["items"]), nextCursor=found["nextCursor"]
        )
    mine = query.join(
        NotificationRecipient,
        (NotificationRecipient.project_id == Notification.project_id)
        & (NotificationRecipient.notification_id == Notification.id),
    ).where(NotificationRecipient.user_id == whose)
    if sinceSeq is not None:
        return await _missed(call, mine, paging, whose, sinceSeq)
    found = await page(call.session, mine, Notification.id, paging, call.gate.cursors, call.place, _same)
    items = await shown(call.session, _sounds(call), found["items"], whose)
    return Page[NotificationAnswer](items=items, nextCursor=found["nextCursor"])


async def _seq_of(call: Call, notification_id: UUID, user_id: UUID) -> int | None:
    """A notification's number in a person's feed. Ids are made before they become visible, so what was missed since
    one of them is what has a higher number, not what has a later id."""
    found: int | None = await call.session.scalar(
        select(NotificationRecipient.feed_seq).where(
            NotificationRecipient.notification_id == notification_id, NotificationRecipient.user_id == user_id
        )
    )
    return found


async def _missed(
    call: Call, mine: Select[Any], paging: Paging, whose: UUID, since_seq: int
) -> Page[NotificationAnswer]:
    """A page of a person's feed after a number, oldest first."""
    if paging.cursor is not None:
        since_seq = call.gate.cursors.open(call.place, paging.cursor).int
    missed = mine.where(NotificationRecipient.feed_seq > since_seq).order_by(NotificationRecipient.feed_seq)
    rows = list(await call.session.scalars(missed.limit(paging.limit + 1)))
    items = await shown(call.session, _sounds(call), rows[: paging.limit], whose)
    last = items[-1].seq if len(rows) > paging.limit else None
    cursor = call.gate.cursors.seal(call.place, UUID(int=last)) if last is not None else None
    return Page[NotificationAnswer](items=items, nextCursor=cursor)


@router.get("/notifications/stats", operation_id="read_notification_stats")
@needs("notifications:read")
async def stats(call: Called, hours: Annotated[int, Query(ge=1, le=24 * 31)] = 24) -> Stats:
    """Counts of the last hours: how many were made and acknowledged, how soon, and what became of their deliveries."""
    return await counted(call.session, hours)


@router.get("/notifications/{notification_id}", operation_id="read_notification")
@needs("notifications:read", own=True)
async def read(call: Called, notification_id: PathId) -> NotificationAnswer:
    return await _answer(call, notification_id)


@router.put("/notifications/{notification_id}/acknowledge")
@needs("notifications:acknowledge", own=True, while_suspended=True)
async def acknowledge_notification(
    request: Request, call: Called, notification_id: PathId, body: Acknowledge | None = None
) -> NotificationAnswer:
    """Say "mine". The first one stops everything that insists; saying it again changes nothing."""
    await _find(call, notification_id)
    broker = cast(Broker, request.app.state.broker)
    await acknowledge(call, broker, notification_id, body.user_id if body else None)
    return await _answer(call, notification_id)


@router.put("/notifications/{notification_id}/seen", operation_id="see_notification")
@needs("notifications:acknowledge", own=True, while_suspended=True)
async def see(call: Called, notification_id: PathId, body: Seen | None = None) -> NotificationAnswer:
    """Say that a person has seen it, so that no further channel tells them; the first time counts."""
    await _find(call, notification_id)
    await mark_seen(call, notification_id, body or Seen())
    return await _answer(call, notification_id)


async def _find(call: Call, notification_id: UUID) -> Notification:
    found = (
        await call.session.scalars(
            select(Notification).where(Notification.id == notification_id).execution_options(populate_existing=True)
        )
    ).one_or_none()
    if found is None:
        raise NotFound()
    return found


async def _answer(call: Call, notification_id: UUID) -> NotificationAnswer:
    """One notification as the caller may see it; somebody else's looks absent to those confined to their own."""
    notification = await _find(call, notification_id)
    only = call.principal.user_id if call.own_only else None
    (answer,) = await shown(call.session, _sounds(call), [notification], only)
    if call.own_only and not answer.recipients:
        raise NotFound()
    return answer


def _same(notification: Notification) -> Notification:
    return notification


def _sounds(call: Call) -> SoundLinks:
    return cast(SoundLinks, call.request.app.state.sound_links)
