"""An installation that is meant to be killed: PostgreSQL with fsync, perhaps Redis, APIs, workers.

A keeper starts again whatever died, as a supervisor would. Everything is killed by pid, and every process but the
database leads a group of its own, so that a worker that leaves its evaluator behind is noticed.
"""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import psutil

import tocsin
from tests import running
from tests.crash.leftovers import Register
from tests.engines import Redis, free_port, temporary_folder
from tests.forked import Forked
from tests.running import Site
from tocsin.kit import postgres
from tocsin.kit.crypto import MasterKey
from tocsin.kit.lifeline import tied_to_parent
from tocsin.kit.migrate import migrate
from tocsin.kit.roles import Roles

SLOTS = 32
START_LIMIT = 90.0
ORPHAN_LIMIT = 15.0
SOURCE = Path(tocsin.__file__).parents[1]

_RUN = {
    "api": "from tocsin.api import serve as run",
    "worker": "from tocsin.worker import work as run",
}
_READY = {"api": "api ready", "worker": "worker ready"}

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

_migrating = asyncio.Lock()  # Alembic keeps what it works on in variables of its module

T = TypeVar("T")


@dataclass
class Member:
    """A place in the installation, filled by one process after the other. ``prologue`` runs before the product,
    ``source`` is the folder that the product is imported from, ``once`` are settings of the next start alone."""

    role: str
    number: int
    port: int
    prologue: str = ""
    source: Path = SOURCE
    settings: dict[str, str] = field(default_factory=dict)
    once: dict[str, str] = field(default_factory=dict)
    starts: int = 0
    kept: bool = True
    process: "subprocess.Popen[bytes] | Forked | None" = None
    log: Path = Path()

    @property
    def name(self) -> str:
        return f"{self.role} {self.number}"

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def ready(self) -> bool:
        return self.running and _READY[self.role] in self.log.read_text(errors="replace") and self._answers()

    def _answers(self) -> bool:
        if self.role != "api":
            return True
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def evaluator(self) -> int | None:
        """The pid of the worker's evaluation child."""
        try:
            for child in psutil.Process(self.pid).children():
                if "tocsin.rules.child" in child.cmdline():
                    return child.pid
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            return None
        return None


@dataclass
class Installation:
    """Processes, how to reach them, and what went wrong with them that no table shows."""

    folder: Path
    cluster: "Cluster"
    server: postgres.Running
    redis: Redis | None
    lease_seconds: int
    register: Register
    nursery: ThreadPoolExecutor
    members: list[Member] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _added: int = 0

    @property
    def site(self) -> Site:
        return Site(
            self.server.dsn(),
            self.folder,
            self.redis.url if self.redis else None,
            {"TOCSIN_LEASE_SECONDS": str(self.lease_seconds), "TOCSIN_SLOTS": str(SLOTS)},
        )

    @property
    def apis(self) -> list[Member]:
        return [member for member in self.members if member.role == "api"]

    @property
    def workers(self) -> list[Member]:
        return [member for member in self.members if member.role == "worker"]

    async def add(
        self, role: str, prologue: str = "", source: Path = SOURCE, once: dict[str, str] | None = None
    ) -> Member:
        """One more member, started; `whole` waits for it. Without Redis the first API alone serves sockets."""
        self._added += 1
        settings = {} if self.redis or role != "api" or not self.apis else {"TOCSIN_REALTIME": "0"}
        member = Member(role, self._added, free_port(), prologue, source, settings, once or {})
        self.members.append(member)
        await self.start(member)
        return member

    async def remove(self, member: Member) -> None:
        """Take a member away for good, dead or alive."""
        member.kept = False
        self.members.remove(member)
        await self.kill(member)
        await self.bury(member)

    async def start(self, member: Member) -> None:
        member.starts += 1
        member.log = self.folder / f"{member.role}-{member.number}-{member.starts}.log"
        member.process = await self.in_nursery(self._spawn, member)
        self.register.note(member.process.pid)

    def _spawn(self, member: Member) -> "subprocess.Popen[bytes] | Forked":
        code = f"{member.prologue}\n{_RUN[member.role]}\nfrom tocsin.startup import installation\nrun(installation())"
        environment = self._environment(member)
        if member.source == SOURCE:
            return Forked(code, environment, self.folder, member.log)
        with member.log.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-c", code],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
                preexec_fn=tied_to_parent(signal.SIGKILL),
            )

    def _environment(self, member: Member) -> dict[str, str]:
        site = self.site
        environment = replace(site, settings={**site.settings, **member.settings, **member.once}).environment(
            member.port
        )
        member.once = {}
        others = [path for path in sys.path if Path(path).resolve() != SOURCE]
        return {**environment, "PYTHONPATH": os.pathsep.join([str(member.source), *others])}

    async def keep(self) -> None:
        """Start again what died, for ever; the database and Redis are the nemesis's own to start."""
        while True:
            for member in list(self.members):
                if member.kept and member.process and not member.running:
                    await self.bury(member)
                    if member.kept:
                        await self.start(member)
            await asyncio.sleep(0.05)

    async def bury(self, member: Member) -> None:
        """Wait until nothing of a dead process is left; its evaluator has to notice by itself."""
        pid = member.pid
        try:
            await until(
                lambda: not member.running and not _group_lives(pid),
                ORPHAN_LIMIT,
                "the group of a dead process is empty",
            )
        except TimeoutError:
            self.complaints.append(f"{member.name} died and left children behind in its process group {pid}")
            _kill_group(pid)

    async def kill(self, member: Member) -> bool:
        """Whether there was somebody to kill."""
        if member.running:
            os.kill(member.pid, signal.SIGKILL)
            return True
        return False

    async def end_postgres(self, how: signal.Signals) -> None:
        """Kill the postmaster, whose backends see that and end; or have it shut down at once, without a checkpoint."""
        server = psutil.Process(self.server.pid)
        server.send_signal(how)
        await self.in_nursery(partial(psutil.wait_procs, [server], timeout=10))

    async def start_postgres(self) -> None:
        """Over the same folder; a start that fails because it was ended in the middle is done again."""
        for again in (True, False):
            try:
                self.server = await self.in_nursery(self.cluster.start)
                break
            except postgres.CannotStart:
                if not again:
                    raise
        self.register.note(self.server.pid)

    async def end_redis(self) -> None:
        assert self.redis
        await self.in_nursery(self.redis.kill)

    async def start_redis(self) -> None:
        assert self.redis
        await self.in_nursery(self.redis.start)
        assert self.redis.process
        self.register.note(self.redis.process.pid)

    async def whole(self, limit: float = START_LIMIT) -> None:
        """Wait until every member is ready. Raises TimeoutError with the end of the log of one that is not."""
        for member in self.members:
            ready = partial(attrgetter("ready"), member)
            try:
                await until(ready, limit, f"{member.name} is ready", self.in_nursery)
            except TimeoutError as error:
                raise TimeoutError(f"{error}\n{member.log.read_text(errors='replace')[-3000:]}") from None

    def troubles(self, most: int = 30) -> list[str]:
        """What the processes logged as errors, the last lines of each log."""
        found = []
        for log in sorted(self.folder.glob("*-*-*.log")):
            lines = _read(log).splitlines()
            found += [f"{log.name}: {line}" for line in lines if "[error" in line or "Error:" in line][-5:]
        return found[-most:]

    def logs(self) -> list[str]:
        """What each process wrote so far."""
        return [_read(log) for log in sorted(self.folder.glob("*-*-*.log"))]

    async def in_nursery(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run in the one thread that starts processes: they end with the thread that started them."""
        return await asyncio.get_running_loop().run_in_executor(self.nursery, work, *arguments)

    @contextlib.asynccontextmanager
    async def sql(self) -> AsyncIterator[asyncpg.Connection]:
        """The database as its superuser sees it: past all walls."""
        connection = await asyncpg.connect(self.server.dsn(), timeout=10)
        try:
            yield connection
        finally:
            await connection.close()


@dataclass(frozen=True)
class Cluster:
    """Where the database of an installation is, and what it is told beside its defaults."""

    data: Path
    settings: dict[str, str] = field(default_factory=dict)

    def start(self) -> postgres.Running:
        configured = os.environ.get("TOCSIN_POSTGRES_BIN")
        binaries = postgres.find_binaries(Path(configured) if configured else None)
        return postgres.start(self.data, binaries, daemon=False, settings={"max_connections": "100", **self.settings})


@contextlib.asynccontextmanager
async def installed(
    *,
    redis: bool = False,
    lease_seconds: int = 4,
    sabotage: dict[str, str] | None = None,
    workers: int = 2,
    apis: int | None = None,
    old: Path | None = None,
    cluster: Cluster | None = None,
) -> AsyncIterator[Installation]:
    """APIs and workers over a database of their own, all ready and kept; two APIs where Redis joins them, unless told.

    ``sabotage`` names a prologue for the processes of a role. ``old`` is a checkout of an earlier version, of which
    an API and a worker run beside the others on the schema of this one.
    """
    prologues = sabotage or {}
    with contextlib.ExitStack() as opened:
        register = Register()
        opened.callback(register.close)
        folder = opened.enter_context(temporary_folder())
        nursery = opened.enter_context(ThreadPoolExecutor(1))
        cluster = cluster or Cluster(folder / "data")
        server = await asyncio.get_running_loop().run_in_executor(nursery, cluster.start)
        opened.callback(postgres.stop, cluster.data)
        register.note(server.pid)
        broker = Redis(folder, free_port(), appendonly=False) if redis else None
        here = Installation(folder, cluster, server, broker, lease_seconds, register, nursery)
        if broker:
            await here.start_redis()
            opened.callback(broker.kill)
        async with _migrating:
            await migrate(server.dsn(), Roles(), MasterKey.load(running.MASTER_SECRET, folder))
        keeper = asyncio.create_task(here.keep())
        try:
            for role in ["api"] * (apis or (2 if redis else 1)) + ["worker"] * workers:
                await here.add(role, prologues.get(role, ""))
            if old:
                for role in ("api", "worker"):
                    await here.add(role, source=_sources(old))
            await here.whole()
            yield here
        finally:
            keeper.cancel()
            (ended,) = await asyncio.gather(keeper, return_exceptions=True)
            await here.in_nursery(_end, here.members)
            if not isinstance(ended, asyncio.CancelledError):
                raise RuntimeError("the keeper gave up, so nothing was started again") from ended


def _sources(checkout: Path) -> Path:
    if not (checkout / "src" / "tocsin" / "worker.py").is_file():
        raise FileNotFoundError(f"{checkout} is no checkout of Tocsin.")
    return checkout.resolve() / "src"


def _read(log: Path) -> str:
    return _COLOUR.sub("", log.read_text(errors="replace"))


def _end(members: list[Member]) -> None:
    for member in members:
        if member.process:
            _kill_group(member.pid)
            member.process.wait(10)


def _group_lives(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


async def until(
    holds: Callable[[], bool],
    limit: float,
    what: str,
    run: Callable[[Callable[[], bool]], Any] | None = None,
) -> None:
    """Look until it holds, at most ``limit`` seconds; then raise TimeoutError saying what did not come true."""
    deadline = time.monotonic() + limit
    while not (await run(holds) if run else holds()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{limit:.0f} s passed and it is not so that {what}")
        await asyncio.sleep(0.05)
