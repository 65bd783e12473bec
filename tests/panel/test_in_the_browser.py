"""The panel in Chromium, against a Tocsin that runs (P1, P3).

What is tested is written beside the panel, in ``panel/tests/browser``; screenshots are kept in ``.cache/panel``.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engines import fresh_database
from tests.panel.built import PANEL, chromium
from tests.panel.driven import drive
from tests.running import Process, Site, running, running_api
from tocsin.kit.postgres import Running

MOST_SECONDS = 900

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="There is no Chromium here: install one, or say where it is with CHROMIUM."
)


@pytest.fixture(scope="module")
async def installation(cluster: Running, template: str, home: Path, dist: Path) -> AsyncIterator[Process]:
    """An API, started after the panel was built, and a worker, over a database of their own."""
    async with fresh_database(cluster, template) as url:
        site = Site(url, home)
        with running_api(site) as api, running(site, "worker"):
            yield api


def test_every_page_of_the_panel_in_a_browser(installation: Process) -> None:
    drive(PANEL, installation, "panel", MOST_SECONDS)
