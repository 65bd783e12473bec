"""What travels between the worker and the process that holds the sockets: ids only, and what happened to them."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import msgspec

from tocsin.kit.broker import Broker, project_key

Kind = Literal["created", "acknowledged", "repeated", "connection"]

MOST_IDS = 100
"""Ids in one message: NOTIFY carries 8,000 bytes, encoded."""


class Signal(msgspec.Struct, frozen=True):
    """Something happened to these notifications, or connections, of one project and environment."""

    kind: Kind
    ids: list[UUID]


_decoder = msgspec.json.Decoder(Signal)


def channel_of(project_id: UUID, env: str) -> str:
    """Where the signals of one project and environment are published."""
    return project_key(project_id, "live", env)


def signals(kind: Kind, ids: Sequence[UUID]) -> list[bytes]:
    """The messages that tell of any number of notifications."""
    return [
        msgspec.json.encode(Signal(kind, list(ids[start : start + MOST_IDS]))) for start in range(0, len(ids), MOST_IDS)
    ]


def tell_of_connection(broker: Broker, project_id: UUID, env: str, connection_id: UUID) -> None:
    """The owner's open panels and apps hear of a connection's new status, which is committed."""
    for message in signals("connection", [connection_id]):
        broker.publish(channel_of(project_id, env), message)


def read_signal(message: bytes) -> Signal:
    return _decoder.decode(message)
