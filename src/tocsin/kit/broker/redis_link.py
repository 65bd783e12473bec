"""A link over Redis publish/subscribe: one connection that listens, one that sends; nothing is kept in Redis.

Channels are common to all databases of a server. Two installations on one server do each other no harm, since
projects have ids of their own and what they share by name are hints.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tocsin.kit.broker.keys import project_key
from tocsin.kit.broker.link import Frame, Link, Receive
from tocsin.kit.ids import PLATFORM_ID


class RedisLink(Link):
    errors: ClassVar = (OSError, RedisError)
    max_message_bytes: ClassVar = 256 * 1024
    pace: ClassVar = 0.0

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Any = None
        self._ears: Any = None
        self._receive: Receive
        self._confirmations: dict[str, asyncio.Future[None]] = {}

    async def open(self, receive: Receive) -> None:
        self._receive = receive
        self._client = Redis.from_url(
            self._url,
            protocol=2,  # messages as plain replies; version 3 would hand them to a callback of the parser
            retry=Retry(NoBackoff(), 0),  # the library would reconnect behind our back and hide the gap
            socket_connect_timeout=3,
            socket_timeout=None,
        )
        await self._client.ping()
        # A bare connection, because the library's PubSub reconnects and subscribes again by itself too.
        self._ears = self._client.connection_pool.make_connection()
        await self._ears.connect()

    async def run(self) -> None:
        while True:
            match await self._ears.read_response():
                case [b"message", channel, message]:
                    self._receive(channel.decode(), message)
                case [b"subscribe", channel, _]:
                    self._confirm(channel.decode())

    async def listen(self, channels: Collection[str]) -> None:
        loop = asyncio.get_running_loop()
        expected = {channel: loop.create_future() for channel in channels}
        self._confirmations.update(expected)
        await self._ears.send_command("SUBSCRIBE", *channels)
        await asyncio.gather(*expected.values())

    async def unlisten(self, channel: str) -> None:
        await self._ears.send_command("UNSUBSCRIBE", channel)

    async def send(self, frames: Sequence[Frame]) -> None:
        async with self._client.pipeline(transaction=False) as pipeline:
            for channel, message in frames:
                pipeline.publish(channel, message)
            await pipeline.execute()

    async def claim(self, name: str) -> bool:
        """Granted to everybody: with Redis between them, several processes may serve. Who has it listens to a channel
        on which nothing is said."""
        await self.listen([_role_channel(name)])
        return True

    async def holders(self, name: str) -> int:
        ((_, count),) = await self._client.pubsub_numsub(_role_channel(name))
        return int(count)

    async def close(self) -> None:
        self._confirmations.clear()
        ears, client = self._ears, self._client
        self._ears = self._client = None
        try:
            async with asyncio.timeout(1):
                if ears is not None:
                    await ears.disconnect(nowait=True)
                if client is not None:
                    await client.aclose()
        except self.errors:
            return  # the sockets are gone already

    def _confirm(self, channel: str) -> None:
        confirmation = self._confirmations.pop(channel, None)
        if confirmation is not None and not confirmation.done():
            confirmation.set_result(None)


def _role_channel(name: str) -> str:
    return project_key(PLATFORM_ID, "role", name)
