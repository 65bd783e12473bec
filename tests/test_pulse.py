"""Work that nobody hinted at is found: one look tells each stage that could claim something, and no other."""

import asyncpg
import pytest

from tests.pipeline import Working, until
from tocsin.kit.ids import PLATFORM_ID, new_id
from tocsin.pulse import WAITING
from tocsin.worker import ANYWAY_SECONDS

PAST, FUTURE = "now() - interval '1 minute'", "now() + interval '1 minute'"


def event(state: str, *, claims: int = 0, lease_until: str = "NULL") -> str:
    return (
        "INSERT INTO tocsin.events (project_id, env, id, type, payload, state, claims, lease_until)"
        f" VALUES ('{PLATFORM_ID}', 'live', '{new_id()}', 'order.created', '{{}}', '{state}', {claims}, {lease_until})"
    )


def delivery(state: str, *, ready: bool = False, due_at: str = PAST, lease_until: str = "NULL") -> str:
    return (
        "INSERT INTO tocsin.deliveries (project_id, env, id, channel, rank, state, ready, due_at, lease_until)"
        f" VALUES ('{PLATFORM_ID}', 'live', '{new_id()}', 'webhook', 2, '{state}', {ready}, {due_at}, {lease_until})"
    )


def mail(env: str, state: str, due_at: str) -> str:
    return (
        "INSERT INTO tocsin.mails (project_id, env, id, kind, recipient, details, state, due_at, give_up_at)"
        f" VALUES ('{PLATFORM_ID}', '{env}', '{new_id()}', 'a', 'a@b.example', '', '{state}', {due_at}, now())"
    )


def notice(told_at: str) -> str:
    return (
        "INSERT INTO tocsin.quota_notices (project_id, quota, period, percent, allowed, used, told_at)"
        f" VALUES ('{PLATFORM_ID}', 'events', current_date, 80, 10, 8, {told_at})"
    )


def hook(status: str = "active", **fields: str) -> str:
    columns = "".join(f", {name}" for name in fields)
    values = "".join(f", {value}" for value in fields.values())
    return (
        f"INSERT INTO tocsin.webhook_endpoints (project_id, env, id, url, event_types, secret, status{columns})"
        f" VALUES ('{PLATFORM_ID}', 'live', '{PLATFORM_ID}', '', '{{}}', '', '{status}'{values})"
    )


def message(state: str, *, ready: bool = False, due_at: str = PAST, lease_until: str = "NULL") -> str:
    return (
        f"{hook()}; INSERT INTO tocsin.webhook_messages"
        " (project_id, env, id, endpoint_id, event_type, state, ready, due_at, lease_until)"
        f" VALUES ('{PLATFORM_ID}', 'live', '{new_id()}', '{PLATFORM_ID}', 'a', '{state}', {ready}, {due_at},"
        f" {lease_until})"
    )


def connection(status: str, **fields: str) -> str:
    columns = "".join(f", {name}" for name in fields)
    values = "".join(f", {value}" for value in fields.values())
    return (
        "INSERT INTO tocsin.connections (project_id, env, id, channel, provider, owner, name, credentials, status"
        f"{columns}) VALUES ('{PLATFORM_ID}', 'live', '{PLATFORM_ID}', 'telegram', 'telegram', 'project', 'a', '',"
        f" '{status}'{values})"
    )


def called(state: str, due_at: str = PAST) -> str:
    return (
        "INSERT INTO tocsin.inbound_raw (project_id, env, id, connection_id, event_id, payload, state, due_at)"
        f" VALUES ('{PLATFORM_ID}', 'live', '{new_id()}', '{PLATFORM_ID}', '1', '{{}}', '{state}', {due_at})"
    )


def asked_for(poll_until: str, polled: bool = True) -> str:
    return (
        f"{connection('active')}; INSERT INTO tocsin.hooks"
        " (project_id, connection_id, env, provider, token, secret, polled, poll_until)"
        f" VALUES ('{PLATFORM_ID}', '{PLATFORM_ID}', 'live', 'telegram', 'a', '', {polled}, {poll_until})"
    )


def insistence(due_at: str) -> str:
    return (
        "INSERT INTO tocsin.insistences (project_id, env, notification_id, rank, personal, instant, steps, due_at)"
        f" VALUES ('{PLATFORM_ID}', 'live', '{new_id()}', 2, '[]', '{{}}', '[]', {due_at})"
    )


def turn(due_at: str) -> str:
    return (
        "INSERT INTO tocsin.channel_turns"
        " (project_id, env, notification_id, user_id, rank, personal, after_seconds, due_at)"
        f" VALUES ('{PLATFORM_ID}', 'live', '{new_id()}', '{new_id()}', 2, '[]', 60, {due_at})"
    )


def window(due_at: str) -> str:
    return (
        "INSERT INTO tocsin.users (project_id, env, id, status)"
        f" VALUES ('{PLATFORM_ID}', 'live', '{PLATFORM_ID}', 'active');"
        " INSERT INTO tocsin.digests (project_id, env, id, user_id, rule_name, rule_version, channels, priority,"
        " window_seconds, most_items, first_at_once, items, due_at) VALUES"
        f" ('{PLATFORM_ID}', 'live', '{new_id()}', '{PLATFORM_ID}', 'a', 1, '{{}}', 'low', 60, 9, false, 1, {due_at})"
    )


def amendment(due_at: str) -> str:
    return (
        "INSERT INTO tocsin.amendments (project_id, env, delivery_id, due_at)"
        f" VALUES ('{PLATFORM_ID}', 'live', '{new_id()}', {due_at})"
    )


AUDITED = (
    "INSERT INTO tocsin.audit_log (project_id, id, env, action, actor_type, resource_type)"
    f" VALUES ('{PLATFORM_ID}', '{new_id()}', 'live', 'a.b', 'system', 'a')"
)

CASES = {
    "nothing": ("SELECT", []),
    "a new event": (event("received"), ["match"]),
    "an event that a process ended over": (event("received", claims=1), ["match"]),
    "an event being matched": (event("leased", lease_until=FUTURE), []),
    "an event whose lease ran out": (event("leased", lease_until=PAST), ["clock"]),
    "an event that is done": (event("processed"), []),
    "a delivery to be sent": (delivery("queued", ready=True), ["send"]),
    "a retry that is due": (delivery("queued"), ["clock"]),
    "a retry to come": (delivery("queued", due_at=FUTURE), []),
    "a delivery held until now": (delivery("held"), ["clock"]),
    "a delivery that is held": (delivery("held", due_at=FUTURE), []),
    "a delivery being sent": (delivery("leased", lease_until=FUTURE), []),
    "a delivery whose lease ran out": (delivery("leased", lease_until=PAST), ["clock"]),
    "a delivery that arrived": (delivery("delivered"), []),
    "a mail": (mail("live", "queued", PAST), ["mail"]),
    "a mail for later": (mail("live", "queued", FUTURE), []),
    "a mail of the sandbox": (mail("test", "captured", PAST), []),
    "an entry to be sealed": (AUDITED, ["seal"]),
    "a quota to be told of": (notice("NULL"), ["quotas"]),
    "a quota that was told of": (notice("now()"), []),
    "a message to an endpoint": (message("queued", ready=True), ["webhooks"]),
    "a message to be tried again": (message("queued"), ["webhooks"]),
    "a message for later": (message("queued", due_at=FUTURE), []),
    "a message being sent": (message("leased", lease_until=FUTURE), []),
    "a message whose lease ran out": (message("leased", lease_until=PAST), ["webhooks"]),
    "a message that arrived": (message("delivered"), []),
    "a message of the sandbox": (message("captured"), []),
    "a pause to tell of": (hook("paused", pause_told="false"), ["endpoints"]),
    "a pause that was told of": (hook("paused"), []),
    "a recovery": (hook(recover_until="now()"), ["endpoints"]),
    "a recovery of an endpoint that rests": (hook("disabled", recover_until="now()"), []),
    "an endpoint to be removed": (hook("removed"), ["endpoints"]),
    "a notification that insists": (insistence(PAST), ["insist"]),
    "a notification that insists in a moment": (insistence("now() + interval '0.9 s'"), ["insist"]),
    "a notification that insists later": (insistence(FUTURE), []),
    "a channel whose turn it is": (turn(PAST), ["order"]),
    "a channel whose turn it is later": (turn(FUTURE), []),
    "a window that is over": (window(PAST), ["digest"]),
    "a window that is open": (window(FUTURE), []),
    "a message to be changed": (amendment(PAST), ["amend"]),
    "a message to be changed later": (amendment(FUTURE), []),
    "what a provider told": (called("received"), ["inbound"]),
    "what it told, to be tried again later": (called("received", FUTURE), []),
    "what it told, worked on": (called("processed"), []),
    "a provider to be asked": (asked_for(PAST), ["poll"]),
    "a provider that is being asked": (asked_for(FUTURE), []),
    "a provider that calls": (asked_for(PAST, polled=False), []),
    "a pause that is over": (connection("rate_limited", paused_until=PAST), ["outages"]),
    "a pause that is not over": (connection("rate_limited", paused_until=FUTURE), []),
    "a connection that stopped": (connection("error"), ["outages"]),
    "a connection that stopped, and its owner knows": (connection("error", outage_told="true"), []),
    "a connection that is well again": (connection("active", outage_told="true"), ["outages"]),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_look_names_the_stages_that_have_work(database: str, name: str) -> None:
    statement, stages = CASES[name]
    sql = await asyncpg.connect(database)
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute(statement)
    assert await sql.fetchval(WAITING) == stages
    await transaction.rollback()
    await sql.close()


async def test_an_event_that_nobody_hinted_at_is_worked_on(working: Working) -> None:
    id_ = new_id()
    await working.sql.execute(
        "INSERT INTO tocsin.events (project_id, env, id, type, payload) VALUES ($1, 'live', $2, 'order.created', '{}')",
        PLATFORM_ID,
        id_,
    )

    async def processed() -> bool:
        return await working.sql.fetchval("SELECT state FROM tocsin.events WHERE id = $1", id_) == "processed"

    await until(processed, ANYWAY_SECONDS / 2)
