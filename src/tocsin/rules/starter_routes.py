"""Starter rules over HTTP: what there is, and installing some in one call (R5)."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from pydantic import AfterValidator, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.db import Env
from tocsin.kit.errors import FieldError, Invalid
from tocsin.kit.schema import Answer, Body
from tocsin.plans.totals import room_for
from tocsin.rules.crowding import lock_rules
from tocsin.rules.models import Rule
from tocsin.rules.save import Author, create_rule
from tocsin.rules.schemas import Channels, Roles, RuleAnswer, Zone, without_doubles
from tocsin.rules.show import shown
from tocsin.rules.starters import FIRST, STARTERS, Starter
from tocsin.users.hours import ClockTime

router = guarded_router(tags=["rules"])

StarterName = Annotated[str, Field(json_schema_extra={"enum": list(STARTERS)})]


class StarterNeeds(Answer):
    """What the project has to send for it."""

    type: str
    payload: dict[str, Any]


class StarterAnswer(Answer):
    name: str
    title: str
    description: str
    event_types: list[str]
    needs: StarterNeeds | None = Field(description="Null where Tocsin makes the events itself.")
    takes_time: bool = Field(description="Whether `time` and `timezone` can be chosen.")
    rule_id: UUID | None = Field(description="The rule, where it is installed.")


class StarterInstall(Body):
    """Which, and how; what is left out is as the starter has it."""

    names: Annotated[list[StarterName], Field(min_length=1, max_length=len(STARTERS)), AfterValidator(without_doubles)]
    target_roles: Roles | None = Field(None, description="Who is told; owners and admins where none is named.")
    channels: Channels | None = Field(None, description="`realtime` where none is named.")
    time: ClockTime | None = Field(None, description="Of those that run by a clock; 18:00 where none is named.")
    timezone: Zone | None = Field(None, description="Of those that run by a clock.")


class StarterResult(Answer):
    name: str
    status: Literal["installed", "present"]
    rule: RuleAnswer


class StarterResults(Answer):
    results: list[StarterResult]


@router.get("/starter-rules", operation_id="list_starter_rules")
@needs("rules:read")
async def list_starters(call: Called) -> list[StarterAnswer]:
    """Rules that most projects want, ready to be installed."""
    present = await _present(call.session, list(STARTERS))
    return [_shown(starter, present.get(starter.name)) for starter in STARTERS.values()]


@router.post("/starter-rules", operation_id="install_starter_rules")
@needs("rules:manage")
async def install_starters(call: Called, body: StarterInstall) -> StarterResults:
    """Install some of them in one call, all or none. One that is there already is answered as it is, `present`."""
    unknown = [
        FieldError(f"/names/{index}", "unknown_starter", f"There is no starter rule of this name; {_THERE_ARE}.")
        for index, name in enumerate(body.names)
        if name not in STARTERS
    ]
    if unknown:
        raise Invalid(unknown)
    results = await install(call.session, call.project_id, call.env, call.principal, body)
    for result in results:
        if result.status == "installed":
            after = result.rule.model_dump(mode="json", by_alias=True)
            await call.audit("rule.created", "rule", result.rule.id, after=after)
    return StarterResults(results=results)


_THERE_ARE = f"there are {', '.join(STARTERS)}"


async def install(
    session: AsyncSession, project_id: UUID, env: Env, author: Author, body: StarterInstall
) -> list[StarterResult]:
    """Make the rules that are not there yet. Raises Forbidden where the plan has no room for all of them."""
    async with room_for(session, project_id, env, "rules"):
        await lock_rules(session, project_id)  # so that nobody else installs the same meanwhile
        present = await _present(session, body.names)
        made = {
            name: await create_rule(session, project_id, env, author, _drafted(STARTERS[name], body), name)
            for name in body.names
            if name not in present
        }
    there = dict(zip(present, await shown(session, list(present.values())), strict=True))
    return [
        StarterResult(name=name, status="installed", rule=made[name])
        if name in made
        else StarterResult(name=name, status="present", rule=there[name])
        for name in body.names
    ]


def _drafted(starter: Starter, body: StarterInstall) -> Any:
    clock = {"time": body.time, "timezone": body.timezone} if starter.runs_by_clock else {}
    if starter.rule.get("clock", {}).get("dailySummary"):
        clock.pop("timezone", None)  # that of each person
    return starter.drafted(targetRoles=body.target_roles, channels=body.channels, **clock)


class _Founder(NamedTuple):
    """The owner of a new project, as the author of its first rules."""

    id: UUID
    kind: str = "user"


async def install_first(session: AsyncSession, project_id: UUID, owner_id: UUID) -> None:
    """The rules that every project has from its first moment (R7)."""
    await install(session, project_id, "live", _Founder(owner_id), StarterInstall(names=list(FIRST)))


async def _present(session: AsyncSession, names: Sequence[str]) -> dict[str, Rule]:
    """Those that are installed where the caller looks; the test row of one that is there twice."""
    rows = await session.scalars(select(Rule).where(Rule.starter.in_(names)).order_by(Rule.env))
    return {str(rule.starter): rule for rule in rows}


def _shown(starter: Starter, rule: Rule | None) -> StarterAnswer:
    return StarterAnswer(
        name=starter.name,
        title=starter.title,
        description=starter.description,
        event_types=list(starter.rule.get("eventTypes", [])),
        needs=StarterNeeds.model_validate(dict(starter.needs)) if starter.needs else None,
        takes_time=starter.runs_by_clock,
        rule_id=rule.id if rule else None,
    )
