"""What a public key opens, as the database has it now (W1, A3)."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.client import Project, sign_up
from tests.engines import free_port
from tests.realtime.conftest import Place
from tocsin.auth.keys import Credentials
from tocsin.kit.db import Database
from tocsin.kit.errors import Unavailable
from tocsin.kit.vault import Vault
from tocsin.realtime.apps import REMEMBERED_SECONDS, Apps
from tocsin.realtime.server import App


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Known:
    """Apps that trust their memory, and the database as its superuser changes it behind their back."""

    def __init__(self, place: Place, sql: asyncpg.Connection, project: Project) -> None:
        self.sql, self.project = sql, project
        self.credentials = Credentials(place.hand.db, place.site.master)
        self.clock = Clock()
        self.vault = Vault(place.site.master)
        self.apps = Apps(place.hand.db, self.vault, self.credentials, self.clock)
        self.key: str = project.signed_up["realtime"]["live"]["key"]
        self.secret: str = project.signed_up["realtime"]["live"]["secret"]
        self.credentials.trust()

    async def find(self) -> App | None:
        return await self.apps.find(self.key)

    async def change(self, statement: str, *values: Any) -> None:
        await self.sql.execute(statement, *values, UUID(self.project.id))


@pytest.fixture
async def known(place: Place) -> AsyncIterator[Known]:
    sql = await asyncpg.connect(place.site.installer_url)
    yield Known(place, sql, await sign_up(place.api, "Known"))
    await sql.close()


async def test_a_key_opens_its_projects_app_with_its_secret(known: Known) -> None:
    app = await known.find()
    assert app and app.enabled and app.secrets == (known.secret,) and app.app_id.isdigit()
    assert (app.app_id, app.env) == (known.project.signed_up["realtime"]["live"]["appId"], "live")
    test = await known.apps.find(known.project.signed_up["realtime"]["test"]["key"])
    assert test and test.env == "test" and test.app_id != app.app_id


@pytest.mark.parametrize("key", ["", "pk_live_", "nonsense", "pk_live_" + "x" * 30])
async def test_a_key_that_is_none_opens_nothing(known: Known, key: str) -> None:
    assert await known.apps.find(key) is None


async def test_a_secret_is_no_public_key(known: Known) -> None:
    assert await known.apps.find(known.project.signed_up["apiKeys"]["live"]["secret"]) is None


async def test_memory_counts_for_a_minute_while_revocations_are_read(known: Known) -> None:
    await known.find()
    await known.change("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1")
    known.credentials.trust()
    app = await known.find()
    assert app and app.enabled
    known.clock.now = REMEMBERED_SECONDS
    known.credentials.trust()
    app = await known.find()
    assert app and not app.enabled


async def test_memory_counts_nothing_while_revocations_are_not_read(known: Known) -> None:
    await known.find()
    await known.change("UPDATE tocsin.api_keys SET status = 'revoked' WHERE project_id = $1")
    known.credentials._trusted_until = 0
    assert await known.find() is None


async def test_a_revocation_is_not_outlived_by_memory(known: Known) -> None:
    await known.find()
    await known.change("UPDATE tocsin.api_keys SET status = 'revoked' WHERE project_id = $1")
    known.apps.forget(UUID(known.project.id), "public_key", known.key)
    known.credentials.trust()
    assert await known.find() is None


async def test_a_project_that_changed_is_read_again(known: Known) -> None:
    await known.find()
    await known.change("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1")
    known.apps.forget(UUID(known.project.id), "project", known.project.id)
    known.credentials.trust()
    app = await known.find()
    assert app and not app.enabled


async def test_an_expired_key_opens_nothing(known: Known) -> None:
    await known.change("UPDATE tocsin.api_keys SET expires_at = now() - interval '1 s' WHERE project_id = $1")
    assert await known.find() is None


async def test_the_previous_secret_counts_until_its_end(known: Known, place: Place) -> None:
    project_id = UUID(known.project.id)
    async with place.hand.db.scope(project_id, "live") as session:
        sealed = await known.vault.seal(session, project_id, "realtime_apps", "live", "previous_secret", "before")
    await known.change(
        "UPDATE tocsin.realtime_apps SET previous_secret = $1, previous_until = now() + interval '1 hour'"
        " WHERE project_id = $2 AND env = 'live'",
        sealed,
    )
    app = await known.find()
    assert app and app.secrets == (known.secret, "before")
    await known.change("UPDATE tocsin.realtime_apps SET previous_until = now() WHERE project_id = $1")
    known.clock.now = REMEMBERED_SECONDS
    app = await known.find()
    assert app and app.secrets == (known.secret,)


async def test_without_a_database_nobody_is_told_that_the_key_is_wrong(known: Known) -> None:
    """4001 would keep clients away for good; ``Unavailable`` makes them come back."""
    away = Database(f"postgresql://nobody@127.0.0.1:{free_port()}/none", ordinary=1, hot=0, statement_seconds=1)
    with pytest.raises(Unavailable):
        await Apps(away, known.vault, known.credentials).find(known.key)


async def test_memory_does_not_outlive_the_previous_secret(known: Known, place: Place) -> None:
    project_id = UUID(known.project.id)
    async with place.hand.db.scope(project_id, "live") as session:
        sealed = await known.vault.seal(session, project_id, "realtime_apps", "live", "previous_secret", "before")
    await known.change(
        "UPDATE tocsin.realtime_apps SET previous_secret = $1, previous_until = now() + interval '5 s'"
        " WHERE project_id = $2 AND env = 'live'",
        sealed,
    )
    app = await known.find()
    assert app and app.secrets == (known.secret, "before")
    await known.change("UPDATE tocsin.realtime_apps SET previous_until = now() WHERE project_id = $1")
    known.clock.now = 5.0
    known.credentials.trust()
    app = await known.find()
    assert app and app.secrets == (known.secret,)
