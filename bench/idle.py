"""What an installation costs that nobody uses: processor and memory of everything that `tocsin up` runs.

The floor is a bare trio: an empty database under the same settings, uvicorn with an application without routes, and a
Python process that sleeps.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bench.processes import cpu_seconds, pss_bytes, spent
from bench.results import Line
from bench.run import Run
from tests.engines import running_postgres
from tests.up.installation import Up, installation

SETTLE_SECONDS = 20
SECONDS, QUICK_SECONDS = 60, 10
MOST_PERCENT, MOST_MEBIBYTES = 1.0, 400.0


async def measure(run: Run) -> list[Line]:
    """Per cent of one core over a minute, and the sum of PSS at its end."""
    with installation() as up:
        run.tell("starting")
        await asyncio.to_thread(up.start)
        used, memory = await _idle(run, _parts(up))
    async with bare_trio() as pids:
        run.tell("starting the bare trio")
        bare_used, bare_memory = await _idle(run, pids)
    processor, size = used.pop("all"), memory.pop("all")
    return [
        Line("processor", processor, "% of a core", bar=MOST_PERCENT, bar_is="most", details=used),
        Line("memory (PSS)", size, "MiB", bar=MOST_MEBIBYTES, bar_is="most", details=memory),
        Line("processor / a bare trio", processor, "% of a core", sum(bare_used.values()), details=bare_used),
        Line("memory (PSS) / a bare trio", size, "MiB", sum(bare_memory.values()), details=bare_memory),
    ]


async def _idle(run: Run, pids: Mapping[str, int]) -> tuple[dict[str, float], dict[str, float]]:
    """Per cent of a core and mebibytes of each part while nothing happens."""
    seconds = QUICK_SECONDS if run.quick else SECONDS
    run.tell("settling")
    await asyncio.sleep(SETTLE_SECONDS)
    run.tell(f"doing nothing for {seconds} s")
    before = cpu_seconds(pids)
    await asyncio.sleep(seconds)
    used = {part: cost / seconds * 100 for part, cost in spent(before, cpu_seconds(pids)).items()}
    return used, {part: size / 2**20 for part, size in pss_bytes(pids).items()}


@asynccontextmanager
async def bare_trio() -> AsyncIterator[dict[str, int]]:
    """Process ids of a database, a server and a process that do nothing. None of them has the product in memory."""
    with running_postgres() as database:
        started = {name: await _python(code) for name, code in _BARE.items()}
        try:
            yield {"database": database.pid, **{name: process.pid for name, process in started.items()}}
        finally:
            for process in started.values():
                process.kill()
                await process.wait()


_BARE = {
    "server": "import uvicorn; from starlette.applications import Starlette;"
    "uvicorn.run(Starlette(), host='127.0.0.1', port=0, loop='uvloop', log_level='error')",
    "sleeper": "import asyncio; asyncio.run(asyncio.sleep(3600))",
}


async def _python(code: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-c", code)


def _parts(up: Up) -> dict[str, int]:
    """The supervisor with everything below it, and its parts."""
    assert up.process is not None
    return {"all": up.process.pid, **up.children()}
