"""The life of `tocsin up`: claim the folder, database, migrations, processes, screen, and back in order."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import FrameType

import asyncpg
from rich.console import Console

from tocsin.platform.first_admin import first_link
from tocsin.platform.links import Links, address
from tocsin.startup import Installation
from tocsin.up.child import Child
from tocsin.up.claim import Claim, claimed
from tocsin.up.database import Source, database
from tocsin.up.figures import fetch, figures
from tocsin.up.logfile import ChildLog, Notice
from tocsin.up.port import usable_port
from tocsin.up.schema import bring_up_to_date
from tocsin.up.screen import LiveScreen, Picture, PlainLines, Screen
from tocsin.up.terminal import let_go_of_terminal, on_key

START_SECONDS = 120.0
STOP_SECONDS = 30.0
ASK_SECONDS = 60.0  # between looks whether the first admin has come, each over a connection of its own
RENEW_SECONDS = 12 * 3600.0  # of the first admin's link, which is good for twice as long
LOOK_SECONDS = 2.0  # between looks at processes and counters: seldom enough to cost an idle machine nothing

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal came before there was anything to stop in order. Like KeyboardInterrupt no error, so nobody's."""


def run(installation: Installation, console: Console) -> None:
    """Serve until told to stop; comes back when everything has ended.

    Raises AlreadyRunning, PortTaken, CannotStart, NotMigrated and NotUp.
    """
    screen: Screen = LiveScreen(console) if console.is_terminal else PlainLines(console)
    with suppress(Stopped), _stopped_by_signals(), ExitStack() as opened:
        settings = installation.settings
        logging.getLogger().setLevel("WARNING")  # our own words go to the screen
        claim = opened.enter_context(claimed(settings.home.resolve()))
        port = usable_port(settings.host, settings.port)
        screen.say("starting the database")
        source = opened.enter_context(database(settings))
        asyncio.run(_serve(installation, source, port, claim, screen))
        screen.say("stopping the database" if settings.database_url is None else "the database stays")
    screen.say("Tocsin has ended")


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Until the event loop takes signals over, and after it, they unwind what was begun."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Stopped

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _serve(installation: Installation, source: Source, port: int, claim: Claim, screen: Screen) -> None:
    stop = asyncio.Event()
    hurry = asyncio.Event()

    def told() -> None:
        (hurry if stop.is_set() else stop).set()

    def hung_up() -> None:
        let_go_of_terminal()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told)
    loop.add_signal_handler(signal.SIGHUP, hung_up)
    screen.say("bringing the schema up to date")
    await bring_up_to_date(source.installer_url)
    if stop.is_set():
        return
    with on_key("q", told):
        await Up(installation, source, port, claim, screen).run(stop, hurry)


class Up:
    """The two processes and what is known of them."""

    def __init__(self, installation: Installation, source: Source, port: int, claim: Claim, screen: Screen) -> None:
        settings = installation.settings
        self._home = settings.home.resolve()
        self._claim = claim
        self._screen = screen
        self._port = port
        self._metrics_port = _free_port()
        self._host = _reachable(settings.host)
        self._picture = Picture(
            url=(settings.public_url or f"http://{_in_url(self._host)}:{port}").rstrip("/"),
            home=str(self._home),
            database=source.words,
            since=datetime.now(),
        )
        self._reached = _reached_by(installation, source)
        self._asked = self._made = float("-inf")
        environ = _environ(self._reached, self._home, port)
        self._children = (
            self._child("api", environ),
            self._child("worker", {**environ, "TOCSIN_METRICS_PORT": str(self._metrics_port)}),
        )

    def _child(self, name: str, environ: dict[str, str]) -> Child:
        log = ChildLog(self._home / "logs", name)
        return Child(name, environ, log, started=self._claim.started, notice=self._notice)

    def _notice(self, notice: Notice) -> None:
        self._picture.notices.append(notice)
        self._screen.notice(notice)

    async def run(self, stop: asyncio.Event, hurry: asyncio.Event) -> None:
        self._screen.say("starting API and worker")
        lives = [asyncio.create_task(child.keep_alive(), name=child.name) for child in self._children]
        try:
            await self._until_ready(stop)
            if not stop.is_set():
                self._claim.serve_at(self._picture.url)
                await self._ask_for_admin()
                self._screen.ready(self._picture)
            while not stop.is_set():
                await self._look()
                if self._picture.first_admin:
                    await self._ask_for_admin()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_SECONDS)
        finally:
            self._screen.close()
            await self._end(lives, hurry)

    async def _ask_for_admin(self) -> None:
        """Show the first admin's link until it is used, a fresh one before it is over."""
        now = asyncio.get_running_loop().time()
        if now - self._asked < ASK_SECONDS:
            return
        self._asked = now
        try:
            token = await first_link(self._reached.app_url, Links(self._reached.master))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return  # the database is away for a moment; what is shown stays
        link = address(self._picture.url, token) if token else None
        if link is None or now - self._made > RENEW_SECONDS:
            self._picture.first_admin, self._made = link, now

    async def _until_ready(self, stop: asyncio.Event) -> None:
        """A process that dies before everything served once will not get better by trying again."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not stop.is_set():
            await self._look()
            if all(child.state == "running" for child in self._children):
                return
            for child in self._children:
                if child.deaths:
                    raise child.not_up("ended while starting")
                if asyncio.get_running_loop().time() > deadline and child.state != "running":
                    raise child.not_up(f"does not serve after {START_SECONDS:.0f} s")
            await asyncio.sleep(0.1)

    async def _look(self) -> None:
        """See which process works, what it counts, and show it."""
        api, worker = self._children
        if api.state == "starting" and (await self._get(self._host, self._port, "/health/ready"))[0] == 200:
            api.state = "running"
        if worker.state == "starting" and await self._worker_beats():
            worker.state = "running"
        self._picture.states = {child.name: child.state for child in self._children}
        if self._screen.wants_figures and api.state == worker.state == "running":
            texts = [
                (await self._get(self._host, self._port, "/metrics"))[1],
                (await self._get("127.0.0.1", self._metrics_port, "/metrics"))[1],
            ]
            self._picture.figures = figures(*texts)
        self._screen.refresh(self._picture)

    async def _worker_beats(self) -> bool:
        """Whether a stage of the worker has looked for work."""
        _, text = await self._get("127.0.0.1", self._metrics_port, "/metrics")
        return "tocsin_stage_heartbeat_seconds{" in text

    @staticmethod
    async def _get(host: str, port: int, path: str) -> tuple[int, str]:
        return await asyncio.to_thread(fetch, host, port, path)

    async def _end(self, lives: list[asyncio.Task[None]], hurry: asyncio.Event) -> None:
        """Both finish what they are doing; who does not end in time, or when told twice, is killed."""
        self._screen.say("stopping API and worker")
        for child in self._children:
            child.stop()
        hurried = asyncio.create_task(hurry.wait())
        hurried.add_done_callback(lambda _: self._kill())
        await asyncio.wait(lives, timeout=STOP_SECONDS)
        hurried.cancel()
        self._kill()
        await asyncio.gather(*lives)
        for child in self._children:
            child.log.close()

    def _kill(self) -> None:
        for child in self._children:
            child.kill()


def _reached_by(installation: Installation, source: Source) -> Installation:
    """The installation with the address of its database, which may be our own."""
    settings = installation.settings.model_copy(update={"database_url": source.installer_url})
    return Installation(settings, installation.master, installation.roles)


def _environ(reached: Installation, home: Path, port: int) -> dict[str, str]:
    """What the processes get: the logins bound by row-level security, and never the installer's."""
    environ = {name: value for name, value in os.environ.items() if name.upper() != "TOCSIN_DATABASE_URL"}
    return {
        "TOCSIN_GRACE_SECONDS": "0",  # nobody balances load over a single process
        **environ,
        "TOCSIN_APP_DATABASE_URL": reached.app_url,
        "TOCSIN_PLATFORM_DATABASE_URL": reached.platform_url,
        "TOCSIN_HOME": str(home),
        "TOCSIN_PORT": str(port),
        "TOCSIN_LOG_FORMAT": "json",
    }


def _reachable(host: str) -> str:
    """Where we ourselves reach a server that listens on ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
