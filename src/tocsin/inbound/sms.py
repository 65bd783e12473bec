"""What follows from what Twilio reports of a text message, and from the words by which people stop and start us."""

from typing import Any, Literal, cast

import asyncpg
import msgspec

from tocsin.channels.contract import SendFailure
from tocsin.channels.sms import SmsSettings, failure_of_status
from tocsin.connections.reachability import mark_opted_out, mark_reachable
from tocsin.deliveries.statuses import Reported, Told
from tocsin.inbound.context import Context
from tocsin.inbound.statuses import note_status

_TOLD: dict[str, Told] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "failed",
    "failed": "failed",
}
"""https://www.twilio.com/docs/messaging/api/message-resource#message-status-values; the others come before `sent`."""


class _Status(msgspec.Struct, rename="pascal"):
    message_sid: str
    message_status: str
    account_sid: str
    error_code: str | None = None


class _Said(msgspec.Struct, rename="pascal"):
    account_sid: str
    from_: str = msgspec.field(name="From")
    to: str
    word: Literal["STOP", "START"]
    messaging_service_sid: str | None = None


async def receive(payload: Any, context: Context) -> str | None:
    """Work on one report. It has no time of its own, so it counts from when it is worked on. Raises NotYet for a
    message that is not recorded yet."""
    settings = cast(SmsSettings, context.hook.settings)
    if payload.get("AccountSid") != settings.account_sid:
        return "it is about another account than this connection's"
    if "Word" in payload:
        return await _said(msgspec.convert(payload, _Said), settings, context)
    return await _status(msgspec.convert(payload, _Status), context)


async def _said(said: _Said, settings: SmsSettings, context: Context) -> str | None:
    """Twilio goes by these words too: who said STOP is refused by it until they say START."""
    if not _is_ours(said, settings):
        return "it was written to another sender than this connection's"
    mark = mark_opted_out if said.word == "STOP" else mark_reachable
    async with context.db.unit(context.project_id, context.env) as connection:
        where = (connection, context.project_id, context.hook.connection_id)
        await mark(*where, said.from_, f"they wrote {said.word}", context.came_at)
    return None


def _is_ours(said: _Said, settings: SmsSettings) -> bool:
    if settings.messaging_service_sid:
        return said.messaging_service_sid == settings.messaging_service_sid
    return said.to == settings.sender


async def _status(status: _Status, context: Context) -> str | None:
    told = _TOLD.get(status.message_status)
    if told is None:
        return f"nothing follows from the status {status.message_status[:40]}"
    failure = failure_of_status(status.message_status, status.error_code)

    async def meaning(connection: asyncpg.Connection, delivery: Reported) -> SendFailure:
        return failure

    return await note_status(context, status.message_sid, told, None, meaning)
