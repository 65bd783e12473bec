"""The sockets of one API process: opened with it, drained before it ends.

Without Redis one process of an installation serves all sockets; it holds the role ``realtime`` for as long as it is
linked. Processes without sockets publish to those who have them.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

import structlog

from tocsin.auth.keys import Credentials
from tocsin.auth.tenant import Tenants
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database
from tocsin.kit.loops import ended
from tocsin.kit.vault import Vault
from tocsin.realtime.apps import Apps
from tocsin.realtime.away import away_is_unavailable
from tocsin.realtime.census import ROLE, Census
from tocsin.realtime.hub import Hub
from tocsin.realtime.live import Live
from tocsin.realtime.relay import Relay
from tocsin.realtime.server import App, Headers, Hear, RealtimeServer
from tocsin.sounds.links import SoundLinks

CLAIM_SECONDS = 3.0
"""How long a process that is replaced may take to let the role go."""
DRAIN_SECONDS = 5.0

log = structlog.get_logger(__name__)


class SocketsTaken(RuntimeError):
    """Another process serves the sockets of this installation; the message says what to do."""

    def __init__(self) -> None:
        super().__init__(
            "Another process of this installation already serves the sockets, and without Redis only one can. "
            "Set TOCSIN_REDIS_URL in every process, or TOCSIN_REALTIME=0 to run this API without sockets."
        )


class Sockets:
    """``relayed`` says that client events go to other processes too, which needs Redis; ``heard`` has those that are
    for Tocsin itself."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        credentials: Credentials,
        tenants: Tenants,
        broker: Broker,
        sounds: SoundLinks,
        *,
        relayed: bool,
        heard: Mapping[str, Hear],
    ) -> None:
        self.hub = Hub()
        self.relay = Relay(broker, self.hub)
        self.census = Census(broker, self.hub)
        self.apps = Apps(db, vault, credentials)
        self._relayed = relayed
        self._broker = broker
        self._tenants = tenants
        self._live = Live(db, broker, self.hub, self.relay, sounds)
        self._leaving: asyncio.Task[None] | None = None
        self.server = RealtimeServer(
            self.hub,
            self.apps.find,
            self.relay.publish if relayed else None,
            attend=self._live.attend,
            agree=self._agree,
            heard=heard,
        )

    def revoked(self, project_id: UUID, kind: str, ref: str) -> None:
        """Forget before ending sockets, or they would be back."""
        self.apps.forget(project_id, kind, ref)
        self._live.revoked(project_id, kind, ref)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Serve while inside. Raises ``SocketsTaken``, or ConnectionError when the broker has no link."""
        await self._claim()
        self._serve(True)
        tasks = [
            asyncio.create_task(self.hub.watch_activity(), name="silent sockets"),
            asyncio.create_task(self._live.sweep_forever(), name="empty rooms"),
        ]
        try:
            yield
        finally:
            self._serve(False)
            await ended(*tasks)
            await self._live.close()

    async def drain(self) -> None:
        """Take no new sockets and send the others to back off."""
        await self.hub.drain(DRAIN_SECONDS)

    def _serve(self, serving: bool) -> None:
        self.census.serving = serving
        self.relay.alone = serving and not self._relayed

    async def _agree(self, app: App, headers: Headers, query: bytes) -> None:
        """Refuse a key at the host of another project, as every other request is (T1)."""
        with away_is_unavailable():
            named = await self._tenants.named({"headers": headers, "query_string": query})
        self._tenants.agree(app.project_id, app.slug, named)

    async def _claim(self) -> None:
        give_up_at = asyncio.get_running_loop().time() + CLAIM_SECONDS
        while not await self._broker.claim_exclusive(ROLE, self._lost):
            if asyncio.get_running_loop().time() > give_up_at:
                raise SocketsTaken
            await asyncio.sleep(0.1)

    def _lost(self) -> None:
        """Another process was faster after a lost link: our clients are to find it, so theirs must hear the same."""
        self._serve(False)
        log.error("another process has taken over the sockets; this one serves none until it is started again")
        self._leaving = asyncio.create_task(self.drain(), name="drain sockets")
