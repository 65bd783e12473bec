"""Client events between the processes that serve sockets (W4); with Redis alone, since whole messages travel.

Presence is told within a process: each lists the people who are connected to it.
"""

import os
from uuid import UUID

import msgspec

from tocsin.kit.broker import Broker, project_key
from tocsin.realtime.hub import Hub
from tocsin.realtime.server import Published


class _Relayed(msgspec.Struct, frozen=True, array_like=True):
    origin: bytes
    channel: str
    payload: bytes


_decoder = msgspec.msgpack.Decoder(_Relayed)


class Relay:
    def __init__(self, broker: Broker, hub: Hub) -> None:
        self._broker = broker
        self._hub = hub
        self._origin = os.urandom(8)

    @staticmethod
    def channel_of(project_id: UUID, env: str) -> str:
        return project_key(project_id, "client-events", env)

    async def publish(self, published: Published) -> None:
        """Hand a message on that the sockets of this process have been sent."""
        message = msgspec.msgpack.encode(_Relayed(self._origin, published.channel, published.payload))
        self._broker.publish(self.channel_of(published.app.project_id, published.app.env), message)

    def heard(self, app_id: str, message: bytes) -> None:
        """Send what another process handed on to the sockets of this one."""
        relayed = _decoder.decode(message)
        if relayed.origin != self._origin:
            self._hub.send_frame(app_id, relayed.channel, relayed.payload)
