"""What an installation costs that nobody uses: processor and memory of everything that `tocsin up` runs."""

import asyncio

from bench.processes import cpu_seconds, pss_bytes, spent
from bench.results import Line
from bench.run import Run
from tests.up.installation import Up, installation

SETTLE_SECONDS = 20
SECONDS, QUICK_SECONDS = 60, 10
MOST_PERCENT, MOST_MEBIBYTES = 1.0, 400.0


async def measure(run: Run) -> list[Line]:
    """Per cent of one core over a minute, and the sum of PSS at its end."""
    seconds = QUICK_SECONDS if run.quick else SECONDS
    with installation() as up:
        run.tell("starting")
        await asyncio.to_thread(up.start)
        pids = _parts(up)
        run.tell("settling")
        await asyncio.sleep(SETTLE_SECONDS)
        run.tell(f"doing nothing for {seconds} s")
        before = cpu_seconds(pids)
        await asyncio.sleep(seconds)
        used = {part: cost / seconds * 100 for part, cost in spent(before, cpu_seconds(pids)).items()}
        memory = {part: size / 2**20 for part, size in pss_bytes(pids).items()}
    return [
        Line("processor", used.pop("all"), "% of a core", bar=MOST_PERCENT, bar_is="most", details=used),
        Line("memory (PSS)", memory.pop("all"), "MiB", bar=MOST_MEBIBYTES, bar_is="most", details=memory),
    ]


def _parts(up: Up) -> dict[str, int]:
    """The supervisor with everything below it, and its parts."""
    assert up.process is not None
    return {"all": up.process.pid, **up.children()}
