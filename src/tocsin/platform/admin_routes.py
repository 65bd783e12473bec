"""Platform admins over HTTP (A6)."""

from typing import Annotated, cast

from fastapi import Depends

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.errors import Conflict
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.platform.admins import (
    ADMINS,
    a_super_admin_kept,
    add_admin,
    find_admin,
    give_role,
    shown,
    shown_one,
    stop,
)
from tocsin.platform.invitations import mail_link
from tocsin.platform.links import Links, address
from tocsin.platform.schemas import AdminAnswer, AdminCreate, AdminInvited, AdminLinkAnswer, AdminUpdate
from tocsin.platform.setup import state_of
from tocsin.settings import Settings
from tocsin.users.models import User

router = guarded_router(tags=["platform"])


@router.post("/platform/admins", operation_id="invite_admin", status_code=201)
@needs("platform:admins")
async def invite(call: Called, body: AdminCreate) -> AdminInvited:
    """A further admin, who chooses a password by the link in the answer; it is mailed to them as well."""
    call.write_to("live")
    admin = await add_admin(call.session, body.email, body.name, body.role)
    answer = await shown_one(call.session, admin)
    await call.audit("admin.invited", "admin", admin.id, after=answer.model_dump(mode="json", by_alias=True))
    return AdminInvited(**answer.model_dump(), setup_url=await _link(call, admin))


@router.get("/platform/admins", operation_id="list_admins")
@needs("platform:admins")
async def list_admins(call: Called, paging: Annotated[Paging, Depends()]) -> Page[AdminAnswer]:
    found = await page(call.session, ADMINS, User.id, paging, call.gate.cursors, call.place, lambda admin: admin)
    return Page[AdminAnswer](items=await shown(call.session, found["items"]), nextCursor=found["nextCursor"])


@router.put("/platform/admins/{admin_id}", operation_id="change_admin")
@needs("platform:admins")
async def change(call: Called, admin_id: PathId, body: AdminUpdate) -> AdminAnswer:
    """Change what is sent. The last active super admin stays one; a disabled admin's sessions end at once."""
    call.write_to("live")
    async with a_super_admin_kept(call.session):
        admin = await find_admin(call.session, admin_id)
        before = await shown_one(call.session, admin)
        await _change(call, admin, before, body)
    after = await shown_one(call.session, admin)
    await call.audit(
        "admin.updated",
        "admin",
        admin.id,
        before=before.model_dump(mode="json", by_alias=True),
        after=after.model_dump(mode="json", by_alias=True),
    )
    return after


async def _change(call: Call, admin: User, before: AdminAnswer, body: AdminUpdate) -> None:
    if body.name is not None:
        admin.name = body.name
    if body.role is not None and body.role != before.role:
        await give_role(call.session, admin, body.role)
    if body.status == "disabled":
        await stop(call.session, admin)
    elif body.status == "active" and before.status != "active":
        if admin.password_hash is None:
            raise Conflict("not_set_up", "The admin has not chosen a password yet; send a new link.")
        admin.status = "active"


@router.post("/platform/admins/{admin_id}/link", operation_id="renew_admin_link")
@needs("platform:admins", idempotent=False)
async def renew(call: Called, admin_id: PathId) -> AdminLinkAnswer:
    """A new link for an admin who has not used the first one in time; it is mailed to them as well."""
    call.write_to("live")
    admin = await find_admin(call.session, admin_id)
    if admin.status != "pending":
        raise Conflict("set_up_already", "The admin has chosen a password already.")
    await call.audit("admin.link_renewed", "admin", admin.id)
    return AdminLinkAnswer(setup_url=await _link(call, admin))


async def _link(call: Call, admin: User) -> str:
    """The address of a link, which is on its way to the admin, too."""
    links, settings = cast(Links, call.request.app.state.links), cast(Settings, call.request.app.state.settings)
    url = address(settings.base_url, links.make(PLATFORM_ID, admin.id, state_of(admin)))
    by = await find_admin(call.session, call.principal.id)
    await mail_link(call.session, call.gate.vault, settings, admin, url, by.name or str(by.email))
    return url
