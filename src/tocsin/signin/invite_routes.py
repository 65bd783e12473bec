"""Invitations over HTTP."""

from typing import Annotated

from fastapi import Depends, Request, Response
from sqlalchemy import select

from tocsin.audit.record import record
from tocsin.auth.call import Call, client_ip
from tocsin.auth.guard import Called, Gated, guarded_router, needs, public
from tocsin.auth.passwords import hash_password
from tocsin.auth.tries import CODES, Counter
from tocsin.kit.errors import Conflict, FieldError, Invalid, NotFound
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.projects.models import Project
from tocsin.projects.schemas import ProjectAnswer
from tocsin.signin.account_schemas import InviteAccept, InviteAnswer, InviteCreate
from tocsin.signin.asking import base_url, visitor
from tocsin.signin.invitations import Inviter, accept, invite, invited_user, withdraw
from tocsin.signin.links import check_link, read_token, take_link
from tocsin.signin.login import code_shown
from tocsin.signin.models import Invite
from tocsin.signin.schemas import LoginAnswer
from tocsin.signin.sessions import begin_session
from tocsin.signin.sso.required import refuse_password
from tocsin.users.models import Role, User
from tocsin.users.people import find_user, shown_one
from tocsin.users.roles import find_roles, role_names, roles_named

router = guarded_router()


@router.post("/invites", operation_id="create_invite", status_code=201, tags=["users"])
@needs("users:manage")
async def create(call: Called, body: InviteCreate) -> InviteAnswer:
    """Invite somebody by e-mail. Who is not known yet is `unverified` until they come; roles are given then."""
    roles = await find_roles(call.session, body.roles, "/roles")
    user = await invited_user(call.session, call.project_id, call.env, body.email, body.name)
    return await _invited(call, user, roles)


@router.post("/users/{user_id}/invite", operation_id="invite_user", status_code=201, tags=["users"])
@needs("users:manage")
async def create_for(call: Called, user_id: PathId) -> InviteAnswer:
    """Invite a person who is known, so that they can choose a password and sign in. They keep their roles.

    Who registered alone and waits gets the wished roles, as by an approval.
    """
    user = await find_user(call.session, user_id)
    call.write_to(user.env)
    return await _invited(call, user, await _promised(call, user))


@router.get("/invites", operation_id="list_invites", tags=["users"])
@needs("users:read")
async def list_all(call: Called, paging: Annotated[Paging, Depends()]) -> Page[InviteAnswer]:
    """Every invitation and what became of it."""
    found = await page(
        call.session, select(Invite), Invite.id, paging, call.gate.cursors, call.place, InviteAnswer.model_validate
    )
    return Page[InviteAnswer](**found)


@router.delete("/invites/{invite_id}", operation_id="withdraw_invite", status_code=204, tags=["users"])
@needs("users:manage")
async def remove(call: Called, invite_id: PathId) -> Response:
    """Withdraw an invitation: its link does not work any more."""
    row = (await call.session.scalars(select(Invite).where(Invite.id == invite_id))).one_or_none()
    if row is None:
        raise NotFound()
    call.write_to(row.env)
    if row.state != "open":
        raise Conflict("not_open", f"The invitation is {row.state}.")
    await withdraw(call.session, row.user_id)
    await call.audit("invite.withdrawn", "invite", row.id, before={"email": row.email, "roles": row.roles})
    return Response(status_code=204)


@router.post("/invites/accept", operation_id="accept_invite", tags=["auth"])
@public
async def come_in(request: Request, gate: Gated, body: InviteAccept) -> LoginAnswer:
    """Use the link of an invitation: choose a password, get the promised roles, and be signed in."""
    shown = read_token(body.token)
    invited = await check_link(gate.db, shown, "accept_invite")
    if body.password is None and invited.password_hash is None:
        raise Invalid([FieldError("/password", "missing", "Choose a password; the account has none.")])
    password_hash = await hash_password(body.password) if body.password is not None else None
    counter = Counter("code", f"{shown.project_id}:{invited.id}", CODES)
    proven = code_shown(gate, shown.project_id, shown.env, invited.id, body.code, counter)
    async with proven as session:
        taken = await take_link(session, shown, "accept_invite")
        user = taken.user
        accepted = await accept(session, user, password_hash, body.name)
        await refuse_password(session, user.id)
        actor = visitor(request, user.id)
        metadata = {"roles": accepted.roles, "user": str(user.id)}
        await record(session, user.project_id, user.env, actor, "invite.accepted", "invite", accepted.id, metadata)
        tokens = await begin_session(
            gate, session, user.project_id, user.id, ip=client_ip(request), user_agent=request.headers.get("user-agent")
        )
        project = (await session.scalars(select(Project))).one()
        return LoginAnswer(
            tokens=tokens, user=await shown_one(session, user), project=ProjectAnswer.model_validate(project)
        )


async def _invited(call: Call, user: User, roles: list[Role]) -> InviteAnswer:
    made = await invite(call.session, call.gate.vault, base_url(call.request), user, roles, await _inviter(call))
    answer = InviteAnswer.model_validate(made)
    await call.audit("user.invited", "user", user.id, after=answer.model_dump(mode="json", by_alias=True))
    return answer


async def _inviter(call: Call) -> Inviter:
    name = "Somebody"
    if call.principal.user_id is not None:
        user = await find_user(call.session, call.principal.user_id)
        name = user.name or user.email or name
    else:
        name = (await call.session.scalars(select(Project.name))).one()
    return Inviter(call.principal.kind, call.principal.id, name, call.principal.permissions)


async def _promised(call: Call, user: User) -> list[Role]:
    """Nothing on top for who has roles; else what they wished for, else an ordinary user's."""
    if (await role_names(call.session, [user.id])).get(user.id):
        return []
    wished = await roles_named(call.session, user.wished_roles)
    return list((wished or await roles_named(call.session, ["user"])).values())
