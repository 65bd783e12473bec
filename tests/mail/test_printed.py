"""`tocsin mail`: an installation without a mail server is still usable (O1)."""

import asyncio
import subprocess
from pathlib import Path

import aiohttp
import pytest

from tests.client import Client, sign_up
from tests.running import Site, running_api
from tests.up.installation import tocsin_command


async def command(site: Site, *words: str) -> "subprocess.CompletedProcess[str]":
    settings = {
        name.removeprefix("TOCSIN_").lower(): value
        for name, value in site.environment(0).items()
        if name.startswith("TOCSIN_")
    }
    return await asyncio.to_thread(tocsin_command, *words, settings=settings)


@pytest.fixture(scope="module")
def here(database: str, home: Path) -> Site:
    return Site(database, home)


async def test_an_invited_person_comes_in_by_a_link_that_was_printed(here: Site, http: aiohttp.ClientSession) -> None:
    with running_api(here) as process:
        api = Client(http, process.url)
        project, other = await sign_up(api, "Printed"), await sign_up(api, "Elsewhere")
        await project.owner.post("/invites", {"email": "guest@printed.example"})
        lines = (await command(here, "mail", "list", "--project", project.slug)).stdout.splitlines()
        assert [line.split()[-1] for line in lines] == ["guest@printed.example", project.email]
        assert other.email not in str(lines)
        assert "lk_" not in str(lines)
        shown = (await command(here, "mail", "show", lines[0].split()[0])).stdout
        assert "Subject: You are invited to Printed" in shown
        token = shown.partition("#token=")[2].strip()
        reply = await api.post("/invites/accept", {"token": token, "password": "chosen by myself"})
        assert reply.status == 200
    everything = (await command(here, "mail", "list")).stdout
    assert project.email in everything
    assert other.email in everything


@pytest.mark.parametrize("id_", ["nonsense", "00000000-0000-7000-8000-00000000dead"])
async def test_a_mail_there_is_not_is_said_so(here: Site, id_: str) -> None:
    answer = await command(here, "mail", "show", id_)
    assert answer.returncode == 1
    assert "mail" in answer.stderr
    assert "Traceback" not in answer.stderr
