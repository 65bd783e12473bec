"""What the public calls of this package know of their request: who asks, and how this installation is reached."""

from typing import cast
from uuid import UUID

from fastapi import Request

from tocsin.audit.record import Actor
from tocsin.auth.call import client_ip, request_id
from tocsin.settings import Settings


def base_url(request: Request) -> str:
    """What links in mails begin with: as configured, never as the Host header says."""
    return cast(Settings, request.app.state.settings).base_url


def visitor(request: Request, user_id: UUID | None = None) -> Actor:
    """Whoever calls without a session; ``user_id`` where a link says who that is."""
    id_ = str(user_id) if user_id is not None else None
    return Actor("user", id_, client_ip(request), request.headers.get("user-agent"), request_id(request))
