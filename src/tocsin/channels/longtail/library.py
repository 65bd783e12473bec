"""Our side of the process that runs Apprise: one for each door, started when first needed."""

import asyncio
import itertools
import signal
import sys
from contextlib import suppress
from weakref import WeakKeyDictionary

import msgspec

from tocsin.channels.longtail.exchange import LENGTH, Order, Result, Rules, framed
from tocsin.kit.http import Door
from tocsin.kit.lifeline import bare_environment, tied_to_parent

START_SECONDS = 60.0
SEND_SECONDS = 20
"""For one message, whatever the service; then its process is ended."""
GRACE_SECONDS = 5.0
AT_ONCE = 16
"""Messages on their way; each takes about 10 MB beside the 60 MB of the library."""

_RESULTS = msgspec.msgpack.Decoder(Result)


class LibraryUnavailable(Exception):
    """The process could not be started, or ended; the message says no more, since nothing of a tenant's did it."""


class Library:
    """The process, its orders and who waits for them."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._starting = asyncio.Lock()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Result]] = {}

    async def ask(self, url: str, title: str, body: str, kind: str, *, dry: bool = False) -> Result:
        """What became of a message, or what would if it were not ``dry``. Raises LibraryUnavailable."""
        async with self._room:
            process = await self._ready()
            number = next(self._numbers)
            result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
            self._waiting[number] = result
            try:
                await _write(process, Order(number, url, title, body, kind, SEND_SECONDS, dry))
                async with asyncio.timeout(SEND_SECONDS + GRACE_SECONDS):
                    return await result
            except (TimeoutError, ConnectionError):
                raise LibraryUnavailable("The process of Apprise does not answer.") from None
            finally:
                del self._waiting[number]

    async def close(self) -> None:
        """End the process; messages on their way fail."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def _ready(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                self._process = await self._started()
                self._reading = asyncio.create_task(self._read(self._process), name="results of apprise")
            return self._process

    async def _started(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-s", "-m", "tocsin.channels.longtail.child"),
                stdin=pipe,
                stdout=pipe,
                env=bare_environment(**_way_out(self._rules.proxy)),
                cwd="/",
                preexec_fn=tied_to_parent(signal.SIGKILL),
            )
        except OSError as error:
            raise LibraryUnavailable("The system does not start a process for Apprise.") from error
        try:
            async with asyncio.timeout(START_SECONDS):
                await _write(process, self._rules)
                await _next(process)
        except BaseException as error:
            process.kill()
            await process.wait()
            if isinstance(error, TimeoutError | ConnectionError | asyncio.IncompleteReadError):
                raise LibraryUnavailable("The process of Apprise did not start.") from error
            raise
        return process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Hand results to those who wait, until the process ends."""
        try:
            while True:
                result = await _next(process)
                waiting = self._waiting.get(result.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(result)
        except (asyncio.IncompleteReadError, ConnectionError):
            await process.wait()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionError("the process has ended"))


_libraries: WeakKeyDictionary[Door, Library] = WeakKeyDictionary()


def library_behind(door: Door) -> Library:
    """The library that may connect where this door leads."""
    found = _libraries.get(door)
    if found is None:
        found = _libraries[door] = Library(_rules(door))
        door.close_too.append(found.close)
    return found


def _rules(door: Door) -> Rules:
    bounds = door.bounds
    return Rules(
        allowed=[str(network) for network in bounds.allowed],
        own_networks=[str(network) for network in bounds.own_networks],
        own=sorted(bounds.own),
        own_domain=bounds.own_domain,
        proxy=bounds.proxy,
    )


def _way_out(proxy: str | None) -> dict[str, str]:
    return {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy} if proxy else {}


async def _write(process: asyncio.subprocess.Process, message: msgspec.Struct) -> None:
    assert process.stdin is not None
    process.stdin.write(framed(message))
    await process.stdin.drain()


async def _next(process: asyncio.subprocess.Process) -> Result:
    assert process.stdout is not None
    header = await process.stdout.readexactly(LENGTH.size)
    return _RESULTS.decode(await process.stdout.readexactly(LENGTH.unpack(header)[0]))
