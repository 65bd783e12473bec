"""The bell and inbox for React, as published and embedded by the demo, in Chromium, against a Tocsin that runs (S1).

What is tested is written beside it, in ``sdk/react/tests/browser``; screenshots are kept in ``.cache/sdk-react``.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engines import fresh_database
from tests.panel.built import ROOT, builder, chromium
from tests.panel.driven import drive
from tests.running import Process, Site, running, running_api
from tocsin.kit.postgres import Running

SDK = ROOT / "sdk" / "react"
MOST_SECONDS = 300

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="There is no Chromium here: install one, or say where it is with CHROMIUM."
)


@pytest.fixture(scope="module")
async def installation(cluster: Running, template: str, home: Path) -> AsyncIterator[Process]:
    """An API and a worker, over a database of their own."""
    async with fresh_database(cluster, template) as url:
        site = Site(url, home)
        with running_api(site) as api, running(site, "worker"):
            yield api


def test_people_of_a_project_hear_and_see_to_things_in_a_page_of_its_own(installation: Process) -> None:
    node = builder().find_node()
    builder().install(node, SDK)
    builder().run(node, "run", "--silent", "build:demo", folder=SDK)
    drive(SDK, installation, "sdk-react", MOST_SECONDS, {})
