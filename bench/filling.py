"""A month of traffic that was, written as fast as the database takes it.

Every event made one notification for one person, sent on to their sockets and to a webhook, with one attempt. Half of
it belongs to the project that is measured, the rest to `NEIGHBOURS` others; all of it is finished.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg

from bench.events import PAYLOAD_TEXT, TYPE
from bench.running import Installed
from tocsin.kit.ids import new_id

NEIGHBOURS = 19
PEOPLE = 1_000
CHUNK = 50_000

# An id is the moment of its event, a letter for what it is, and a number.
_FILL = """
WITH numbers AS MATERIALIZED (
    SELECT n, CASE WHEN n % 2 = 0 THEN $1::uuid ELSE ($2::uuid[])[1 + (n / 2) % cardinality($2)] END AS project_id,
        to_timestamp(m.epoch) AS at, lpad(to_hex((m.epoch * 1000)::bigint), 12, '0') || '7000' AS head,
        lpad(to_hex(n), 15, '0') AS tail,
        CASE WHEN n % $7 = 0 THEN $3::uuid ELSE md5((n % $7)::text)::uuid END AS user_id
    FROM generate_series($4::bigint, $5::bigint) AS g (n)
    CROSS JOIN LATERAL (SELECT $8::float8 + n * $9::float8 AS epoch) m
), rows AS MATERIALIZED (
    SELECT *, (head || '8' || tail)::uuid AS event, (head || '9' || tail)::uuid AS notification,
        (head || 'a' || tail)::uuid AS pushed, (head || 'b' || tail)::uuid AS posted FROM numbers
), events AS (
    INSERT INTO tocsin.events (project_id, id, env, type, payload, source, received_at, state, outcome, processed_at,
        claims, trace)
    SELECT project_id, event, 'live', $10, $6::json, 'shop', at, 'processed', 'notified', at, 1, json_build_array(
        json_build_object('ruleId', $1::uuid, 'ruleName', 'Orders', 'ruleVersion', 1, 'matched', true,
            'reason', 'the condition is true', 'notificationId', notification)) FROM rows
), notifications AS (
    INSERT INTO tocsin.notifications (project_id, id, env, event_id, event_type, title, message, priority, require_ack,
        created_at)
    SELECT project_id, notification, 'live', event, $10, 'Order ' || n, 'Somebody ordered something',
        'normal', false, at FROM rows
), recipients AS (
    INSERT INTO tocsin.notification_recipients (project_id, notification_id, user_id, env, feed_seq, reason)
    SELECT project_id, notification, user_id, 'live', n, 'role owner' FROM rows
), deliveries AS (
    INSERT INTO tocsin.deliveries (project_id, id, env, notification_id, user_id, channel, rank, state, attempts,
        created_at, due_at, sent_at, delivered_at, finished_at)
    SELECT project_id, pushed, 'live', notification, user_id, 'realtime', 2, 'sent', 0, at, at, at, NULL, at FROM rows
    UNION ALL SELECT project_id, posted, 'live', notification, NULL, 'webhook', 2, 'delivered', 1, at, at, at, at, at
    FROM rows
)
INSERT INTO tocsin.attempts (project_id, delivery_id, number, env, outcome, status, answer, started_at, duration_ms)
SELECT project_id, posted, 1, 'live', 'ok', 200, 'ok', at, 12 FROM rows
"""
_PROJECTS = """
INSERT INTO tocsin.projects (id, name, slug, plan)
SELECT id, 'Neighbour', 'neighbour-' || nr, 'enterprise' FROM unnest($1::uuid[]) WITH ORDINALITY AS p (id, nr)
"""


async def fill(place: Installed, events: int, tell: Callable[[str], None]) -> None:
    """So many events from the beginning of this month until now, with all that came of them."""
    neighbours = [new_id() for _ in range(NEIGHBOURS)]
    await place.superuser.execute(_PROJECTS, neighbours)
    until = datetime.now(UTC) - timedelta(minutes=5)
    begin = until.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    between = (until - begin).total_seconds() / events
    owner = place.project.signed_up["user"]["id"]
    # The people are made up, so the foreign keys must not look for them.
    await place.superuser.execute("SET session_replication_role = replica")
    for first in range(1, events + 1, CHUNK):
        last = min(first + CHUNK - 1, events)
        tell(f"filling a month, {first - 1:,} of {events:,} events")
        values = (place.project_id, neighbours, owner, first, last, PAYLOAD_TEXT, PEOPLE)
        await place.superuser.execute(_FILL, *values, begin.timestamp(), between, TYPE)
    await place.superuser.execute("SET session_replication_role = origin")
    await _count_feed(place.superuser, place, events)
    tell("VACUUM ANALYZE")
    await place.tidy()


async def _count_feed(superuser: asyncpg.Connection, place: Installed, events: int) -> None:
    """The owner's feed goes on above what was filled in."""
    await superuser.execute(
        "INSERT INTO tocsin.feeds AS f (project_id, user_id, env, seq) VALUES ($1, $2, 'live', $3)"
        " ON CONFLICT (project_id, user_id, env) DO UPDATE SET seq = excluded.seq",
        place.project_id,
        place.project.signed_up["user"]["id"],
        events,
    )
