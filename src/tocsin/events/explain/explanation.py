"""Joining what is on record about one event and one person."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.events.explain import words
from tocsin.events.explain.now import Asked, rules_since
from tocsin.events.explain.record import Record, read_record
from tocsin.events.explain.schemas import (
    AttemptExplained,
    DeliveryExplained,
    Explanation,
    RuleCode,
    RuleExplained,
    Verdict,
)
from tocsin.events.models import Event
from tocsin.events.schemas import AttemptOfEventAnswer
from tocsin.kit.errors import NotFound
from tocsin.rules.evaluator import Evaluator
from tocsin.users.models import Role, User, UserRole


async def explain(
    session: AsyncSession, evaluator: Evaluator, event_id: UUID, person: User, *, own: bool, roles_shown: bool
) -> Explanation:
    """``own`` confines it to what told the person. Raises NotFound, Unavailable."""
    event = (await session.scalars(select(Event).where(Event.id == event_id))).one_or_none()
    if event is None:
        raise NotFound()
    roles = (await session.execute(_roles_of(person))).all()
    record = await read_record(session, event, person, [row.name for row in roles])
    told: list[dict[str, Any]] = event.trace or []
    rules = [_rule(each, record, own=own) for each in told]
    if own:
        rules = [rule for rule in rules if rule.code == "recipient"]
        if not rules:
            raise NotFound()
    since = []
    if not own and event.processed_at is not None:
        asked = Asked(person.id, person.status == "active", frozenset(row.id for row in roles))
        looked = {UUID(each["ruleId"]): each["ruleVersion"] for each in told}
        since = await rules_since(session, evaluator, event, asked, looked)
    verdict, said = _verdict(event, rules)
    return Explanation(
        event_id=event.id,
        event_type=event.type,
        user_id=person.id,
        external_user_id=person.external_user_id,
        verdict=verdict,
        code=said.code,
        sentence=said.sentence,
        status=person.status,
        roles_now=list(record.roles_now) if roles_shown else None,
        roles_then=list(record.roles_then) if roles_shown and record.roles_then is not None else None,
        rules=rules,
        rules_since=since,
    )


def _roles_of(person: User) -> Any:
    held = (UserRole.project_id == Role.project_id) & (UserRole.role_id == Role.id)
    return select(Role.id, Role.name).join(UserRole, held).where(UserRole.user_id == person.id).order_by(Role.name)


def _rule(told: dict[str, Any], record: Record, *, own: bool) -> RuleExplained:
    notification = UUID(told["notificationId"]) if "notificationId" in told else None
    heard = record.heard.get(notification) if notification else None
    rows = record.deliveries.get(notification, []) if notification else []
    code, sentence = _said_of_rule(told, record, heard)
    return RuleExplained(
        rule_id=told["ruleId"],
        rule_name=told["ruleName"],
        rule_version=told["ruleVersion"],
        code=code,
        sentence=sentence,
        matched=told["matched"],
        reason=None if own else told["reason"],
        notification_id=notification if heard else None,
        told_again=len({row.round for row in rows if row.round}),
        seen_at=heard.seen_at if heard else None,
        read_at=heard.read_at if heard else None,
        acknowledged_at=heard.acked_at if heard else None,
        acknowledged_by=heard.acked_by if heard else None,
        deliveries=[_delivery(row, record, own=own) for row in rows],
    )


def _said_of_rule(told: dict[str, Any], record: Record, heard: Any) -> tuple[RuleCode, str]:
    version = record.versions.get((UUID(told["ruleId"]), told["ruleVersion"]))
    roles = (version or {}).get("targetRoles") or []
    if heard is not None:
        why = words.of_recipient(heard.reason, [role for role in roles if role in record.roles_known])
        return "recipient", f"The rule matched and told the person, because {why}."
    if told.get("error") == "condition_error":
        return "condition_error", f"The rule's condition went wrong: {told['reason']}."
    if told.get("error") and "notificationId" not in told:
        return "render_error", f"The rule matched, but its texts could not be made: {told['reason']}."
    if not told["matched"]:
        return "did_not_match", f"The rule did not match: {told['reason']}."
    if version is None:
        return "rule_deleted", "The rule matched, but it is gone, and whom it told is not known any more."
    return _not_told(told, version, record)


def _not_told(told: dict[str, Any], version: Mapping[str, Any], record: Record) -> tuple[RuleCode, str]:
    """Why somebody is no recipient of a rule that matched, by its targets then and what is known of the person."""
    person, event, roles = record.person, record.event, set(version.get("targetRoles") or [])
    targets = words.of_targets(version, str(person.id))
    named = str(person.id) in (version.get("targetUsers") or [])
    if event.processed_at is not None and person.created_at > event.processed_at:
        return "not_known_then", f"The rule matched and tells {targets}; the person was made known only after that."
    if (named or roles & set(record.roles_known)) and BEYOND in told["reason"]:
        return "beyond_limit", f"The rule matched and tells {targets}, which are more than one notification reaches."
    if named or (record.roles_then is not None and roles & set(record.roles_then)):
        return "was_not_active", f"The rule matched and tells {targets}, but the person was not active then."
    if roles & set(record.roles_now):
        return (
            "targeted_since",
            f"The rule matched and tells {targets}, but the person was not one of them then, or not active.",
        )
    return "not_targeted", f"The rule matched, but it tells {targets}, and not this person."


BEYOND = "people only"
"""Of the trace's remark that a rule means more people than one notification tells."""


def _delivery(row: Any, record: Record, *, own: bool) -> DeliveryExplained:
    said = words.of_delivery(row)
    if said.code in ("blocked", "opted_out") and row.channel in record.blocked:
        said = words.of_delivery(row, record.blocked[row.channel])
    attempts = [] if own else record.attempts.get(row.id, [])
    return DeliveryExplained(
        id=row.id,
        channel=row.channel,
        state="queued" if row.state == "leased" else row.state,
        round=row.round,
        code=said.code,
        sentence=said.sentence,
        detail=row.last_error,
        due_at=row.due_at if row.state in ("leased", *PENDING) and row.finished_at is None else None,
        attempts=[
            AttemptExplained(**AttemptOfEventAnswer.model_validate(each).model_dump(), sentence=words.of_attempt(each))
            for each in attempts
        ],
    )


PENDING = ("queued", "held", "gathered")


def _verdict(event: Event, rules: Sequence[RuleExplained]) -> tuple[Verdict, words.Said]:
    """The surest arrival, else what is still to come, else the first reason why there was none."""
    if seen := next((rule.seen_at for rule in rules if rule.seen_at), None):
        return "received", words.Said("seen", f"The person saw it at {words.moment(seen)}.")
    deliveries = [each for rule in rules for each in rule.deliveries]
    for code in words.ARRIVED:
        for each in deliveries:
            if each.code == code:
                return "received", words.Said(code, each.sentence)
    if event.state in ("received", "leased"):
        return "pending", words.Said("not_processed", "The event is stored, and its rules have not been run yet.")
    for each in deliveries:
        if each.state in PENDING:
            return "pending", words.Said(each.code, each.sentence)
    return "not_received", _why_not(event, rules, deliveries)


def _why_not(event: Event, rules: Sequence[RuleExplained], deliveries: Sequence[DeliveryExplained]) -> words.Said:
    if deliveries:
        return words.Said(deliveries[0].code, deliveries[0].sentence)
    if any(rule.code == "recipient" for rule in rules):
        sentence = "It stands in the person's feed, and the rule has no channel that reaches people one by one."
        return words.Said("no_channel", sentence)
    if event.state == "failed":
        return words.Said("event_failed", "The event was set aside: processes ended over it again and again.")
    nearest = next((rule for rule in rules if rule.matched), rules[0] if rules else None)
    if nearest is None:
        return words.Said("no_rule", f"No active rule listened to {event.type}.")
    return words.Said(nearest.code, f"{nearest.rule_name}: {nearest.sentence}")
