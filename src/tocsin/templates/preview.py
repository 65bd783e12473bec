"""What a template prints, in the child as the worker would have it printed. Nothing is sent."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.db import driver
from tocsin.kit.errors import FieldError, Invalid, Unavailable
from tocsin.kit.ids import new_id
from tocsin.kit.schema import iso
from tocsin.rules import lookup
from tocsin.rules.evaluator import Evaluator, EvaluatorUnavailable
from tocsin.rules.jobs import DIGEST, Event, Job, RuleSource
from tocsin.templates import layouts, system_mails
from tocsin.templates.models import Template
from tocsin.templates.printing import empty_event, printed
from tocsin.templates.schemas import Preview

_OF_NO_EVENT = ("digest", layouts.KIND)


async def previewed(session: AsyncSession, evaluator: Evaluator, row: Template, event_id: UUID | None) -> Preview:
    """Raises Invalid for an event that is not there and for a template that cannot be printed with it."""
    if event_id and row.kind in _OF_NO_EVENT:
        words = f"A {row.kind} is shown with samples: it is of no event."
        raise Invalid([FieldError("/eventId", "not_available", words)])
    if row.kind == layouts.KIND:
        return await layouts.previewed(session, row)
    connection = await driver(session)
    event = await _event(session, event_id) if event_id else _empty(row)
    subject = await lookup.subject_of(connection, row.project_id, lookup.payload_user(event.payload))
    project = await lookup.project_of(connection, row.project_id)
    source = RuleSource(str(row.id), None, {"title": row.subject, "message": row.body})
    try:
        outcome = await printed(evaluator, Job(event, subject.fields if subject else None, project, [source]))
    except (EvaluatorUnavailable, TimeoutError):
        raise Unavailable("evaluator_unavailable", "Nothing can be printed at the moment; try again.", 2) from None
    if outcome.error:
        raise Invalid([FieldError("/eventId" if event_id else "", "render_error", outcome.reason)])
    return Preview(subject=outcome.rendered["title"], body=outcome.rendered["message"], missing=outcome.missing)


def _empty(row: Template) -> Event:
    if row.kind == "digest":
        items = [{"id": str(new_id()), "title": f"[title {n}]", "message": f"[message {n}]"} for n in (1, 2, 3)]
        sample = {"items": items, "count": len(items), "rule": {"name": "[rule]"}}
        return Event(str(new_id()), DIGEST, "", iso(datetime.now(UTC)), msgspec.json.encode(sample))
    return empty_event(system_mails.sample(row.name) if row.kind == "system_mail" else {})


async def _event(session: AsyncSession, event_id: UUID) -> Event:
    found = (await session.execute(_EVENT, {"id": event_id})).one_or_none()
    if found is None:
        raise Invalid([FieldError("/eventId", "unknown_event", "There is no such event.")])
    return Event(str(found.id), found.type, found.source or "", iso(found.moment), found.payload.encode())


_EVENT = text("""
SELECT id, type, source, coalesce(client_timestamp, received_at) AS moment, CAST(payload AS text) AS payload
FROM tocsin.events WHERE id = :id
""")
