"""The worker seals within seconds and anchors; the command looks at all of it."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import pytest

from tests.audit.chains import add_entries
from tests.client import Client, Project, sign_up
from tests.engines import fresh_database, temporary_folder
from tests.pipeline import until
from tests.running import Site, running, running_api
from tocsin.audit.anchor import Written, anchors_file
from tocsin.kit.ids import new_id
from tocsin.kit.postgres import Running


@dataclass
class Installed:
    """An installation of its own, with two projects in it."""

    site: Site
    sql: asyncpg.Connection
    acme: Project
    rival: Project

    @property
    def anchors(self) -> Path:
        return anchors_file(self.site.home)

    async def sealed(self) -> bool:
        return not await self.sql.fetchval("SELECT count(*) FROM tocsin.audit_log WHERE seq IS NULL")

    async def anchored(self) -> bool:
        heads = {str(each.project): each.seq for each in Written(self.anchors)} if self.anchors.exists() else {}
        return all(heads.get(project.id) == 4 for project in (self.acme, self.rival))

    async def verify(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "tocsin", "audit", "verify", *arguments],
            cwd=self.site.home,
            env=self.site.environment(0),
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture(scope="module")
async def original(cluster: Running, template: str, http: aiohttp.ClientSession) -> AsyncIterator[Installed]:
    """Four entries in each chain, sealed by one worker and anchored by the next; all processes have ended."""
    with temporary_folder() as home:
        async with fresh_database(cluster, template) as url:
            site = Site(url, home)
            with running_api(site) as process:
                api = Client(http, process.url)
                projects = [await sign_up(api, name) for name in ("Acme", "Rival")]
                for project in projects:
                    await add_entries(project, 3)
            sql = await asyncpg.connect(url)
            made = Installed(site, sql, *projects)
            with running(site, "worker"):
                await until(made.sealed, 60)
            with running(site, "worker"):
                await until(made.anchored, 60)
            await sql.close()
            yield made


@pytest.fixture
async def installed(original: Installed, cluster: Running) -> AsyncIterator[Installed]:
    """A copy that may be broken."""
    shutil.copytree(original.site.home / "audit", (home := original.site.home / new_id().hex) / "audit")
    async with fresh_database(cluster, urlsplit(original.site.installer_url).path[1:]) as url:
        sql = await asyncpg.connect(url)
        yield replace(original, site=Site(url, home), sql=sql)
        await sql.close()


async def test_what_the_worker_sealed_is_whole(installed: Installed) -> None:
    done = await installed.verify()
    assert (done.returncode, done.stderr) == (0, "")
    assert "all as they were sealed" in done.stdout


async def test_the_command_names_what_was_tampered_with(installed: Installed) -> None:
    await installed.sql.execute(
        "UPDATE tocsin.audit_log SET action = 'x' WHERE project_id = $1 AND seq = 3", installed.acme.id
    )
    id_ = await installed.sql.fetchval(
        "SELECT id::text FROM tocsin.audit_log WHERE project_id = $1 AND seq = 3", installed.acme.id
    )
    done = await installed.verify()
    assert done.returncode == 1
    assert f"FAIL {installed.acme.slug}: entry 3 ({id_}) changed:" in done.stdout
    assert installed.rival.slug not in done.stdout
    one, other = (
        await installed.verify("--project", installed.rival.slug),
        await installed.verify("--project", "nobody"),
    )
    assert one.returncode == 0
    assert (other.returncode, other.stderr.strip()) == (1, "tocsin: There is no project 'nobody'.")


async def test_a_cut_tail_is_found_by_the_anchors_of_the_worker(installed: Installed) -> None:
    copy = installed.site.home / "copy.jsonl"
    copy.write_bytes(installed.anchors.read_bytes())
    await installed.sql.execute("DELETE FROM tocsin.audit_log WHERE project_id = $1 AND seq = 4", installed.acme.id)
    await installed.sql.execute(
        "UPDATE tocsin.audit_heads h SET seq = 3, hash = a.hash FROM tocsin.audit_log a"
        " WHERE h.project_id = $1 AND a.project_id = h.project_id AND a.seq = 3",
        installed.acme.id,
    )
    assert f"{installed.acme.slug}: entry 4 cut:" in (await installed.verify()).stdout
    installed.anchors.unlink()
    assert (await installed.verify()).returncode == 0
    assert f"{installed.acme.slug}: entry 4 cut:" in (await installed.verify("--anchor", str(copy))).stdout


async def test_a_project_that_vanished_is_found_unless_it_was_purged(installed: Installed) -> None:
    for what in ("tocsin.rules WHERE project_id", "tocsin.projects WHERE id"):  # a role that a rule names stays
        await installed.sql.execute(f"DELETE FROM {what} = $1", installed.rival.id)
    done = await installed.verify()
    assert f"FAIL {installed.rival.id}: entry 4 cut: the project is gone" in done.stdout
    await installed.sql.execute(
        "INSERT INTO tocsin.audit_log (project_id, id, env, action, actor_type, resource_type, resource_id) VALUES"
        " ('00000000-0000-7000-8000-000000000000', gen_random_uuid(), 'live', 'project.purged', 'user', 'project', $1)",
        installed.rival.id,
    )
    assert (await installed.verify()).returncode == 0


async def test_the_log_of_the_worker_carries_the_anchors_too(original: Installed) -> None:
    logs = "".join(file.read_text() for file in original.site.home.glob("worker-*.log"))
    anchor = next(anchor for anchor in Written(original.anchors) if str(anchor.project) == original.acme.id)
    assert "audit anchor" in logs and anchor.hash in logs
