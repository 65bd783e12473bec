"""Telephone numbers that people prove with a code, over HTTP (C10)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from tocsin.auth.call import Call
from tocsin.auth.guard import Admitted, guarded_router, needs
from tocsin.connections.hook_routes import Outside
from tocsin.connections.phone_codes import MOST_TRIES, count_try, new_code, send_code, use_code, wrong_code
from tocsin.kit.errors import NotFound
from tocsin.kit.ids import new_id
from tocsin.kit.schema import Answer, Body, PathId, Time
from tocsin.users.contact import Phone
from tocsin.users.models import Address, User
from tocsin.users.people import find_user
from tocsin.users.schemas import AddressAnswer

router = guarded_router(tags=["users"])


class PhoneCodeCreate(Body):
    value: Phone


class PhoneCodeTry(Body):
    value: Phone
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")] = Field(examples=["042137"])


class CapturedCode(Answer):
    code: str


class PhoneCodeAnswer(Answer):
    value: str = Field(description="The number that the code was sent to, in the form in which it is kept.")
    expires_at: Time
    captured: CapturedCode | None = Field(description="In the sandbox, where nothing is sent: what would have been.")


@router.post("/users/{user_id}/addresses/phone/codes", operation_id="send_phone_code", status_code=201)
@needs("users:manage", own=True, network_first=True, idempotent=False)
async def send(admitted: Admitted, door: Outside, user_id: PathId, body: PhoneCodeCreate) -> PhoneCodeAnswer:
    """Send a code of six digits to a number, over the project's own SMS connection; it is good for ten minutes.

    The number is no address of the person's before the code has come back. A person is sent five codes a day, a number
    too, and a project sends as many as its setting `phoneCodesPerDay` says. What the provider did not take does not
    count.
    """
    async with admitted.transaction() as call:
        user = await _person(call, user_id)
        asked = await new_code(call, user, body.value)
        await call.audit("address.code_sent", "user", user.id, channel="phone", value=body.value)
    await send_code(call, asked, door)
    captured = CapturedCode(code=asked.kept.code) if call.env == "test" else None
    return PhoneCodeAnswer(value=asked.kept.number, expires_at=asked.kept.expires_at, captured=captured)


@router.post(
    "/users/{user_id}/addresses/phone/verify",
    operation_id="verify_phone",
    description=f"Hand in the code; the number is a proven address of the person's. A code has {MOST_TRIES} tries.",
)
@needs("users:manage", own=True, network_first=True, idempotent=False)
async def verify(admitted: Admitted, user_id: PathId, body: PhoneCodeTry) -> AddressAnswer:
    async with admitted.transaction() as count:
        user = await _person(count, user_id)
        tried = await count_try(count, user.id, body.value)
    if tried is None or not tried.is_right(count.gate.vault, body.code):
        raise wrong_code()
    call = await admitted.begin()
    await use_code(call, tried)
    row = await _proven(call, user, body.value)
    await call.audit("address.verified", "user", user.id, after={"channel": "phone", "value": row.value})
    return AddressAnswer.model_validate(row)


async def _person(call: Call, user_id: UUID) -> User:
    if call.own_only and user_id != call.principal.user_id:
        raise NotFound()
    user = await find_user(call.session, user_id)
    call.write_to(user.env)
    return user


async def _proven(call: Call, user: User, number: str) -> Address:
    values = {"project_id": call.project_id, "id": new_id(), "env": user.env, "user_id": user.id}
    upsert = (
        insert(Address)
        .values({**values, "channel": "phone", "value": number, "verified_at": func.now()})
        .on_conflict_do_update(constraint="addresses_taken", set_={"verified_at": func.now(), "updated_at": func.now()})
        .returning(Address)
    )
    return (await call.session.scalars(upsert)).one()
