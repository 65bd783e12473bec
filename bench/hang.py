"""Ten quiet projects while a provider sits on everything that one connection of another sends it.

The connection has limits of its own, which all processes share, so what it holds up is asked for again and again.
"""

from bench.far_end import far_end
from bench.floods import Flood, Scene, Sizes, measured
from bench.results import Line
from bench.run import Run
from bench.running import installed
from bench.tenants import settle_in
from tests.client import Project

SIZES = Sizes(quiet=10, normal=1, before=20, during=20, hanging=400, hang_seconds=15)
QUICK = Sizes(quiet=4, normal=1, before=3, during=8, hanging=100, hang_seconds=5)
AT_A_TIME, A_SECOND = 8, 20
_LIMIT = """
UPDATE tocsin.connections SET max_concurrent = $2, rate_limit_rps = $3 WHERE project_id = $1::text::uuid
"""


async def measure(run: Run) -> list[Line]:
    """The p99 of the quiet ones while it hangs against before it."""
    run.tell("starting")
    async with installed(worker=True, broker=run.broker) as place, far_end() as far:
        return await measured(place, far, run, QUICK if run.quick else SIZES, [HANGS])


async def _to_what_hangs(scene: Scene) -> Project:
    project = await settle_in(scene.place, "Flood", scene.far.after(scene.sizes.hang_seconds))
    await scene.place.superuser.execute(_LIMIT, project.id, AT_A_TIME, A_SECOND)
    return project


HANGS = Flood("a provider that hangs", _to_what_hangs, events=lambda sizes: (sizes.hanging, 1_000, 100))
