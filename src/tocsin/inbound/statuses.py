"""What a provider reports of a message that left over one of its connections, whichever project that was for (D5)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from tocsin.channels.contract import BadCredentials, OptedOut, SendFailure, Unavailable, is_too_many
from tocsin.connections.reachability import mark_opted_out
from tocsin.connections.standing import mark_error, mark_paused, pause_of
from tocsin.deliveries.record import counted, judged
from tocsin.deliveries.statuses import Reported, Told, arrived, did_not_arrive, held, moves
from tocsin.inbound.context import Context
from tocsin.inbound.later import NotYet
from tocsin.kit.db import Env

Meaning = Callable[[asyncpg.Connection, Reported], Awaitable[SendFailure]]
"""What a failure of this delivery means, found in the transaction that records it."""


class _Sent(NamedTuple):
    project_id: UUID
    env: Env
    delivery_id: UUID


async def note_status(context: Context, message: str, told: Told, at: datetime | None, meaning: Meaning) -> str | None:
    """Move the delivery of a message forward, if the report says more than is known; why not, otherwise.

    Without a time it happened now. A failure that is the connection's own fault stops it, and a limit of all of it
    pauses it; who has opted out is not sent to again. Raises NotYet for a message that is not recorded yet.
    """
    sent = await _sent(message, context)
    if sent is None:
        raise NotYet("no message of this connection is known by that id")
    async with context.db.unit(sent.project_id, sent.env) as connection:
        delivery = await held(connection, sent.project_id, sent.delivery_id, message)
        if delivery is None:
            return "its message was sent again meanwhile"
        if delivery.state == "leased":
            raise NotYet("it is being sent again")
        if not moves(delivery.state, told):
            return f"the delivery is {delivery.state} already"
        if told != "failed":
            await arrived(connection, delivery, told, at)
            return None
        failure = await meaning(connection, delivery)
        credentials, channel = context.hook.credentials, context.hook.channel
        count = await counted(connection, delivery.project_id, delivery.id, delivery.attempts, delivery.age_seconds)
        await did_not_arrive(connection, delivery, judged(failure, channel, credentials, count))
        sent_at = await connection.fetchval(_SENT_AT, delivery.project_id, delivery.id, delivery.attempts)
    if isinstance(failure, BadCredentials) and sent_at is not None:
        await stop(failure.reason, context, sent_at)
    elif is_too_many(failure):
        await _pause(failure, context, at)
    elif isinstance(failure, OptedOut) and delivery.address is not None:
        await _opt_out(delivery.address, failure.reason, context, at)
    return None


async def _sent(message: str, context: Context) -> _Sent | None:
    """The delivery that left by this connection under that id."""
    row = await context.db.hot.fetchrow(_FIND, context.project_id, context.hook.connection_id, message)
    return _Sent(*row) if row else None


_FIND = "SELECT project_id, env, id FROM tocsin.find_sent($1, $2, $3) LIMIT 1"
_SENT_AT = "SELECT started_at FROM tocsin.attempts WHERE project_id = $1 AND delivery_id = $2 AND number = $3"


async def stop(reason: str, context: Context, failed_at: datetime) -> None:
    """Send nothing more over this connection until its owner has mended it.

    One that was changed since ``failed_at`` stays as it is: reports come late, and may be about it as it was before.
    """
    async with context.db.unit(context.project_id, context.env) as connection:
        id_ = context.hook.connection_id
        version = await connection.fetchval(
            "SELECT updated_at FROM tocsin.connections WHERE project_id = $1 AND id = $2 AND updated_at < $3",
            context.project_id,
            id_,
            failed_at,
        )
        if version is not None:
            await mark_error(connection, context.project_id, id_, version, reason)


async def _pause(failure: Unavailable, context: Context, at: datetime | None) -> None:
    """Slow this connection down for as long as is left of what was asked for at that time, or now (D4)."""
    pause = pause_of(failure.retry_after)
    if at is not None:
        pause -= max(datetime.now(UTC) - at, timedelta())
    if pause <= timedelta():
        return
    project_id, id_ = context.project_id, context.hook.connection_id
    async with context.db.unit(project_id, context.env) as connection:
        news = await mark_paused(connection, project_id, id_, pause, failure.reason)
    if news:
        context.changed(project_id, context.env, id_)


async def _opt_out(address: str, reason: str, context: Context, at: datetime | None) -> None:
    """Where the connection is: a lent account that was told to stop sends to them for nobody."""
    said_at = context.said_at(int(at.timestamp()) if at is not None else None)
    async with context.db.unit(context.project_id, context.env) as connection:
        await mark_opted_out(connection, context.project_id, context.hook.connection_id, address, reason, said_at)
