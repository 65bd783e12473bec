"""What follows from what Twilio reports of a text message."""

from typing import Any, cast

import asyncpg
import msgspec

from tocsin.channels.contract import SendFailure
from tocsin.channels.sms import SmsSettings, failure_of_status
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


async def receive(payload: Any, context: Context) -> str | None:
    """Work on one report. It has no time of its own, so it counts from when it is worked on. Raises NotYet for a
    message that is not recorded yet."""
    status = msgspec.convert(payload, _Status)
    if status.account_sid != cast(SmsSettings, context.hook.settings).account_sid:
        return "it is about another account than this connection's"
    told = _TOLD.get(status.message_status)
    if told is None:
        return f"nothing follows from the status {status.message_status[:40]}"
    failure = failure_of_status(status.message_status, status.error_code)

    async def meaning(connection: asyncpg.Connection, delivery: Reported) -> SendFailure:
        return failure

    return await note_status(context, status.message_sid, told, None, meaning)
