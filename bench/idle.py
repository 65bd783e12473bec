"""What an installation costs that nobody uses: processor and memory of all its processes."""

import asyncio

from bench.processes import cpu_seconds, pss_bytes, spent
from bench.results import Line
from bench.run import Run
from bench.running import installed

SETTLE_SECONDS = 10
SECONDS, QUICK_SECONDS = 30, 10
BAR = 2.0


async def measure(run: Run) -> list[Line]:
    """Per cent of one core over half a minute, and the sum of PSS at its end."""
    seconds = QUICK_SECONDS if run.quick else SECONDS
    async with installed(worker=True) as site:
        run.tell("settling")
        await asyncio.sleep(SETTLE_SECONDS)
        run.tell(f"doing nothing for {seconds} s")
        before = cpu_seconds(site.pids)
        await asyncio.sleep(seconds)
        used = {part: cost / seconds * 100 for part, cost in spent(before, cpu_seconds(site.pids)).items()}
        memory = {part: size / 2**20 for part, size in pss_bytes(site.pids).items()}
    return [
        Line("processor", sum(used.values()), "% of a core", bar=BAR, bar_is="most", details=used),
        Line("memory (PSS)", sum(memory.values()), "MiB", details=memory),
    ]
