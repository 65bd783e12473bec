"""What reaches the sockets of other processes (W4): client events, and what a project's server publishes or ends.

Without Redis one process has all sockets, so client events stay in it, and only what another process was asked to
publish travels.
"""

from uuid import UUID

import msgspec

from tocsin.kit.broker import Broker, project_key
from tocsin.realtime.hub import Hub
from tocsin.realtime.pieces import Pieces
from tocsin.realtime.server import App, Published


class _Frame(msgspec.Struct, frozen=True, array_like=True, tag="frame"):
    """A ready protocol message for everybody on a channel but one."""

    channel: str
    payload: bytes
    exclude: str | None


class _End(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    """The sockets that a user is signed in on are to end."""

    user_id: str


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Frame | _End)


class Relay:
    """``alone`` says that no other process has sockets."""

    def __init__(self, broker: Broker, hub: Hub) -> None:
        self.alone = False
        self._broker = broker
        self._hub = hub
        self._pieces = Pieces(broker.max_message_bytes)

    @staticmethod
    def channel_of(project_id: UUID, env: str) -> str:
        return project_key(project_id, "sockets", env)

    async def publish(self, published: Published) -> None:
        """Hand a message on that the sockets of this process have been sent."""
        self._tell(published.app, _Frame(published.channel, published.payload, None))

    def send(self, app: App, channel: str, payload: bytes, exclude_socket_id: str | None = None) -> None:
        """Send a ready protocol message to everybody on a channel, whichever process has their socket."""
        self._hub.send_frame(app.app_id, channel, payload, exclude_socket_id)
        self._tell(app, _Frame(channel, payload, exclude_socket_id))

    def end_user(self, app: App, user_id: str) -> None:
        """End every socket a user is signed in on, for good."""
        self._hub.terminate_user(app.app_id, user_id)
        self._tell(app, _End(user_id))

    def heard(self, app_id: str, piece: bytes) -> None:
        """Do to the sockets of this process what another one was asked for."""
        message = self._pieces.join(piece)
        if message is None:
            return
        told = _decoder.decode(message)
        if isinstance(told, _Frame):
            self._hub.send_frame(app_id, told.channel, told.payload, told.exclude)
        else:
            self._hub.terminate_user(app_id, told.user_id)

    def _tell(self, app: App, message: _Frame | _End) -> None:
        if self.alone:
            return
        for piece in self._pieces.cut(_encode(message)):
            self._broker.publish(self.channel_of(app.project_id, app.env), piece)
