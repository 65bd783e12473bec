"""A stage of the worker: windows that are over, each as one message (R4).

What a window holds is read, put into words with no transaction open, and written in a transaction of its project's:
the digest as a notification with its deliveries, and that its items are in it; or nothing. Nothing is claimed
meanwhile. Two workers may put the same window into words, and one of them writes it.
"""

from typing import Any
from uuid import UUID

import msgspec

from tocsin.channels.registry import kinds
from tocsin.kit import crash
from tocsin.kit.broker import Broker, Waiter
from tocsin.kit.db import Database, Env, json_text
from tocsin.kit.due import NextLook, act_on
from tocsin.kit.together import Together, uuids
from tocsin.notifications.write import DEVICES_OF, NewNotification, rows, with_devices
from tocsin.realtime.signal import channel_of, signals
from tocsin.rules.digest_words import DigestWords, Window, job_of, words_of
from tocsin.rules.evaluator import Evaluator, EvaluatorUnavailable
from tocsin.rules.lookup import with_branding
from tocsin.sounds.built_in import digest_of

MOST_AT_ONCE = 500
MOST_EACH = 50
"""Windows of a project in one transaction."""
TOGETHER = 200

READ = """
SELECT c.number, tocsin.read_digests(c.project, c.env, c.ids::uuid[]), tocsin.branding_said(c.project)::text
FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS c (project, env, ids, number)
"""
WRITE = """
SELECT c.number, tocsin.write_digests(c.project, c.env, c.windows::json, c.made::json)
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS c (project, env, windows, made, number)
"""


class _Read(msgspec.Struct):
    """The answer of ``read_digests``."""

    project: dict[str, Any]
    windows: list[Window]


_read = msgspec.json.Decoder(_Read)


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
        read.project = with_branding(read.project, row[2])
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

    async def _worded(self, read: _Read) -> dict[UUID, DigestWords]:
        """The words of each window: the rule's own where it has some and they could be printed."""
        jobs = [job for window in read.windows if window.count and (job := job_of(window, read.project)) is not None]
        outcomes = await self._evaluator.evaluate(jobs) if jobs else []
        printed = {UUID(each.event_id): each.rules[0] for each in outcomes}
        return {window.id: words_of(window, printed.get(window.id)) for window in read.windows}


def _digest(window: Window, words: DigestWords) -> NewNotification:
    """The one notification of a window, by those of its channels that are still there."""
    return NewNotification(
        event_id=None,
        event_type=None,
        client_event_id=None,
        rule_id=window.rule_id,
        rule_version=window.rule_version if window.rule_id else None,
        title=words.title,
        message=words.message,
        action=words.action,
        translations=words.by_channel,
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
