"""Which provider's items mean what: one line for each that calls us back."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from tocsin.inbound import discord, slack, sms, telegram, whatsapp
from tocsin.inbound.context import Context

Receiver: TypeAlias = Callable[[Any, Context], Awaitable[str | None]]
"""Works on one item: None when it did, else why nothing follows from it. Done twice it has to come to the same as once,
for a process may die before it is recorded. Anything it raises is a try that failed. Of a connection that is
``suspended`` it takes what became of messages and who wants no more; it says nothing and lets nobody in."""

RECEIVERS: Mapping[str, Receiver] = {
    "discord_bot": discord.receive,
    "slack": slack.receive,
    "telegram": telegram.received,
    "twilio": sms.receive,
    "whatsapp": whatsapp.receive,
}
