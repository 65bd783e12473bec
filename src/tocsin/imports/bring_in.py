"""Storing what is wanted: every connection and place of one import in one transaction."""

from collections.abc import Sequence

from sqlalchemy import select, text

from tocsin.channels.contract import Registers
from tocsin.connections.configuration import Configuration, configured
from tocsin.connections.destination_routes import MOST, DestinationCreate
from tocsin.connections.hooks import find_hook
from tocsin.connections.models import Connection, Destination
from tocsin.connections.rows import Level, at, opened_credentials, read_settings
from tocsin.connections.schemas import ConnectionFields
from tocsin.connections.storing import added, reconfigure
from tocsin.imports.holders import Holder, NobodyThere, holders_of
from tocsin.imports.kept import Change, keep
from tocsin.imports.report import ConnectionReport, Fate, PlaceReport, Report, skipped, told
from tocsin.imports.snapshot import readable, shown_on_record, snapshot_of
from tocsin.imports.wanted import Account, Part, Source
from tocsin.imports.work import Work
from tocsin.kit.errors import Conflict, Problem
from tocsin.kit.ids import new_id
from tocsin.plans.totals import room_for, total_of

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")

_TAKEN = (
    "has a connection of this provider with another account, and the project allows no more; remove that one,"
    " or raise connections.ownPerProvider in the project's settings"
)


async def bring_in(work: Work, project: str, source: Source, parts: Sequence[Part], left_out: list[str]) -> Report:
    """Make and replace connections. What cannot be is skipped, and says why; the rest goes on."""
    await work.session.execute(_ONE_AT_A_TIME, {"name": f"import {work.project_id}"})
    reports: list[ConnectionReport] = []
    changes: list[Change] = []
    for part in parts:
        try:
            holders = await holders_of(work.session, part.whose)
        except NobodyThere as nobody:
            reports += [skipped(part.whose, account, str(nobody)) for account in part.accounts]
            continue
        for holder in holders:
            for account in part.accounts:
                report, change = await _tried(work, holder, account)
                reports.append(report)
                changes += [change] if change else []
    id_ = await keep(work, changes) if changes else None
    if id_ is not None:
        counted = {fate: sum(each.outcome == fate for each in reports) for fate in ("made", "replaced", "skipped")}
        await work.audit("import.made", "import", id_, source=source, **counted)
    return Report(project, source, False, id_, reports, left_out, _warnings(parts, reports))


def _warnings(parts: Sequence[Part], reports: list[ConnectionReport]) -> list[str]:
    """A bot has one address at which it is heard, so of several connections of it one works."""
    registering = {
        each.channel.provider for part in parts for each in part.accounts if isinstance(each.channel, Registers)
    }
    there = [(each.provider, each.account) for each in reports if each.outcome != "skipped"]
    return [
        f"{there.count(one)} connections have the account {one[1]} of {one[0]}; the provider calls one of them alone,"
        " so the others will be refused when they are verified. Give each owner an account of their own."
        for one in sorted(set(there))
        if one[0] in registering and there.count(one) > 1
    ]


async def _tried(work: Work, holder: Holder, account: Account) -> tuple[ConnectionReport, Change | None]:
    """What became of one account; where it was refused, nothing of it stays."""
    total = total_of(account.channel.channel) if holder.user_id is None else None
    try:
        async with (
            work.session.begin_nested(),
            room_for(work.session, work.project_id, work.env, *([total] if total else [])),
        ):
            return await _stored(work, holder, account)
    except Problem as problem:
        why = _TAKEN if problem.code == "own_connection_exists" else problem.detail
        return skipped(holder.label, account, why), None


async def _stored(work: Work, holder: Holder, account: Account) -> tuple[ConnectionReport, Change | None]:
    level = Level("project" if holder.user_id is None else "user", holder.user_id, account.channel.channel)
    row = await _present(work, level, account)
    before = None if row is None else await snapshot_of(work, row)
    row = await _made(work, level, account) if row is None else await _replaced(work, row, account)
    places = [await _placed(work, row, place) for place in account.places]
    after = await snapshot_of(work, row)
    fate: Fate = "made" if before is None else "unchanged" if before == after else "replaced"
    label = f"{account.channel.provider} {account.id} of {holder.label}"
    change = None if fate == "unchanged" else Change(row.id, label, before, after)
    return told(fate, holder.label, account, row.id, row.status, places), change


async def _present(work: Work, level: Level, account: Account) -> Connection | None:
    """The connection of this owner that has the same account already."""
    query = select(Connection).where(*at(work, level), Connection.provider == account.channel.provider)
    for row in await work.session.scalars(query.order_by(Connection.id).with_for_update()):
        settings, credentials = read_settings(row), await opened_credentials(work, row)
        if settings and credentials and account.channel.account_in(settings, credentials) == account.id:
            return row
    return None


async def _made(work: Work, level: Level, account: Account) -> Connection:
    channel = account.channel
    fields = ConnectionFields(provider=channel.provider, name=account.name or channel.title)
    row = await added(work, fields, account.configuration, level)
    await _tell_verify_token(work, row, account)
    await work.audit("connection.created", "connection", row.id, after=await shown_on_record(work, row))
    return row


async def _replaced(work: Work, row: Connection, account: Account) -> Connection:
    was, before = await shown_on_record(work, row), await snapshot_of(work, row)
    await reconfigure(work, row, await _over_the_present(work, row, account))
    row.name = account.name or row.name
    await _tell_verify_token(work, row, account)
    if before != await snapshot_of(work, row):
        after = await shown_on_record(work, row)
        await work.audit("connection.updated", "connection", row.id, before=was, after=after)
    return row


async def _over_the_present(work: Work, row: Connection, account: Account) -> Configuration:
    credentials = await opened_credentials(work, row)
    kept = credentials.revealed() if credentials else {}
    return configured(account.channel, {**row.settings, **account.settings}, {**kept, **account.credentials})


async def _tell_verify_token(work: Work, row: Connection, account: Account) -> None:
    """Take over the token that stands at the provider already, so that the address alone has to be entered there."""
    token = account.verify_token
    hook = await find_hook(work.session, row.id) if token is not None else None
    if token is not None and hook is not None and await readable(work, "hooks", row.id, "secret", hook.secret) != token:
        hook.secret = await work.seal("hooks", row.id, "secret", token)


async def _placed(work: Work, connection: Connection, wanted: DestinationCreate) -> PlaceReport:
    present = (await work.session.scalars(select(Destination).where(Destination.connection_id == connection.id))).all()
    row = next((each for each in present if each.name == wanted.name), None)
    if row is None:
        fate = await _new_place(work, connection, wanted, len(present))
    else:
        fate = await _changed_place(work, row, wanted)
    return PlaceReport(wanted.name, wanted.address, wanted.enabled, fate)


async def _new_place(work: Work, connection: Connection, wanted: DestinationCreate, present: int) -> Fate:
    if present >= MOST:
        raise Conflict("too_many_destinations", f"A connection has {MOST} destinations at the most.")
    row = Destination(
        project_id=work.project_id,
        id=new_id(),
        env=work.env,
        connection_id=connection.id,
        name=wanted.name,
        target=wanted.address,
        enabled=wanted.enabled,
    )
    work.session.add(row)
    await work.session.flush()
    await work.audit("destination.created", "destination", row.id, after=_audited(row))
    return "made"


async def _changed_place(work: Work, row: Destination, wanted: DestinationCreate) -> Fate:
    if (row.target, row.enabled) == (wanted.address, wanted.enabled):
        return "unchanged"
    before = _audited(row)
    row.target, row.enabled = wanted.address, wanted.enabled
    await work.session.flush()
    await work.audit("destination.updated", "destination", row.id, before=before, after=_audited(row))
    return "replaced"


def _audited(row: Destination) -> dict[str, object]:
    return {"connectionId": str(row.connection_id), "name": row.name, "address": row.target, "enabled": row.enabled}
