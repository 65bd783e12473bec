"""People of a project over HTTP: CRUD, sync, approval, addresses."""

from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from tocsin.auth.call import Call
from tocsin.auth.guard import Admitted, Called, guarded_router, needs
from tocsin.auth.revocation import revoke
from tocsin.channels.registry import device_kinds
from tocsin.kit.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from tocsin.kit.http import Blocked, Door
from tocsin.kit.ids import new_id
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.plans.totals import room_for
from tocsin.users.contact import address_problem
from tocsin.users.devices import read_device, register_device, shown_value
from tocsin.users.drafts import Draft
from tocsin.users.models import Address, Role, User, UserRole
from tocsin.users.people import change_user, create_user, find_user, search_filter, shown, shown_one
from tocsin.users.rights import changes_standing, check_may_give
from tocsin.users.roles import an_owner_kept, find_roles, give_roles, roles_named, take_other_roles
from tocsin.users.schemas import (
    AddressAnswer,
    AddressCreate,
    SyncAnswer,
    UserAnswer,
    UserFields,
    UserSync,
)
from tocsin.users.sync import sync_people

router = guarded_router(tags=["users"])


def _door(request: Request) -> Door:
    return cast(Door, request.app.state.door)


Outside = Annotated[Door, Depends(_door)]

_OWN_FIELDS = frozenset({"name", "avatar_url", "phone", "locale", "timezone", "addresses"})


@router.post("/users", operation_id="create_user", status_code=201)
@needs("users:manage")
async def create(call: Called, body: UserFields) -> UserAnswer:
    """Make a person known. `roles` are names; unknown ones are refused."""
    user = await create_user(call.session, call.project_id, call.env, body)
    await _check_granted(call, body.roles or [])
    (answer,) = await shown(call.session, [user])
    await call.audit("user.created", "user", user.id, after=answer.model_dump(mode="json", by_alias=True))
    return answer


@router.get("/users")
@needs("users:read")
async def list_users(
    call: Called,
    paging: Annotated[Paging, Depends()],
    search: Annotated[str | None, Query(max_length=200, description="Part of the name or e-mail.")] = None,
    status: Literal["pending", "active", "disabled", "unverified"] | None = None,
    role: Annotated[str | None, Query(max_length=63)] = None,
    externalUserId: Annotated[str | None, Query(max_length=200)] = None,
) -> Page[UserAnswer]:
    query = select(User)
    if search:
        query = query.where(search_filter(search))
    if status:
        query = query.where(User.status == status)
    if externalUserId:
        query = query.where(User.external_user_id == externalUserId)
    if role:
        members = select(UserRole.user_id).join(
            Role, (Role.project_id == UserRole.project_id) & (Role.id == UserRole.role_id)
        )
        query = query.where(User.id.in_(members.where(Role.name == role)))
    found = await page(call.session, query, User.id, paging, call.gate.cursors, call.place, lambda user: user)
    items = await shown(call.session, found["items"])
    return Page[UserAnswer](items=items, nextCursor=found["nextCursor"])


@router.post("/users/sync", operation_id="sync_users", status_code=200)
@needs("users:manage")
async def sync(call: Called, body: UserSync) -> SyncAnswer:
    """Create or update up to 1,000 people, found by `externalUserId`, else by `email`; all or none."""
    results = await sync_people(call, body.users)
    created = sum(result.status == "created" for result in results)
    people = [{"id": str(result.id), "status": result.status} for result in results]
    await call.audit("users.synced", "user", None, created=created, updated=len(results) - created, users=people)
    return SyncAnswer(results=results, created=created, updated=len(results) - created)


@router.get("/users/{user_id}", operation_id="read_user")
@needs("users:read", own=True)
async def read(call: Called, user_id: PathId) -> UserAnswer:
    _only_self(call, user_id)
    return await shown_one(call.session, await find_user(call.session, user_id))


@router.put("/users/{user_id}", operation_id="change_user")
@needs("users:manage", own=True)
async def change(call: Called, user_id: PathId, body: UserFields) -> UserAnswer:
    """Change what is sent; what is left out stays. People may change their own name, phone, locale and addresses."""
    _only_self(call, user_id)
    user = await find_user(call.session, user_id)
    call.write_to(user.env)
    if call.own_only and (refused := sorted(body.model_fields_set - _OWN_FIELDS)):
        raise Forbidden("permission_missing", f"You may not change your own {refused[0]} yourself.")
    before = await shown_one(call.session, user)
    await _check_may_change(call, user, before.roles, body)
    await _check_granted(call, body.roles or [])
    await change_user(call.session, user, body)
    after = await shown_one(call.session, user)
    await call.audit(
        "user.updated",
        "user",
        user.id,
        before=before.model_dump(mode="json", by_alias=True),
        after=after.model_dump(mode="json", by_alias=True),
    )
    return after


@router.delete("/users/{user_id}", status_code=204)
@needs("users:manage")
async def delete_user(call: Called, user_id: PathId) -> Response:
    user = await find_user(call.session, user_id)
    call.write_to(user.env)
    before = await shown_one(call.session, user)
    await _check_granted(call, before.roles)
    async with an_owner_kept(call.session, [user.id]):
        await call.session.delete(user)
    await revoke(call.session, call.project_id, "user", str(user.id))
    await call.audit("user.deleted", "user", user.id, before=before.model_dump(mode="json", by_alias=True))
    return Response(status_code=204)


@router.post("/users/{user_id}/approve", operation_id="approve_user")
@needs("users:manage")
async def approve(call: Called, user_id: PathId) -> UserAnswer:
    """Let a registered person in, with the roles they wished for as far as those exist and open no panel."""
    user = await find_user(call.session, user_id)
    call.write_to(user.env)
    if user.status not in ("pending", "unverified"):
        raise Conflict("not_pending", f"The user is {user.status}.")
    before = await shown_one(call.session, user)
    wished = await roles_named(call.session, user.wished_roles)
    check_may_give(call.principal.permissions, wished.values())
    roles = {user.id: (wished or await roles_named(call.session, ["user"])).values()}
    async with room_for(call.session, call.project_id, call.env, "teamMembers"):
        await take_other_roles(call.session, call.project_id, roles)
        await give_roles(call.session, call.project_id, call.env, roles)
    await call.session.execute(update(User).where(User.id == user.id).values(status="active", wished_roles=[]))
    after = await shown_one(call.session, user)
    await call.audit(
        "user.approved",
        "user",
        user.id,
        before=before.model_dump(mode="json", by_alias=True),
        after=after.model_dump(mode="json", by_alias=True),
    )
    return after


@router.get("/users/{user_id}/addresses")
@needs("users:read", own=True)
async def list_addresses(call: Called, user_id: PathId) -> list[AddressAnswer]:
    _only_self(call, user_id)
    await find_user(call.session, user_id)
    rows = await call.session.scalars(select(Address).where(Address.user_id == user_id).order_by(Address.id))
    return [_address_shown(row) for row in rows]


@router.post(
    "/users/{user_id}/addresses",
    status_code=201,
    responses={200: {"model": AddressAnswer, "description": "A device that was registered already."}},
)
@needs("users:manage", own=True, network_first=True)
async def add_address(
    admitted: Admitted, door: Outside, response: Response, user_id: PathId, body: AddressCreate
) -> AddressAnswer:
    """Add an address. A device (`fcm`, `apns`, `webpush`) may be registered again and again, at each start of its app;
    one of another person of the project moves to this one."""
    device = read_device(body.channel, body.value) if body.channel in device_kinds() else None
    if device and device.url:
        await _check_callable(door, device.url)
    call = await admitted.begin()
    _only_self(call, user_id)
    user = await find_user(call.session, user_id)
    call.write_to(user.env)
    if device is None:
        return await _add_single(call, response, user, body)
    row, before = await register_device(call.session, user, body.channel, device, body.label)
    answer = _address_shown(row)
    if before != user.id:
        told = {"channel": row.channel, "value": answer.value, "label": row.label}
        moved = {"movedFrom": str(before)} if before else {}
        await call.audit("address.created", "user", user.id, after=told, **moved)
    if before:
        response.status_code = 200
    return answer


async def _check_callable(door: Door, url: str) -> None:
    try:
        await door.check(url)
    except Blocked as refusal:
        raise Invalid([FieldError("/value", refusal.code, refusal.detail)]) from None


async def _add_single(call: Call, response: Response, user: User, body: AddressCreate) -> AddressAnswer:
    if body.verified and call.own_only:
        raise Forbidden("cannot_vouch", "Whether an address is proven is said by the project, not by the person.")
    if problem := address_problem(body.channel, body.value):
        raise Invalid([FieldError("/value", "invalid_address", f"The {body.channel} address {problem}.")])
    values: dict[str, Any] = {
        "project_id": call.project_id,
        "id": new_id(),
        "env": user.env,
        "user_id": user.id,
        "channel": body.channel,
        "value": body.value,
        "label": body.label,
        "verified_at": func.now() if body.verified else None,
    }
    row = (
        await call.session.scalars(insert(Address).values(values).on_conflict_do_nothing().returning(Address))
    ).one_or_none()
    told = {"channel": body.channel, "value": body.value}
    if row is None:
        row = await _vouched(call, user, body) if body.verified else None
        if row is None:
            raise Conflict("address_taken", "The user already has this address.")
        response.status_code = 200
        await call.audit("address.verified", "user", user.id, after=told)
        return _address_shown(row)
    await call.audit("address.created", "user", user.id, after={**told, "verified": body.verified})
    return _address_shown(row)


async def _vouched(call: Call, user: User, body: AddressCreate) -> Address | None:
    """The person's address, proven from now on; None where it was before."""
    this = (Address.user_id == user.id, Address.channel == body.channel, Address.value == body.value)
    proven = update(Address).where(*this, Address.verified_at.is_(None)).values(verified_at=func.now())
    return (await call.session.scalars(proven.returning(Address))).one_or_none()


def _address_shown(row: Address) -> AddressAnswer:
    fields = {name: getattr(row, name) for name in AddressAnswer.model_fields if name != "value"}
    return AddressAnswer(**fields, value=shown_value(row))


@router.delete("/users/{user_id}/addresses/{address_id}", status_code=204)
@needs("users:manage", own=True)
async def delete_address(call: Called, user_id: PathId, address_id: PathId) -> Response:
    _only_self(call, user_id)
    row = (
        await call.session.scalars(select(Address).where(Address.user_id == user_id, Address.id == address_id))
    ).one_or_none()
    if row is None:
        raise NotFound()
    call.write_to(row.env)
    await call.session.delete(row)
    await call.audit("address.deleted", "user", user_id, before={"channel": row.channel, "value": shown_value(row)})
    return Response(status_code=204)


async def _check_granted(call: Call, names: list[str]) -> None:
    """Nobody gives or takes a role that may more than they may themselves."""
    check_may_give(call.principal.permissions, await find_roles(call.session, names, "/roles"))


async def _check_may_change(call: Call, user: User, roles: list[str], fields: UserFields) -> None:
    """Nobody takes over, locks out or demotes a person who may more than they may themselves."""
    if changes_standing(Draft.of(user).values, roles, fields):
        await _check_granted(call, roles)


def _only_self(call: Call, user_id: UUID) -> None:
    if call.own_only and user_id != call.principal.user_id:
        raise NotFound()
