"""`POST /rules/{id}/replay`: what a rule or a draft of it would have made of stored events."""

import asyncio
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import text

from tocsin.auth.call import Call
from tocsin.auth.guard import Admission, Admitted, guarded_router, needs
from tocsin.clocks import CLOCK_TYPE
from tocsin.kit.db import driver
from tocsin.kit.errors import Forbidden
from tocsin.kit.schema import PathId
from tocsin.rules.difference import Difference
from tocsin.rules.evaluator import Evaluator
from tocsin.rules.going_on import said_by
from tocsin.rules.replay import SECONDS, Portion, Replays, Wanted, judge, read_portion
from tocsin.rules.replay_schemas import ReplayAnswer, ReplayCounts, RuleReplay
from tocsin.rules.save import checked, drafted
from tocsin.rules.show import find_rule
from tocsin.rules.targets import Named, read_targets
from tocsin.rules.trial import as_candidate
from tocsin.rules.wording import words_of
from tocsin.sounds.names import default_sound

router = guarded_router(tags=["rules"])


def _replays(request: Request) -> Replays:
    return cast(Replays, request.app.state.replays)


@router.post("/rules/{rule_id}/replay", operation_id="replay_rule")
@needs("rules:manage", idempotent=False, network_first=True)
async def replay(
    admitted: Admitted, replays: Annotated[Replays, Depends(_replays)], rule_id: PathId, body: RuleReplay
) -> ReplayAnswer:
    """Run the rule, or a draft in its place, over stored events and compare that with what happened. Nothing is stored
    or sent. Also needs `events:read`. An answer comes within seconds; `nextCursor` says that events are left."""
    async with admitted.transaction() as call:
        if not call.principal.may("events:read"):
            raise Forbidden("permission_missing", "This also needs the permission events:read.")
        wanted, after = await _wanted(call, rule_id, body)
    async with replays.one(call.project_id) as evaluator:
        difference, last = await _looked(admitted, evaluator, wanted, after, body.limit)
    sealed = call.gate.cursors.seal(call.place, last) if last else None
    return ReplayAnswer(
        counts=_counts(difference),
        examples=difference.examples,
        scanned=difference.scanned,
        last_event_at=difference.last_at,
        next_cursor=sealed,
    )


async def _wanted(call: Call, rule_id: UUID, body: RuleReplay) -> tuple[Wanted, UUID]:
    """What is asked for, and the id after which to begin. Raises NotFound, Invalid, BadRequest."""
    saved = rule = await find_rule(call.session, rule_id)
    targets, named = (await read_targets(call.session, [rule_id]))[rule_id]
    steps = named.steps
    if body.rule is not None:
        targets = await checked(call.session, call.project_id, body.rule, "/rule")
        rule = drafted(call.project_id, call.env, body.rule)
        rule.id, rule.version = saved.id, saved.version
        said = zip(body.rule.escalation or [], targets.steps, strict=True)
        steps = [Named(step.roles, whom.users) for step, whom in said]
    first, before = (await call.session.execute(_BETWEEN, {"from": body.from_, "to": body.to})).one()
    listens = rule.event_types or [CLOCK_TYPE]
    candidate = as_candidate(rule, targets, await words_of(call.session, call.project_id, rule.template))
    candidate.sound = rule.sound or await default_sound(call.session, rule.topic, rule.priority)
    wanted = Wanted(
        candidate,
        said_by(rule, steps),
        rule.active_times,
        frozenset(listens),
        frozenset(listens) | frozenset(saved.event_types or [CLOCK_TYPE]),
        frozenset(body.event_types) if body.event_types else None,
        before,
    )
    return wanted, call.gate.cursors.open(call.place, body.cursor) if body.cursor else first


_BETWEEN = text("""
SELECT tocsin.first_id_at(:from), tocsin.first_id_at(least(CAST(:to AS timestamptz), now() + interval '1 second'))
""")


async def _looked(
    admitted: Admission, evaluator: Evaluator, wanted: Wanted, after: UUID, limit: int
) -> tuple[Difference, UUID | None]:
    """Portion by portion until the time, the limit or the events are used up; where to go on, None at the end."""
    difference = Difference()
    until = asyncio.get_running_loop().time() + SECONDS
    while True:
        portion = await _read(admitted, wanted, after, limit - difference.counts["events"])
        if portion.last is None:
            return difference, None
        difference.add(wanted, portion, await judge(evaluator, wanted, portion))
        after = portion.last
        if difference.counts["events"] >= limit or asyncio.get_running_loop().time() > until:
            return difference, after


async def _read(admitted: Admission, wanted: Wanted, after: UUID, most: int) -> Portion:
    async with admitted.transaction() as call:
        connection = await driver(call.session)
        return await read_portion(connection, call.project_id, call.env, wanted, after, most)


def _counts(difference: Difference) -> ReplayCounts:
    counts = difference.counts
    return ReplayCounts(
        events=counts["events"],
        matched_then=counts["matched_then"],
        matched_now=counts["matched_now"],
        newly_matching=counts["newly_matching"],
        no_longer_matching=counts["no_longer_matching"],
        recipients_changed=counts["recipients"],
        texts_changed=counts["texts"],
        channels_changed=counts["channels"],
        destinations_changed=counts["destinations"],
        priority_changed=counts["priority"],
        sound_changed=counts["sound"],
        insistence_changed=counts["insistence"],
        digest_changed=counts["digest"],
        throttle_changed=counts["throttle"],
        gathered_then=counts["gathered_then"],
        gathered_now=counts["gathered_now"],
        throttled_then=counts["throttled_then"],
        throttled_now=counts["throttled_now"],
        told_again_then=counts["told_again_then"],
        told_again_now=counts["told_again_now"],
        errors=counts["error"],
    )
