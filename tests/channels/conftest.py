"""What every test of a channel needs: a message, and a door that may reach loopback."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any, Protocol
from uuid import UUID

import pytest

from tocsin.channels.contract import Action, Message, Recipient, SourceEvent
from tocsin.kit.http import Door

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

ANN = Recipient(
    user_id=UUID("0199a000-0000-7000-8000-00000000000a"),
    external_user_id="ann-7",
    name="Ann Ünlü",
    email="ann@example.com",
    locale="de",
)

MESSAGE = Message(
    delivery_id=UUID("0199a000-0000-7000-8000-000000000001"),
    notification_id=UUID("0199a000-0000-7000-8000-000000000002"),
    project_id=UUID("0199a000-0000-7000-8000-000000000003"),
    project_name="Acme Bakery",
    env="live",
    title="Oven 3 is too hot",
    message="It has been at 312 °C for 4 minutes.\nSomebody should look.",
    priority="critical",
    created_at=datetime(2026, 11, 21, 6, 30, 0, 123_000, tzinfo=UTC),
    sound="alarm",
    action=Action(url="https://acme.example.com/ovens/3?a=1&b=2", label="Open the oven"),
    require_ack=True,
    ack_url="https://tocsin.example.com/ack/abc",
    event=SourceEvent(id=UUID("0199a000-0000-7000-8000-000000000004"), type="oven.hot", client_event_id="evt-9"),
    recipient=ANN,
    recipients=(ANN,),
)


class Builder(Protocol):
    def __call__(self, **changes: Any) -> Message: ...


@pytest.fixture
def message() -> Builder:
    """A notification with everything set, changed as a test needs it."""
    return lambda **changes: replace(MESSAGE, **changes)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with Door(allowed=LOOPBACK) as door:
        yield door
