"""Which rules an event's type can meet (E6), and whom those rules target: read for a batch of one project.

The cost follows the rules that can match: a type is looked up as itself, as each of its dotted prefixes
and as ``*`` in an index; rules of other types are never read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tocsin.event_types.judge import WarningType
from tocsin.kit.db import Env
from tocsin.kit.together import Calls, uuids
from tocsin.rules.clocked import ClockRun, run_of
from tocsin.rules.jobs import RuleSource
from tocsin.rules.matching import patterns_for
from tocsin.rules.wording import sources, together

ACTION_URL = "actionUrl"
ACTION_LABEL = "actionLabel"

MAX_RECIPIENTS = 10_000
"""Whom one notification tells at most, the first ones."""


class Rule(msgspec.Struct):
    """An active rule as the pipeline needs it. ``source`` is one object for all events of a batch."""

    id: UUID
    version: int
    name: str
    event_types: tuple[str, ...]
    condition: str | None
    title: str
    message: str
    action: dict[str, Any] | None
    channels: tuple[str, ...]
    sound: str | None
    priority: str
    require_ack: bool
    topic: str | None
    target_payload_user: bool
    target_roles: tuple[UUID, ...]
    target_users: tuple[UUID, ...]
    target_destinations: tuple[str, ...] = ()
    sound_digest: str | None = None
    """Of the project's own sound of that name."""
    repeat: dict[str, int] | None = None
    escalation: list[dict[str, Any]] | None = None
    escalation_loops: int = 1
    translations: dict[str, dict[str, Any]] | None = None
    template: dict[str, dict[str, Any]] | None = None
    channel_order: dict[str, int] | None = None
    digest: dict[str, Any] | None = None
    source: RuleSource = msgspec.field(default_factory=lambda: RuleSource(""))

    def __post_init__(self) -> None:
        self.translations = together(self.template, self.translations)
        self.source = _source(self)

    @property
    def runs_by_clock(self) -> bool:
        return not self.event_types

    @property
    def sound_at_once(self) -> str | None:
        """By what a notification of it is heard. One that is gathered makes none: its digest does."""
        return None if self.digest and not self.digest["leading"] else self.sound


class Claimed(msgspec.Struct):
    """A claimed event as read back; ``payload`` is the JSON that was sent."""

    id: UUID
    type: str
    payload: msgspec.Raw
    source: str | None
    client_event_id: str | None
    moment: datetime
    internal: bool


class _Read(msgspec.Struct):
    """The answer of ``read_claimed``."""

    project: dict[str, Any]
    events: list[Claimed]
    rules: list[Rule]
    subjects: dict[str, dict[str, Any]]
    warning_types: list[WarningType] = []


_read = msgspec.json.Decoder(_Read)
_idle = msgspec.json.Decoder(dict[UUID, str])


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that judging a batch of events takes; ``rules`` are the candidates of each event type."""

    project: dict[str, Any]
    events: list[Claimed]
    rules: dict[str, list[Rule]]
    subjects: dict[str, "Subject"]
    clocks: list[Rule]
    """Rules that run by a clock."""
    warning_types: list[WarningType]
    limited: bool
    """Whether the project has a quota of notifications."""
    idle: dict[UUID, str] = field(default_factory=dict)
    """Rules that are outside of their active times and match nothing then, each with the reason (R4)."""

    def candidates(self, event: Claimed) -> list[Rule]:
        """The rules that an event may meet: of its type, or the one whose clock made it."""
        run = self.run(event)
        return self.rules[event.type] if run is None else [rule for rule in self.clocks if rule.id == run.rule_id]

    def run(self, event: Claimed) -> ClockRun | None:
        """The run of a clock that an event tells, if it is one."""
        return run_of(event.type, event.payload) if event.internal else None

    def subject(self, event: Claimed) -> "Subject | None":
        """The person an event is about, if the project knows them."""
        named = payload_user(event.payload)
        return self.subjects.get(named) if named else None


READ_CLAIMED = """
SELECT c.number, tocsin.read_claimed(c.project, c.env, c.ids::uuid[], c.token), tocsin.idle_rules(c.project, c.env),
    EXISTS (SELECT FROM tocsin.entitlements(ARRAY[c.project]) e WHERE e.quotas->>'notifications' IS NOT NULL),
    tocsin.branding_said(c.project)::text
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) WITH ORDINALITY AS c (project, env, ids, token, number)
"""


async def read_claimed(reading: Calls, project_id: UUID, env: Env, ids: Sequence[UUID], token: UUID) -> Batch:
    """The events that are still leased with this token, and what their rules need: one round trip."""
    (row,) = await reading.call(project_id, env, uuids(ids), token, weight=len(ids))
    read = _read.decode(row[1])
    subjects = {external_id: _subject(fields) for external_id, fields in read.subjects.items()}
    clocks = [rule for rule in read.rules if rule.runs_by_clock]
    idle = _idle.decode(row[2] or "{}")
    project = with_branding(read.project, row[4])
    return Batch(project, read.events, _by_type(read), subjects, clocks, read.warning_types, row[3], idle)


def _by_type(read: _Read) -> dict[str, list[Rule]]:
    """The candidate rules of each event type, in the order they were made."""
    rules = sorted(read.rules, key=attrgetter("id"))
    types = {event.type: set(patterns_for(event.type)) for event in read.events}
    return {
        type_: [rule for rule in rules if not patterns.isdisjoint(rule.event_types)]
        for type_, patterns in types.items()
    }


def _source(rule: Rule) -> RuleSource:
    """A rule's texts for the evaluator; the action's url and label are templates like the others."""
    templates = {"title": rule.title, "message": rule.message}
    if rule.action:
        templates[ACTION_URL] = rule.action["url"]
        if rule.action.get("label"):
            templates[ACTION_LABEL] = rule.action["label"]
    templates |= sources(rule.translations)
    return RuleSource(str(rule.id), rule.condition or None, templates)


ACTIVE_PEOPLE = """
SELECT c.number, p.role_id, p.user_id
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS c (project, env, roles, users, number)
CROSS JOIN LATERAL tocsin.active_people(c.project, c.env, c.roles::uuid[], c.users::uuid[]) AS p
"""


@dataclass(frozen=True, slots=True)
class People:
    """Who the rules of a batch may mean: active members of each role, and which named users are active."""

    members: dict[UUID, list[UUID]]
    active: frozenset[UUID]

    def recipients(self, rule: Rule, payload_user: UUID | None) -> dict[UUID, str]:
        """Each recipient once, with the first reason that named them (R1)."""
        found: dict[UUID, str] = {}
        if rule.target_payload_user and payload_user is not None and payload_user in self.active:
            found[payload_user] = "user in the payload"
        for user_id in rule.target_users:
            if user_id in self.active:
                found.setdefault(user_id, "named in the rule")
        for role_id in rule.target_roles:
            for user_id in self.members.get(role_id, ()):
                found.setdefault(user_id, "role")
        return found


async def people_for(
    asked: Calls,
    project_id: UUID,
    env: str,
    rules: Sequence[Rule],
    payload_users: Iterable[UUID],
) -> People:
    """Ask for the people that these rules target, once at most."""
    roles = sorted({role for rule in rules for role in rule.target_roles})
    users = sorted({user for rule in rules for user in rule.target_users} | set(payload_users))
    members: dict[UUID, list[UUID]] = {}
    active: set[UUID] = set()
    found = roles or users
    rows = await asked.call(project_id, env, uuids(roles), uuids(users), weight=1) if found else []
    for _, role_id, user_id in rows:
        if role_id is None:
            active.add(user_id)
        else:
            members.setdefault(role_id, []).append(user_id)
    return People(members, frozenset(active))


@dataclass(frozen=True, slots=True)
class Subject:
    """The person an event is about: ``user`` in conditions and templates (E5)."""

    id: UUID
    fields: dict[str, Any]


async def subject_of(connection: asyncpg.Connection, project_id: UUID, external_id: str | None) -> Subject | None:
    """The known person with this external id."""
    return (await subjects_of(connection, project_id, [external_id])).get(external_id) if external_id else None


async def subjects_of(
    connection: asyncpg.Connection, project_id: UUID, external_ids: Iterable[str]
) -> dict[str, Subject]:
    """The known people with these external ids."""
    if not (wanted := sorted(set(external_ids))):
        return {}
    text = await connection.fetchval("SELECT tocsin.subjects($1, $2)::text", project_id, wanted)
    return {external_id: _subject(fields) for external_id, fields in msgspec.json.decode(text).items()}


def _subject(fields: dict[str, Any]) -> Subject:
    return Subject(UUID(fields["id"]), fields)


async def project_of(connection: asyncpg.Connection, project_id: UUID) -> dict[str, Any]:
    """``project`` in templates, with what ``branding`` is there."""
    query = "SELECT id, name, slug, tocsin.branding_said(id)::text AS branding FROM tocsin.projects WHERE id = $1"
    row = await connection.fetchrow(query, project_id)
    return with_branding({"id": str(row["id"]), "name": row["name"], "slug": row["slug"]}, row["branding"])


def with_branding(project: dict[str, Any], branding: str | None) -> dict[str, Any]:
    return {**project, "branding": msgspec.json.decode(branding)} if branding else project


class _PayloadUser(msgspec.Struct):
    userId: Any = None


_payload_user = msgspec.json.Decoder(_PayloadUser)


def payload_user(payload: bytes | msgspec.Raw) -> str | None:
    """The external id of the person an event is about: ``payload.userId``."""
    value = _payload_user.decode(payload).userId
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
