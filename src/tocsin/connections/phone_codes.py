"""Codes by which a person shows that a telephone number is theirs: sent over the project's own SMS connection (C10).

A code is one person's, for one number, until it was used, a newer one was asked for, ``GOOD_FOR`` is over or
``MOST_TRIES`` were made with it. Of it and of the number only keyed hashes are kept.

Each text message costs the project money, so what is sent is limited by person, number and project before anything
leaves. The rows of codes are what is counted, and they outlast the person. A code that is known not to have left is
removed: it counts for nothing, and the one before it is good again.

Nothing is counted over several projects. A project names the server that plays Twilio itself, and could use up for
nothing what others may send to a number; whoever pays for their text messages needs no project to send them. So the
owner of a number is protected from each project by itself (``EACH_DAY``).
"""

import math
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import case, extract, func, select, text

from tocsin.audit.record import record
from tocsin.auth.call import Call
from tocsin.channels.contract import BadCredentials, Channel, Described, Message, SendFailure, Unavailable, is_too_many
from tocsin.channels.masking import without_secrets
from tocsin.channels.registry import providers
from tocsin.channels.wording import shortened
from tocsin.connections.announce import Changed
from tocsin.connections.levels import SENDS
from tocsin.connections.models import Connection
from tocsin.connections.rows import opened_credentials, read_settings
from tocsin.connections.standing import mark_error, mark_paused, pause_of
from tocsin.kit.errors import BadRequest, Conflict, FieldError, Invalid, Problem, TooManyRequests
from tocsin.kit.errors import Unavailable as Later
from tocsin.kit.http import Door, Unreachable
from tocsin.kit.ids import new_id
from tocsin.kit.vault import Vault
from tocsin.projects.models import Project
from tocsin.users.models import User

GOOD_FOR = timedelta(minutes=10)
MOST_TRIES = 5
EACH_DAY = 5
"""Codes for one person, and to one number of a project, within 24 hours."""
CODES_PER_DAY = 100
"""Of a project that has said nothing else."""
LONGEST_NAME = 60
NOT_TAKEN = frozenset({*range(400, 500), 503})
"""Statuses by which a provider says that it has not taken the message."""


class Kept(NamedTuple):
    """A code as it lies in its row, and in the clear."""

    id: UUID
    user_id: UUID
    number: str
    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """A code that is kept and still has to be sent, and what it is sent over."""

    kept: Kept
    connection_id: UUID
    version: datetime
    channel: Channel[Any, Any]
    settings: Described
    credentials: Described
    message: Message


async def new_code(call: Call, user: User, number: str) -> Asked:
    """Make and keep a code; those made before for this person and number are worth nothing while it is kept.

    Raises Conflict where there is nothing to prove, or nothing to send it over; TooManyRequests; Unavailable while
    the provider has asked for a pause.
    """
    if await call.session.scalar(_PROVEN, {"user": user.id, "number": number}):
        raise Conflict("address_verified", "This number is proven to be the person's already.")
    connection = await _connection(call)
    await _check_room(call, user, number)
    return await _asked(call, connection, await _kept(call, user, number))


async def _connection(call: Call) -> Connection:
    """The project's default for SMS, else any of its own that works; those without a pause before others."""
    left = extract("epoch", Connection.paused_until - func.now())
    pause = case((Connection.status == "rate_limited", func.greatest(0, func.coalesce(left, 0))), else_=0)
    query = (
        select(Connection, pause.label("pause"))
        .where(Connection.channel == "sms", Connection.owner == "project", Connection.status.in_(SENDS))
        .order_by(pause > 0, (Connection.env == call.env).desc(), Connection.is_default.desc(), Connection.id)
        .limit(1)
    )
    found = (await call.session.execute(query)).one_or_none()
    if found is None:
        raise Conflict(
            "no_sms_connection",
            "The project has no SMS connection that works. Make one (POST /connections, provider twilio) and verify"
            " it; or prove numbers yourself and say so with verified.",
        )
    connection: Connection = found[0]
    seconds = found[1]
    if seconds > 0 and call.env == "live":
        raise _later(math.ceil(seconds))
    return connection


async def _check_room(call: Call, user: User, number: str) -> None:
    """One transaction of a project at a time counts, so that many at once are not more than so many."""
    await call.session.execute(_ONE_AT_A_TIME, {"name": f"phone codes {call.project_id} {call.env}"})
    numbers = number_hashes(call.gate.vault, call.project_id, number)
    sent = (await call.session.execute(_SENT, {"user": user.id, "numbers": numbers})).one()
    settings = (await call.session.scalars(select(Project.settings))).one()
    most = settings.get("connections", {}).get("phoneCodesPerDay", CODES_PER_DAY)
    if sent.to_person >= EACH_DAY or sent.to_number >= EACH_DAY:
        raise TooManyRequests("too_many_codes", f"{EACH_DAY} codes a day go to one person, and to one number.")
    if sent.of_project >= most:
        raise TooManyRequests("too_many_codes", f"The project sends {most} codes a day (phoneCodesPerDay).")


async def _kept(call: Call, user: User, number: str) -> Kept:
    id_, code = new_id(), f"{secrets.randbelow(10**6):06d}"
    values = {
        "project": call.project_id,
        "id": id_,
        "env": call.env,
        "user": user.id,
        "number": number_hashes(call.gate.vault, call.project_id, number)[0],
        "hash": _hashes(call.gate.vault, id_, code)[0],
        "good_for": GOOD_FOR,
    }
    expires_at = (await call.session.execute(_KEEP, values)).scalar_one()
    return Kept(id_, user.id, number, code, expires_at)


async def _asked(call: Call, row: Connection, kept: Kept) -> Asked:
    channel = providers().get(row.provider)
    settings, credentials = read_settings(row), await opened_credentials(call, row)
    if not isinstance(channel, Channel) or settings is None or credentials is None:
        raise Conflict("credentials_unreadable", "The SMS connection cannot be read any more; set it up again.")
    if problem := channel.address_problem(kept.number):
        raise Invalid([FieldError("/value", "invalid_address", f"The number {problem}.")])
    name = shortened((await call.session.scalars(select(Project.name))).one(), LONGEST_NAME)
    minutes = GOOD_FOR // timedelta(minutes=1)
    message = Message(
        delivery_id=new_id(),
        notification_id=new_id(),
        project_id=call.project_id,
        project_name=name,
        env=call.env,
        title=f"{kept.code} is your code for {name}, for {minutes} minutes. Tell it to nobody.",
        message="",
        priority="high",
        created_at=datetime.now(UTC),
    )
    return Asked(kept, row.id, row.updated_at, channel, settings, credentials, message)


async def send_code(call: Call, asked: Asked, door: Door) -> None:
    """Hand the code over, outside any transaction; nothing leaves the sandbox. Raises Invalid and Unavailable."""
    if asked.message.env == "test":
        return
    try:
        await asked.channel.send(asked.message, asked.kept.number, asked.settings, asked.credentials, door)
    except SendFailure as failure:
        if _left_nothing(failure):
            await _take_back(call, asked.kept)
        await _note(call, asked, failure)
        raise _refusal(failure) from None


def _left_nothing(failure: SendFailure) -> bool:
    """Whether the provider surely took nothing. Where an answer is missing, nobody knows."""
    if not isinstance(failure, Unavailable):
        return True
    cause = failure.__cause__
    return failure.status in NOT_TAKEN or (isinstance(cause, Unreachable) and cause.kind in ("dns", "connect"))


async def _take_back(call: Call, kept: Kept) -> None:
    """As if nobody had asked, but for the record."""
    told = {"channel": "phone", "value": kept.number}
    async with call.gate.db.scope(call.project_id, call.env) as session:
        await session.execute(_TAKE_BACK, {"id": kept.id})
        where = (session, call.project_id, call.env, call.actor)
        await record(*where, "address.code_not_sent", "user", kept.user_id, told)


async def _note(call: Call, asked: Asked, failure: SendFailure) -> None:
    """Keep what the failure says of the connection."""
    row = (call.project_id, asked.connection_id)
    reason, news = without_secrets(failure.reason, asked.credentials), False
    async with call.gate.db.unit(call.project_id, call.env) as connection:
        if isinstance(failure, BadCredentials):
            await mark_error(connection, *row, asked.version, reason)
        elif is_too_many(failure):
            news = await mark_paused(connection, *row, pause_of(failure.retry_after), reason)
    if news:
        cast(Changed, call.request.app.state.connection_changed)(call.project_id, call.env, asked.connection_id)


def _refusal(failure: SendFailure) -> Problem:
    if isinstance(failure, BadCredentials | Unavailable):
        return _later()
    detail = "The provider does not take this number."
    return Invalid([FieldError("/value", "code_not_sent", detail)], code="code_not_sent")


def _later(seconds: int | None = None) -> Later:
    return Later("code_not_sent", "The project's SMS connection cannot send just now; try again later.", seconds)


@dataclass(frozen=True, slots=True)
class Tried:
    """The code that counts, with one try more."""

    id: UUID
    hash: bytes

    def is_right(self, vault: Vault, code: str) -> bool:
        return any(compare_digest(self.hash, each) for each in _hashes(vault, self.id, code))


async def count_try(call: Call, user_id: UUID, number: str) -> Tried | None:
    """Count a try before it is made, so that many at once are not more than so many. None where no code is open.

    The caller commits it before it looks whether the code is right: a refusal would take the count back.
    """
    numbers = number_hashes(call.gate.vault, call.project_id, number)
    values = {"user": user_id, "numbers": numbers, "most": MOST_TRIES}
    row = (await call.session.execute(_TRY, values)).one_or_none()
    return Tried(*row) if row is not None else None


async def use_code(call: Call, tried: Tried) -> None:
    """Spend a code that is right, once; of several at the same time one wins. Raises BadRequest."""
    if await call.session.scalar(_USE, {"id": tried.id}) is None:
        raise wrong_code()


def wrong_code() -> BadRequest:
    return BadRequest(
        "wrong_code",
        f"This code does not work: it is wrong, was used, has expired, or {MOST_TRIES} were tried. Ask for a new one.",
    )


def _hashes(vault: Vault, id_: UUID, code: str) -> list[bytes]:
    """Keyed, for a million codes are tried in a second; with the id, so that two of a kind do not look alike."""
    return vault.fingerprints("phone codes", f"{id_}:{code}")


def number_hashes(vault: Vault, project_id: UUID, number: str) -> list[bytes]:
    """By which a project counts a number once its person is gone; keyed, for numbers are few. The first one is kept."""
    return vault.fingerprints("phone numbers", f"{project_id}:{number}")


_PROVEN = text("""
SELECT 1 FROM tocsin.addresses
WHERE user_id = :user AND channel = 'phone' AND value = :number AND verified_at IS NOT NULL
""")
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_SENT = text("""
SELECT count(*) AS of_project, count(*) FILTER (WHERE user_id = :user) AS to_person,
    count(*) FILTER (WHERE number_hash = ANY (:numbers)) AS to_number
FROM tocsin.phone_codes WHERE created_at > now() - interval '1 day'
""")
# The clock is read behind the lock: of two transactions the one that began first may come second.
_KEEP = text("""
INSERT INTO tocsin.phone_codes (project_id, id, env, user_id, number_hash, code_hash, created_at, expires_at)
SELECT :project, :id, :env, :user, :number, :hash, c.now, c.now + CAST(:good_for AS interval)
FROM (SELECT clock_timestamp() AS now) AS c RETURNING expires_at
""")
_TAKE_BACK = text("DELETE FROM tocsin.phone_codes WHERE id = :id")
# Of the newest code, whatever became of it. A try at the same time waits here, and sees what this one has counted.
_TRY = text("""
UPDATE tocsin.phone_codes SET tries = tries + 1
WHERE id = (SELECT c.id FROM tocsin.phone_codes c WHERE c.user_id = :user AND c.number_hash = ANY (:numbers)
        ORDER BY c.created_at DESC LIMIT 1)
    AND used_at IS NULL AND expires_at > now() AND tries < :most
RETURNING id, code_hash
""")
_USE = text("""
UPDATE tocsin.phone_codes SET used_at = now() WHERE id = :id AND used_at IS NULL AND expires_at > now() RETURNING id
""")
