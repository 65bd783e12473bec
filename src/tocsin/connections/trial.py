"""Trying a connection out: does the provider know these credentials, and does a message leave?"""

import asyncio
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from tocsin.auth.call import Call
from tocsin.channels.contract import Account, Message, Recipient, SendFailure, Template, Unavailable
from tocsin.channels.masking import all_without_secrets, without_secrets
from tocsin.connections.announce import announce
from tocsin.connections.checks import USUALLY
from tocsin.connections.claims import Claim, claim_of
from tocsin.connections.configuration import Configuration, installed
from tocsin.connections.correspondents import window
from tocsin.connections.hooks import hook_of
from tocsin.connections.leading import Lead, lead_of
from tocsin.connections.models import Connection
from tocsin.connections.rows import (
    Seen,
    audited,
    find_to_change,
    opened_credentials,
    read_settings,
    seen_of,
    shown,
)
from tocsin.connections.schemas import MessageSent, VerifyAnswer
from tocsin.connections.templates import keep_templates
from tocsin.connections.twins import Twins
from tocsin.connections.waiting import hasten_deliveries
from tocsin.kit.db import driver
from tocsin.kit.errors import Conflict, FieldError, Invalid, Problem
from tocsin.kit.http import Door
from tocsin.kit.ids import new_id
from tocsin.projects.models import Project

TRIAL_SECONDS = 45.0

WORDS_KEPT = 500


@dataclass(frozen=True, slots=True)
class Trial:
    """A connection as it was when it was tried; ``target`` is the address that gets ``message``."""

    connection_id: UUID
    seen: Seen
    configuration: Configuration
    target: str | None
    message: Message
    claim: Claim | None = None
    twins: Twins | None = None
    lead: Lead | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the provider said. ``account`` is None when it refused, or in the sandbox, where nobody is asked."""

    account: Account | None = None
    sent: MessageSent | None = None
    problem: Problem | None = None


async def prepared(call: Call, connection_id: UUID, target: str | None, *, take_over: bool = False) -> Trial:
    """Read what a trial needs. Raises Conflict and Invalid for what cannot be tried.

    ``take_over`` says that the provider may be led here though it calls somebody else.
    """
    row = await find_to_change(call, connection_id)
    if row.status == "suspended":
        raise Conflict("connection_suspended", "The connection is suspended.")
    trial = await trial_of(call, row, target)
    await hook_of(call, row)
    lead = await lead_of(call, row, trial.configuration, take_over=take_over)
    twins = Twins(call.gate.db, row.project_id, call.env, row.id, row.provider, row.owner)
    return replace(trial, claim=claim_of(call, row), twins=twins, lead=lead)


async def trial_of(call: Call, row: Connection, target: str | None) -> Trial:
    """The same for a connection in any state, whoever it belongs to."""
    channel = installed(row.provider)
    settings, credentials = read_settings(row), await opened_credentials(call, row)
    if settings is None or credentials is None:
        raise Conflict("credentials_unreadable", "The credentials cannot be read any more; set them again.")
    _check_target(channel, target)
    message = await _test_message(call, row, target if channel.address_kind == "email" else None)
    if target is not None and channel.windowed:
        names = channel.known_as(target)
        expires_at = await window(await driver(call.session), call.project_id, row.id, names)
        message = replace(message, window_expires_at=expires_at)
    return Trial(row.id, await seen_of(call, row), Configuration(channel, settings, credentials), target, message)


def _check_target(channel: Any, target: str | None) -> None:
    if target is None:
        return
    if channel.reaches != "person":
        detail = "This provider reaches the project: verifying it sends a test call, without a target."
        raise Invalid([FieldError("/target", "no_target", detail)])
    if problem := channel.address_problem(target):
        raise Invalid([FieldError("/target", "invalid_address", problem)])


async def _test_message(call: Call, row: Connection, email: str | None) -> Message:
    project = (await call.session.scalars(select(Project.name))).one()
    recipient = Recipient(user_id=new_id(), email=email)
    return Message(
        delivery_id=new_id(),
        notification_id=new_id(),
        project_id=call.project_id,
        project_name=project,
        env=call.env,
        title="Test message",
        message=f"This is a test message of {project}. The connection “{row.name}” works.",
        priority="normal",
        created_at=datetime.now(UTC),
        recipient=recipient,
        recipients=(recipient,),
    )


async def tried(trial: Trial, door: Door) -> Outcome:
    """Ask the provider, then send the test message if somebody is to get it. Not inside a transaction."""
    if trial.message.env == "test":
        # The sandbox: nothing leaves the machine (A2).
        return Outcome(sent=MessageSent(status="captured") if trial.target else None)
    chosen = trial.configuration
    account: Account | None = None
    try:
        async with asyncio.timeout(TRIAL_SECONDS):
            account = _cleaned(await chosen.channel.verify(chosen.settings, chosen.credentials, door), chosen)
            if trial.twins is not None:
                await trial.twins.ahead(account.id)
            if trial.claim is not None:
                await trial.claim.ahead(account.id)
            if trial.lead is not None:
                await trial.lead.follow(door)
            return Outcome(account, await _sent(trial, door) if trial.target else None)
    except Conflict as refusal:
        return Outcome(problem=refusal)
    except SendFailure as failure:
        return Outcome(account, problem=_problem(trial, failure, verified=account is not None))
    except TimeoutError:
        late = Unavailable(f"There was no answer within {TRIAL_SECONDS:g} s.")
        return Outcome(account, problem=_problem(trial, late, verified=account is not None))


def _cleaned(account: Account, chosen: Configuration) -> Account:
    told = all_without_secrets(asdict(account), chosen.credentials)
    templates = told.pop("templates")
    return Account(**told, templates=None if templates is None else tuple(Template(**each) for each in templates))


async def _sent(trial: Trial, door: Door) -> MessageSent:
    chosen = trial.configuration
    receipt = await chosen.channel.send(trial.message, trial.target, chosen.settings, chosen.credentials, door)
    return MessageSent(
        status="delivered" if receipt.delivered else "sent",
        provider_message_id=receipt.provider_message_id
        and without_secrets(receipt.provider_message_id, chosen.credentials),
        answer=without_secrets(receipt.answer, chosen.credentials)[:WORDS_KEPT],
    )


def _problem(trial: Trial, failure: SendFailure, *, verified: bool) -> Invalid:
    """The refusal in the provider's own words."""
    words = without_secrets(f"{failure.reason} {failure.answer}", trial.configuration.credentials)
    code, pointer = ("test_message_failed", "/target") if verified else ("verification_failed", "")
    return Invalid([FieldError(pointer, code, words.strip()[:WORDS_KEPT])], code=code)


async def recorded(call: Call, trial: Trial, outcome: Outcome) -> VerifyAnswer:
    """Write down what became of a trial. Raises Conflict when the connection is another one by now."""
    row = await find_to_change(call, trial.connection_id, trial.seen)
    before = await shown(call, row)
    if outcome.account is not None or outcome.problem is None:
        if row.status != "active":
            await hasten_deliveries(call, row.channel)
        row.status = "active"
        row.status_reason = None
    else:
        row.status_reason = outcome.problem.detail
    if outcome.account is not None:
        account = outcome.account
        details = {"details": dict(account.details)} if account.details else {}
        row.account = {"id": account.id, "name": account.name, **details}
        row.verified_at = func.now()
        row.warnings = row.warned = list(account.warnings)
        row.refusals = 0
        row.next_check_at = func.now() + USUALLY
        if trial.twins is not None:
            await trial.twins.check(call.session, account.id)
        if trial.claim is not None:
            await trial.claim.keep(call.session, account.id)
        if account.templates is not None:
            await keep_templates(call.session, row.project_id, row.id, account.templates)
        if trial.lead is not None:
            await trial.lead.keep(call.session)
    if trial.message.env != "test":
        row.health_status = "healthy" if outcome.account is not None else "failing"
        row.last_health_check = func.now()
    await call.session.flush()
    await call.session.refresh(row)
    after = await shown(call, row)
    announce(call, before, after)
    action = "connection.verified" if outcome.account is not None else "connection.tried"
    await call.audit(action, "connection", row.id, before=audited(before), after=audited(after))
    return VerifyAnswer(
        status=after.status,
        verified=after.verified,
        account=after.account,
        warnings=list(outcome.account.warnings) if outcome.account else [],
        test_message=outcome.sent,
    )
