"""The panel in Chromium, against a Tocsin that runs (P1, P3).

What is tested is written beside the panel, in ``panel/tests/browser``; screenshots are kept in ``.cache/panel``.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engines import fresh_database
from tests.panel.built import PANEL, chromium
from tests.panel.driven import drive
from tests.running import MASTER_SECRET, Process, Site, running, running_api
from tocsin.kit.crypto import MasterKey
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.postgres import Running
from tocsin.platform.first_admin import NOBODY_YET
from tocsin.platform.links import Links

MOST_SECONDS = 900

NAMES = {"TOCSIN_BASE_DOMAIN": "panel.example.org", "TOCSIN_DNS_SERVERS": "127.0.0.1:9"}
"""So that a domain can be claimed; it is looked up where nobody answers."""

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="There is no Chromium here: install one, or say where it is with CHROMIUM."
)


@pytest.fixture
async def installation(cluster: Running, template: str, home: Path, dist: Path) -> AsyncIterator[Process]:
    """An API, started after the panel was built, and a worker, over a database of their own that has no admin yet."""
    async with fresh_database(cluster, template) as url:
        site = Site(url, home, settings=NAMES)
        with running_api(site) as api, running(site, "worker"):
            yield api


def test_every_page_of_the_panel_in_a_browser(installation: Process, home: Path) -> None:
    token = Links(MasterKey.load(MASTER_SECRET, home)).make(PLATFORM_ID, None, NOBODY_YET)
    drive(PANEL, installation, "panel", MOST_SECONDS, {"TOCSIN_SETUP_TOKEN": token})
