"""The worker process: the way of an event after its answer, as a list of stages.

    match   events -> rules -> notifications and deliveries
    send    deliveries -> connections -> providers -> attempts
    clock   due retries, leases that ran out
    clocks  rules that run by the time of day -> events with the counts of the period
    insist  what nobody acknowledged -> deliveries, once more or to further people
    order   what a person has not seen -> a delivery by their next channel
    digest  windows that are over -> one notification for all that was gathered in each
    forgot  forgotten passwords -> mails with links
    webhooks messages to webhook endpoints -> their answers
    endpoints pauses to tell of, recoveries, removals
    mail    the platform's own mails -> its mail server
    tidy    what was only kept for a while
    purge   cancelled projects whose time is over
    months  partitions for the months to come
    quotas  telling of quotas that are nearly or wholly used up
    usage   counting what was used, by the hour
    sandbox removing its traffic after seven days
    expire  removing what projects have kept for long enough
    checks  whether providers still take the credentials of connections
    outages telling the owners of connections that stopped; pauses that are over
    opened  connections that this process opened and no longer uses
    seal    the audit log of the last second -> the chain of its project
    anchor  the ends of the chains -> a file and the log
    domains whether the names of projects are still proven
    inbound what providers told us -> what follows from it
    amend   messages with a button, once somebody has acknowledged -> changed
    hosted  what Pusher apps elsewhere are told besides notifications
    poll    asking providers that cannot call us what there is
    pulse   which of match, send, clock, clocks, insist, order, digest, webhooks, endpoints, mail, quotas, outages,
            seal, poll, inbound and amend have work that no hint told them of

Every stage is a loop that looks when it is told to and now and then anyway, survives its own exceptions, and
shows a heartbeat. Nothing is lost by stopping one anywhere: work is rows, claimed with leases.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import asyncpg
import structlog
import uvloop
from prometheus_client import Gauge, start_http_server

from tocsin import pulse
from tocsin.audit import anchor
from tocsin.audit.anchor import AnchorStage
from tocsin.audit.seal import SealStage
from tocsin.clocks.stage import ClocksStage
from tocsin.connections import checks
from tocsin.connections.checks import CheckStage
from tocsin.connections.choose import Choice
from tocsin.connections.defaults import mail_server, platform_defaults
from tocsin.connections.leading import leave_all
from tocsin.connections.opened import LOOK_OVER_SECONDS
from tocsin.connections.outages import OutageStage
from tocsin.deliveries.ack_links import AckLinks
from tocsin.deliveries.amend import AmendStage
from tocsin.deliveries.clock import ClockStage
from tocsin.deliveries.send import Links, SendStage
from tocsin.inbound.poll import PollStage
from tocsin.inbound.stage import InboundStage
from tocsin.kit import broker as brokers
from tocsin.kit import descriptors, garbage
from tocsin.kit.crypto import MasterKey
from tocsin.kit.db import Database
from tocsin.kit.http import Door
from tocsin.kit.lifeline import end_within
from tocsin.kit.vault import Vault
from tocsin.mail.stage import MailStage
from tocsin.notifications.insist import InsistStage
from tocsin.notifications.turns import TurnStage
from tocsin.outgoing import outgoing_door
from tocsin.plans import rollup
from tocsin.plans.notices import NoticeStage
from tocsin.plans.rollup import RollupStage
from tocsin.plans.sandbox import SandboxStage
from tocsin.platform.purge import PurgeStage
from tocsin.projects.domain_watch import DomainWatch
from tocsin.projects.proof import Names
from tocsin.projects.retention import RetentionStage
from tocsin.realtime import hosted as hosted_apps
from tocsin.realtime.hosted import HostedStage
from tocsin.realtime.signal import tell_of_connection
from tocsin.rules.digests import DigestStage
from tocsin.rules.evaluator import Evaluator
from tocsin.rules.stage import MatchStage
from tocsin.settings import Settings
from tocsin.signin.forgotten import ForgottenStage
from tocsin.sounds.links import SoundLinks
from tocsin.startup import Installation
from tocsin.templates.mails import OwnWords
from tocsin.users.opting_out import OptOutLinks
from tocsin.webhooks.send import WebhookStage
from tocsin.webhooks.upkeep import UpkeepStage

HEARTBEAT = Gauge("tocsin_stage_heartbeat_seconds", "Unix time of the last sign of life of a stage.", ["stage"])

FIRST_BACKOFF, LAST_BACKOFF = 0.1, 5.0
ANYWAY_SECONDS = 60.0
"""Between two looks of a stage that the pulse looks for as well, should it ever overlook something."""
BEAT_SECONDS = 10.0
"""Between two signs of life of a stage that sleeps."""
DRAIN_SECONDS = 20.0
END_SECONDS = 50.0
"""From being told to stop. Whatever still hangs then is ended, and leases run out."""
TIDY_AT_ONCE = 5_000

SLEEP_SECONDS: Mapping[str, float] = {
    "match": ANYWAY_SECONDS,
    "send": ANYWAY_SECONDS,
    "clock": ANYWAY_SECONDS,
    "webhooks": ANYWAY_SECONDS,
    "clocks": ANYWAY_SECONDS,
    "insist": ANYWAY_SECONDS,
    "order": ANYWAY_SECONDS,
    "digest": ANYWAY_SECONDS,
    "endpoints": 10.0,
    "forgot": 10.0,
    "mail": ANYWAY_SECONDS,
    "tidy": 300.0,
    "purge": 30.0,
    "months": 3600.0,
    "quotas": ANYWAY_SECONDS,
    "usage": rollup.EVERY_SECONDS,
    "sandbox": 600.0,
    "expire": 600.0,
    "checks": checks.EVERY_SECONDS,
    "outages": ANYWAY_SECONDS,
    "opened": LOOK_OVER_SECONDS,
    "seal": ANYWAY_SECONDS,
    "anchor": anchor.EVERY_SECONDS,
    "domains": 300.0,
    "poll": ANYWAY_SECONDS,
    "hosted": hosted_apps.EVERY_SECONDS,
    "inbound": ANYWAY_SECONDS,
    "amend": ANYWAY_SECONDS,
    "pulse": pulse.EVERY_SECONDS,
}
"""Each stage, and how long it sleeps at most."""

HINTS = {"match": "events", "send": "deliveries"}
"""What wakes a stage that has not the name of its work."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stage:
    """A loop: what it does at each look (True: look again at once), what wakes it, how long it sleeps at most."""

    name: str
    look: Callable[[], Awaitable[bool]]
    ear: brokers.Waiter
    seconds: float


def work(installation: Installation) -> None:
    """Run until SIGTERM or SIGINT; what is in flight comes to its end first. A second signal waits for nothing."""
    descriptors.allow_many()
    uvloop.run(_work(installation))


async def _work(installation: Installation) -> None:
    settings = installation.settings
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _told_to_stop, stop, number)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, "127.0.0.1")
    async with AsyncExitStack() as opened:
        shared = await _open(installation, opened)
        ears = {name: await shared.broker.waiter(HINTS.get(name, name)) for name in SLEEP_SECONDS}
        stages = _Stages(shared, ears)
        looks = stages.looks()
        loops = [
            asyncio.create_task(_run(Stage(name, looks[name], ears[name], seconds), stop), name=name)
            for name, seconds in SLEEP_SECONDS.items()
        ]
        garbage.settle()
        log.info("worker ready")
        await stop.wait()
        stages.leave()
        for ear in ears.values():
            ear.wake()
        await asyncio.gather(*loops)
        await stages.end()
    log.info("worker stopped")


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all stages of a process stand on."""

    settings: Settings
    master: MasterKey
    db: Database
    broker: brokers.Broker
    evaluator: Evaluator
    door: Door

    @property
    def links(self) -> Links | None:
        """What a message may lead back to; None where nobody could reach us."""
        if self.hooks_url is None:
            return None
        url = self.settings.base_url
        return Links(AckLinks(self.master, url), OptOutLinks(self.master, url), self.hooks_url)

    @property
    def hooks_url(self) -> str | None:
        return f"{self.settings.base_url}/api/v1/hooks" if self.settings.public_url else None


async def _open(installation: Installation, opened: AsyncExitStack) -> _Shared:
    settings = installation.settings
    db = Database(installation.app_url, ordinary=2, hot=6, statement_seconds=30, role_prefix=settings.db_role_prefix)
    await db.start()
    opened.push_async_callback(db.close)
    broker = brokers.connect(str(settings.redis_url) if settings.redis_url else None, db.url)
    await broker.start()
    opened.push_async_callback(broker.close)
    evaluator = Evaluator()
    opened.push_async_callback(evaluator.close)
    door = await opened.enter_async_context(outgoing_door(settings))
    await evaluator.start()
    return _Shared(settings, installation.master, db, broker, evaluator, door)


class _Stages:
    """The stages of a process. Those that others need, or that have something to end, are kept by name."""

    def __init__(self, shared: _Shared, ears: Mapping[str, brokers.Waiter]) -> None:
        settings, db, broker, door = shared.settings, shared.db, shared.broker, shared.door
        self._shared, self._ears = shared, ears
        self._vault = Vault(shared.master)
        self._changed = partial(tell_of_connection, broker)
        self._choice = Choice(db, self._vault, platform_defaults(settings), settings.opened_connections)
        self._send = SendStage(
            db,
            door,
            self._choice,
            settings.slots,
            settings.lease_seconds,
            freed=ears["send"].wake,
            changed=self._changed,
            links=shared.links,
            sounds=SoundLinks(shared.master, settings.base_url),
        )
        self._match = MatchStage(
            db, broker, shared.evaluator, settings.lease_seconds, freed=ears["match"].wake, sending=self._send
        )
        self._webhooks = WebhookStage(db, door, self._vault, settings.lease_seconds, freed=ears["webhooks"].wake)
        self._inbound = InboundStage(db, self._vault, door, broker, self._changed)
        self._poll = PollStage(db, self._vault, door, broker, ears["poll"])
        self._hosted = HostedStage(db, broker, door, self._vault, self._changed)

    def looks(self) -> dict[str, Callable[[], Awaitable[bool]]]:
        """What each stage does when it looks."""
        settings, db, broker, door = self._shared.settings, self._shared.db, self._shared.broker, self._shared.door
        evaluator, vault, changed = self._shared.evaluator, self._vault, self._changed
        return {
            "match": self._match.run_once,
            "send": self._send.run_once,
            "clock": ClockStage(db, broker).run_once,
            "webhooks": self._webhooks.run_once,
            "clocks": ClocksStage(db, broker).run_once,
            "insist": InsistStage(db, broker, self._ears["insist"]).run_once,
            "order": TurnStage(db, broker, self._ears["order"]).run_once,
            "digest": DigestStage(db, broker, evaluator, self._ears["digest"]).run_once,
            "endpoints": UpkeepStage(db, broker, vault).run_once,
            "forgot": ForgottenStage(db, vault).run_once,
            "mail": MailStage(db, vault, door, mail_server(settings), OwnWords(db, evaluator)).run_once,
            "tidy": partial(_tidy, db),
            "purge": PurgeStage(db, partial(leave_all, db, vault, settings, door)).run_once,
            "months": partial(_add_months, db),
            "quotas": NoticeStage(db, broker, vault).run_once,
            "usage": RollupStage(db).run_once,
            "sandbox": SandboxStage(db).run_once,
            "expire": RetentionStage(db, settings.retention_days).run_once,
            "checks": CheckStage(db, vault, door, changed, self._shared.hooks_url).run_once,
            "outages": OutageStage(db, broker, vault, changed).run_once,
            "opened": self._choice.opened.look_over,
            "seal": SealStage(db).run_once,
            "anchor": AnchorStage(db, settings.home).run_once,
            "domains": DomainWatch(db, Names(settings.dns_servers)).run_once,
            "poll": self._poll.run_once,
            "hosted": self._hosted.run_once,
            "inbound": self._inbound.run_once,
            "amend": AmendStage(db, vault, door, self._send.pace, changed).run_once,
            "pulse": pulse.Pulse(db, self._ears).run_once,
        }

    def leave(self) -> None:
        """Begin nothing more."""
        self._send.leave()

    async def end(self) -> None:
        """Bring what is under way to its end, and give back what is not."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._match.drain()
            await self._match.give_back()
            await self._poll.leave()
            await self._hosted.leave()
            await asyncio.gather(*[each.drain(DRAIN_SECONDS) for each in (self._send, self._webhooks, self._inbound)])
        except TimeoutError:
            log.warning("stopped while matching or sending; the leases will run out")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("not everything could be given back; leases will run out", error=str(error)[:200])


async def _add_months(db: Database) -> bool:
    await db.hot.fetchval("SELECT tocsin.ensure_partitions(current_date, 4)")
    return False


TIDIED = (
    "tidy",
    "tidy_mails",
    "tidy_connection_checks",
    "tidy_inbound",
    "tidy_webhooks",
    "tidy_throttles",
    "tidy_imports",
    "tidy_event_hops",
    "tidy_phone_codes",
)
"""Functions that remove so many rows whose time is over, and say how many there were."""


async def _tidy(db: Database) -> bool:
    removed = [await db.hot.fetchval(f"SELECT tocsin.{each}($1)", TIDY_AT_ONCE) for each in TIDIED]
    return bool(max(removed) >= TIDY_AT_ONCE)


def _told_to_stop(stop: asyncio.Event, number: int) -> None:
    if stop.is_set():
        log.warning("stopped at once; leases will run out")
        os._exit(128 + number)
    end_within(END_SECONDS)
    stop.set()


async def _run(stage: Stage, stop: asyncio.Event) -> None:
    """Look, look again while there is more, else sleep until woken. A failure backs off and never ends the loop."""
    backoff = FIRST_BACKOFF
    while not stop.is_set():
        HEARTBEAT.labels(stage.name).set(time.time())
        try:
            more = await stage.look()
            backoff = FIRST_BACKOFF
        except Exception as error:  # noqa: BLE001 - a stage outlives whatever its look ran into
            log.warning("stage failed", stage=stage.name, error=f"{type(error).__name__}: {error}"[:300])
            await asyncio.sleep(backoff * random.uniform(0.5, 1.5))
            backoff = min(backoff * 2, LAST_BACKOFF)
            continue
        if not more:
            await _sleep(stage)


async def _sleep(stage: Stage) -> None:
    """Until woken or its time has nearly passed, with a sign of life now and then. Not all in the same second: thirty
    looks that find nothing take an idle database's core for a moment."""
    wake_at = time.monotonic() + stage.seconds * random.uniform(0.8, 1)
    while (left := wake_at - time.monotonic()) > 0 and not await stage.ear.wait(min(left, BEAT_SECONDS)):
        HEARTBEAT.labels(stage.name).set(time.time())
