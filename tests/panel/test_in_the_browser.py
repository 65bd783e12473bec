"""The panel in Chromium, against a Tocsin that runs (P1, P3).

What is tested is written beside the panel, in ``panel/tests/browser``; screenshots are kept in ``.cache/panel``.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.client import Client, sign_up
from tests.engines import free_port, fresh_database
from tests.inbound.telegram.doubles import doubled
from tests.mail.maildir import delivering
from tests.panel.built import PANEL, chromium
from tests.panel.crowd import crowd
from tests.panel.driven import drive
from tests.running import MASTER_SECRET, Process, Site, running, running_api
from tocsin.kit.crypto import MasterKey
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.postgres import Running
from tocsin.platform.first_admin import NOBODY_YET
from tocsin.platform.links import Links

MOST_SECONDS = 1500

NAMES = {"TOCSIN_BASE_DOMAIN": "panel.example.org", "TOCSIN_DNS_SERVERS": "127.0.0.1:9"}
"""So that a domain can be claimed; it is looked up where nobody answers."""

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="There is no Chromium here: install one, or say where it is with CHROMIUM."
)


@dataclass
class Installation:
    """An API and its worker, and what the tests in the browser have to know of the far ends."""

    api: Process
    environ: dict[str, str]


@pytest.fixture
async def installation(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession, dist: Path
) -> AsyncIterator[Installation]:
    """Started after the panel was built, over a database of their own that has no admin yet. Telegram is somebody
    else's double, mail goes to a Maildir, and what WhatsApp answers is played by the test that needs it, on the port
    that it is told."""
    meta = free_port()
    with delivering() as mail:
        async with doubled(http) as telegram, fresh_database(cluster, template) as url:
            settings = {
                **NAMES,
                "TOCSIN_SMTP_URL": mail.url,
                "TOCSIN_TELEGRAM_API_URL": telegram.api,
                "TOCSIN_WHATSAPP_API_URL": f"http://127.0.0.1:{meta}",
                "TOCSIN_PUBLIC_URL": "https://alerts.example.com",
            }
            site = Site(url, home, settings=settings)
            with running_api(site) as api, running(site, "worker"):
                far = {
                    "TELEGRAM_PEOPLE": telegram.people,
                    "MAILDIR": str(mail.folder),
                    "SMTP_URL": mail.url,
                    "META_PORT": str(meta),
                }
                many = await sign_up(Client(http, api.url), "Crowd")
                await crowd(url, many.id)
                far["CROWD_OWNER"] = many.email
                yield Installation(api, far)


def test_every_page_of_the_panel_in_a_browser(installation: Installation, home: Path) -> None:
    token = Links(MasterKey.load(MASTER_SECRET, home)).make(PLATFORM_ID, None, NOBODY_YET)
    drive(PANEL, installation.api, "panel", MOST_SECONDS, {**installation.environ, "TOCSIN_SETUP_TOKEN": token})
