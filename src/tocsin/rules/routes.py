"""Rules over HTTP: CRUD, versions, and trying one out."""

from typing import Annotated, cast

from fastapi import Depends, Query, Request, Response
from sqlalchemy import select

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.event_types.schemas import TypeName
from tocsin.kit.pagination import Limit, Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.rules.crowding import lock_rules
from tocsin.rules.declared import example_for
from tocsin.rules.evaluator import Evaluator
from tocsin.rules.matching import patterns_for
from tocsin.rules.models import Rule, RuleVersion
from tocsin.rules.save import change_rule, checked, create_rule, drafted
from tocsin.rules.schemas import (
    DraftTest,
    RuleAnswer,
    RuleCreate,
    RuleTest,
    RuleUpdate,
    TestAnswer,
    TestEvent,
    VersionAnswer,
)
from tocsin.rules.show import find_rule, shown, shown_one
from tocsin.rules.targets import read_targets
from tocsin.rules.trial import try_rule

router = guarded_router(tags=["rules"])


def _evaluator(request: Request) -> Evaluator:
    return cast(Evaluator, request.app.state.evaluator)


Trying = Annotated[Evaluator, Depends(_evaluator)]


@router.post("/rules", operation_id="create_rule", status_code=201)
@needs("rules:manage")
async def create(call: Called, body: RuleCreate) -> RuleAnswer:
    """Which events wake whom, and in which words. Mistakes in condition and templates come with line and column."""
    answer = await create_rule(call.session, call.project_id, call.env, call.principal, body)
    await call.audit("rule.created", "rule", answer.id, after=answer.model_dump(mode="json", by_alias=True))
    return answer


@router.get("/rules")
@needs("rules:read")
async def list_rules(
    call: Called,
    paging: Annotated[Paging, Depends()],
    active: bool | None = None,
    eventType: Annotated[TypeName | None, Query(description="Only rules that can meet this type.")] = None,
    search: Annotated[str | None, Query(max_length=200, description="Part of the name.")] = None,
) -> Page[RuleAnswer]:
    """Rules, the sandbox's and the live ones for a test caller."""
    query = select(Rule)
    if active is not None:
        query = query.where(Rule.active == active)
    if eventType:
        query = query.where(Rule.event_types.overlap(patterns_for(eventType)))
    if search:
        query = query.where(Rule.name.icontains(search, autoescape=True))
    found = await page(call.session, query, Rule.id, paging, call.gate.cursors, call.place, lambda rule: rule)
    items = await shown(call.session, found["items"])
    return Page[RuleAnswer](items=items, nextCursor=found["nextCursor"])


@router.post("/rules/test", operation_id="test_rule_draft")
@needs("rules:manage")
async def test_draft(call: Called, evaluator: Trying, body: DraftTest) -> TestAnswer:
    """Try a rule that is not saved. It is checked like one that would be."""
    targets = await checked(call.session, call.project_id, body.rule, "/rule")
    rule = drafted(call.project_id, call.env, body.rule)
    return await try_rule(call.session, call.env, evaluator, rule, targets, body.event)


@router.get("/rules/{rule_id}", operation_id="read_rule")
@needs("rules:read")
async def read(call: Called, rule_id: PathId) -> RuleAnswer:
    return await shown_one(call.session, await find_rule(call.session, rule_id))


@router.put("/rules/{rule_id}", operation_id="change_rule")
@needs("rules:manage")
async def change(call: Called, rule_id: PathId, body: RuleUpdate) -> RuleAnswer:
    """Change what is sent; what is left out stays. Every change makes a version."""
    call.write_to((await find_rule(call.session, rule_id)).env)
    before, after = await change_rule(call.session, rule_id, call.principal, body)
    if before.version != after.version:
        await call.audit(
            "rule.updated",
            "rule",
            rule_id,
            before=before.model_dump(mode="json", by_alias=True),
            after=after.model_dump(mode="json", by_alias=True),
        )
    return after


@router.delete("/rules/{rule_id}", operation_id="delete_rule", status_code=204)
@needs("rules:manage")
async def delete(call: Called, rule_id: PathId) -> Response:
    """Delete a rule with its versions. Its notifications stay."""
    call.write_to((await find_rule(call.session, rule_id)).env)
    await lock_rules(call.session, call.project_id)
    rule = await find_rule(call.session, rule_id)
    before = await shown_one(call.session, rule)
    await call.session.delete(rule)
    await call.audit("rule.deleted", "rule", rule_id, before=before.model_dump(mode="json", by_alias=True))
    return Response(status_code=204)


@router.get("/rules/{rule_id}/versions", operation_id="list_rule_versions")
@needs("rules:read")
async def list_versions(call: Called, rule_id: PathId, limit: Limit = 50) -> list[VersionAnswer]:
    """The latest versions of a rule, newest first."""
    await find_rule(call.session, rule_id)
    rows = await call.session.scalars(
        select(RuleVersion).where(RuleVersion.rule_id == rule_id).order_by(RuleVersion.version.desc()).limit(limit)
    )
    return [VersionAnswer.model_validate(row) for row in rows]


@router.post("/rules/{rule_id}/test", operation_id="test_rule")
@needs("rules:manage")
async def test(call: Called, evaluator: Trying, rule_id: PathId, body: RuleTest) -> TestAnswer:
    """Try a rule on an event that is not stored, or on the example of its event type. Nothing is sent."""
    rule = await find_rule(call.session, rule_id)
    event = body.event or await _example(call, rule)
    targets, _ = (await read_targets(call.session, [rule_id]))[rule_id]
    return await try_rule(call.session, call.env, evaluator, rule, targets, event)


async def _example(call: Call, rule: Rule) -> TestEvent:
    found = await example_for(call.session, call.project_id, rule.event_types)
    return TestEvent(type=found.name, payload=found.example or {})
