"""A stage of the worker: windows that are over, each as one message (R4).

What a window holds is read, put into words with no transaction open, and written in a transaction of its project's:
the digest as a notification with its deliveries, and that its items are in it; or nothing. Nothing is claimed
meanwhile. Two workers may put the same window into words, and one of them writes it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog

from tocsin.channels.registry import kinds
from tocsin.kit import crash
from tocsin.kit.broker import Broker, Waiter
from tocsin.kit.db import Database, Env, json_text
from tocsin.kit.due import NextLook, act_on
from tocsin.kit.schema import iso
from tocsin.kit.together import Together, uuids
from tocsin.notifications.write import DEVICES_OF, NewNotification, rows, with_devices
from tocsin.realtime.signal import channel_of, signals
from tocsin.rules.evaluator import Evaluator, EvaluatorUnavailable
from tocsin.rules.jobs import DIGEST, Event, Job, RuleOutcome, RuleSource
from tocsin.sounds.built_in import digest_of

MOST_AT_ONCE = 500
MOST_EACH = 50
"""Windows of a project in one transaction."""
TOGETHER = 200

READ = """
SELECT c.number, tocsin.read_digests(c.project, c.env, c.ids::uuid[])
FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS c (project, env, ids, number)
"""
WRITE = """
SELECT c.number, tocsin.write_digests(c.project, c.env, c.windows::json, c.made::json)
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS c (project, env, windows, made, number)
"""

log = structlog.get_logger(__name__)


class Window(msgspec.Struct):
    """One person's window of one rule. ``items`` are the first of its ``count`` notifications that nobody has
    acknowledged; it tells of those that came after ``told`` and up to ``upto``."""

    id: UUID
    rule_id: UUID | None
    rule_name: str
    rule_version: int
    channels: list[str]
    after_seconds: int | None
    priority: str
    sound: str | None
    sound_digest: str | None
    topic: str | None
    told: int
    upto: int
    due_at: datetime
    title: str | None
    message: str | None
    user: dict[str, Any]
    count: int
    items: list[dict[str, Any]]


class _Read(msgspec.Struct):
    """The answer of ``read_digests``."""

    project: dict[str, Any]
    windows: list[Window]


_read = msgspec.json.Decoder(_Read)


@dataclass(frozen=True, slots=True)
class Words:
    title: str
    message: str


class DigestStage:
    def __init__(self, db: Database, broker: Broker, evaluator: Evaluator, ear: Waiter) -> None:
        """``ear`` is woken when something is due."""
        self._db = db
        self._broker = broker
        self._evaluator = evaluator
        self._reading = Together(db, READ, TOGETHER)
        self._devices = Together(db, DEVICES_OF, TOGETHER)
        self._writing = Together(db, WRITE, TOGETHER)
        self._next = NextLook(db, ear, "SELECT tocsin.digests_in()")

    async def run_once(self) -> bool:
        """Everything that is due, as far as it goes at once; True when there may be more."""
        due = await self._db.hot.fetch("SELECT project_id, env, ids FROM tocsin.due_digests($1)", MOST_AT_ONCE)
        if due:
            crash.here("digest.after_due")
        done = await act_on(due, MOST_EACH, self._tell, unless=EvaluatorUnavailable)
        if done.made:
            self._broker.wake("deliveries")
        return await self._next.after(done, MOST_AT_ONCE // 2)

    async def _tell(self, project_id: UUID, env: Env, ids: list[UUID]) -> int:
        """How many digests it wrote."""
        (row,) = await self._reading.call(project_id, env, uuids(ids), weight=len(ids))
        read = _read.decode(row[1])
        words = await self._worded(read)
        crash.here("digest.after_read")
        digests = [(window, _digest(window, words[window.id]) if window.count else None) for window in read.windows]
        made = [digest for _, digest in digests if digest is not None]
        made = await with_devices(self._devices, project_id, env, made)
        windows = [
            {"id": window.id, "told": window.told, "upto": window.upto, "notification_id": digest and digest.id}
            for window, digest in digests
        ]
        crash.soon("digest.under_way")
        (row,) = await self._writing.call(project_id, env, json_text(windows), rows(made), weight=len(windows))
        crash.here("digest.after_commit")
        for message in signals("created", row[1]):
            self._broker.publish(channel_of(project_id, env), message)
        return len(row[1])

    async def _worded(self, read: _Read) -> dict[UUID, Words]:
        """The words of each window: the rule's own where it has some and they could be printed."""
        named = [window for window in read.windows if window.count and (window.title or window.message)]
        outcomes = await self._evaluator.evaluate([_job(window, read.project) for window in named]) if named else []
        printed = {UUID(each.event_id): each.rules[0] for each in outcomes}
        return {window.id: _words(window, printed.get(window.id)) for window in read.windows}


def _job(window: Window, project: dict[str, Any]) -> Job:
    templates = {"title": window.title, "message": window.message}
    payload = msgspec.json.encode({"items": window.items, "count": window.count, "rule": {"name": window.rule_name}})
    return Job(
        Event(str(window.id), DIGEST, "", iso(window.due_at), payload),
        window.user,
        project,
        [RuleSource(str(window.rule_id), None, {name: text for name, text in templates.items() if text})],
    )


def _words(window: Window, outcome: RuleOutcome | None) -> Words:
    """What stands in for a template that is missing, or that could not be printed: one notification speaks for itself,
    several are listed by their titles."""
    if outcome is not None and outcome.error:
        log.warning("digest in plain words", rule=outcome.rule_id, reason=outcome.reason)
    printed = outcome.rendered if outcome is not None and not outcome.error else {}
    plain = _plain(window)
    return Words(printed.get("title") or plain.title, printed.get("message", plain.message))


def _plain(window: Window) -> Words:
    if window.count == 1:
        return Words(window.items[0]["title"], window.items[0]["message"])
    lines = [f"• {item['title']}" for item in window.items]
    if more := window.count - len(lines):
        lines.append(f"and {more:,} more")
    return Words(f"{window.count:,} × {window.rule_name}", "\n".join(lines))


def _digest(window: Window, words: Words) -> NewNotification:
    """The one notification of a window, by those of its channels that are still there."""
    return NewNotification(
        event_id=None,
        event_type=None,
        client_event_id=None,
        rule_id=window.rule_id,
        rule_version=window.rule_version if window.rule_id else None,
        title=words.title,
        message=words.message,
        action=window.items[0]["action"] if window.count == 1 else None,
        sound=window.sound,
        sound_digest=digest_of(window.sound, window.sound_digest),
        priority=window.priority,
        require_ack=False,
        topic=window.topic,
        channels=[channel for channel in window.channels if channel in kinds()],
        recipients={UUID(window.user["id"]): f"digest of {window.count:,}"},
        after_seconds=window.after_seconds,
        gathers=window.count,
        internal=True,
    )
