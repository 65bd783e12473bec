"""Which rules an event's type can meet (E6), and whom those rules target: read for a batch of one project.

The cost follows the rules that can match: a type is looked up as itself, as each of its dotted prefixes
and as ``*`` in an index; rules of other types are never read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tocsin.rules.jobs import RuleSource
from tocsin.rules.matching import patterns_for

ACTION_URL = "actionUrl"
ACTION_LABEL = "actionLabel"


@dataclass(frozen=True, slots=True)
class Rule:
    """An active rule as the pipeline needs it."""

    id: UUID
    version: int
    name: str
    source: RuleSource
    channels: tuple[str, ...]
    sound: str | None
    priority: str
    require_ack: bool
    topic: str | None
    target_payload_user: bool
    target_roles: tuple[UUID, ...]
    target_users: tuple[UUID, ...]


_RULES = """
SELECT p.pattern, r.id, r.version, r.name, r.condition, r.title, r.message, r.action, r.channels, r.sound,
    r.priority, r.require_ack, r.topic, r.target_payload_user,
    ARRAY(SELECT t.role_id FROM tocsin.rule_targets t WHERE t.project_id = r.project_id AND t.rule_id = r.id
        AND t.role_id IS NOT NULL ORDER BY t.position) AS roles,
    ARRAY(SELECT t.user_id FROM tocsin.rule_targets t WHERE t.project_id = r.project_id AND t.rule_id = r.id
        AND t.user_id IS NOT NULL ORDER BY t.position) AS users
FROM tocsin.rule_patterns p JOIN tocsin.rules r ON r.project_id = p.project_id AND r.id = p.rule_id
WHERE p.project_id = $1 AND p.pattern = ANY($2) AND r.active
ORDER BY r.id
"""


async def rules_for(connection: asyncpg.Connection, project_id: UUID, types: Iterable[str]) -> dict[str, list[Rule]]:
    """The candidate rules of each event type, in the order they were made."""
    wanted = {type_: patterns_for(type_) for type_ in set(types)}
    patterns = sorted({pattern for named in wanted.values() for pattern in named})
    rows = await connection.fetch(_RULES, project_id, patterns)
    rules: dict[UUID, Rule] = {}
    by_pattern: dict[str, list[UUID]] = {}
    for row in rows:
        rules.setdefault(row["id"], _rule(row))
        by_pattern.setdefault(row["pattern"], []).append(row["id"])
    return {
        type_: [rules[id_] for id_ in sorted({id_ for pattern in named for id_ in by_pattern.get(pattern, ())})]
        for type_, named in wanted.items()
    }


def _rule(row: Any) -> Rule:
    return Rule(
        id=row["id"],
        version=row["version"],
        name=row["name"],
        source=source_of(row["id"], row["condition"], row["title"], row["message"], row["action"]),
        channels=tuple(row["channels"]),
        sound=row["sound"],
        priority=row["priority"],
        require_ack=row["require_ack"],
        topic=row["topic"],
        target_payload_user=row["target_payload_user"],
        target_roles=tuple(row["roles"]),
        target_users=tuple(row["users"]),
    )


def source_of(
    rule_id: UUID | str, condition: str | None, title: str, message: str, action: str | dict[str, Any] | None
) -> RuleSource:
    """A rule's texts for the evaluator; the action's url and label are templates like the others."""
    templates = {"title": title, "message": message}
    if action:
        told = msgspec.json.decode(action) if isinstance(action, str) else action
        templates[ACTION_URL] = told["url"]
        if told.get("label"):
            templates[ACTION_LABEL] = told["label"]
    return RuleSource(str(rule_id), condition or None, templates)


# OFFSET 0 has each person looked up by key. Left to itself the planner believes that a project has as few people as
# most have, and reads all of them again for each member: 23 s for a role of 10,000.
_MEMBERS = """
SELECT m.role_id, m.user_id FROM tocsin.user_roles m
CROSS JOIN LATERAL (
    SELECT u.status FROM tocsin.users u WHERE u.project_id = m.project_id AND u.id = m.user_id OFFSET 0
) u
WHERE m.project_id = $1 AND m.role_id = ANY($2) AND u.status = 'active'
"""
_ACTIVE = "SELECT id FROM tocsin.users WHERE project_id = $1 AND id = ANY($2) AND status = 'active'"


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
    connection: asyncpg.Connection, project_id: UUID, rules: Sequence[Rule], payload_users: Iterable[UUID]
) -> People:
    """Read the people that these rules target, in two queries at most."""
    roles = sorted({role for rule in rules for role in rule.target_roles})
    users = sorted({user for rule in rules for user in rule.target_users} | set(payload_users))
    members: dict[UUID, list[UUID]] = {}
    if roles:
        for row in await connection.fetch(_MEMBERS, project_id, roles):
            members.setdefault(row["role_id"], []).append(row["user_id"])
    active = (
        frozenset(row["id"] for row in await connection.fetch(_ACTIVE, project_id, users)) if users else frozenset()
    )
    return People(members, active)


_SUBJECTS = """
SELECT DISTINCT ON (external_user_id) id, external_user_id, email, name, phone, status, locale, timezone,
    metadata::text AS metadata
FROM tocsin.users WHERE project_id = $1 AND external_user_id = ANY($2)
ORDER BY external_user_id, env DESC
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """The person an event is about: ``user`` in conditions and templates (E5)."""

    id: UUID
    fields: dict[str, Any]


async def subjects_of(
    connection: asyncpg.Connection, project_id: UUID, external_ids: Iterable[str]
) -> dict[str, Subject]:
    """The known people among these external ids; a test row wins over a live one (A2)."""
    wanted = sorted(set(external_ids))
    if not wanted:
        return {}
    rows = await connection.fetch(_SUBJECTS, project_id, wanted)
    return {
        row["external_user_id"]: Subject(
            row["id"],
            {
                "id": str(row["id"]),
                "externalUserId": row["external_user_id"],
                "email": row["email"],
                "name": row["name"],
                "phone": row["phone"],
                "status": row["status"],
                "locale": row["locale"],
                "timezone": row["timezone"],
                "metadata": msgspec.json.decode(row["metadata"]),
            },
        )
        for row in rows
    }


async def project_of(connection: asyncpg.Connection, project_id: UUID) -> dict[str, Any]:
    """``project`` in templates."""
    row = await connection.fetchrow("SELECT id, name, slug FROM tocsin.projects WHERE id = $1", project_id)
    return {"id": str(row["id"]), "name": row["name"], "slug": row["slug"]}


class _PayloadUser(msgspec.Struct):
    userId: Any = None


_payload_user = msgspec.json.Decoder(_PayloadUser)


def payload_user(payload: bytes) -> str | None:
    """The external id of the person an event is about: ``payload.userId``."""
    value = _payload_user.decode(payload).userId
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
