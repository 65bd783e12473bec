"""What follows from what Meta reports about a number."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

import asyncpg
import msgspec

from tocsin.channels.contract import BadCredentials, Rejected, SendFailure, Unavailable
from tocsin.channels.whatsapp.failures import MetaError, WindowClosed, of
from tocsin.channels.whatsapp.forms import WhatsAppSettings
from tocsin.channels.whatsapp.numbers import is_number, is_scoped_id, known_as
from tocsin.channels.whatsapp.reports import Report
from tocsin.channels.whatsapp.templates import change
from tocsin.connections.correspondents import close_window, wrote
from tocsin.connections.hooks import MOST_FOREIGN, note_foreign
from tocsin.connections.reachability import mark_opted_out, mark_reachable
from tocsin.connections.templates import note_template
from tocsin.deliveries.statuses import Reported, Told
from tocsin.inbound.context import SUSPENDED, Context, Seconds
from tocsin.inbound.statuses import note_status, stop

STOP = frozenset({"stop", "stopp", "unsubscribe", "opt out"})
START = frozenset({"start", "unstop"})
"""Words that are a whole message, in any case: what a person says to be left alone, and to take that back."""


class _Contact(msgspec.Struct):
    wa_id: str | None = None
    user_id: str | None = None


class _Text(msgspec.Struct):
    body: str = ""


class _Message(msgspec.Struct, rename={"sender": "from"}):
    timestamp: Seconds
    type: str = ""
    sender: str | None = None
    from_user_id: str | None = None
    group_id: str | None = None
    text: _Text | None = None


class _Status(msgspec.Struct):
    id: str
    status: str
    timestamp: Seconds
    errors: list[MetaError] = []


async def receive(payload: Any, context: Context) -> str | None:
    """Work on one report. Raises NotYet for a status of a message that is not recorded yet."""
    report = msgspec.convert(payload, Report)
    number = cast(WhatsAppSettings, context.hook.settings).phone_number_id
    if report.number_id is not None and report.number_id != number:
        async with context.db.unit(context.project_id, context.env) as connection:
            await note_foreign(connection, context.project_id, context.hook.connection_id, report.number_id)
        return f"it is about the number {report.number_id[:MOST_FOREIGN]}, which is not this connection's"
    try:
        if report.kind == "message":
            return await _message(report, context)
        if report.kind == "status":
            return await _status(msgspec.convert(report.told, _Status, strict=False), context)
        if report.kind == "error":
            return await _error(msgspec.convert(report.told, MetaError, strict=False), context)
        return await _other(report, context)
    except msgspec.ValidationError as error:
        return f"it is not as Meta documents it: {error}"


async def _message(report: Report, context: Context) -> str | None:
    """The person may be answered freely for a day from now; whoever asks to be left alone is."""
    message = msgspec.convert(report.told, _Message, strict=False)
    contact = msgspec.convert(report.contact or {}, _Contact, strict=False)
    if message.group_id is not None or message.type == "system":
        return "it was not written to this number by a person"
    names = _names(message, contact)
    if not names:
        return "it does not say who wrote it"
    word = message.text.body.strip().strip(".!").casefold() if message.text else ""
    if context.suspended and word not in STOP | START:
        return SUSPENDED
    at = datetime.fromtimestamp(message.timestamp, UTC)
    async with context.db.unit(context.project_id, context.env) as connection:
        addresses = _addresses(names)
        user_id = await _person(connection, context.project_id, addresses)
        await wrote(connection, context.project_id, context.hook.connection_id, names, user_id, at)
        if word in STOP | START:
            mark = mark_opted_out if word in STOP else mark_reachable
            said_at, connection_id = context.said_at(message.timestamp), context.hook.connection_id
            for address in addresses:
                await mark(connection, context.project_id, connection_id, address, f"they wrote {word}", said_at)
    return None


def _names(message: _Message, contact: _Contact) -> list[str]:
    """How Meta calls the person who wrote: by number, by id, or by both."""
    number, scoped = contact.wa_id or message.sender, contact.user_id or message.from_user_id
    return [*([number] if number and is_number(number) else []), *([scoped] if scoped and is_scoped_id(scoped) else [])]


def _addresses(names: Sequence[str]) -> list[str]:
    """Every form in which an address of the person may be written here."""
    forms = [form for name in names for form in known_as(name)]
    return [*forms, *(f"+{form}" for form in forms if is_number(form))]


async def _person(connection: asyncpg.Connection, project_id: UUID, addresses: Sequence[str]) -> UUID | None:
    """Whose address it is, if it is one person's: an address of two is nobody's in particular."""
    rows = await connection.fetch(_PERSON, project_id, addresses)
    return rows[0]["user_id"] if len(rows) == 1 else None


_PERSON = """
SELECT a.user_id FROM tocsin.addresses a
WHERE a.project_id = $1 AND a.value = ANY ($2) AND a.channel IN ('whatsapp', 'phone')
UNION SELECT u.id FROM tocsin.users u WHERE u.project_id = $1 AND u.phone = ANY ($2)
LIMIT 2
"""


async def _status(status: _Status, context: Context) -> str | None:
    if status.status not in ("sent", "delivered", "read", "failed"):
        return f"nothing follows from the status {status.status[:40]}"
    at = datetime.fromtimestamp(status.timestamp, UTC)
    return await note_status(context, status.id, cast(Told, status.status), at, partial(_failure, status, context))


async def _failure(
    status: _Status, context: Context, connection: asyncpg.Connection, delivery: Reported
) -> SendFailure:
    """What the failure means. Outside the window the template is worth another try, where there is one."""
    error = status.errors[0] if status.errors else MetaError(0, "Meta gave no reason")
    failure = (of(error) if status.errors else None) or Rejected(error.words)
    address = delivery.address
    if isinstance(failure, WindowClosed) and address is not None:
        await close_window(connection, context.project_id, context.hook.connection_id, known_as(address))
        if cast(WhatsAppSettings, context.hook.settings).template is not None:
            return Unavailable(failure.reason)
    return failure


async def _error(error: MetaError, context: Context) -> str | None:
    """An error of the whole number or account."""
    if not isinstance(of(error), BadCredentials):
        return f"nothing follows from the error: {error.words}"[:500]
    await stop(error.words, context, context.came_at)
    return None


async def _other(report: Report, context: Context) -> str | None:
    """A template that was approved, paused, or put into another category."""
    told = change(report.field, report.told["value"])
    if told is None:
        return f"nothing follows from {report.field or 'it'}"
    account = cast(WhatsAppSettings, context.hook.settings).business_account_id
    if account is None or report.told["account"] != account:
        return "it is about another account than this connection's"
    where = (context.project_id, context.hook.connection_id, told.name, told.language)
    async with context.scope() as session:
        await note_template(session, *where, status=told.status, category=told.category)
    return None
