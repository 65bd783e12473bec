"""Trying a rule on an event: judged and rendered in the child as the worker would, nothing stored or sent."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.channels.registry import kinds
from tocsin.clocks import CLOCK_TYPE
from tocsin.kit.db import Env, driver
from tocsin.kit.errors import FieldError, Invalid, Unavailable
from tocsin.kit.ids import new_id
from tocsin.kit.schema import iso
from tocsin.kit.together import Alone
from tocsin.rules import lookup, wording
from tocsin.rules.destinations import Meant, destinations_for
from tocsin.rules.evaluator import Evaluator, EvaluatorUnavailable
from tocsin.rules.idle import idle_reasons, unless_idle
from tocsin.rules.jobs import Event, Job, Outcome, RuleOutcome
from tocsin.rules.matching import patterns_for
from tocsin.rules.models import Rule
from tocsin.rules.schemas import Rendering, TestAnswer, TestDestination, TestEvent, TestRecipient
from tocsin.rules.targets import Targets

EVENT_BYTES = 256 * 1024
MOST_SHOWN = 200

# Below the 10 s after which PostgreSQL ends a transaction that asks nothing.
MOST_SECONDS = 6


async def try_rule(
    session: AsyncSession, env: Env, evaluator: Evaluator, rule: Rule, targets: Targets, sent: TestEvent
) -> TestAnswer:
    """What a rule, saved or drafted, active or not, would do with an event. Raises Unavailable."""
    payload = msgspec.json.encode(sent.payload)
    if len(payload) > EVENT_BYTES:
        detail = f"An event may have {EVENT_BYTES // 1024} KiB at most."
        raise Invalid([FieldError("/event/payload", "event_too_large", detail)], code="event_too_large")
    if not set(patterns_for(sent.type)) & set(rule.event_types or [CLOCK_TYPE]):
        return _not_covered(rule, sent.type)
    connection = await driver(session)
    candidate = as_candidate(rule, targets, await wording.words_of(session, rule.project_id, rule.template))
    subject = await lookup.subject_of(connection, rule.project_id, lookup.payload_user(payload))
    event = Event(str(new_id()), sent.type, sent.source or "", iso(datetime.now(UTC)), payload)
    project = await lookup.project_of(connection, rule.project_id)
    job = Job(event, subject.fields if subject else None, project, [candidate.source])
    (outcome,) = (await judged(evaluator, job)).rules
    (idle,) = await idle_reasons(connection, rule.project_id, [rule.active_times], [None])
    people = await lookup.people_for(
        Alone(connection, lookup.ACTIVE_PEOPLE), rule.project_id, env, [candidate], [subject.id] if subject else []
    )
    recipients = people.recipients(candidate, subject.id if subject else None)
    named = await destinations_for(connection, rule.project_id, env, candidate.target_destinations, recipients)
    # A mistake is told at any hour.
    said = outcome if outcome.error else unless_idle(outcome, idle)
    return _told(rule, said, list(recipients), named.meant(candidate.target_destinations, recipients))


def _not_covered(rule: Rule, type_: str) -> TestAnswer:
    reason = f"the rule's event types do not cover {type_!r}: {', '.join(rule.event_types or [CLOCK_TYPE])}"
    return _told(rule, RuleOutcome(str(rule.id), False, reason), [], Meant([], []))


def as_candidate(rule: Rule, targets: Targets, template: dict[str, dict[str, Any]] | None) -> lookup.Rule:
    """The rule as the pipeline would read it."""
    return lookup.Rule(
        id=rule.id,
        version=rule.version,
        name=rule.name,
        event_types=tuple(rule.event_types),
        condition=rule.condition,
        title=rule.title,
        message=rule.message,
        action=rule.action,
        channels=tuple(rule.channels),
        sound=rule.sound,
        priority=rule.priority,
        require_ack=rule.require_ack,
        topic=rule.topic,
        target_payload_user=rule.target_payload_user,
        target_roles=tuple(targets.roles),
        target_users=tuple(targets.users),
        target_destinations=tuple(rule.target_destinations),
        translations=rule.translations,
        template=template,
        channel_order=rule.channel_order,
        digest=rule.digest,
    )


async def judged(evaluator: Evaluator, job: Job) -> Outcome:
    """What the rules of a job say, while a request waits for it. Raises Unavailable."""
    try:
        async with asyncio.timeout(MOST_SECONDS):
            (outcome,) = await evaluator.evaluate([job])
    except EvaluatorUnavailable as error:
        raise Unavailable("evaluator_unavailable", str(error), 2) from None
    except TimeoutError:
        raise Unavailable("evaluator_busy", "Too many rules are being tested at the moment; try again.", 2) from None
    return outcome


def _told(rule: Rule, outcome: RuleOutcome, recipients: list[UUID], meant: Meant) -> TestAnswer:
    """The answer; whoever would be told is named only when there is something to tell them."""
    tells = outcome.matched and not outcome.error
    known = kinds()
    personal = [channel for channel in rule.channels if channel in known and known[channel].reaches == "person"]
    reached = recipients if tells else []
    return TestAnswer(
        matched=outcome.matched,
        reason="; ".join([outcome.reason, *(meant.remarks if tells else [])]),
        error=outcome.error or None,
        recipients=[TestRecipient(user_id=user_id, channels=personal) for user_id in reached[:MOST_SHOWN]],
        recipients_total=len(reached),
        project_channels=[c for c in rule.channels if c in known and known[c].reaches == "project"] if tells else [],
        destinations=[TestDestination.model_validate(place) for place in meant.places] if tells else [],
        rendered=rendering(outcome.rendered) if outcome.rendered else None,
        missing=outcome.missing,
    )


def rendering(texts: dict[str, str]) -> Rendering:
    return Rendering(
        title=texts["title"],
        message=texts["message"],
        action_url=texts.get(lookup.ACTION_URL),
        action_label=texts.get(lookup.ACTION_LABEL),
        translations=wording.printed(texts) or {},
    )
