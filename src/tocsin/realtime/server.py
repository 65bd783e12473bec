"""The conversation with one client: who is let in, and what each message from it does (W1)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import parse_qs, unquote
from uuid import UUID

from tocsin.kit.errors import Forbidden, Unavailable
from tocsin.kit.ids import parse_id
from tocsin.realtime import protocol
from tocsin.realtime.auth import grant_in, is_channel_auth, is_user_auth
from tocsin.realtime.client import Client, Link
from tocsin.realtime.frame import text_frame
from tocsin.realtime.hub import Hub, send
from tocsin.realtime.protocol import ClientFrame, Refusal, SignIn, Subscribe, Unsubscribe


@dataclass(frozen=True, slots=True)
class App:
    """What one public key opens: a project's app in one env. Several keys may open the same app.

    ``app_id`` is digits, as Pusher's libraries demand; ``secrets`` holds the current one and, while it is
    rotated, the previous one.
    """

    app_id: str
    project_id: UUID
    slug: str
    env: str
    secrets: tuple[str, ...]
    enabled: bool = True
    max_connections: int | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A message this process has delivered to its own sockets, for other processes to deliver to theirs.

    They pass the fields to ``Hub.send_frame``.
    """

    app: App
    channel: str
    payload: bytes


FindApp = Callable[[str], Awaitable[App | None]]
"""The app of a public key, None when there is none or the key is revoked. Called at every connection and
every signed request, so it should remember; raises ``kit.errors.Unavailable`` when it cannot know now."""

Publish = Callable[[Published], Awaitable[None]]

Headers = Sequence[tuple[bytes, bytes]]
"""Of the request that asks for a socket, names in lower case."""

Agree = Callable[[App, Headers, bytes], Awaitable[None]]
"""Called before a socket of an app is let in, with the headers and the query of its request; raises
``kit.errors.Forbidden`` when these name another project than the app's, ``Unavailable`` when it cannot know now."""

Attend = Callable[[App], Awaitable[None]]
"""Called before a socket of an app is let in, so that whatever is sent to the app from then on arrives."""

Hear = Callable[[App, UUID, bytes], Awaitable[str | None]]
"""Called with what a person says to Tocsin itself, on the channel that is their own: whom of which app, and the data as
JSON. What is wrong with it, or None; raises ``kit.errors.Unavailable`` when it cannot be heard now."""


class RealtimeServer:
    """Speaks the protocol over any ``Link``; counts in ``malformed`` the messages that were not messages."""

    def __init__(
        self,
        hub: Hub,
        find_app: FindApp,
        publish: Publish | None = None,
        attend: Attend | None = None,
        agree: Agree | None = None,
        heard: Mapping[str, Hear] | None = None,
    ) -> None:
        """``heard`` has client events that are for Tocsin itself, on a person's own channel."""
        self.hub = hub
        self.malformed = 0
        self._find_app = find_app
        self._attend = attend
        self._agree = agree
        self._publish = publish
        self._heard = heard or {}

    async def admit(self, link: Link, target: str, headers: Headers = ()) -> Client | None:
        """Let a new socket in by its request: target (path and query) and headers. Or tell it why not: None."""
        admitted = await self._admitted(link, target, headers)
        if isinstance(admitted, Client):
            return admitted
        link.send(text_frame(protocol.error(admitted.code, admitted.reason)))
        link.close(admitted.code, admitted.reason)
        return None

    async def _admitted(self, link: Link, target: str, headers: Headers) -> Client | Refusal:
        path, _, query = target.partition("?")
        key = unquote(path.removeprefix("/app/"))
        if not path.startswith("/app/") or not key or "/" in key:
            return protocol.NO_SUCH_PATH
        if refusal := protocol.version_refusal(parse_qs(query).get("protocol", [""])[0]):
            return refusal
        if self.hub.draining:
            return protocol.OVER_CAPACITY
        found = await self._usable_app(key)
        if not isinstance(found, App):
            return found
        if refusal := await self._disagreement(found, headers, query):
            return refusal
        if self._attend:
            await self._attend(found)
            found = await self._usable_app(key)  # the key may have been revoked while we waited
            if not isinstance(found, App):
                return found
        return self.hub.connect(found.app_id, key, link, found.max_connections)

    async def _disagreement(self, app: App, headers: Headers, query: str) -> Refusal | None:
        if self._agree is None:
            return None
        try:
            await self._agree(app, headers, query.encode("latin-1"))
        except Unavailable:
            return protocol.OVER_CAPACITY
        except Forbidden:
            return protocol.TENANT_MISMATCH
        return None

    async def receive(self, client: Client, text: bytes) -> None:
        """Do what one text message asks. Unknown events are ignored, as newer clients expect."""
        if client.closing:
            return
        frame = protocol.read_frame(text)
        if frame is None:
            self.malformed += 1
        elif handle := self._handlers.get(frame.event):
            await handle(self, client, frame)
        elif frame.event.startswith("client-"):
            await self._client_event(client, frame)

    def heard(self, client: Client) -> None:
        """Something arrived from a client, so it lives."""
        client.seen = self.hub.clock()

    async def _ping(self, client: Client, _frame: ClientFrame) -> None:
        send(client, protocol.PONG)

    async def _subscribe(self, client: Client, frame: ClientFrame) -> None:
        asked = protocol.read_data(frame, Subscribe)
        if asked is None:
            self.malformed += 1
            return
        if not protocol.is_channel_name(asked.channel):
            _refuse(client, asked.channel[: protocol.MAX_NAME], "InvalidChannel", "Not a channel name.", 400)
        elif asked.channel in client.channels or len(client.channels) < self.hub.limits.channels_per_socket:
            await self._join(client, asked)
        else:
            limit = f"A socket may hold {self.hub.limits.channels_per_socket} subscriptions."
            _refuse(client, asked.channel, "LimitReached", limit, 403)

    async def _join(self, client: Client, asked: Subscribe) -> None:
        if not protocol.needs_signature(asked.channel):
            self.hub.subscribe(client, asked.channel)
            return
        found = await self._usable_app(client.key)
        if not isinstance(found, App):
            self.hub.close(client, found)
            return
        presence = protocol.is_presence(asked.channel)
        signed_data = asked.channel_data if presence else None
        if not is_channel_auth(asked.auth, found.secrets, client.id, asked.channel, signed_data):
            _refuse(client, asked.channel, "AuthError", "The subscription is not authorized.", 401)
        elif not self._still_granted(client, asked.auth):
            return
        elif presence:
            self._enter(client, asked.channel, signed_data or "")
        else:
            self.hub.subscribe(client, asked.channel)

    def _enter(self, client: Client, channel: str, channel_data: str) -> None:
        member = protocol.read_member(channel_data)
        if member is None:
            _refuse(client, channel, "InvalidData", "channel_data must be JSON with a user_id.", 400)
        elif self.hub.is_full(client.app_id, channel, member.user_id):
            _refuse(client, channel, "LimitReached", "The presence channel is full.", 403)
        else:
            self.hub.subscribe(client, channel, member)

    def _still_granted(self, client: Client, auth: str | None) -> bool:
        grant = grant_in(auth)
        return grant is None or self.hub.stand_on(client, grant)

    async def _unsubscribe(self, client: Client, frame: ClientFrame) -> None:
        if asked := protocol.read_data(frame, Unsubscribe):
            self.hub.unsubscribe(client, asked.channel)

    async def _sign_in(self, client: Client, frame: ClientFrame) -> None:
        """A wrong sign-in ends the socket for good, as Pusher does."""
        asked = protocol.read_data(frame, SignIn)
        found = await self._usable_app(client.key)
        if not isinstance(found, App):
            self.hub.close(client, found)
            return
        user_id = protocol.read_user_id(asked.user_data) if asked else None
        if asked and user_id and is_user_auth(asked.auth, found.secrets, client.id, asked.user_data):
            if self._still_granted(client, asked.auth):
                self.hub.sign_in(client, user_id)
                send(client, protocol.signin_success(asked))
        else:
            self.hub.close(client, protocol.UNAUTHORIZED)

    async def _client_event(self, client: Client, frame: ClientFrame) -> None:
        """Hand a message on to the others of a channel its sender is on; elsewhere it is dropped."""
        channel = frame.channel
        if channel is None or not protocol.needs_signature(channel) or channel not in client.channels:
            return
        if not client.may_send_event(self.hub.clock(), self.hub.limits.client_events_per_second):
            _warn(client, channel, "Client events come too fast.")
        elif len(frame.event) > protocol.MAX_NAME or len(bytes(frame.data)) > protocol.MAX_CLIENT_DATA_BYTES:
            _warn(client, channel, f"A client event holds at most {protocol.MAX_CLIENT_DATA_BYTES} bytes.")
        elif channel.startswith(protocol.USER_PREFIX) and (hear := self._heard.get(frame.event)):
            await self._hear(client, channel, frame, hear)
        else:
            payload = protocol.client_event(frame.event, channel, frame.data, client.channels[channel])
            self.hub.send_frame(client.app_id, channel, payload, exclude_socket_id=client.id)
            await self._tell_others(client, channel, payload)

    async def _hear(self, client: Client, channel: str, frame: ClientFrame, hear: Hear) -> None:
        """Let Tocsin know what a person says to it. Nobody else hears that."""
        person = parse_id(channel.removeprefix(protocol.USER_PREFIX))
        found = await self._usable_app(client.key)
        if person is None or not isinstance(found, App):
            return
        try:
            wrong = await hear(found, person, bytes(frame.data))
        except Unavailable as away:
            wrong = away.detail
        if wrong is not None:
            send(client, protocol.error(protocol.NOT_HEARD, wrong, channel))

    async def _tell_others(self, client: Client, channel: str, payload: bytes) -> None:
        if self._publish is None:
            return
        found = await self._usable_app(client.key)
        if isinstance(found, App):
            await self._publish(Published(found, channel, payload))

    async def _usable_app(self, key: str) -> App | Refusal:
        try:
            app = await self._find_app(key)
        except Unavailable:
            return protocol.OVER_CAPACITY
        if app is None:
            return protocol.NO_SUCH_APP
        return app if app.enabled else protocol.APP_DISABLED

    _handlers: ClassVar[dict[str, Callable[["RealtimeServer", Client, ClientFrame], Awaitable[None]]]] = {
        "pusher:ping": _ping,
        "pusher:subscribe": _subscribe,
        "pusher:unsubscribe": _unsubscribe,
        "pusher:signin": _sign_in,
    }


def _refuse(client: Client, channel: str, kind: str, message: str, status: int) -> None:
    send(client, protocol.subscription_error(channel, kind, message, status))


def _warn(client: Client, channel: str, message: str) -> None:
    send(client, protocol.error(protocol.RATE_LIMITED, message, channel))
