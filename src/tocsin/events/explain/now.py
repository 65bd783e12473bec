"""Rules of today that did not look at an event as they are: made, changed or switched on since it was processed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.events.explain.schemas import RuleSince, SinceCode
from tocsin.events.models import Event
from tocsin.kit.db import driver
from tocsin.kit.schema import iso
from tocsin.rules import lookup
from tocsin.rules.evaluator import Evaluator
from tocsin.rules.idle import idle_reasons, unless_idle
from tocsin.rules.jobs import Event as JobEvent
from tocsin.rules.jobs import Job, RuleOutcome
from tocsin.rules.matching import patterns_for
from tocsin.rules.models import Rule
from tocsin.rules.targets import read_targets
from tocsin.rules.trial import as_candidate, judged
from tocsin.rules.wording import words_of

MOST_RULES = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """The one who is asked about, as they are now."""

    user_id: UUID
    active: bool
    role_ids: frozenset[UUID]


async def rules_since(
    session: AsyncSession, evaluator: Evaluator, event: Event, asked: Asked, looked: Mapping[UUID, int]
) -> list[RuleSince]:
    """What they say of the event; ``looked`` has the versions that did look at it. Raises Unavailable."""
    covering = select(Rule).where(Rule.active, Rule.event_types.overlap(patterns_for(event.type)))
    rules = [
        rule
        for rule in await session.scalars(covering.order_by(Rule.id).limit(MOST_RULES))
        if looked.get(rule.id) != rule.version
    ]
    if not rules:
        return []
    targets = await read_targets(session, [rule.id for rule in rules])
    candidates = [
        as_candidate(rule, targets[rule.id][0], await words_of(session, rule.project_id, rule.template))
        for rule in rules
    ]
    subject, outcomes = await _judged(session, evaluator, event, candidates)
    idle = await _idle(session, event, rules)
    return [
        _since(rule, event, looked, unless_idle(outcome, reason), targets_person=_targets(candidate, asked, subject))
        for rule, candidate, outcome, reason in zip(rules, candidates, outcomes, idle, strict=True)
    ]


async def _judged(
    session: AsyncSession, evaluator: Evaluator, event: Event, candidates: Sequence[lookup.Rule]
) -> tuple[UUID | None, list[RuleOutcome]]:
    connection = await driver(session)
    sent = await session.scalar(_PAYLOAD, {"id": event.id})
    payload = str(sent).encode()
    subject = await lookup.subject_of(connection, event.project_id, lookup.payload_user(payload))
    moment = iso(event.client_timestamp or event.received_at)
    job = Job(
        JobEvent(str(event.id), event.type, event.source or "", moment, payload),
        subject.fields if subject else None,
        await lookup.project_of(connection, event.project_id),
        [candidate.source for candidate in candidates],
    )
    return subject.id if subject else None, (await judged(evaluator, job)).rules


# As text: what was sent, digit for digit.
_PAYLOAD = text("SELECT payload::text FROM tocsin.events WHERE id = :id")


async def _idle(session: AsyncSession, event: Event, rules: Sequence[Rule]) -> list[str | None]:
    """Why each of the rules would have matched nothing at the moment when the event was processed."""
    connection = await driver(session)
    times, moments = [rule.active_times for rule in rules], [event.processed_at] * len(rules)
    return await idle_reasons(connection, event.project_id, times, moments)


def _targets(rule: lookup.Rule, asked: Asked, subject: UUID | None) -> bool:
    named = asked.user_id in rule.target_users or not asked.role_ids.isdisjoint(rule.target_roles)
    return asked.active and (named or (rule.target_payload_user and subject == asked.user_id))


def _since(
    rule: Rule, event: Event, looked: Mapping[UUID, int], outcome: RuleOutcome, *, targets_person: bool
) -> RuleSince:
    code, began = _began(rule, event, looked)
    matches = outcome.matched and not outcome.error
    who = "would tell this person" if targets_person else "does not tell this person"
    says = f"it would match and {who}" if matches else f"it would not match: {outcome.reason}"
    return RuleSince(
        rule_id=rule.id,
        rule_name=rule.name,
        rule_version=rule.version,
        code=code,
        matches=matches,
        targets_person=targets_person,
        sentence=f"{began}; {says}.",
    )


def _began(rule: Rule, event: Event, looked: Mapping[UUID, int]) -> tuple[SinceCode, str]:
    if rule.id in looked:
        return "changed_since", f"Version {looked[rule.id]} looked at the event, and it is version {rule.version} now"
    if event.processed_at is None or rule.created_at > event.processed_at:
        return "made_since", "The rule was made after the event had been processed"
    return "not_in_force_then", "When the event was processed the rule was switched off or listened to other types"
