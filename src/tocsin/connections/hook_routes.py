"""How far the set-up of a connection is, and where its provider calls, over HTTP (C7, C8)."""

from typing import Annotated, Any, Literal, cast

from fastapi import Depends, Request
from pydantic import Field
from sqlalchemy import func, text

from tocsin.auth.call import Call
from tocsin.auth.guard import Admitted, Called, guarded_router, needs
from tocsin.channels.contract import Inbound, SendFailure, SetupFact
from tocsin.channels.masking import without_secrets
from tocsin.connections.claims import keep_proven
from tocsin.connections.configuration import installed
from tocsin.connections.hooks import Hook, address_of, find_hook, make_hook, opened_secret, regenerate_hook
from tocsin.connections.leading import Lead, standing_lead_of
from tocsin.connections.meta_apps import MetaApp, app_of, callback_url
from tocsin.connections.models import Connection
from tocsin.connections.rows import find, find_to_change
from tocsin.connections.schemas import StepAnswer
from tocsin.kit.errors import Conflict
from tocsin.kit.http import Door
from tocsin.kit.schema import Answer, PathId, Time
from tocsin.settings import Settings

router = guarded_router(tags=["connections"])


def _door(request: Request) -> Door:
    return cast(Door, request.app.state.door)


Outside = Annotated[Door, Depends(_door)]


class SetupStep(StepAnswer):
    done: bool | None = Field(description="Null where nothing can tell.")


class ForeignAccount(Answer):
    """What the address heard of that is not the connection's: the app that calls here has others too."""

    account: str
    last_received_at: Time


class SetupAnswer(Answer):
    """Where the provider calls, and how far the connection is; of a number under a registered app, that of the app."""

    mode: Literal["none", "webhook", "polling"] = Field(
        description="`polling`: we ask the provider. `none`: it has nothing to tell us."
    )
    address: str | None = Field(description="Where the provider calls; null where the world cannot reach us.")
    verify_token: str | None = Field(description="What you enter at the provider beside the address, if it asks.")
    registered_at: Time | None = Field(description="When the provider last agreed to the address, or to be asked.")
    last_received_at: Time | None = Field(description="When it last told something, to the minute.")
    foreign_account: ForeignAccount | None = Field(
        None,
        description="The account that is not this connection's and that its address heard about last, to the minute."
        " Of WhatsApp a phone number ID. Nothing follows from what is told of it.",
    )
    error: str | None = Field(None, description="Why the provider could not be told of a new address just now.")
    steps: list[SetupStep]


@router.get("/connections/{connection_id}/setup", operation_id="read_setup")
@needs("connections:manage", own=True)
async def read_setup(call: Called, connection_id: PathId) -> SetupAnswer:
    """The steps of the set-up, each done or not."""
    row = await find(call, connection_id)
    return await _shown(call, row, await find_hook(call.session, row.id))


@router.post("/connections/{connection_id}/webhook/regenerate", operation_id="regenerate_webhook")
@needs("connections:manage", own=True, network_first=True)
async def regenerate(admitted: Admitted, door: Outside, connection_id: PathId) -> SetupAnswer:
    """Another address and another secret. A provider that can be told is told; at others you enter them yourself.

    What calls at the old address is refused from this moment on, and told again by the provider at the new one.
    """
    async with admitted.transaction() as change:
        row = await find_to_change(change, connection_id)
        await keep_proven(change, row)
        await _renew(change, row)
        row.updated_at = func.now()  # what sends with the old address in hand opens the connection anew
        lead = await standing_lead_of(change, row)
        await change.audit("connection.webhook_regenerated", "connection", row.id)
    error = await _followed(lead, door) if lead is not None else None
    call = await admitted.begin()
    row = await find_to_change(call, connection_id)
    if lead is not None and error is None:
        await lead.keep(call.session)
    answer = await _shown(call, row, await find_hook(call.session, row.id))
    return answer.model_copy(update={"error": error})


async def _renew(call: Call, row: Connection) -> None:
    """Also give it to a connection that has none. Raises Conflict where the provider does not call back."""
    hook = await find_hook(call.session, row.id)
    if hook is not None:
        await regenerate_hook(call, hook)
    elif await make_hook(call, row) is None:
        raise Conflict("no_webhook", "The provider of this connection does not call back.")


async def _followed(lead: Lead, door: Door) -> str | None:
    """Why the provider was not told, in its own words, or None."""
    try:
        await lead.follow(door)
    except (SendFailure, Conflict) as refusal:
        return without_secrets(str(refusal), lead.credentials)
    return None


async def _shown(call: Call, row: Connection, hook: Hook | None) -> SetupAnswer:
    channel = installed(row.provider)
    facts = await _facts(call, row, hook)
    steps = [
        SetupStep(key=step.key, text=step.text, done=None if step.done_by is None else step.done_by in facts)
        for step in channel.setup_steps
    ]
    settings = cast(Settings, call.request.app.state.settings)
    shows = hook is not None and isinstance(channel, Inbound) and channel.shows_secret
    answer = SetupAnswer(
        mode="none" if hook is None else "polling" if hook.polled else "webhook",
        address=address_of(settings, hook) if hook else None,
        verify_token=await opened_secret(call, hook) if hook and shows else None,
        registered_at=hook.registered_at if hook else None,
        last_received_at=hook.last_received_at if hook else None,
        foreign_account=_foreign(row, hook),
        steps=steps,
    )
    app = await app_of(call.session, row.id)
    return answer if app is None else answer.model_copy(update=await _of_app(call, settings, app))


def _foreign(row: Connection, hook: Hook | None) -> ForeignAccount | None:
    """None also where the connection has moved to that account since."""
    if hook is None or hook.foreign_account is None or hook.foreign_at is None:
        return None
    if row.account is not None and row.account["id"] == hook.foreign_account:
        return None
    return ForeignAccount(account=hook.foreign_account, last_received_at=hook.foreign_at)


async def _of_app(call: Call, settings: Settings, app: MetaApp) -> dict[str, Any]:
    """What stands in place of the connection's own address, which Meta is not to call; whoever may not read apps is
    shown neither."""
    if call.own_only:
        return {"address": None, "verify_token": None, "registered_at": app.handshake_at}
    return {
        "address": callback_url(settings, app) if settings.public_url else None,
        "verify_token": await call.open("meta_apps", app.id, "verify_token", app.verify_token),
        "registered_at": app.handshake_at,
    }


async def _facts(call: Call, row: Connection, hook: Hook | None) -> set[SetupFact]:
    wanted = {name: row.settings.get(name) for name in ("template", "templateLanguage")}
    seen = (await call.session.execute(_SEEN, {"connection": row.id, **wanted})).one()
    known: dict[SetupFact, bool] = {
        "saved": True,
        "verified": row.verified_at is not None,
        "led": (hook is not None and hook.registered_at is not None) or seen.app_led,
        "heard": hook is not None and hook.last_received_at is not None,
        "known": seen.known,
        "gathered": seen.gathered,
        "approved": seen.approved,
    }
    return {fact for fact, is_so in known.items() if is_so}


_SEEN = text("""
SELECT EXISTS (SELECT FROM tocsin.reachability r
        WHERE r.connection_id = :connection AND r.state = 'reachable') AS known,
    EXISTS (SELECT FROM tocsin.chats h WHERE h.connection_id = :connection AND h.state = 'open') AS gathered,
    EXISTS (SELECT FROM tocsin.meta_app_numbers n JOIN tocsin.meta_apps a ON a.project_id = n.project_id
        AND a.id = n.app_id WHERE n.connection_id = :connection AND a.handshake_at IS NOT NULL) AS app_led,
    EXISTS (SELECT FROM tocsin.message_templates t WHERE t.connection_id = :connection AND t.status = 'APPROVED'
        AND t.name = CAST(:template AS text) AND t.language = CAST(:templateLanguage AS text)) AS approved
""")
