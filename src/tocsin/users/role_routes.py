"""Roles and the vocabulary of permissions over HTTP."""

from typing import Annotated

from fastapi import Depends, Response
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.auth.permissions import PERMISSIONS
from tocsin.kit.db import violated
from tocsin.kit.errors import Conflict, Forbidden, NotFound
from tocsin.kit.ids import new_id
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.plans.totals import room_for
from tocsin.users.models import Role
from tocsin.users.roles import tell_holders
from tocsin.users.schemas import PermissionAnswer, RoleAnswer, RoleCreate, RoleUpdate

router = guarded_router(tags=["roles"])


@router.get("/permissions")
@needs("roles:read")
async def list_permissions(call: Called) -> list[PermissionAnswer]:
    """The one vocabulary, for roles and API keys alike."""
    return [PermissionAnswer(name=name, description=words) for name, words in PERMISSIONS.items()]


@router.post("/roles", operation_id="create_role", status_code=201)
@needs("roles:manage")
async def create(call: Called, body: RoleCreate) -> RoleAnswer:
    _check_within(call, body.permissions)
    role = Role(project_id=call.project_id, id=new_id(), env=call.env, **body.model_dump())
    call.session.add(role)
    await _flush(call)
    answer = RoleAnswer.model_validate(role)
    await call.audit("role.created", "role", role.id, after=answer.model_dump(mode="json", by_alias=True))
    return answer


@router.get("/roles")
@needs("roles:read")
async def list_roles(call: Called, paging: Annotated[Paging, Depends()]) -> Page[RoleAnswer]:
    found = await page(
        call.session, select(Role), Role.id, paging, call.gate.cursors, call.place, RoleAnswer.model_validate
    )
    return Page[RoleAnswer](**found)


@router.get("/roles/{role_id}", operation_id="read_role")
@needs("roles:read")
async def read(call: Called, role_id: PathId) -> RoleAnswer:
    return RoleAnswer.model_validate(await _find(call, role_id))


@router.put("/roles/{role_id}", operation_id="change_role")
@needs("roles:manage")
async def change(call: Called, role_id: PathId, body: RoleUpdate) -> RoleAnswer:
    """Change what is sent. Built-in roles stay as they are."""
    role = await _find(call, role_id)
    call.write_to(role.env)
    if role.built_in:
        raise Conflict("built_in_role", "Built-in roles cannot be changed; make one of your own.")
    _check_within(call, [*role.permissions, *(body.permissions or [])])
    before = RoleAnswer.model_validate(role).model_dump(mode="json", by_alias=True)
    if body.permissions is not None and set(role.permissions) - set(body.permissions):
        await tell_holders(call.session, role)
    async with room_for(call.session, call.project_id, call.env, "teamMembers"):
        for name, value in body.model_dump(exclude_unset=True).items():
            if value is not None or name == "description":
                setattr(role, name, value)
        await _flush(call)
    await call.session.refresh(role)
    answer = RoleAnswer.model_validate(role)
    after = answer.model_dump(mode="json", by_alias=True)
    await call.audit("role.updated", "role", role.id, before=before, after=after)
    return answer


@router.delete("/roles/{role_id}", operation_id="delete_role", status_code=204)
@needs("roles:manage")
async def delete(call: Called, role_id: PathId) -> Response:
    role = await _find(call, role_id)
    call.write_to(role.env)
    if role.built_in:
        raise Conflict("built_in_role", "Built-in roles cannot be deleted.")
    _check_within(call, role.permissions)
    before = RoleAnswer.model_validate(role).model_dump(mode="json", by_alias=True)
    await tell_holders(call.session, role)
    await call.session.delete(role)
    await _flush(call)
    await call.audit("role.deleted", "role", role.id, before=before)
    return Response(status_code=204)


def _check_within(call: Call, permissions: list[str]) -> None:
    """Nobody makes a role that may more than they may themselves."""
    beyond = sorted(set(permissions) - call.principal.permissions - {"own:manage"})
    if beyond:
        raise Forbidden("permission_missing", f"You cannot handle a permission you do not have: {beyond[0]}.")


async def _find(call: Call, role_id: PathId) -> Role:
    role = (await call.session.scalars(select(Role).where(Role.id == role_id))).one_or_none()
    if role is None:
        raise NotFound()
    return role


async def _flush(call: Call) -> None:
    try:
        await call.session.flush()
    except IntegrityError as error:
        name = violated(error)
        if name == "roles_name_taken":
            raise Conflict("role_exists", "There is already a role of this name.") from None
        if name == "rule_targets_role_in_use":
            raise Conflict("role_in_use", "Rules still target this role; change them first.") from None
        raise
