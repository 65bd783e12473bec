"""Telling the owner's open panels and apps that a connection has another status (W2)."""

from collections.abc import Callable
from functools import partial
from typing import cast
from uuid import UUID

from tocsin.auth.call import Call
from tocsin.connections.schemas import ConnectionAnswer

Changed = Callable[[UUID, str, UUID], None]
"""Called with project, environment and connection when a status has changed and that is committed."""


def announce(call: Call, before: ConnectionAnswer, after: ConnectionAnswer) -> None:
    """Tell of it once the transaction of the call is committed, if the status is another one."""
    if after.status == before.status:
        return
    changed = cast(Changed, call.request.app.state.connection_changed)
    call.after_commit.append(partial(changed, call.project_id, call.env, after.id))
