"""Settings at run time over HTTP (P2), and what everybody may know of them."""

from typing import Any, cast

from fastapi import Request
from sqlalchemy import select

from tocsin.auth.guard import Called, Gated, guarded_router, needs, public
from tocsin.kit.schema import Answer
from tocsin.platform.projects import check_plan
from tocsin.projects.models import Project
from tocsin.projects.run_time import (
    INSTALLATION,
    RunTimeSettings,
    Signup,
    Source,
    combined,
    in_force,
    set_in,
    source_of,
    stored,
)
from tocsin.settings import Settings

router = guarded_router(tags=["platform"])


class SettingAnswer(Answer):
    """A setting as it counts, and whose word that is."""

    value: str | None
    source: Source


class PlatformSettingsAnswer(Answer):
    signup: SettingAnswer
    default_plan: SettingAnswer
    announcement: SettingAnswer
    support_email: SettingAnswer


class AboutAnswer(Answer):
    """What a page for strangers shows."""

    signup: Signup
    announcement: str | None
    support_email: str | None


@router.get("/platform/about", operation_id="read_about")
@public
async def about(request: Request, gate: Gated) -> AboutAnswer:
    """Who may sign up here, what the operator announces, and where to turn to."""
    return AboutAnswer.model_validate(await in_force(gate.db, _given(request)))


@router.get("/platform/settings", operation_id="read_platform_settings")
@needs("platform:settings")
async def read(call: Called, request: Request) -> PlatformSettingsAnswer:
    return _shown(await stored(call.gate.db), _given(request))


@router.put("/platform/settings", operation_id="change_platform_settings")
@needs("platform:settings")
async def change(call: Called, request: Request, body: RunTimeSettings) -> PlatformSettingsAnswer:
    """Change what is sent, everywhere at once; null takes a setting back to that of the environment."""
    await check_plan(call.session, body.default_plan, "/defaultPlan")
    platform = (await call.session.scalars(select(Project).with_for_update(key_share=True))).one()
    before = set_in(platform.settings)
    wanted = {**before, **body.model_dump(exclude_unset=True)}
    after = {name: value for name, value in wanted.items() if value is not None}
    platform.settings = {**platform.settings, INSTALLATION: after}
    await call.session.flush()
    await call.audit("settings.updated", "settings", None, before=before, after=after)
    return _shown(after, _given(request))


def _shown(kept: dict[str, Any], settings: Settings) -> PlatformSettingsAnswer:
    values = combined(kept, settings)
    return PlatformSettingsAnswer.model_validate(
        {
            name: {"value": getattr(values, name), "source": source_of(name, kept, settings)}
            for name in PlatformSettingsAnswer.model_fields
        }
    )


def _given(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)
