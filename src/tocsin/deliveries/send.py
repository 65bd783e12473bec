"""The stage that sends: claim fairly, choose the connection, send, record (D1-D4).

At most ``slots`` deliveries are in flight in a process, a quarter of them of one project and eight of one
connection, and no more is claimed than there are free slots: a project whose endpoint hangs fills its own
share and nobody else's. What is written while there is room for it comes with its lease and without a claim.
What a connection may over all processes, ``pace.py`` knows. Results of one claim are recorded in groups, as
soon as none is being recorded.
"""

import asyncio
import time
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

import asyncpg
import structlog
from prometheus_client import Counter, Gauge, Histogram

from tocsin.channels.contract import (
    AddressGone,
    BadCredentials,
    Blocked,
    Message,
    OptedOut,
    Receipt,
    SendFailure,
    Unavailable,
    is_too_many,
)
from tocsin.connections.announce import Changed
from tocsin.connections.choose import Choice, Route, scope_of
from tocsin.connections.correspondents import window
from tocsin.connections.levels import NoRoute
from tocsin.connections.moved import move_address
from tocsin.connections.reachability import mark_blocked, mark_opted_out
from tocsin.connections.standing import mark_error
from tocsin.deliveries.ack_links import AckLink, AckLinks
from tocsin.deliveries.load import READ_SENDING, Outgoing, load
from tocsin.deliveries.pace import Limits, Pace, PutOff, Sender, Turn, Wanting
from tocsin.deliveries.record import RECORD_RESULTS, Count, Result, counted, judged, look_again_in, record
from tocsin.kit import crash, hops
from tocsin.kit.away import is_away
from tocsin.kit.db import Database, Env
from tocsin.kit.http import Door
from tocsin.kit.together import Together
from tocsin.sounds.links import SoundLinks
from tocsin.users.devices import forget_device
from tocsin.users.opting_out import OptOutLinks

WAITING_SHARE, SENDING_SHARE = 0.2, 0.75
"""Of its lease a delivery may wait so much for its connection's turn, and its attempt may take so much; the rest is for
recording it. What outlives its lease is sent twice."""
STALE_SECONDS = 0.5
"""After so long a connection that was chosen is looked at again before it sends (C6)."""
RECORD_AGAIN_SECONDS = 0.25
RECORD_FOR_SECONDS = 600.0
"""Past the end of the lease. What is not recorded by then waits for its lease to be released."""
GIVE_BACK_SECONDS = 3.0
"""How long giving back what was cut off may take at the end of a process."""
TELL_SECONDS = 0.005
"""How long slots become free before they are filled again, together: one by one, each costs a claim and a read."""
TOGETHER = 200
"""Deliveries that projects with little work read or record in one statement."""
MOST_PROJECTS = 32
PROJECT_SHARE = 4
HANDED_SHARE = 2
"""One slot of so many may be filled without a claim; the others are for whoever waits for a turn."""
PER_CONNECTION = 8
"""In one process, of a connection without a limit of its own."""

ATTEMPTS = Counter("tocsin_deliveries_total", "Deliveries by the state after an attempt.", ["state"])
SEND_SECONDS = Histogram("tocsin_send_seconds", "From attempt to the provider's answer.", ["channel"])
IN_FLIGHT = Gauge("tocsin_deliveries_in_flight", "Deliveries being sent by this process.")

log = structlog.get_logger(__name__)

NOBODY = UUID(int=0)


# One statement, one round trip. A claim that a crash forgets was never worked on, so it need not wait for the disk.
_CLAIM = """
SELECT claimed.project_id, claimed.env, claimed.id
FROM set_config('synchronous_commit', 'off', true),
    tocsin.claim_deliveries($1, $2, $3, $4, $5, $6, $7, $8) AS claimed
"""


class Links(NamedTuple):
    """What makes the addresses of ours that stand in messages. Below ``hooks`` are those where providers call."""

    acknowledging: AckLinks
    opting_out: OptOutLinks
    hooks: str


class Batch(NamedTuple):
    """What was claimed together and is recorded together; times are the event loop's."""

    project_id: UUID
    env: Env
    token: UUID
    claimed_at: float


@dataclass(slots=True)
class Handed:
    """The lease that deliveries may be written with, None where there is no room, and those that were."""

    token: UUID | None = None
    lease_seconds: int | None = None
    ids: Sequence[UUID] = ()


class SendStage:
    """Sends waiting deliveries; one per worker process."""

    def __init__(
        self,
        db: Database,
        door: Door,
        choice: Choice,
        slots: int,
        lease_seconds: int,
        freed: Callable[[], None],
        changed: Changed,
        links: Links | None,
        sounds: SoundLinks,
    ) -> None:
        """``freed`` is called when there is room again for work that had to be left, ``changed`` when a provider
        has asked for a pause. ``links`` are None where the world cannot reach us."""
        self._db = db
        self._door = door
        self._choice = choice
        self._slots = slots
        self._lease_seconds = lease_seconds
        self._turn_limit = lease_seconds * WAITING_SHARE
        self._send_limit = lease_seconds * SENDING_SHARE
        self._reading = Together(db, READ_SENDING, TOGETHER)
        self._recorded = Together(db, RECORD_RESULTS, TOGETHER)
        self._most_each = max(2, slots // PROJECT_SHARE)
        self._after = NOBODY
        self._in_flight: Tally[UUID] = Tally()
        self._sends: set[asyncio.Task[None]] = set()
        self._turns: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()
        """Of each connection that anything is being sent over, or waits to be."""
        self._settled: defaultdict[Batch, list[Result | UUID]] = defaultdict(list)
        self._recording: asyncio.Task[None] | None = None
        self._freed = freed
        self._changed = changed
        self._links = links
        self._sounds = sounds
        self.pace = Pace(db.hot, lease_seconds)
        self._telling: asyncio.TimerHandle | None = None
        self._left_some = False
        self._leaving = False
        self._patience: set[asyncio.Timeout] = set()
        """Of those who wait for the turn of their connection."""

    async def run_once(self) -> bool:
        """Claim as much as there is room for and begin to send it; False when nothing more can be claimed."""
        if self._leaving:
            return False
        free = self._slots - self._in_flight.total()
        self._left_some = free <= 0 or any(count >= self._most_each for count in self._in_flight.values())
        if free <= 0:
            return False
        token, claimed_at = uuid4(), asyncio.get_running_loop().time()
        claimed, more = await self._claim(free, token)
        if not claimed:
            return False
        batches: defaultdict[tuple[UUID, Env], list[UUID]] = defaultdict(list)
        for row in claimed:
            batches[row["project_id"], row["env"]].append(row["id"])
        for (project_id, env), ids in batches.items():
            self._in_flight[project_id] += len(ids)
            self._take(Batch(project_id, env, token, claimed_at), ids)
        return more

    @contextmanager
    def handing(self, project_id: UUID, env: Env, count: int) -> Iterator[Handed]:
        """Room for so many deliveries of a project that are written meanwhile, which then are sent at once.

        They take slots as claimed ones do, and what has no room, or is not written with the lease, waits to be claimed.
        """
        room = min(self._most_each - self._in_flight[project_id], self._slots // HANDED_SHARE - self._in_flight.total())
        if self._leaving or not 0 < count <= room:
            yield Handed()
            return
        batch = Batch(project_id, env, uuid4(), asyncio.get_running_loop().time())
        handed = Handed(batch.token, self._lease_seconds)
        self._in_flight[project_id] += count
        try:
            yield handed
        finally:
            self._free(project_id, count - len(handed.ids))
            if handed.ids:
                self._take(batch, list(handed.ids))

    def _take(self, batch: Batch, ids: list[UUID]) -> None:
        """Send what is leased, for which there is room."""
        crash.here("send.after_claim")
        IN_FLIGHT.set(self._in_flight.total())
        self._begin(self._send_batch(batch, ids))

    @property
    def busy(self) -> bool:
        """Whether anything is being sent or recorded."""
        return bool(self._sends) or self._recording is not None

    def leave(self) -> None:
        """Begin nothing more. What waits for its turn is given back, so that another process can send it at once."""
        self._leaving = True
        for patience in self._patience:
            if not patience.expired():
                patience.reschedule(0)

    async def drain(self, seconds: float) -> None:
        """Leave, and let what is being sent come to its end; what does not is cut off and given back as well, for
        another process to send again. Raises TimeoutError when even that did not succeed, and leases run out."""
        self.leave()
        if not await self._idle_within(seconds):
            log.warning("stopped while sending", deliveries=self._in_flight.total())
            for send in self._sends:
                send.cancel()
            if not await self._idle_within(GIVE_BACK_SECONDS):
                raise TimeoutError

    async def _idle_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while self.busy:
                    await asyncio.wait([*self._sends, *filter(None, [self._recording])])
        except TimeoutError:
            return False
        return True

    async def _claim(self, free: int, token: UUID) -> tuple[list[asyncpg.Record], bool]:
        """Deliveries of the next projects in turn, none of those whose share is full; whether there may be more."""
        rooms = {project_id: max(self._most_each - count, 0) for project_id, count in self._in_flight.items() if count}
        began_at = self._after
        rows = await self._db.hot.fetch(
            _CLAIM,
            self._after,
            MOST_PROJECTS,
            self._most_each,
            free,
            self._lease_seconds,
            token,
            list(rooms),
            list(rooms.values()),
        )
        if not rows and began_at != NOBODY:
            self._after = NOBODY
            return await self._claim(free, token)
        projects = Tally(row["project_id"] for row in rows)
        # Neither projects nor slots were too few: there are no further ones, and to find that out would be a claim.
        ended = len(projects) < MOST_PROJECTS and len(rows) < free
        self._after = NOBODY if ended else max(projects)
        filled = any(count >= rooms.get(project_id, self._most_each) for project_id, count in projects.items())
        return list(rows), not ended or filled or began_at != NOBODY

    async def _send_batch(self, batch: Batch, ids: list[UUID]) -> None:
        """Read a batch and send each of it. One that cannot be read spoils only itself: its lease runs out."""
        project_id, env, token, _ = batch
        try:
            outgoing = await load(self._reading, self._choice, self._sounds, project_id, env, ids, token)
            turns = await self.pace.turns(uuid4(), _wanting(outgoing)) if env == "live" else {}
        except asyncio.CancelledError:
            self._settle_all(batch, ids)
            return
        except Exception as error:
            if is_away(error):
                self._settle_all(batch, ids)
                return
            log.exception("deliveries not loaded", project=str(project_id), deliveries=len(ids))
            if len(ids) == 1:
                self._free(project_id, 1)
            else:
                for id_ in ids:
                    self._begin(self._send_batch(batch, [id_]))
            return
        crash.here("send.after_read")
        self._free(project_id, len(ids) - len(outgoing))
        for each in outgoing:
            self._begin(self._send_safely(batch, each, turns.get(each.id)))

    async def _send_safely(self, batch: Batch, outgoing: Outgoing, turn: Turn | PutOff | None) -> None:
        try:
            result = await self._attempt(batch, outgoing, turn)
        except asyncio.CancelledError:
            result = outgoing.id
        except Exception:
            log.exception("send failed", project=str(batch[0]), delivery=str(outgoing.id))
            self._free(batch[0], 1)
            return
        finally:
            if isinstance(turn, Turn):
                self.pace.done(turn.share)
        self._settle(batch, result)

    async def _attempt(self, batch: Batch, outgoing: Outgoing, turn: Turn | PutOff | None) -> Result | UUID:
        """What came of it, or the delivery's id if nothing was begun: then it goes back as it came."""
        if outgoing.over is not None:
            return _untried(outgoing, "cancelled", outgoing.over)
        if outgoing.refusal is not None or outgoing.message is None:
            return _untried(outgoing, "suppressed", outgoing.refusal or "nothing to send")
        if batch.env == "test":
            return _captured(outgoing)
        if isinstance(outgoing.route, NoRoute):
            return _no_route(outgoing, outgoing.route)
        if isinstance(turn, PutOff):
            return _put_off(outgoing, outgoing.route, turn)
        lane = turn.share.lanes if turn else None
        lane = lane or self._turns.setdefault(outgoing.route.id or NOBODY, asyncio.Semaphore(PER_CONNECTION))
        if not await self._took(lane, batch, turn.starts_at if turn else batch.claimed_at):
            return outgoing.id
        try:
            sender = _sender(batch, outgoing.route)
            message = (outgoing.id, outgoing.rank)
            if paused := self.pace.put_off(sender, outgoing.address, message, batch.claimed_at):
                return _put_off(outgoing, outgoing.route, paused)
            if _waited(batch) and not await self._choice.still_sends(outgoing.route, batch.env):
                return outgoing.id
            return await self._send(batch, outgoing, outgoing.route)
        finally:
            lane.release()

    async def _took(self, lane: asyncio.Semaphore, batch: Batch, starts_at: float) -> bool:
        """Whether the turn came early enough for an attempt within the lease. It does not behind an endpoint that
        hangs, nor in a process that was stopped for long."""
        start_by = batch.claimed_at + self._turn_limit
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout_at(start_by) as patience:
                self._patience.add(patience)
                if (wait := starts_at - clock()) > 0:
                    await asyncio.sleep(wait)
                await lane.acquire()
        except TimeoutError:
            return False
        finally:
            self._patience.discard(patience)
        if self._leaving or clock() > start_by:
            lane.release()
            return False
        return True

    async def _send(self, batch: Batch, outgoing: Outgoing, route: Route) -> Result:
        """One attempt at the provider, within the lease."""
        message = self._with_links(await self._in_window(outgoing, route), outgoing, route)
        crash.here("send.before_send")
        started_at, began = datetime.now(UTC), time.perf_counter()
        try:
            with hops.after(message.hops):
                async with asyncio.timeout(self._send_limit):
                    outcome: Any = await route.channel.send(
                        message, outgoing.address, route.settings, route.credentials, self._door
                    )
        except SendFailure as failure:
            outcome = failure
        except TimeoutError:
            outcome = Unavailable(f"no answer within {self._send_limit:.0f} s")
        seconds = time.perf_counter() - began
        crash.here("send.after_send")
        SEND_SECONDS.labels(route.channel.channel).observe(seconds)
        told = judged(outcome, route.channel, route.credentials, await self._counted(batch, outgoing, outcome))
        paused = is_too_many(outcome) and route.id is not None
        if isinstance(outcome, Receipt):
            await self._note_move(batch, outgoing, route, outcome)
        elif isinstance(outcome, AddressGone):
            gone_since = min(started_at, outcome.since or started_at)
            await self._note_gone(batch, outgoing, gone_since, told["error"])
        elif paused:
            await self._pause(batch, outgoing, route, outcome, told["error"])
        else:
            await self._note(batch, outgoing, route, outcome, told["error"], started_at)
        return Result(
            delivery_id=outgoing.id,
            number=outgoing.attempt,
            rank=outgoing.rank,
            keeps_rank=paused,
            address=outgoing.shown,
            connection_project=route.connection_project,
            connection_id=route.id,
            connection_reason=route.reason,
            started_at=started_at,
            duration_ms=round(seconds * 1000),
            **told,
        )

    async def _counted(self, batch: Batch, outgoing: Outgoing, outcome: Receipt | SendFailure) -> Count:
        """Which try this was; the one that succeeds needs no counting, nor does the first."""
        if outgoing.attempt == 1 or isinstance(outcome, Receipt):
            return Count(outgoing.attempt, outgoing.attempt, outgoing.age_seconds)
        async with self._db.unit(batch.project_id, batch.env) as connection:
            return await counted(connection, batch.project_id, outgoing.id, outgoing.attempt, outgoing.age_seconds)

    async def _in_window(self, outgoing: Outgoing, route: Route) -> Message:
        """The message, with what is known now of when its person wrote last, where the channel goes by that."""
        message, address = outgoing.message, outgoing.address
        assert message is not None
        if not route.channel.windowed or address is None or route.id is None or route.connection_project is None:
            return message
        project_id, env = scope_of(route.connection_project, message.env)
        async with self._db.unit(project_id, env) as connection:
            names = route.channel.known_as(address)
            return replace(message, window_expires_at=await window(connection, project_id, route.id, names))

    def _with_links(self, message: Message, outgoing: Outgoing, route: Route) -> Message:
        """The message, with an address to acknowledge it at if that is asked for, and one at which its mailbox stops
        it, where it goes to one of a person."""
        if self._links is None:
            return message
        person, ack_url, unsubscribe_url = message.recipient, None, None
        if message.require_ack:
            user_id = person.user_id if person else None
            link = AckLink(message.project_id, message.env, message.notification_id, user_id)
            ack_url = self._links.acknowledging.make(link)
        if person is not None and outgoing.address is not None and route.channel.address_kind == "email":
            unsubscribe_url = self._links.opting_out.make(
                message.project_id, message.env, person.user_id, outgoing.address
            )
        hears = route.connection_project == message.project_id
        told_at = f"{self._links.hooks}/{route.channel.provider}/{route.token}" if route.token else None
        return replace(message, ack_url=ack_url, unsubscribe_url=unsubscribe_url, hears=hears, told_at=told_at)

    async def _note(
        self, batch: Batch, outgoing: Outgoing, route: Route, failure: SendFailure, reason: str, started_at: datetime
    ) -> None:
        """Keep what a failure says of the connection, or of the person behind the address: as it was then."""
        if route.id is None or route.connection_project is None:
            return
        if isinstance(failure, BadCredentials):
            project_id, env = scope_of(route.connection_project, batch.env)
            async with self._db.unit(project_id, env) as connection:
                await mark_error(connection, project_id, route.id, route.version, reason)
        elif isinstance(failure, OptedOut) and outgoing.address is not None:
            # Told to the account, so of a lent one it counts for everybody, and what takes it back arrives there.
            project_id, env = scope_of(route.connection_project, batch.env)
            async with self._db.unit(project_id, env) as connection:
                await mark_opted_out(connection, project_id, route.id, outgoing.address, reason, started_at)
        elif isinstance(failure, Blocked) and outgoing.address is not None:
            async with self._db.unit(batch.project_id, batch.env) as connection:
                await mark_blocked(connection, batch.project_id, route.id, outgoing.address, reason, started_at)

    async def _note_gone(self, batch: Batch, outgoing: Outgoing, since: datetime, reason: str) -> None:
        """Forget the device that nobody is reached at any more since then."""
        if outgoing.address_id is not None:
            async with self._db.unit(batch.project_id, batch.env) as connection:
                await forget_device(connection, batch.project_id, batch.env, outgoing.address_id, since, reason)

    async def _note_move(self, batch: Batch, outgoing: Outgoing, route: Route, receipt: Receipt) -> None:
        """Keep the address that the provider has given in place of the old one."""
        if receipt.moved_to is not None and outgoing.address is not None:
            async with self._db.unit(batch.project_id, batch.env) as connection:
                await move_address(connection, route.channel.channel, outgoing.address, receipt.moved_to)

    async def _pause(self, batch: Batch, outgoing: Outgoing, route: Route, failure: Unavailable, reason: str) -> None:
        """Slow the connection down, on all processes (D4), unless it may be the address's limit alone."""
        sender = _sender(batch, route)
        address = outgoing.address if route.channel.limits_addresses else None
        if address is not None and not self.pace.pause_address(sender, address, failure.retry_after):
            return
        async with self._db.unit(*scope_of(sender.project_id, batch.env)) as connection:
            news = await self.pace.pause(connection, sender, failure.retry_after, reason)
        if news:
            self._changed(sender.project_id, batch.env, sender.id)

    def _settle_all(self, batch: Batch, untouched: list[UUID]) -> None:
        for id_ in untouched:
            self._settle(batch, id_)

    def _settle(self, batch: Batch, settled: Result | UUID) -> None:
        self._settled[batch].append(settled)
        if self._recording is None:
            self._recording = asyncio.create_task(self._record_groups())

    async def _record_groups(self) -> None:
        """Record what has come in, of all projects, until nothing more has."""
        try:
            while self._settled:
                settled, self._settled = self._settled, defaultdict(list)
                await asyncio.gather(*[self._record_group(*each) for each in settled.items()])
        finally:
            self._recording = None

    async def _record_group(self, batch: Batch, settled: list[Result | UUID]) -> None:
        crash.here("send.before_record")
        results = [each for each in settled if isinstance(each, Result)]
        untouched = [each for each in settled if isinstance(each, UUID)]
        await self._record(batch, results, untouched)
        crash.here("send.after_record")
        self._free(batch.project_id, len(settled))

    async def _record(self, batch: Batch, results: list[Result], untouched: list[UUID]) -> None:
        """Again and again while the database is away, past the end of the lease, which nobody can release meanwhile
        either: a result that is lost is a second send. Whether the delivery is still ours its token says."""
        give_up_at = batch.claimed_at + self._lease_seconds + RECORD_FOR_SECONDS
        while True:
            try:
                await record(self._recorded, batch.project_id, batch.env, batch.token, results, untouched)
            except Exception as error:
                if not is_away(error) or asyncio.get_running_loop().time() > give_up_at:
                    log.exception("attempts not recorded", project=str(batch.project_id), deliveries=len(results))
                    return
                await asyncio.sleep(RECORD_AGAIN_SECONDS)
                continue
            for result in results:
                ATTEMPTS.labels(result.state).inc()
            return

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    def _free(self, project_id: UUID, count: int) -> None:
        self._in_flight[project_id] -= count
        if self._in_flight[project_id] <= 0:
            del self._in_flight[project_id]
        IN_FLIGHT.set(self._in_flight.total())
        if self._left_some and self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell_freed)

    def _tell_freed(self) -> None:
        self._telling = None
        self._freed()


def _waited(batch: Batch) -> bool:
    """Whether so long that what was read of the connection may not be true any more."""
    return asyncio.get_running_loop().time() > batch.claimed_at + STALE_SECONDS


def _wanting(outgoing: list[Outgoing]) -> list[Wanting]:
    """What of a batch leaves over limited connections, in its order, which is that of its urgency."""
    found: dict[Sender, tuple[Limits, list[tuple[UUID, int]]]] = {}
    for each in outgoing:
        route = each.route
        if each.limits is None or each.refusal is not None or not isinstance(route, Route) or each.message is None:
            continue
        assert route.id is not None and route.connection_project is not None
        sender = Sender(route.connection_project, route.id)
        found.setdefault(sender, (each.limits, []))[1].append((each.id, each.rank))
    return [Wanting(sender, limits, messages) for sender, (limits, messages) in found.items()]


def _sender(batch: Batch, route: Route) -> Sender:
    return Sender(route.connection_project or batch.project_id, route.id or NOBODY)


def _put_off(outgoing: Outgoing, route: Route, put_off: PutOff) -> Result:
    """It goes back as it came, with a time: no try is spent, and its rank stays."""
    return Result(
        outgoing.id,
        outgoing.attempt,
        "queued",
        None,
        outgoing.rank,
        due_in=put_off.seconds,
        error=f"waits: {put_off.reason}",
        connection_project=route.connection_project,
        connection_id=route.id,
        connection_reason=route.reason,
        keeps_rank=True,
    )


def _untried(outgoing: Outgoing, state: str, reason: str) -> Result:
    return Result(outgoing.id, outgoing.attempt, state, None, outgoing.rank, error=reason)


def _no_route(outgoing: Outgoing, route: NoRoute) -> Result:
    """Without a connection nothing is attempted. Where one may be mended the delivery waits, which costs no try."""
    if route.refused:
        return _untried(outgoing, "suppressed", route.reason)
    due_in = look_again_in(outgoing.age_seconds) if route.waits else None
    state = "failed" if due_in is None else "queued"
    return Result(outgoing.id, outgoing.attempt, state, None, outgoing.rank, due_in=due_in, error=route.reason)


def _captured(outgoing: Outgoing) -> Result:
    """The sandbox: everything up to here ran, nothing leaves, and the message can be read back."""
    message = outgoing.message
    assert message is not None
    return Result(
        outgoing.id,
        outgoing.attempt,
        "captured",
        "captured",
        outgoing.rank,
        address=outgoing.shown,
        captured={
            "title": message.title,
            "message": message.message,
            "address": outgoing.shown,
            "action": {"url": message.action.url, "label": message.action.label} if message.action else None,
        },
        started_at=datetime.now(UTC),
    )
