"""Watching over everybody's connections, over HTTP, for the admins of a project (C5)."""

from tocsin.auth.guard import Admitted, Called, guarded_router, needs
from tocsin.connections.routes import Outside, changed
from tocsin.connections.schemas import ConnectionAnswer
from tocsin.connections.stepping_in import (
    ConnectionAccess,
    ConnectionLook,
    ConnectionSuspension,
    activate,
    ask,
    begin,
    report,
    suspend,
)
from tocsin.kit.schema import PathId

router = guarded_router(tags=["connections"])


@router.patch("/connections/{connection_id}/suspend", operation_id="suspend_connection")
@needs("connections:manage_all")
async def suspend_one(call: Called, connection_id: PathId, body: ConnectionSuspension) -> ConnectionAnswer:
    """Send nothing more over it, on every process within a second. What waits for it waits on, or falls back."""
    row, before = await suspend(call, connection_id, "project", body.reason)
    return await changed(call, row, "connection.suspended", before, reason=body.reason)


@router.patch("/connections/{connection_id}/activate", operation_id="activate_connection")
@needs("connections:manage_all")
async def activate_one(call: Called, connection_id: PathId) -> ConnectionAnswer:
    """Take a suspension back, unless the platform's operator made it."""
    row, before = await activate(call, connection_id, "project")
    return await changed(call, row, "connection.activated", before)


@router.post("/connections/{connection_id}/access", operation_id="access_connection")
@needs("connections:manage_all", network_first=True)
async def access(admitted: Admitted, door: Outside, connection_id: PathId, body: ConnectionAccess) -> ConnectionLook:
    """Look into a connection for half an hour: whose account it is, where its webhook leads, how it does.

    Sends a test message when given a `target`. The call is on the record, its owner is told by mail, and the credential
    is shown to nobody.
    """
    async with admitted.transaction() as asked:
        look = await begin(asked, connection_id, body)
    outcome, inbound = await ask(look, door)
    return await report(await admitted.begin(), look, outcome, inbound)
