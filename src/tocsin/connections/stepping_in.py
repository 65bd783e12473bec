"""Acting on somebody else's connection: stopping it, letting it go on, looking into it on the record (C5).

The project's admins act on everybody's in their project, the platform's on those of every project. What the platform
stopped, only the platform lets go on. Nobody who steps in is shown a credential, and the owner is told.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import func, select, text

from tocsin.auth.call import Call
from tocsin.channels.masking import all_without_secrets
from tocsin.connections.claims import keep_proven
from tocsin.connections.configuration import installed, proven_by_making
from tocsin.connections.leading import lead_on
from tocsin.connections.models import Connection, ConnectionVisit
from tocsin.connections.rows import find, find_to_step_in, shown
from tocsin.connections.schemas import ConnectionAnswer, MessageSent
from tocsin.connections.trial import WORDS_KEPT, Outcome, Trial, trial_of, tried
from tocsin.connections.waiting import hasten_deliveries
from tocsin.kit.errors import Conflict, FieldError, Forbidden, Invalid
from tocsin.kit.http import Door
from tocsin.kit.ids import new_id
from tocsin.kit.schema import Answer, Body, Text, Time, plain
from tocsin.mail.post import post
from tocsin.mail.words import Kind
from tocsin.projects.models import Project
from tocsin.users.models import User

By = Literal["project", "platform"]

VISIT = timedelta(minutes=30)
STATISTICS_HOURS = 24
_MOST_COUNTED = 100_000

Reason = Annotated[str, StringConstraints(min_length=3, max_length=500, strip_whitespace=True), AfterValidator(plain)]


class ConnectionSuspension(Body):
    reason: Reason = Field(description="Its owner reads it.")


class ConnectionAccess(Body):
    reason: Reason = Field(description="Its owner reads it, and so does whoever reads the audit log.")
    target: Annotated[Text, StringConstraints(min_length=1, max_length=4_096)] | None = Field(
        None, description="An address that gets a test message.", examples=["ann@example.com"]
    )


class Visit(Answer):
    id: UUID
    reason: str
    expires_at: Time = Field(description="Until then further calls belong to it, and tell nobody again.")


class Statistics(Answer):
    """Deliveries that this connection has carried in the last 24 hours."""

    sent: int
    failed: int
    waiting: int


class ConnectionLook(Answer):
    visit: Visit
    connection: ConnectionAnswer
    account: dict[str, Any] | None = Field(description="Whom the provider takes the credentials for, asked just now.")
    problem: str | None = Field(description="The provider's own words, if it refused.")
    inbound: dict[str, Any] | None = Field(description="Where the provider sends what comes in, if it does.")
    statistics: Statistics
    test_message: MessageSent | None


async def suspend(call: Call, connection_id: UUID, by: By, reason: str) -> tuple[Connection, ConnectionAnswer]:
    """Stop it; the row, and how it was before. Every process chooses without it from its next send on."""
    row = await find_to_step_in(call, connection_id)
    _check_above(row, by)
    before = await shown(call, row)
    row.status, row.status_reason, row.suspended_by = "suspended", reason, by
    await _tell(call, row, "connection_suspended", reason)
    await lead_on(call, row)
    return row, before


async def activate(call: Call, connection_id: UUID, by: By) -> tuple[Connection, ConnectionAnswer]:
    """Let it go on: as ``active`` if it was proven, else as ``pending``. What waits for it is tried now."""
    row = await find_to_step_in(call, connection_id)
    if row.status != "suspended":
        raise Conflict("not_suspended", "The connection is not suspended.")
    _check_above(row, by)
    before = await shown(call, row)
    proven = row.verified_at is not None or proven_by_making(installed(row.provider))
    row.status, row.status_reason, row.suspended_by = "active" if proven else "pending", None, None
    if proven:
        await keep_proven(call, row)
        await hasten_deliveries(call, row.channel)
    await lead_on(call, row)
    return row, before


def _check_above(row: Connection, by: By) -> None:
    if row.suspended_by == "platform" and by == "project":
        raise Forbidden("suspended_by_platform", "The platform suspended it; ask its operator.")


@dataclass(frozen=True, slots=True)
class Look:
    """A look into a connection that has begun: on the record, before anybody outside is asked."""

    visit: Visit
    trial: Trial


async def begin(call: Call, connection_id: UUID, body: ConnectionAccess) -> Look:
    """Open the caller's visit, or go on with the one that is open; its owner hears of a new one."""
    row = await find_to_step_in(call, connection_id)
    if row.status == "suspended" and body.target is not None:
        detail = "The connection is suspended and sends nothing."
        raise Invalid([FieldError("/target", "connection_suspended", detail)])
    trial = await trial_of(call, row, body.target)
    visit = await _visit(call, row, body.reason)
    told = {"visit": str(visit.id), "reason": body.reason, "target": body.target}
    await call.audit("connection.accessed", "connection", row.id, after=told)
    return Look(visit, trial)


async def _visit(call: Call, row: Connection, reason: str) -> Visit:
    visitor = f"{call.principal.kind} {call.principal.id}"
    open_one = select(ConnectionVisit).where(
        ConnectionVisit.connection_id == row.id,
        ConnectionVisit.visitor == visitor,
        ConnectionVisit.expires_at > func.now(),
    )
    visit = (await call.session.scalars(open_one.limit(1))).one_or_none()
    if visit is None:
        visit = ConnectionVisit(
            project_id=call.project_id,
            id=new_id(),
            connection_id=row.id,
            env=row.env,
            visitor=visitor,
            reason=reason,
            expires_at=datetime.now(UTC) + VISIT,
        )
        call.session.add(visit)
        await _tell(call, row, "connection_accessed", reason)
    return Visit.model_validate(visit)


async def ask(look: Look, door: Door) -> tuple[Outcome, dict[str, Any] | None]:
    """What the provider says. Not inside a transaction."""
    chosen = look.trial.configuration
    inbound = None
    if look.trial.message.env != "test":
        told = await chosen.channel.inbound(chosen.settings, chosen.credentials, door)
        inbound = all_without_secrets(told, chosen.credentials)
    return await tried(look.trial, door), inbound


async def report(call: Call, look: Look, outcome: Outcome, inbound: dict[str, Any] | None) -> ConnectionLook:
    row = await find(call, look.trial.connection_id)
    account = outcome.account
    return ConnectionLook(
        visit=look.visit,
        connection=await shown(call, row),
        account={"id": account.id, "name": account.name} if account else None,
        problem=_words(outcome),
        inbound=inbound,
        statistics=await _statistics(call, row),
        test_message=outcome.sent,
    )


def _words(outcome: Outcome) -> str | None:
    if outcome.problem is None:
        return None
    return "; ".join(each.detail for each in outcome.problem.errors)[:WORDS_KEPT]


async def _statistics(call: Call, row: Connection) -> Statistics:
    where = {"of": row.project_id, "id": row.id, "hours": STATISTICS_HOURS, "most": _MOST_COUNTED}
    return Statistics.model_validate((await call.session.execute(_COUNTED, where)).one())


_COUNTED = text("""
SELECT count(*) FILTER (WHERE state IN ('sent', 'delivered', 'read')) AS sent,
    count(*) FILTER (WHERE state = 'failed') AS failed,
    count(*) FILTER (WHERE state IN ('queued', 'leased')) AS waiting
FROM (SELECT d.state FROM tocsin.deliveries d
    WHERE d.connection_project = :of AND d.connection_id = :id
        AND d.id >= tocsin.first_id_at(now() - make_interval(hours => :hours)) LIMIT :most) AS lately
""")


async def _tell(call: Call, row: Connection, kind: Kind, reason: str) -> None:
    """Write to whoever owns it, unless that is the one who acts."""
    owner = row.user_id
    if row.owner == "project" and call.principal.kind == "platform_admin":
        owner = await call.session.scalar(select(Project.owner_id))
    if owner is None or owner == call.principal.user_id:
        return
    email = await call.session.scalar(select(User.email).where(User.id == owner))
    if email is None:
        return
    details = {"connection": row.name, "reason": reason, "until": f"{datetime.now(UTC) + VISIT:%H:%M} UTC"}
    await post(call.session, call.gate.vault, call.project_id, row.env, kind, email, details, user_id=owner)
