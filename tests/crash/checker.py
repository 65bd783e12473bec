"""Compares what was promised with what is there: ledger, tables, sink. An empty list means that all holds."""

import functools
import json
from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from tests.crash.ledger import Ledger, digest
from tests.crash.project import REPEATS, Arranged
from tests.crash.sink import Sink

SHOWN = 5

_EVENTS = """
SELECT e.id, e.client_event_id, e.type, e.payload::text, e.state, e.outcome, e.claims, k.event_id AS keyed
FROM tocsin.events e LEFT JOIN tocsin.event_keys k
    ON k.project_id = e.project_id AND k.env = e.env AND k.client_event_id = e.client_event_id
WHERE e.project_id = $1
"""
_NOTIFICATIONS = "SELECT id, event_id, rule_id, gathers FROM tocsin.notifications WHERE project_id = $1"
_DELIVERIES = """
SELECT id, notification_id, channel, user_id, round, state, attempts, crashes, last_error, gathered_into
FROM tocsin.deliveries WHERE project_id = $1
"""
_ATTEMPTS = """
SELECT delivery_id, array_agg(number ORDER BY number) AS numbers
FROM tocsin.attempts WHERE project_id = $1 GROUP BY delivery_id
"""
_FEEDS = """
SELECT f.user_id, f.seq, count(r.feed_seq) AS n, count(DISTINCT r.feed_seq) AS n_distinct, min(r.feed_seq) AS first,
    max(r.feed_seq) AS last
FROM tocsin.feeds f LEFT JOIN tocsin.notification_recipients r USING (project_id, env, user_id)
WHERE f.project_id = $1 GROUP BY f.user_id, f.seq
"""
_RECIPIENTS = """
SELECT notification_id, count(*) AS n FROM tocsin.notification_recipients
WHERE project_id = $1 GROUP BY notification_id
"""
_CALLS = "SELECT name, id FROM tocsin.rules WHERE project_id = $1 AND name LIKE 'once-%'"
UNFINISHED = """
SELECT (SELECT count(*) FROM tocsin.events WHERE state IN ('received', 'leased'))
    + (SELECT count(*) FROM tocsin.deliveries WHERE state IN ('queued', 'leased'))
    + (SELECT count(*) FROM tocsin.insistences) + (SELECT count(*) FROM tocsin.channel_turns)
    + (SELECT count(*) FROM tocsin.digests)
"""


@dataclass
class Tables:
    """Everything of the project, read once."""

    events: list[asyncpg.Record]
    notifications: list[asyncpg.Record]
    deliveries: list[asyncpg.Record]
    attempts: dict[UUID, list[int]]
    feeds: list[asyncpg.Record]
    recipients: dict[UUID, int]
    calls: list[asyncpg.Record]
    unfinished: int

    @functools.cached_property
    def rules(self) -> dict[UUID, UUID | None]:
        """The rule of each notification that an event made; none of a digest."""
        return {row["id"]: row["rule_id"] if row["gathers"] is None else None for row in self.notifications}

    @functools.cached_property
    def digests(self) -> dict[UUID, int]:
        """How many notifications each digest says it tells of."""
        return {row["id"]: row["gathers"] for row in self.notifications if row["gathers"] is not None}


async def read_tables(connection: asyncpg.Connection, project_id: UUID) -> Tables:
    """All tables at one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return Tables(
            events=await connection.fetch(_EVENTS, project_id),
            notifications=await connection.fetch(_NOTIFICATIONS, project_id),
            deliveries=await connection.fetch(_DELIVERIES, project_id),
            attempts={row["delivery_id"]: row["numbers"] for row in await connection.fetch(_ATTEMPTS, project_id)},
            feeds=await connection.fetch(_FEEDS, project_id),
            recipients={row["notification_id"]: row["n"] for row in await connection.fetch(_RECIPIENTS, project_id)},
            calls=await connection.fetch(_CALLS, project_id),
            unfinished=await connection.fetchval(UNFINISHED),
        )


def violations(
    tables: Tables,
    ledger: Ledger,
    sink: Sink,
    arranged: Arranged,
    most_duplicates: int,
    poison: Set[str] = frozenset(),
) -> list[str]:
    """What does not hold, a line each; long lists of culprits are cut. ``poison`` are events to be set aside."""
    return [
        *_shown("an answer that may never be given", ledger.surprises),
        *_events_kept(tables, ledger),
        *_calls_once(tables, ledger),
        *_events_processed(tables, poison),
        *_notified_once(tables, arranged, poison),
        *_insisted(tables, arranged),
        *_gathered(tables, arranged),
        *_feeds_without_gaps(tables, arranged),
        *_delivered(tables, sink, arranged),
        *_attempts_without_gaps(tables),
        *_heard(tables, sink, most_duplicates),
    ]


def _events_kept(tables: Tables, ledger: Ledger) -> Iterable[str]:
    """Every acknowledged event is there once, under the id that was told, with the body that was sent."""
    copies = Counter(row["client_event_id"] for row in tables.events)
    stored = {row["client_event_id"]: row for row in tables.events}
    yield from _shown("an event was stored twice", [key for key, count in copies.items() if count > 1])
    yield from _shown("an event nobody sent", [key for key in copies if key not in ledger.entries])
    lost, altered, renamed = [], [], []
    for entry in ledger.entries.values():
        row = stored.get(entry.client_event_id)
        if row is None:
            if entry.acknowledged_as:
                lost.append(entry.client_event_id)
            continue
        if entry.acknowledged_as not in (None, str(row["id"])) or row["keyed"] != row["id"]:
            renamed.append(entry.client_event_id)
        if digest(row["type"], json.loads(row["payload"])) != entry.digest:
            altered.append(entry.client_event_id)
    yield from _shown("an acknowledged event is lost", lost)
    yield from _shown("an event has another id than was told", renamed)
    yield from _shown("an event has another body than was sent", altered)


def _calls_once(tables: Tables, ledger: Ledger) -> Iterable[str]:
    """Every call under a key that was answered made one thing, the one that was told."""
    made = Counter(row["name"] for row in tables.calls)
    ids = {row["name"]: str(row["id"]) for row in tables.calls}
    yield from _shown("a call under a key acted twice", [key for key, count in made.items() if count > 1])
    wrong = [key for key, told in ledger.calls.items() if told is not None and ids.get(key) != told]
    yield from _shown("an answered call left nothing behind, or something else", wrong)


def _events_processed(tables: Tables, poison: Set[str]) -> Iterable[str]:
    unfinished = [
        f"{row['client_event_id']} {row['state']} {row['outcome']} after {row['claims']} claims"
        for row in tables.events
        if (row["state"], row["outcome"])
        != (("failed", "poison") if row["client_event_id"] in poison else ("processed", "notified"))
    ]
    yield from _shown("an event did not end as it should", unfinished)


def _notified_once(tables: Tables, arranged: Arranged, poison: Set[str]) -> Iterable[str]:
    made = [row for row in tables.notifications if row["gathers"] is None]
    per_event = Counter((row["event_id"], row["rule_id"]) for row in made)
    events = {row["id"] for row in tables.events if row["client_event_id"] not in poison}
    yield from _shown("an event notified twice", [event for (event, _), count in per_event.items() if count > 1])
    yield from _shown("an event was never notified", events - {event for event, _ in per_event})
    yield from _shown("a notification of no event", {event for event, _ in per_event} - events)
    incomplete = [row["id"] for row in made if tables.recipients.get(row["id"]) != arranged.people]
    yield from _shown("a notification with other recipients than the rule names", incomplete)
    per_notification = {row["id"]: Counter[str]() for row in tables.notifications}
    for row in tables.deliveries:
        if row["round"] == 0 or tables.rules[row["notification_id"]] == arranged.in_turn:
            per_notification[row["notification_id"]][row["channel"]] += 1
    wrong = [
        f"{id_}: {dict(channels)}"
        for id_, channels in per_notification.items()
        if channels != _wanted(tables.rules[id_], arranged)
    ]
    yield from _shown("a notification with other deliveries than one per channel and recipient", wrong)


def _wanted(rule: UUID | None, arranged: Arranged) -> Counter[str]:
    """The deliveries of a notification, or of a digest where there is no rule."""
    people = arranged.people
    if rule is None:
        return Counter(realtime=1, email=1)
    if rule == arranged.in_turn:
        return Counter(realtime=people, email=people)
    if rule == arranged.gathered:
        return Counter(realtime=people, webhook=1, email=people)
    return Counter(realtime=people, webhook=1)


def _insisted(tables: Tables, arranged: Arranged) -> Iterable[str]:
    """What nobody acknowledges comes again as often as its rule says, once each time; nothing else does.

    Over sockets always; to the sink unless what came before still waits.
    """
    insisting = {row["id"] for row in tables.notifications if row["rule_id"] == arranged.insisting}
    repeats = Counter(
        (row["notification_id"], row["channel"], row["user_id"], row["round"])
        for row in tables.deliveries
        if row["round"] > 0 and tables.rules[row["notification_id"]] != arranged.in_turn
    )
    rounds = range(1, REPEATS + 1)
    strange = [key for key in repeats if key[0] not in insisting or key[3] not in rounds]
    yield from _shown("a repeat that no rule asked for", strange)
    yield from _shown("a repeat made twice", [key for key, count in repeats.items() if count > 1])
    made = Counter((id_, round_) for id_, channel, _, round_ in repeats if channel == "realtime")
    lost = [f"{id_} round {each}" for id_ in insisting for each in rounds if made[id_, each] != arranged.people]
    yield from _shown("a repeat that some or all of its people did not get", lost)


def _gathered(tables: Tables, arranged: Arranged) -> Iterable[str]:
    """What was gathered is in one digest, of its own person, and each digest counts what it holds."""
    gathered = [row for row in tables.deliveries if row["state"] == "gathered"]
    readers = _readers(tables)
    yield from _shown("gathered and never told", [row["id"] for row in gathered if row["gathered_into"] is None])
    foreign = [
        row["id"] for row in gathered if row["gathered_into"] and readers[row["gathered_into"]] != row["user_id"]
    ]
    yield from _shown("gathered into somebody else's digest", foreign)
    held = Counter(row["gathered_into"] for row in gathered)
    wrong = [f"{id_} says {said}, holds {held[id_]}" for id_, said in tables.digests.items() if held[id_] != said]
    yield from _shown("a digest of something else than it says", wrong)


def _readers(tables: Tables) -> dict[UUID, UUID]:
    """Whose each digest is."""
    return {
        row["notification_id"]: row["user_id"] for row in tables.deliveries if row["notification_id"] in tables.digests
    }


def _feeds_without_gaps(tables: Tables, arranged: Arranged) -> Iterable[str]:
    """Each person's feed counts 1 to n, and every notification and each digest of theirs stands in it."""
    events = len(tables.notifications) - len(tables.digests)
    digests = Counter(_readers(tables).values())
    wrong = []
    for row in tables.feeds:
        count = events + digests[row["user_id"]]
        if (row["n"], row["n_distinct"], row["first"], row["last"], row["seq"]) != (count, count, 1, count, count):
            wrong.append(f"{dict(row)} instead of {count}")
    yield from _shown("a feed with gaps", wrong)
    if events and len(tables.feeds) != arranged.people:
        yield f"{len(tables.feeds)} feeds for {arranged.people} people"


def _delivered(tables: Tables, sink: Sink, arranged: Arranged) -> Iterable[str]:
    ends = {"realtime": "sent", "webhook": "delivered", "email": "sent"}
    unfinished = [
        f"{row['id']} {row['channel']} {row['state']} after {row['attempts']} attempts and {row['crashes']} crashes: "
        f"{row['last_error']}"
        for row in tables.deliveries
        if row["state"]
        != (
            "gathered"
            if row["channel"] == "email" and tables.rules[row["notification_id"]] == arranged.gathered
            else ends[row["channel"]]
        )
    ]
    yield from _shown("a delivery did not come to its end", unfinished)
    answered = {id_ for id_, hits in sink.hits.items() if any(hit.answered < 300 for hit in hits)}
    unheard = [
        row["id"] for row in tables.deliveries if row["state"] == "delivered" and webhook_id(row["id"]) not in answered
    ]
    yield from _shown("a delivery is called delivered and nobody heard of it", unheard)


def _attempts_without_gaps(tables: Tables) -> Iterable[str]:
    wrong = [
        f"{row['id']}: attempts {tables.attempts.get(row['id'], [])} recorded, {row['attempts']} counted"
        for row in tables.deliveries
        if row["channel"] == "webhook" and tables.attempts.get(row["id"], []) != list(range(1, row["attempts"] + 1))
    ]
    yield from _shown("a delivery whose attempts are not numbered 1 to n", wrong)


def _heard(tables: Tables, sink: Sink, most_duplicates: int) -> Iterable[str]:
    known = {webhook_id(row["id"]) for row in tables.deliveries}
    yield from _shown("a call for a delivery that does not exist", sink.hits.keys() - known)
    hits = [hit for calls in sink.hits.values() for hit in calls]
    yield from _shown("a call whose signature is wrong", [hit.webhook_id for hit in hits if not hit.genuine])
    changed = [id_ for id_, calls in sink.hits.items() if len({hit.digest for hit in calls}) > 1]
    yield from _shown("a repeated call with another body", changed)
    if sink.elsewhere:
        yield f"{sink.elsewhere} redirects were followed"
    if (count := duplicates(sink)) > most_duplicates:
        yield f"{count} duplicates at the sink, where the faults explain {most_duplicates} at most"


def lost(tables: Tables, ledger: Ledger) -> int:
    """Acknowledged events that are not there."""
    stored = {row["client_event_id"] for row in tables.events}
    return sum(entry.client_event_id not in stored for entry in ledger.acknowledged)


def duplicates(sink: Sink) -> int:
    """Calls beyond the first that was taken; one that we refused has to be repeated."""
    return sum(max(0, sum(hit.answered < 300 for hit in calls) - 1) for calls in sink.hits.values())


def seen_twice(tables: Tables, sink: Sink) -> int:
    """What a receiver that drops every call whose ``webhook-id`` it knows has still seen more than once."""
    told = {row["id"]: (row["event_id"], row["rule_id"]) for row in tables.notifications}
    seen = Counter(
        (told[row["notification_id"]], row["round"])
        for row in tables.deliveries
        if any(hit.answered < 300 for hit in sink.hits.get(webhook_id(row["id"]), ()))
    )
    return sum(count - 1 for count in seen.values())


def webhook_id(delivery_id: UUID) -> str:
    return f"msg_{delivery_id.hex}"


def _shown(what: str, culprits: Iterable[object]) -> Iterable[str]:
    found = [str(culprit) for culprit in culprits]
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        yield f"{len(found)} x {what}: {', '.join(found[:SHOWN])}{more}"
