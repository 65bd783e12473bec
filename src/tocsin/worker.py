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
from collections.abc import Awaitable, Callable
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
from tocsin.kit.db import Database
from tocsin.kit.vault import Vault
from tocsin.mail.stage import MailStage
from tocsin.notifications.insist import InsistStage
from tocsin.notifications.turns import TurnStage
from tocsin.outgoing import outgoing_door
from tocsin.plans.notices import NoticeStage
from tocsin.plans.rollup import EVERY_SECONDS, RollupStage
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
TIDY_AT_ONCE = 5_000

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
        db = Database(
            installation.app_url, ordinary=2, hot=6, statement_seconds=30, role_prefix=settings.db_role_prefix
        )
        await db.start()
        opened.push_async_callback(db.close)
        broker = brokers.connect(str(settings.redis_url) if settings.redis_url else None, db.url)
        await broker.start()
        opened.push_async_callback(broker.close)
        evaluator = Evaluator()
        opened.push_async_callback(evaluator.close)
        door = await opened.enter_async_context(outgoing_door(settings))
        vault, defaults = Vault(installation.master), platform_defaults(settings)
        choice = Choice(db, vault, defaults, settings.opened_connections)
        changed = partial(tell_of_connection, broker)
        match_ear = await broker.waiter("events")
        send_ear = await broker.waiter("deliveries")
        hooks_url = f"{settings.base_url}/api/v1/hooks" if settings.public_url else None
        links = None
        if hooks_url:
            master, url = installation.master, settings.base_url
            links = Links(AckLinks(master, url), OptOutLinks(master, url), hooks_url)
        send = SendStage(
            db,
            door,
            choice,
            settings.slots,
            settings.lease_seconds,
            freed=send_ear.wake,
            changed=changed,
            links=links,
            sounds=SoundLinks(installation.master, settings.base_url),
        )
        match = MatchStage(db, broker, evaluator, settings.lease_seconds, freed=match_ear.wake, sending=send)
        clock = ClockStage(db, broker)
        webhook_ear = await broker.waiter("webhooks")
        webhooks = WebhookStage(db, door, vault, settings.lease_seconds, freed=webhook_ear.wake)
        upkeep = UpkeepStage(db, broker, vault)
        domains = DomainWatch(db, Names(settings.dns_servers))
        forgotten = ForgottenStage(db, vault)
        expiry = RetentionStage(db, settings.retention_days)
        mail = MailStage(db, vault, door, mail_server(settings), OwnWords(db, evaluator))
        purge = PurgeStage(db, partial(leave_all, db, vault, settings, door))
        inbound = InboundStage(db, vault, door, broker, changed)
        poll_ear = await broker.waiter("poll")
        poll = PollStage(db, vault, door, broker, poll_ear)
        hosted = HostedStage(db, broker, door, vault, changed)
        insist_ear = await broker.waiter("insist")
        insist = InsistStage(db, broker, insist_ear)
        order_ear = await broker.waiter("order")
        order = TurnStage(db, broker, order_ear)
        digest_ear = await broker.waiter("digest")
        digest = DigestStage(db, broker, evaluator, digest_ear)
        await evaluator.start()

        async def months() -> bool:
            await db.hot.fetchval("SELECT tocsin.ensure_partitions(current_date, 4)")
            return False

        async def tidy() -> bool:
            removed: int = await db.hot.fetchval("SELECT tocsin.tidy($1)", TIDY_AT_ONCE)
            mails: int = await db.hot.fetchval("SELECT tocsin.tidy_mails($1)", TIDY_AT_ONCE)
            checked: int = await db.hot.fetchval("SELECT tocsin.tidy_connection_checks($1)", TIDY_AT_ONCE)
            inbound: int = await db.hot.fetchval("SELECT tocsin.tidy_inbound($1)", TIDY_AT_ONCE)
            messages: int = await db.hot.fetchval("SELECT tocsin.tidy_webhooks($1)", TIDY_AT_ONCE)
            throttles: int = await db.hot.fetchval("SELECT tocsin.tidy_throttles($1)", TIDY_AT_ONCE)
            imports: int = await db.hot.fetchval("SELECT tocsin.tidy_imports($1)", TIDY_AT_ONCE)
            hops: int = await db.hot.fetchval("SELECT tocsin.tidy_event_hops($1)", TIDY_AT_ONCE)
            codes: int = await db.hot.fetchval("SELECT tocsin.tidy_phone_codes($1)", TIDY_AT_ONCE)
            return max(removed, mails, checked, inbound, messages, throttles, imports, hops, codes) >= TIDY_AT_ONCE

        stages = [
            Stage("match", match.run_once, match_ear, ANYWAY_SECONDS),
            Stage("send", send.run_once, send_ear, ANYWAY_SECONDS),
            Stage("clock", clock.run_once, await broker.waiter("clock"), ANYWAY_SECONDS),
            Stage("webhooks", webhooks.run_once, webhook_ear, ANYWAY_SECONDS),
            Stage("clocks", ClocksStage(db, broker).run_once, await broker.waiter("clocks"), ANYWAY_SECONDS),
            Stage("insist", insist.run_once, insist_ear, ANYWAY_SECONDS),
            Stage("order", order.run_once, order_ear, ANYWAY_SECONDS),
            Stage("digest", digest.run_once, digest_ear, ANYWAY_SECONDS),
            Stage("endpoints", upkeep.run_once, await broker.waiter("endpoints"), 10.0),
            Stage("forgot", forgotten.run_once, await broker.waiter("forgot"), 10.0),
            Stage("mail", mail.run_once, await broker.waiter("mail"), ANYWAY_SECONDS),
            Stage("tidy", tidy, await broker.waiter("tidy"), 300.0),
            Stage("purge", purge.run_once, await broker.waiter("purge"), 30.0),
            Stage("months", months, await broker.waiter("months"), 3600.0),
            Stage("quotas", NoticeStage(db, broker, vault).run_once, await broker.waiter("quotas"), ANYWAY_SECONDS),
            Stage("usage", RollupStage(db).run_once, await broker.waiter("usage"), EVERY_SECONDS),
            Stage("sandbox", SandboxStage(db).run_once, await broker.waiter("sandbox"), 600.0),
            Stage("expire", expiry.run_once, await broker.waiter("expire"), 600.0),
            Stage(
                "checks",
                CheckStage(db, vault, door, changed, hooks_url).run_once,
                await broker.waiter("checks"),
                checks.EVERY_SECONDS,
            ),
            Stage(
                "outages",
                OutageStage(db, broker, vault, changed).run_once,
                await broker.waiter("outages"),
                ANYWAY_SECONDS,
            ),
            Stage("opened", choice.opened.look_over, await broker.waiter("opened"), LOOK_OVER_SECONDS),
            Stage("seal", SealStage(db).run_once, await broker.waiter("seal"), ANYWAY_SECONDS),
            Stage(
                "anchor", AnchorStage(db, settings.home).run_once, await broker.waiter("anchor"), anchor.EVERY_SECONDS
            ),
            Stage("domains", domains.run_once, await broker.waiter("domains"), 300.0),
            Stage("poll", poll.run_once, poll_ear, ANYWAY_SECONDS),
            Stage("hosted", hosted.run_once, await broker.waiter("hosted"), hosted_apps.EVERY_SECONDS),
            Stage("inbound", inbound.run_once, await broker.waiter("inbound"), ANYWAY_SECONDS),
            Stage(
                "amend",
                AmendStage(db, vault, door, send.pace, changed).run_once,
                await broker.waiter("amend"),
                ANYWAY_SECONDS,
            ),
        ]
        beat = pulse.Pulse(db, {stage.name: stage.ear for stage in stages})
        stages.append(Stage("pulse", beat.run_once, await broker.waiter("pulse"), pulse.EVERY_SECONDS))
        loops = [asyncio.create_task(_run(stage, stop), name=stage.name) for stage in stages]
        garbage.settle()
        log.info("worker ready")
        await stop.wait()
        send.leave()
        for stage in stages:
            stage.ear.wake()
        await asyncio.gather(*loops)
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await match.drain()
            await match.give_back()
            await poll.leave()
            await hosted.leave()
            await asyncio.gather(*[each.drain(DRAIN_SECONDS) for each in (send, webhooks, inbound)])
        except TimeoutError:
            log.warning("stopped while matching or sending; the leases will run out")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("not everything could be given back; leases will run out", error=str(error)[:200])
    log.info("worker stopped")


def _told_to_stop(stop: asyncio.Event, number: int) -> None:
    if stop.is_set():
        log.warning("stopped at once; leases will run out")
        os._exit(128 + number)
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
    """Until woken or its time has passed, with a sign of life now and then."""
    wake_at = time.monotonic() + stage.seconds
    while (left := wake_at - time.monotonic()) > 0 and not await stage.ear.wait(min(left, BEAT_SECONDS)):
        HEARTBEAT.labels(stage.name).set(time.time())
