"""Keys rotate while everything runs: nobody is signed out, no call fails, nothing is left behind (C3, P16)."""

import asyncio
import itertools
import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from tests.client import PASSWORD, Client, Project, Reply, sign_up
from tests.connections.build import mail_server, make_hook, make_mail
from tests.engines import fresh_database, temporary_folder
from tests.people import join
from tests.running import MASTER_SECRET, Site, running_api
from tocsin.kit.crypto import MasterKey, Unreadable, new_master_key
from tocsin.kit.postgres import Running
from tocsin.kit.roles import Roles, as_owner_of_tables
from tocsin.kit.vault import Vault
from tocsin.rotation.data_keys import rotate_data_keys
from tocsin.rotation.sealed_columns import SEALED


@dataclass
class Rotating:
    """An installation whose master key lies in a file, with two API processes."""

    site: Site
    one: Client
    other: Client
    sql: asyncpg.Connection

    @property
    def master(self) -> MasterKey:
        return MasterKey.load(None, self.site.home)

    async def tocsin(self, *arguments: str) -> str:
        """What a command says; it must succeed."""
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "tocsin", *arguments],
            cwd=self.site.home,
            env=self.site.environment(0),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    async def key_ids(self, project: Project) -> list[str]:
        rows = await self.sql.fetch("SELECT id FROM tocsin.data_keys WHERE project_id = $1 ORDER BY id", project.id)
        return [str(row["id"]) for row in rows]

    async def keys_in_use(self, project: Project) -> set[str]:
        """The ids of the data keys that sealed values of a project name."""
        found = set()
        for each in SEALED:
            rows = await self.sql.fetch(
                f"SELECT split_part({each.column}, '.', 2) AS id FROM tocsin.{each.table}"
                f" WHERE project_id = $1 AND {each.column} IS NOT NULL",
                project.id,
            )
            found |= {row["id"] for row in rows}
        return found


@pytest.fixture(scope="module")
async def rotating(cluster: Running, template: str, site: Site, http: aiohttp.ClientSession) -> AsyncIterator[Rotating]:
    with temporary_folder() as home:
        async with fresh_database(cluster, template) as url:
            app_url = Site(url, site.home).app_url
            settings = {"TOCSIN_MASTER_KEY": "", "TOCSIN_APP_DATABASE_URL": app_url, "TOCSIN_REALTIME": "false"}
            own = Site(url, home, settings=settings)
            sql = await asyncpg.connect(url)
            with running_api(own) as one, running_api(own) as other:
                yield Rotating(own, Client(http, one.url), Client(http, other.url), sql)
            await sql.close()


@dataclass
class Load:
    """Callers that never stop sealing and opening, at both processes; what was refused to them."""

    rotating: Rotating
    project: Project
    refused: list[tuple[str, int, Any]] = field(default_factory=list)
    calls: int = 0

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator["Load"]:
        mails = [await make_mail(self.project.key) for _ in range(3)]
        work: list[Callable[[int], Awaitable[list[Reply]]]] = [
            *[self._changing(mail) for mail in mails],
            self._repeating,
            self._identifying,
            self._signing_in,
            self._paging,
        ]
        tasks = [asyncio.create_task(self._forever(each)) for each in work]
        try:
            yield self
            await asyncio.sleep(0.5)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _forever(self, work: Callable[[int], Awaitable[list[Reply]]]) -> None:
        for number in itertools.count():
            for reply in await work(number):
                self.calls += 1
                if reply.status >= 300:
                    self.refused.append((getattr(work, "__name__", "changing"), reply.status, reply.json))

    def _at(self, caller: Client, number: int) -> Client:
        return caller.at((self.rotating.one, self.rotating.other)[number % 2])

    def _changing(self, mail: Any) -> Callable[[int], Awaitable[list[Reply]]]:
        where = f"/connections/{mail['id']}"

        async def changing(number: int) -> list[Reply]:
            password = f"{number}-{secrets.token_hex(8)}"
            written = await self._at(self.project.key, number).put(where, {"credentials": {"password": password}})
            read = await self._at(self.project.key, number + 1).get(where)
            shown = (read.json.get("credentials") or {}).get("password")
            assert shown == f"****{password[-4:]}", read.json
            return [written, read]

        return changing

    async def _repeating(self, number: int) -> list[Reply]:
        body, key = {"name": f"role-{secrets.token_hex(6)}"}, secrets.token_hex(8)
        first = await self._at(self.project.key, number).post("/roles", body, idempotency_key=key)
        again = await self._at(self.project.key, number + 1).post("/roles", body, idempotency_key=key)
        assert first.status != 201 or again.json == first.json
        return [first, again]

    async def _identifying(self, number: int) -> list[Reply]:
        person = await join((self.rotating.one, self.rotating.other)[number % 2], self.project)
        return [await self._at(person.client, number + 1).get("/auth/me")]

    async def _signing_in(self, number: int) -> list[Reply]:
        api = (self.rotating.one, self.rotating.other)[number % 2]
        signed = await api.post("/auth/login", {"email": self.project.email, "password": PASSWORD})
        token = signed.json["tokens"]["refreshToken"]
        return [signed, await api.at(self.rotating.other).post("/auth/refresh", {"refreshToken": token})]

    async def _paging(self, number: int) -> list[Reply]:
        first = await self._at(self.project.key, number).get("/roles", limit=1)
        cursor = first.json["nextCursor"]
        return [first, await self._at(self.project.key, number + 1).get("/roles", limit=1, cursor=cursor)]


async def test_data_keys_rotate_under_load_without_a_failure(rotating: Rotating) -> None:
    project, rival = await sign_up(rotating.one, "Loaded"), await sign_up(rotating.one, "Calm")
    calm = await rotating.key_ids(rival)
    async with Load(rotating, project).going_on() as load:
        for _ in range(2):
            (old,) = await rotating.key_ids(project)
            said = await rotating.tocsin("keys", "rotate-data", "--project", project.slug)
            assert "1 old keys removed" in said
            (new,) = await rotating.key_ids(project)
            assert new > old
    assert load.refused == [] and load.calls > 50
    assert await rotating.keys_in_use(project) == {new}
    assert await rotating.key_ids(rival) == calm


async def test_the_master_key_rotates_under_load_without_a_failure(rotating: Rotating) -> None:
    project = await sign_up(rotating.one, "Mastered")
    untouched = await sign_up(rotating.one, "Untouched")
    old = rotating.master.id
    async with Load(rotating, project).going_on() as load:
        said = await rotating.tocsin("keys", "rotate-master")
        assert "data keys wrapped anew" in said
        new = rotating.master.id
        assert new != old and rotating.master.ids == (new, old)
        meanwhile = await sign_up(rotating.other, "Meanwhile")
        assert f"master key {new} (current)" in await rotating.tocsin("keys", "status")
        assert "1 old master keys removed" in await rotating.tocsin("keys", "drop-master")
    assert load.refused == [] and load.calls > 50
    wrapped = await rotating.sql.fetch("SELECT DISTINCT master_key_id FROM tocsin.data_keys")
    assert [row["master_key_id"] for row in wrapped] == [new]
    # Of this project nothing was called since: its HMAC is under a key that is gone, and bcrypt knows the secret.
    for caller in (untouched.key, meanwhile.key):
        assert (await caller.at(rotating.other).get("/projects/me")).status == 200
        assert (await caller.at(rotating.other).get("/projects/me")).status == 200
    macs = await rotating.sql.fetchval(
        "SELECT encode(substring(secret_mac FOR 4), 'hex') FROM tocsin.api_keys WHERE key = $1",
        untouched.key.headers["X-API-Key"],
    )
    assert macs == new
    wrong = untouched.key.headers["X-API-Secret"][:-1]
    assert (await rotating.one.with_key(untouched.key.headers["X-API-Key"], wrong).get("/projects/me")).status == 401


async def test_a_login_whose_password_the_old_key_made_works_until_migrate_comes_by(
    rotating: Rotating, site: Site, http: aiohttp.ClientSession
) -> None:
    """By environment: the process has the new key first and the old one accepted, the database the old password."""
    settings = {"TOCSIN_MASTER_KEY": new_master_key(), "TOCSIN_MASTER_KEY_PREVIOUS": MASTER_SECRET}
    own = Site(rotating.site.installer_url, rotating.site.home, settings={**settings, "TOCSIN_REALTIME": "false"})
    with running_api(own) as process:
        assert (await sign_up(Client(http, process.url), "Migrated")).id


async def test_a_rotation_that_was_interrupted_goes_on_with_the_key_it_made(rotating: Rotating) -> None:
    project = await sign_up(rotating.one, "Stopped")
    for _ in range(4):
        await make_mail(project.key)
    seen: list[int] = []

    def stop(count: int) -> None:
        seen.append(count)
        raise KeyboardInterrupt

    async with as_owner_of_tables(rotating.site.installer_url, Roles()) as owner:
        with pytest.raises(KeyboardInterrupt):
            await rotate_data_keys(owner, Vault(rotating.master), project.slug, stop)
        keys = await rotating.key_ids(project)
        assert len(keys) == 2 and await rotating.keys_in_use(project) == set(keys)
        done = await rotate_data_keys(owner, Vault(rotating.master), project.slug, seen.append)
    assert (done.removed, done.unreadable) == (1, [])
    assert await rotating.key_ids(project) == keys[1:]
    assert await rotating.keys_in_use(project) == set(keys[1:])


async def test_a_value_that_does_not_open_is_named_and_stops_nothing(rotating: Rotating) -> None:
    project = await sign_up(rotating.one, "Damaged")
    broken, whole = await make_mail(project.key), await make_mail(project.key)
    await rotating.sql.execute(
        "UPDATE tocsin.connections SET credentials = overlay(credentials placing 'AAAA' from 62) WHERE id = $1",
        broken["id"],
    )
    async with as_owner_of_tables(rotating.site.installer_url, Roles()) as owner:
        done = await rotate_data_keys(owner, Vault(rotating.master), project.slug, lambda more: None)
    assert done.unreadable == [f"{project.slug}: connections.credentials of {broken['id']}"]
    assert done.removed == 0 and len(await rotating.key_ids(project)) == 2
    assert (await project.key.get(f"/connections/{whole['id']}")).json["credentials"] is not None
    assert (await project.key.get(f"/connections/{broken['id']}")).json["credentials"] is None
    mended = await project.key.put(
        f"/connections/{broken['id']}", {"credentials": {"username": "acme", "password": "again-and-again"}}
    )
    assert mended.status == 200
    async with as_owner_of_tables(rotating.site.installer_url, Roles()) as owner:
        done = await rotate_data_keys(owner, Vault(rotating.master), project.slug, lambda more: None)
    assert (done.unreadable, done.removed) == ([], 1)


async def test_a_verification_that_asks_the_network_meanwhile_is_not_disturbed(rotating: Rotating) -> None:
    """What it saw before is compared as it opens: another data key is no change of the connection."""
    project = await sign_up(rotating.one, "Verified")
    async with mail_server() as mail:
        made = await make_mail(project.key, port=mail.port)

        async def rotate() -> None:
            async with as_owner_of_tables(rotating.site.installer_url, Roles()) as owner:
                await rotate_data_keys(owner, Vault(rotating.master), project.slug, lambda more: None)

        before = await rotating.key_ids(project)
        mail.meanwhile = rotate
        reply = await project.key.post(f"/connections/{made['id']}/verify")
    assert reply.status == 200, reply.json
    assert await rotating.key_ids(project) != before


async def test_a_sealed_value_opens_in_its_own_place_alone(rotating: Rotating) -> None:
    projects = [await sign_up(rotating.one, name) for name in ("Mine", "Theirs")]
    places = []
    for project in projects:
        for _ in range(2):
            await make_mail(project.key)
        for each in SEALED:
            for row in await rotating.sql.fetch(
                f"SELECT *, {each.column} AS value FROM tocsin.{each.table}"
                f" WHERE project_id = $1 AND {each.column} IS NOT NULL",
                project.id,
            ):
                places.append(((row["project_id"], each.table, each.row(row), each.column), row["value"]))
    assert len(places) == 2 * (2 + 2 + 2)
    vault = Vault(rotating.master)
    words = set()
    for (here, value), (there, _) in itertools.product(places, places):
        if here == there:
            assert await vault.open(rotating.sql, *here, value)
            continue
        with pytest.raises(Unreadable) as refused:
            await vault.open(rotating.sql, *there, value)
        words.add(str(refused.value))
    assert len(words) <= 2


async def test_no_changed_character_of_a_sealed_value_goes_unnoticed(rotating: Rotating) -> None:
    project = await sign_up(rotating.one, "Flipped")
    row = await rotating.sql.fetchrow("SELECT * FROM tocsin.identity_secrets WHERE project_id = $1", project.id)
    vault, value = Vault(rotating.master), row["secret"]
    for index, old in enumerate(value):
        changed = value[:index] + ("A" if old != "A" else "B") + value[index + 1 :]
        with pytest.raises(Unreadable):
            await vault.open(rotating.sql, row["project_id"], "identity_secrets", row["env"], "secret", changed)


async def test_a_moved_secret_is_one_generic_refusal_to_the_outside(rotating: Rotating) -> None:
    mine, theirs = await sign_up(rotating.one, "Moved"), await sign_up(rotating.one, "Robbed")
    here, there = await make_mail(mine.key), await make_mail(theirs.key)
    await rotating.sql.execute(
        "UPDATE tocsin.connections SET credentials = (SELECT credentials FROM tocsin.connections WHERE id = $2)"
        " WHERE id = $1",
        here["id"],
        there["id"],
    )
    shown = await mine.key.get(f"/connections/{here['id']}")
    assert shown.status == 200 and shown.json["credentials"] is None
    refused = await mine.key.post(f"/connections/{here['id']}/verify")
    assert (refused.status, refused.code) == (409, "credentials_unreadable")
    assert there["id"] not in json.dumps(refused.json)


async def test_a_hook_made_before_a_rotation_signs_with_the_same_secret_after(rotating: Rotating) -> None:
    project = await sign_up(rotating.one, "Hooked")
    made = await make_hook(project.key)
    before = (await project.key.get(f"/connections/{made['id']}")).json
    await rotating.tocsin("keys", "rotate-data", "--project", project.slug)
    assert (await project.key.get(f"/connections/{made['id']}")).json == before


def test_the_file_of_keys_is_not_readable_by_others(rotating: Rotating) -> None:
    assert Path(rotating.site.home / "master.key").stat().st_mode & 0o777 == 0o600
