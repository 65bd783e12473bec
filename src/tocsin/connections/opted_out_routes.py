"""What a person told to stop, to be seen, and to be lifted when they ask for that (C4, C10).

A person takes an opt-out back themselves where they gave it: `/start`, `START`, the address entered anew. Where they
cannot, and ask the project, an admin does it, says why, and that is on record. What a provider itself keeps goes on:
Twilio refuses after STOP until START, and the refusal is noted again.
"""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import text

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.connections.reachability import mark_reachable
from tocsin.connections.stepping_in import Reason
from tocsin.kit.errors import FieldError, Invalid, NotFound
from tocsin.kit.schema import Answer, Body, PathId, Text, Time
from tocsin.users.people import find_user

router = guarded_router(tags=["users"])


class OptOutAnswer(Answer):
    channel: str
    address: str
    connection_id: UUID | None = Field(
        description="The bot or number that was told to stop. Null: the project's notifications to this mailbox."
    )
    connection_name: str | None
    since: Time
    reason: str | None = Field(description="How it was said, where a provider told.")


class OptOutLift(Body):
    address: Annotated[Text, StringConstraints(min_length=1, max_length=1_024)] = Field(description="As it is listed.")
    connection_id: UUID | None = Field(None, strict=False, description="As it is listed.")
    reason: Reason = Field(
        description="Who asked for it, when, and how. The audit log keeps it.",
        examples=["Asked by telephone on 3 March to have the alerts back."],
    )


@router.get("/users/{user_id}/opt-outs", operation_id="list_opt_outs")
@needs("users:read", own=True)
async def list_opt_outs(call: Called, user_id: PathId) -> list[OptOutAnswer]:
    """What this person told to stop, the project's own accounts and their own. A block at the provider is none."""
    if call.own_only and user_id != call.principal.user_id:
        raise NotFound()
    await find_user(call.session, user_id)
    return await _of(call, user_id)


@router.post("/users/{user_id}/opt-outs/lift", operation_id="lift_opt_out")
@needs("users:manage")
async def lift(call: Called, user_id: PathId, body: OptOutLift) -> list[OptOutAnswer]:
    """Send there again, because the person asked for it; in most countries nothing else is a lawful reason.

    Answers with what is left. An account lent by the platform is not the project's to be heard on again.
    """
    user = await find_user(call.session, user_id)
    call.write_to(user.env)
    wanted = (body.address, body.connection_id)
    found = [each for each in await _of(call, user_id) if (each.address, each.connection_id) == wanted]
    if not found:
        raise Invalid([FieldError("/address", "not_opted_out", "This person has not opted out of that here.")])
    values = {"user": user_id, "address": body.address}
    if body.connection_id is None:
        await call.session.execute(_LIFT_MAIL, values)
    else:
        why = f"lifted: {body.reason}"
        await mark_reachable(call.session, call.project_id, body.connection_id, body.address, why)
    before = found[0].model_dump(mode="json", by_alias=True)
    await call.audit("address.opt_out_lifted", "user", user_id, before=before, reason=body.reason)
    return await _of(call, user_id)


async def _of(call: Call, user_id: UUID) -> list[OptOutAnswer]:
    rows: Any = await call.session.execute(_OPT_OUTS, {"user": user_id, "project": call.project_id})
    return [OptOutAnswer.model_validate(row) for row in rows]


# Addresses are kept as hashes beside a connection, so each of the person's is looked up at each that may reach them.
_OPT_OUTS = text("""
WITH mine AS (
    SELECT u.email AS value FROM tocsin.users u WHERE u.id = :user AND u.email IS NOT NULL
    UNION SELECT u.phone FROM tocsin.users u WHERE u.id = :user AND u.phone IS NOT NULL
    UNION SELECT a.value FROM tocsin.addresses a WHERE a.user_id = :user
)
SELECT a.channel, a.value AS address, NULL::uuid AS connection_id, NULL AS connection_name,
    a.opted_out_at AS since, NULL AS reason
FROM tocsin.addresses a WHERE a.user_id = :user AND a.opted_out_at IS NOT NULL
UNION ALL
SELECT c.channel, m.value, c.id, c.name, r.since, r.reason
FROM tocsin.connections c CROSS JOIN mine m
JOIN tocsin.reachability r ON r.project_id = :project AND r.connection_id = c.id
    AND r.address_hash = sha256(convert_to(m.value, 'UTF8')) AND r.state = 'opted_out'
WHERE c.project_id = :project AND (c.user_id IS NULL OR c.user_id = :user)
ORDER BY since, address
""")
_LIFT_MAIL = text("""
UPDATE tocsin.addresses SET opted_out_at = NULL, updated_at = now()
WHERE user_id = :user AND value = :address AND opted_out_at IS NOT NULL
""")
