"""The catalogue of plans over HTTP, for platform admins."""

from typing import cast

from fastapi import Request

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.schema import Answer
from tocsin.plans.catalogue import PlanAnswer, PlansBody, read_catalogue, replace_catalogue
from tocsin.projects.run_time import in_force
from tocsin.settings import Settings

router = guarded_router(tags=["platform"])


class PlansAnswer(Answer):
    plans: list[PlanAnswer]


@router.get("/platform/plans")
@needs("platform:read")
async def list_plans(call: Called) -> PlansAnswer:
    """Every plan with what it allows, the cheapest first."""
    return PlansAnswer(plans=await read_catalogue(call.session))


@router.put("/platform/plans")
@needs("platform:plans")
async def change_plans(request: Request, call: Called, body: PlansBody) -> PlansAnswer:
    """Replace the catalogue. Counts from the next call of a project on; what a project has beyond it stays."""
    before = await read_catalogue(call.session)
    settings = cast(Settings, request.app.state.settings)
    default = (await in_force(call.gate.db, settings)).default_plan
    await replace_catalogue(call.session, body.plans, kept=[settings.default_plan, default])
    after = await read_catalogue(call.session)
    await call.audit(
        "plans.changed",
        "plan",
        None,
        before=[plan.model_dump(mode="json", by_alias=True) for plan in before],
        after=[plan.model_dump(mode="json", by_alias=True) for plan in after],
    )
    return PlansAnswer(plans=after)
