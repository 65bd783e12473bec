"""Evaluates conditions and templates in a child process that may be killed at any moment.

cel-cpp holds the GIL and counts iterations but neither time nor memory, so no thread or timer in this
process could stop a hostile rule. The child has a deadline in its own processor time (a busy machine
stops nobody), a memory cap, and no way to its siblings: an innocent rule next to a hostile one gets its
answer from the next child.
"""

import asyncio
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import NamedTuple

import msgspec

from tocsin.kit.lifeline import bare_environment
from tocsin.rules.jobs import NOBODYS, Job, Outcome, Request, RuleOutcome, RuleSource, Task
from tocsin.rules.pieces import Most, cut

MEMORY_BYTES = 512 << 20
"""Address space of the child. Interpreter and libraries take about 60 MiB of it."""

BASE_SECONDS = 0.050
SECONDS_PER_STEP = 0.002
"""A step is a condition or a template."""
SECONDS_PER_SOURCE_KIB = 0.004
"""For compiling a text the first time: the largest template takes 0.15 s."""
SECONDS_PER_PAYLOAD_KIB = 0.000_1

WALL_FACTOR = 20
"""How much longer than its processor time an evaluation may wait for a processor."""
WALL_SECONDS = 5.0
"""So long it may in any case."""

START_SECONDS = 30.0
PIECE = Most(steps=512, size=1024 * 1024)
"""Of one caller in one exchange, so that the others have their turn; some second of the child at most."""
TOGETHER_ITEMS = 64
"""Rules of several callers in one exchange; more would make them wait for each other."""
CAREFUL_ITEMS = 16
"""Rules retried under one turn, so that a project in trouble does not keep the child from the others."""
SECOND_TRY_FACTOR = 4
"""How much more processor time a rule gets that ran out of it alone."""
MAX_STRIKES = 5
"""Kills of one rule in one call, after which its other events get the outcome without being tried."""

_DECODE = msgspec.msgpack.Decoder(list[RuleOutcome])
_ENCODE = msgspec.msgpack.Encoder()


class EvaluatorUnavailable(Exception):
    """The child could not be started (try later), or the evaluator is closed."""


class Evaluator:
    """One child, shared by every caller of an event loop; started when first needed."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES, niceness: int = 0) -> None:
        """``niceness``: how far the child stands back behind other processes, as of nice(1)."""
        self._memory = memory_bytes
        self._niceness = niceness
        self._turn = asyncio.Lock()
        self._child: _Child | None = None
        self._waiting: deque[_Call] = deque()
        self._joining: asyncio.Task[None] | None = None
        self._exchanges: set[asyncio.Task[_Exchange]] = set()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return self._child.pid if self._child else None

    async def start(self) -> None:
        """Start the child ahead of the first evaluation. Raises EvaluatorUnavailable."""
        async with self._turn:
            await self._ready_child()

    async def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """An outcome per job, in order. All jobs of a call should belong to one project.

        Processor time is bounded for each piece of the call; when that is not enough, what is left is tried
        rule by rule, and a rule that fails alone twice gets an outcome with ``stopped``: the first time it may be the
        machine that stood still, which a virtual one counts as the child's time, so the second time it gets more. A
        caller may be cancelled.
        Raises EvaluatorUnavailable.
        """
        items = [_Item(job, rule) for job in jobs for rule in job.rules]
        outcomes: list[RuleOutcome] = []
        for piece in cut(items, PIECE, lambda item: (item.job.event, item.rule)):
            answered = await self._joined(piece)
            outcomes += answered
            if len(answered) < len(piece):
                break
        if len(outcomes) < len(items):
            outcomes += await self._one_by_one(items[len(outcomes) :])
        remaining = iter(outcomes)
        return [Outcome(job.event.id, [next(remaining) for _ in job.rules]) for job in jobs]

    async def _joined(self, items: list["_Item"]) -> list[RuleOutcome]:
        """The first outcomes of some items, all if nothing stopped them, by an exchange shared with other callers.

        Who asks while an exchange is under way is asked for together with the others in the next one: many projects
        with an event each cost messages, not work.
        """
        call = _Call(items, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._joining is None:
            self._joining = asyncio.create_task(self._join())
        return await call.answer

    async def _join(self) -> None:
        try:
            while calls := self._next_calls():
                try:
                    exchange = await self._exchange([item for call in calls for item in call.items], careful=False)
                except Exception as error:  # noqa: BLE001 - it is for those who asked
                    for call in calls:
                        call.end(error)
                    continue
                outcomes = iter(exchange.outcomes)
                for call in calls:
                    call.end(list(islice(outcomes, len(call.items))))
        finally:
            self._joining = None

    def _next_calls(self) -> list["_Call"]:
        """Those who waited longest, as many as share an exchange; whoever gave up waiting is left out."""
        calls: list[_Call] = []
        items = 0
        while self._waiting and (not calls or items + len(self._waiting[0].items) <= TOGETHER_ITEMS):
            call = self._waiting.popleft()
            if not call.answer.done():
                calls.append(call)
                items += len(call.items)
        return calls

    async def _one_by_one(self, items: list["_Item"]) -> list[RuleOutcome]:
        outcomes: list[RuleOutcome] = []
        strikes: Counter[str] = Counter()
        doubted: _Item | None = None
        while left := items[len(outcomes) :]:
            if strikes[left[0].rule.rule_id] >= MAX_STRIKES:
                outcomes.append(_stopped(left[0].rule, "not tried: it was stopped for other events just now"))
                continue
            tried = _first_tries(left, strikes)
            patience = SECOND_TRY_FACTOR if left[0] is doubted else 1
            exchange = await self._exchange(tried, careful=True, patience=patience)
            outcomes += exchange.outcomes
            if len(exchange.outcomes) < len(tried):
                guilty = tried[len(exchange.outcomes)]
                if not strikes[guilty.rule.rule_id] and guilty is not doubted:
                    doubted = guilty
                    continue
                strikes[guilty.rule.rule_id] += 1
                outcomes.append(_stopped(guilty.rule, exchange.why, rendering=exchange.rendering))
        return outcomes

    async def _exchange(self, items: Sequence["_Item"], *, careful: bool, patience: int = 1) -> "_Exchange":
        """One message and its answer. Goes on when the caller is cancelled: the pipe must stay in step."""
        task = asyncio.create_task(self._take_turn(_Exchange(items, careful, patience)))
        self._exchanges.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: "asyncio.Task[_Exchange]") -> None:
        self._exchanges.discard(task)
        if not task.cancelled():
            task.exception()

    async def _take_turn(self, exchange: "_Exchange") -> "_Exchange":
        async with self._turn:
            child = await self._ready_child()
            await exchange.run(child)
            if not exchange.complete:
                await self._discard_child()
            return exchange

    async def _ready_child(self) -> "_Child":
        if self._closed:
            raise EvaluatorUnavailable("The evaluator is closed.")
        if self._child and not self._child.running:
            await self._discard_child()
        if self._child is None:
            self._child = await _Child.start(self._memory, self._niceness)
        return self._child

    async def _discard_child(self) -> None:
        child, self._child = self._child, None
        if child:
            await child.kill()

    async def close(self) -> None:
        """Kill the child and wait for it. Evaluations under way raise EvaluatorUnavailable."""
        self._closed = True
        if self._child:
            self._child.signal_kill()
        await asyncio.gather(*self._exchanges, return_exceptions=True)
        async with self._turn:
            await self._discard_child()


class _Item(NamedTuple):
    """One rule to be tried on one event."""

    job: Job
    rule: RuleSource


class _Call(NamedTuple):
    """What one caller waits for."""

    items: list[_Item]
    answer: "asyncio.Future[list[RuleOutcome]]"

    def end(self, answer: list[RuleOutcome] | Exception) -> None:
        if self.answer.done():
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


def _first_tries(items: Sequence[_Item], strikes: Counter[str]) -> list[_Item]:
    """As many items as share a turn, none of them given up."""
    tried: list[_Item] = []
    for item in items[:CAREFUL_ITEMS]:
        if strikes[item.rule.rule_id] >= MAX_STRIKES:
            break
        tried.append(item)
    return tried


def _stopped(rule: RuleSource, why: str, *, rendering: bool = False) -> RuleOutcome:
    if rendering:
        return RuleOutcome(rule.rule_id, True, f"the templates were {why}", "render_error", stopped=True)
    return RuleOutcome(rule.rule_id, False, f"the condition was {why}", "condition_error", stopped=True)


@dataclass
class _Exchange:
    """One request and the outcomes that came back before the child finished, died, or ran out of time."""

    items: Sequence[_Item]
    careful: bool
    patience: int
    """Times the budget of the first item."""
    outcomes: list[RuleOutcome] = field(default_factory=list)
    rendering: bool = False
    why: str = ""

    @property
    def complete(self) -> bool:
        return len(self.outcomes) == len(self.items)

    async def run(self, child: "_Child") -> None:
        try:
            await child.send(_request(self.items, careful=self.careful))
            await self._collect(child)
        except TimeoutError:
            self.why = "stopped after taking too long"
        except (ConnectionError, asyncio.IncompleteReadError):
            self.why = "stopped after taking too much memory"

    async def _collect(self, child: "_Child") -> None:
        deadline = child.deadline(_budget(self._next_items()) * self.patience)
        while not self.complete:
            received = _DECODE.decode(await child.receive(deadline))
            self.rendering = not received
            self.outcomes += received
            if self.careful and not self.complete:
                deadline = child.deadline(_budget(self._next_items()))

    def _next_items(self) -> Sequence[_Item]:
        done = len(self.outcomes)
        return self.items[done : done + 1] if self.careful else self.items[done:]


def _request(items: Sequence[_Item], *, careful: bool) -> bytes:
    table = {id(item.rule): item.rule for item in items}
    index = {key: position for position, key in enumerate(table)}
    projects = {id(item.job.project): item.job.project for item in items}
    place = {key: position for position, key in enumerate(projects)}
    tasks = [
        Task(job.event, job.user, place[id(job.project)], [index[id(item.rule)] for item in same], _ways(same))
        for job, same in _by_event(items)
    ]
    return _ENCODE.encode(Request(careful, list(projects.values()), list(table.values()), tasks))


def _by_event(items: Sequence[_Item]) -> Iterator[tuple[Job, list[_Item]]]:
    for _, group in groupby(items, key=lambda item: id(item.job.event)):
        same = list(group)
        yield same[0].job, same


def _ways(items: Sequence[_Item]) -> list[str]:
    ways = [item.job.way for item in items]
    return ways if any(way != NOBODYS for way in ways) else []


def _budget(items: Sequence[_Item]) -> float:
    """Seconds of processor time for some items."""
    steps = sum(1 + len(item.rule.templates) for item in items)
    sources = {id(item.rule): item.rule for item in items}.values()
    characters = sum(sum(map(len, (rule.condition or "", *rule.templates.values()))) for rule in sources)
    payload_bytes = sum(len(job.event.payload) for job, _ in _by_event(items))
    return (
        BASE_SECONDS
        + steps * SECONDS_PER_STEP
        + characters / 1024 * SECONDS_PER_SOURCE_KIB
        + payload_bytes / 1024 * SECONDS_PER_PAYLOAD_KIB
    )


class _Deadline(NamedTuple):
    """When an evaluation ends: in processor time of the child, and in any case on the wall clock."""

    processor: float
    wall: float


class _Child:
    """The process and its two pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, memory_bytes: int, niceness: int) -> "_Child":
        """A child that has said it is ready. Raises EvaluatorUnavailable; its reason is on stderr."""
        arguments = ["-P", "-s", "-m", "tocsin.rules.child", str(memory_bytes), str(os.getpid()), str(niceness)]
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, stdin=pipe, stdout=pipe, env=bare_environment(), cwd="/"
            )
        except OSError as error:
            raise EvaluatorUnavailable("The system does not start an evaluation process.") from error
        child = cls(process)
        try:
            await child.receive(_Deadline(float("inf"), time.monotonic() + START_SECONDS))
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            await child.kill()
            raise EvaluatorUnavailable("The evaluation process did not start.") from error
        except asyncio.CancelledError:
            await child.kill()
            raise
        return child

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    def deadline(self, seconds: float) -> _Deadline:
        return _Deadline(self._processor_time() + seconds, time.monotonic() + max(WALL_SECONDS, seconds * WALL_FACTOR))

    def _processor_time(self) -> float:
        """Seconds the child has computed. Where the system does not tell, the wall clock stands in."""
        try:
            return time.clock_gettime(_cpu_clock(self.pid))
        except OSError:
            return time.monotonic()

    async def send(self, body: bytes) -> None:
        assert self._process.stdin
        self._process.stdin.write(len(body).to_bytes(4, "big") + body)
        await self._process.stdin.drain()

    async def receive(self, deadline: _Deadline) -> bytes:
        """The next frame. Raises TimeoutError at the deadline, IncompleteReadError at the child's end."""
        header = await self._read(4, deadline)
        return await self._read(int.from_bytes(header, "big"), deadline)

    async def _read(self, size: int, deadline: _Deadline) -> bytes:
        assert self._process.stdout
        reading = asyncio.ensure_future(self._process.stdout.readexactly(size))
        try:
            while not reading.done():
                await asyncio.wait({reading}, timeout=self._patience(deadline))
        finally:
            reading.cancel()
        return reading.result()

    def _patience(self, deadline: _Deadline) -> float:
        """Seconds until the deadline can have come at the earliest. Raises TimeoutError when it has."""
        left = min(deadline.processor - self._processor_time(), deadline.wall - time.monotonic())
        if left <= 0:
            raise TimeoutError
        return max(left, 0.001)

    def signal_kill(self) -> None:
        if self.running:
            self._process.kill()

    async def kill(self) -> None:
        """End the process and wait until the system has forgotten it."""
        self.signal_kill()
        await self._process.wait()
        assert self._process.stdin
        self._process.stdin.close()


def _cpu_clock(pid: int) -> int:
    """Linux's clock id of a process's processor time: clock_getcpuclockid(3), which Python does not offer."""
    return (~pid << 3) | 2
