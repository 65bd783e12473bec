"""A project's settings over HTTP."""

from functools import partial
from typing import Any

from sqlalchemy import select

from tocsin.auth.call import Call, client_ip
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.auth.revocation import revoke
from tocsin.auth.source import lies_within, networks
from tocsin.clocks.keep import project_moved
from tocsin.kit.errors import FieldError, Invalid
from tocsin.projects.models import Project
from tocsin.projects.setting_schemas import SettingsAnswer, SettingsUpdate

router = guarded_router(tags=["project"])


@router.get("/projects/me/settings")
@needs("project:read")
async def read_settings(call: Called) -> SettingsAnswer:
    project = (await call.session.scalars(select(Project))).one()
    return SettingsAnswer.model_validate(project.settings)


@router.put("/projects/me/settings")
@needs("project:manage")
async def update_settings(call: Called, body: SettingsUpdate) -> SettingsAnswer:
    """Change what is sent. The list of addresses binds every caller within a second; it must hold your own."""
    # Others may go on referring to the project meanwhile.
    project = (await call.session.scalars(select(Project).with_for_update(key_share=True))).one()
    before = SettingsAnswer.model_validate(project.settings)
    project.settings = _merged(project.settings, body.model_dump(by_alias=True, exclude_unset=True))
    answer = SettingsAnswer.model_validate(project.settings)
    if answer.timezone != before.timezone:
        await call.session.flush()
        await project_moved(call.session, call.project_id, call.env)
    if answer.security.ip_allow_list != before.security.ip_allow_list:
        _check_own_address(call, answer.security.ip_allow_list)
        await revoke(call.session, call.project_id, "project", str(call.project_id))
        call.after_commit.append(partial(call.gate.credentials.forget_project, call.project_id))
    await call.audit("settings.updated", "project", project.id, before=_audited(before), after=_audited(answer))
    return answer


def _merged(stored: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    inner = {name: {**stored.get(name, {}), **sent.get(name, {})} for name in ("security", "connections")}
    return {**stored, **sent, **inner}


def _check_own_address(call: Call, allowed: list[str]) -> None:
    """Nobody may lock themselves out."""
    ip = client_ip(call.request)
    if not lies_within(ip, networks(allowed)):
        detail = f"The list leaves out your own address, {ip}; you could not undo it."
        raise Invalid([FieldError("/security/ipAllowList", "locks_you_out", detail)])


def _audited(answer: SettingsAnswer) -> dict[str, Any]:
    return answer.model_dump(mode="json", by_alias=True)
