"""Every loop of API and worker meets exceptions in crash tests, and one that does not is noticed (E2)."""

import asyncio

from tests.crash.installation import installed
from tests.crash.stumbling import OF_EVERY_INSTALLATION, STUMBLING, met, unmet

LIMIT = 90.0
FORGOTTEN = """
import asyncio
from tocsin.kit import garbage
before = garbage.settle
def settled_and_looping():
    asyncio.get_running_loop().create_task(asyncio.sleep(3600), name="a loop of tomorrow")
    before()
garbage.settle = settled_and_looping
"""
GOES_ON = ("revocations", "backlogs", "silent sockets", "match")


async def test_every_loop_stumbles_and_goes_on_and_one_that_does_not_is_noticed() -> None:
    planted = {"api": STUMBLING + FORGOTTEN, "worker": STUMBLING}
    async with installed(workers=1, sabotage=planted) as here, asyncio.timeout(LIMIT):
        while unmet(here.logs()) != ["the loop 'a loop of tomorrow' met no exception"] or any(
            met(here.logs())[name] < 2 for name in GOES_ON
        ):
            await asyncio.sleep(0.2)
        assert met(here.logs()).keys() >= OF_EVERY_INSTALLATION
        assert all(member.running and member.starts == 1 for member in here.members)
