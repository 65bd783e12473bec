"""Sign-ins over HTTP: one's own, and those of the people one manages."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Response
from sqlalchemy import Select, func, select

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.auth.revocation import end_session, end_sessions_of
from tocsin.kit.errors import Forbidden, NotFound
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.signin.models import Session
from tocsin.signin.schemas import SessionAnswer
from tocsin.users.models import User
from tocsin.users.people import find_user
from tocsin.users.rights import check_may_give
from tocsin.users.roles import find_roles, role_names

router = guarded_router()


@router.get("/auth/sessions", operation_id="list_own_sessions", tags=["auth"])
@needs("own:manage")
async def list_own(call: Called, paging: Annotated[Paging, Depends()]) -> Page[SessionAnswer]:
    """Where you are signed in."""
    return await _list(call, paging, _own(call)[0])


@router.delete("/auth/sessions", operation_id="end_other_sessions", status_code=204, tags=["auth"])
@needs("own:manage", while_suspended=True)
async def end_others(call: Called) -> Response:
    """Sign out everywhere but here."""
    user_id, session_id = _own(call)
    ended = await end_sessions_of(call.session, call.project_id, [user_id], "ended by its owner", but=session_id)
    await call.audit("session.others_ended", "user", user_id, ended=ended)
    return Response(status_code=204)


@router.delete("/auth/sessions/{session_id}", operation_id="end_own_session", status_code=204, tags=["auth"])
@needs("own:manage", while_suspended=True)
async def end_own(call: Called, session_id: PathId) -> Response:
    """Sign out somewhere."""
    user_id, _ = _own(call)
    await _end(call, user_id, session_id, "ended by its owner")
    return Response(status_code=204)


@router.get("/users/{user_id}/sessions", operation_id="list_user_sessions", tags=["users"])
@needs("users:manage")
async def list_of_user(call: Called, user_id: PathId, paging: Annotated[Paging, Depends()]) -> Page[SessionAnswer]:
    """Where somebody is signed in."""
    return await _list(call, paging, (await find_user(call.session, user_id)).id)


@router.delete("/users/{user_id}/sessions", operation_id="end_user_sessions", status_code=204, tags=["users"])
@needs("users:manage", while_suspended=True)
async def end_all_of_user(call: Called, user_id: PathId) -> Response:
    """Sign somebody out everywhere."""
    user = await _managed(call, user_id)
    ended = await end_sessions_of(call.session, call.project_id, [user.id], "ended by an admin")
    await call.audit("session.all_ended", "user", user.id, ended=ended)
    return Response(status_code=204)


@router.delete(
    "/users/{user_id}/sessions/{session_id}", operation_id="end_user_session", status_code=204, tags=["users"]
)
@needs("users:manage", while_suspended=True)
async def end_one_of_user(call: Called, user_id: PathId, session_id: PathId) -> Response:
    """Sign somebody out somewhere."""
    user = await _managed(call, user_id)
    await _end(call, user.id, session_id, "ended by an admin")
    return Response(status_code=204)


def _own(call: Call) -> tuple[UUID, UUID]:
    if call.principal.user_id is None or call.principal.session_id is None:
        raise Forbidden("not_a_session", "An API key has no sessions; list or revoke keys instead.")
    return call.principal.user_id, call.principal.session_id


async def _managed(call: Call, user_id: UUID) -> User:
    """Somebody whom the caller may sign out: in the caller's environment, and who may no more than the caller."""
    user = await find_user(call.session, user_id)
    call.write_to(user.env)
    held = (await role_names(call.session, [user.id])).get(user.id, [])
    check_may_give(call.principal.permissions, await find_roles(call.session, held, "/roles"))
    return user


async def _list(call: Call, paging: Paging, user_id: UUID) -> Page[SessionAnswer]:
    shown = partial(_shown, call.principal.session_id)
    found = await page(call.session, _live(user_id), Session.id, paging, call.gate.cursors, call.place, shown)
    return Page[SessionAnswer](**found)


def _live(user_id: UUID) -> Select[Any]:
    return select(Session).where(
        Session.user_id == user_id, Session.revoked_at.is_(None), Session.expires_at > func.now()
    )


def _shown(current: UUID | None, row: Session) -> SessionAnswer:
    values = {name: getattr(row, name) for name in SessionAnswer.model_fields if name != "current"}
    return SessionAnswer(**values, current=row.id == current)


async def _end(call: Call, user_id: UUID, session_id: UUID, reason: str) -> None:
    """End a live session of this person; any other does not exist for the caller."""
    found = await call.session.scalar(_live(user_id).where(Session.id == session_id))
    if found is None or not await end_session(call.session, call.project_id, session_id, reason):
        raise NotFound()
    await call.audit("session.ended", "session", session_id, userId=str(user_id))
