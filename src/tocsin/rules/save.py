"""Saving a rule: checked as a whole, then written with its targets, patterns and version in one transaction."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.principal import Principal
from tocsin.channels.registry import kinds
from tocsin.clocks import CLOCK_TYPE
from tocsin.clocks.keep import keep_clock
from tocsin.kit.db import Env
from tocsin.kit.errors import FieldError, Invalid
from tocsin.kit.ids import new_id
from tocsin.plans.totals import room_for
from tocsin.rules import conditions, templates, translations
from tocsin.rules.crowding import lock_rules, refuse_crowding
from tocsin.rules.declared import unknown_fields
from tocsin.rules.fit import refuse_unfit
from tocsin.rules.matching import widest
from tocsin.rules.models import Rule, RulePattern, RuleVersion
from tocsin.rules.schemas import RuleAnswer, RuleCreate, RuleUpdate, RuleWarning
from tocsin.rules.show import find_rule, shown_one
from tocsin.rules.targets import Targets, read_targets, resolve, write_targets
from tocsin.rules.triggers import refuse_untimely
from tocsin.sounds.names import unknown_names

_TARGETS: dict[str, Any] = {
    "target_roles": True,
    "target_users": True,
    "escalation": {"__all__": {"roles", "users"}},
}
"""Kept as rows of their own."""


class Author(Protocol):
    """Who makes or changes a rule: ``kind`` is that of a caller."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> UUID: ...


async def create_rule(
    session: AsyncSession, project_id: UUID, env: Env, author: Author, body: RuleCreate, starter: str | None = None
) -> RuleAnswer:
    """A new rule, installed as a starter or not.

    Raises Invalid with every mistake at its place, Conflict when a type gets too many rules.
    """
    targets = await checked(session, project_id, body)
    await translations.refuse_languages(session, project_id, body)
    async with room_for(session, project_id, env, "rules"):
        await lock_rules(session, project_id)
        rule = drafted(project_id, env, body)
        rule.created_by, rule.starter = author.id, starter
        session.add(rule)
        await session.flush()
    await write_targets(session, rule, targets)
    return await _finish(session, rule, author)


async def change_rule(
    session: AsyncSession, rule_id: UUID, author: Principal, body: RuleUpdate
) -> tuple[RuleAnswer, RuleAnswer]:
    """Change what was sent; the rule before and after, of the same version when that changed nothing.

    A rule that Tocsin had suspended counts as mended: the reason goes, ``active`` is the caller's to set.
    """
    # A name from before there were sounds may stay, and be sent again with the rest.
    kept = (await find_rule(session, rule_id)).sound
    sent = await checked(session, author.project_id, body, kept_sound=kept)
    await translations.refuse_languages(session, author.project_id, body)
    # One that heard of Tocsin's own occurrences alone counts towards nothing until it hears of something else.
    totals = ("rules",) if body.model_fields_set & {"event_types", "clock"} else ()
    async with room_for(session, author.project_id, author.env, *totals):
        await lock_rules(session, author.project_id)
        return await _change(session, await find_rule(session, rule_id), author, body, sent)


async def _change(
    session: AsyncSession, rule: Rule, author: Author, body: RuleUpdate, sent: Targets
) -> tuple[RuleAnswer, RuleAnswer]:
    before = await shown_one(session, rule)
    targets, _ = (await read_targets(session, [rule.id]))[rule.id]
    wanted = Targets(
        sent.roles if "target_roles" in body.model_fields_set else targets.roles,
        sent.users if "target_users" in body.model_fields_set else targets.users,
        sent.steps if "escalation" in body.model_fields_set else targets.steps,
    )
    for name, value in body.model_dump(include=body.model_fields_set, exclude=_TARGETS).items():
        setattr(rule, name, value)
    if body.clock is not None:
        rule.clock = body.clock.model_dump()  # with what it says by leaving it out
    if not session.is_modified(rule) and wanted == targets:
        return before, before
    rule.suspended_reason = None
    rule.version += 1
    await session.flush()
    if wanted != targets:
        await write_targets(session, rule, wanted)
    return before, await _finish(session, rule, author)


def drafted(project_id: UUID, env: Env, body: RuleCreate) -> Rule:
    """The row that a body describes, in no session yet."""
    return Rule(project_id=project_id, id=new_id(), env=env, version=1, **body.model_dump(exclude=_TARGETS))


async def checked(
    session: AsyncSession,
    project_id: UUID,
    body: RuleCreate | RuleUpdate,
    pointer: str = "",
    *,
    kept_sound: str | None = None,
) -> Targets:
    """The targets of what was sent. Raises Invalid with the mistakes in its texts and the names nobody has."""
    mistakes = await asyncio.to_thread(lambda: list(_mistakes(body, pointer)))
    targets, unknown = await resolve(session, body, pointer)
    named = {f"{pointer}/sound": body.sound} if body.sound not in (None, kept_sound) else {}
    if errors := [*mistakes, *unknown, *await unknown_names(session, project_id, named)]:
        raise Invalid(errors)
    return targets


def _mistakes(body: RuleCreate | RuleUpdate, pointer: str) -> Iterator[FieldError]:
    """What is wrong with the condition and the templates; 0.1 s for the largest template, so not on the loop."""
    texts: list[tuple[Callable[[str, str], list[FieldError]], str | None, str]] = [
        (conditions.check, body.condition, "condition"),
        (templates.check, body.title, "title"),
        (templates.check, body.message, "message"),
        (templates.check, body.action.url if body.action else None, "action/url"),
        (templates.check, body.action.label if body.action else None, "action/label"),
    ]
    if body.digest:
        texts.append((_check_digest, body.digest.title, "digest/title"))
        texts.append((_check_digest, body.digest.message, "digest/message"))
        for language, said in (body.digest.translations or {}).items():
            texts.append((_check_digest, said.title, f"digest/translations/{language}/title"))
            texts.append((_check_digest, said.message, f"digest/translations/{language}/message"))
    for check, text, place in texts:
        if text is not None:
            yield from check(text, f"{pointer}/{place}")
    yield from translations.mistakes(body.translations, pointer)


def _check_digest(text: str, pointer: str) -> list[FieldError]:
    return templates.check(text, pointer, templates.DIGEST_NAMES)


async def _finish(session: AsyncSession, rule: Rule, author: Author) -> RuleAnswer:
    """Make the rule findable by its patterns while it is active, and keep this version of it."""
    refuse_unfit(rule)
    _refuse_unstoppable(rule)
    _refuse_unordered(rule)
    _refuse_ungathered(rule)
    refuse_untimely(rule)
    _refuse_held_alarms(rule)
    await translations.refuse_unknown_template(session, rule.template)
    await translations.refuse_unknown_template(session, (rule.digest or {}).get("template"), "digest")
    warnings = await unknown_fields(session, rule.project_id, rule.event_types, rule.condition)
    await session.execute(delete(RulePattern).where(RulePattern.rule_id == rule.id))
    if rule.active:
        patterns, place = ([CLOCK_TYPE], "/clock") if rule.clock else (widest(rule.event_types), "/eventTypes/{}")
        await refuse_crowding(session, rule.project_id, rule.id, rule.event_types or patterns, place)
        await session.execute(insert(RulePattern), [_pattern(rule, pattern) for pattern in patterns])
    await keep_clock(session, rule.project_id, rule.env, rule.id, rule.clock if rule.active else None)
    await session.refresh(rule)
    answer = await shown_one(session, rule)
    session.add(
        RuleVersion(
            project_id=rule.project_id,
            rule_id=rule.id,
            version=rule.version,
            env=rule.env,
            rule=answer.model_dump(mode="json", by_alias=True, exclude={"warnings"}),
            created_by=f"{author.kind}:{author.id}",
        )
    )
    await session.flush()
    return answer.model_copy(update={"warnings": [RuleWarning.model_validate(each) for each in warnings]})


def _refuse_unstoppable(rule: Rule) -> None:
    """Raise Invalid for a rule that would insist on something nobody is asked to acknowledge (R3)."""
    if (rule.repeat or rule.escalation) and not rule.require_ack:
        detail = "What repeats or escalates does so until somebody acknowledges: set requireAck."
        raise Invalid([FieldError("/requireAck", "needs_acknowledgement", detail)])


def _refuse_held_alarms(rule: Rule) -> None:
    """Raise Invalid for a rule that would have something critical wait for its active times (R4)."""
    if rule.priority == "critical" and rule.active_times and rule.active_times["outside"] == "hold":
        detail = "What is critical never waits: choose skip, or another priority."
        raise Invalid([FieldError("/activeTimes/outside", "critical_waits", detail)])


def _refuse_unordered(rule: Rule) -> None:
    """Raise Invalid for an order of channels of which no second one could have its turn (R2)."""
    personal = [channel for channel in rule.channels if channel in kinds() and kinds()[channel].reaches == "person"]
    if rule.channel_order and len(personal) < 2:
        detail = "Only channels that reach people have turns; name two of them."
        raise Invalid([FieldError("/channelOrder", "needs_two_channels", detail)])


def _refuse_ungathered(rule: Rule) -> None:
    """Raise Invalid for a digest of what does not wait, or that nothing is gathered for (R4)."""
    detail = None
    if rule.priority == "critical":
        detail = "What is critical is told at once and never gathered."
    elif rule.repeat or rule.escalation:
        detail = "What insists is told at once and never gathered."
    elif not any(kinds()[channel].reaches == "person" and not kinds()[channel].instant for channel in rule.channels):
        detail = "A digest takes a channel that reaches people, beside realtime."
    if rule.digest and detail:
        raise Invalid([FieldError("/digest", "not_gathered", detail)])


def _pattern(rule: Rule, pattern: str) -> dict[str, Any]:
    return {"project_id": rule.project_id, "rule_id": rule.id, "env": rule.env, "pattern": pattern}
