"""Writing connections: a new one, and other settings and credentials of one that is there."""

from uuid import UUID

from sqlalchemy import func, select

from tocsin.channels.contract import Registers
from tocsin.connections.configuration import Configuration, proven_by_making
from tocsin.connections.hooks import hook_of, make_hook, regenerate_hook
from tocsin.connections.models import Connection
from tocsin.connections.rows import Level, end_default, hold, is_first, opened_credentials, sealed
from tocsin.connections.schemas import ConnectionFields, Status
from tocsin.connections.twins import check_credentials, is_watched
from tocsin.connections.waiting import hasten_deliveries
from tocsin.connections.within import Within
from tocsin.kit.errors import Conflict
from tocsin.kit.ids import new_id
from tocsin.projects.models import Project
from tocsin.projects.setting_schemas import SettingsAnswer


async def added(
    within: Within, body: ConnectionFields, wanted: Configuration, level: Level, created_by: UUID | None = None
) -> Connection:
    """A new connection with its address to be called at. Raises Conflict where a person has as many as they may, and
    for an account that was suspended."""
    channel, id_ = wanted.channel, new_id()
    if level.user_id is not None:
        await _check_own_room(within, level, level.user_id, channel.provider)
    await check_credentials(within, channel.provider, level.owner, wanted.credentials)
    first = await is_first(within, level)
    is_default = first if body.is_default is None else body.is_default
    if is_default and not first:
        await end_default(within, level)
    row = Connection(
        project_id=within.project_id,
        id=id_,
        env=within.env,
        provider=channel.provider,
        channel=channel.channel,
        owner=level.owner,
        user_id=level.user_id,
        name=body.name,
        credentials=await sealed(within, id_, wanted.credentials),
        settings=wanted.settings.revealed(),
        is_default=is_default,
        use_as_fallback=body.use_as_fallback,
        status="active" if proven_by_making(channel) else "pending",
        created_by=created_by,
    )
    within.session.add(row)
    await within.session.flush()
    await make_hook(within, row)
    if row.status == "active":
        await hasten_deliveries(within, row.channel)
    return row


async def _check_own_room(within: Within, level: Level, user_id: UUID, provider: str) -> None:
    """Refuse more connections of a person at one provider than the project allows; a suspended one counts as well."""
    await hold(within, level)
    allowed = SettingsAnswer.model_validate(
        await within.session.scalar(select(Project.settings))
    ).connections.own_per_provider
    mine = select(func.count()).where(
        Connection.env == within.env, Connection.user_id == user_id, Connection.provider == provider
    )
    if (await within.session.scalar(mine) or 0) >= allowed:
        detail = (
            f"You have a connection of this provider already; the project allows {allowed}. Change it or remove it."
        )
        raise Conflict("own_connection_exists", detail)


async def reconfigure(within: Within, row: Connection, wanted: Configuration) -> None:
    """Take other settings and credentials into use; new ones of an account have to be verified again. Raises Conflict
    for an account that was suspended."""
    moved, row.settings = row.settings != wanted.settings.revealed(), wanted.settings.revealed()
    hook = await hook_of(within, row)
    if await opened_credentials(within, row) == wanted.credentials:
        if moved and not proven_by_making(wanted.channel) and await is_watched(within, row):
            await unproven(within, row, "pending")
        return
    if row.status != "suspended":
        await check_credentials(within, row.provider, row.owner, wanted.credentials, but=row.id)
    row.credentials = await sealed(within, row.id, wanted.credentials)
    if hook is not None and isinstance(wanted.channel, Registers):
        # The account of before is not heard here any more. Where people enter the address by hand it stays: a token
        # is renewed there without a change at the provider, and who signs is told by the credentials.
        await regenerate_hook(within, hook)
    await unproven(within, row, "active" if proven_by_making(wanted.channel) else "pending")


async def unproven(within: Within, row: Connection, status: Status) -> None:
    """What was known of the old credentials does not hold for the new ones; a suspension does, of the account that it
    was about."""
    if row.status != "suspended":
        if status == "active" != row.status:
            await hasten_deliveries(within, row.channel)
        row.status, row.status_reason = status, None
        row.account = row.account_claim = None
    row.verified_at = row.last_health_check = None
    row.health_status, row.refusals = "unknown", 0
