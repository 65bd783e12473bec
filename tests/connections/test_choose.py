"""Which connection sends: one's own, the project's, the platform's; and none stops the others (C3, C4)."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from tests.client import Client, Project, sign_up
from tests.connections.build import LOGIN, MAIL, make_hook, make_mail
from tests.operators import operator
from tests.running import Site
from tocsin.connections.choose import Choice, Route, Wanted
from tocsin.connections.defaults import platform_defaults
from tocsin.connections.levels import Candidate, NoRoute
from tocsin.kit.db import Database
from tocsin.kit.ids import PLATFORM_ID, new_id
from tocsin.kit.vault import Vault
from tocsin.settings import Settings

PLATFORM = Settings.model_validate({"smtp_url": "smtp://tocsin:s3cret@mail.example.com?from=alerts@example.com"})


@pytest.fixture(scope="module")
async def db(site: Site) -> AsyncIterator[Database]:
    """The worker's way to the database, behind the same walls."""
    db = Database(site.app_url, ordinary=0, hot=2, statement_seconds=5)
    await db.start()
    yield db
    await db.close()


@pytest.fixture
def vault(site: Site) -> Vault:
    return Vault(site.master)


@pytest.fixture
async def shop(api: Client) -> Project:
    return await sign_up(api, "Shop")


async def chosen(
    db: Database, choice: Choice, project: Project, channel: str, user_id: str | None = None, address: str | None = None
) -> Route | NoRoute:
    wanted = Wanted(channel, UUID(user_id) if user_id else None, address)
    return (await all_chosen(db, choice, project, wanted))[wanted]


async def all_chosen(db: Database, choice: Choice, project: Project, *wanted: Wanted) -> dict[Wanted, Route | NoRoute]:
    project_id = UUID(project.id)
    async with db.unit(project_id, "live") as connection:
        text = await connection.fetchval(
            "SELECT tocsin.connection_candidates($1, $2, $3)",
            project_id,
            [each.channel for each in wanted],
            [each.user_id for each in wanted],
        )
    return await choice.routes(project_id, "live", msgspec.json.decode(text, type=list[Candidate]), wanted)


async def active_mail(project: Project, sql: asyncpg.Connection, **fields: Any) -> UUID:
    made = await make_mail(project.key, **fields)
    await sql.execute("UPDATE tocsin.connections SET status = 'active' WHERE id = $1", made["id"])
    return UUID(made["id"])


async def own_mail(db: Database, vault: Vault, project: Project, user_id: str) -> UUID:
    """A connection of a person."""
    project_id, id_ = UUID(project.id), new_id()
    async with db.unit(project_id, "live") as connection:
        sealed = await vault.seal(
            connection, project_id, "connections", id_, "credentials", msgspec.json.encode(LOGIN).decode()
        )
        await connection.execute(
            "INSERT INTO tocsin.connections (project_id, id, env, provider, channel, owner, user_id, name,"
            " credentials, settings, status)"
            " VALUES ($1, $2, 'live', 'smtp', 'email', 'user', $3, 'own', $4, $5, 'active')",
            project_id,
            id_,
            UUID(user_id),
            sealed,
            msgspec.json.encode(MAIL).decode(),
        )
    return id_


async def test_the_nearest_connection_sends(db: Database, vault: Vault, sql: asyncpg.Connection, shop: Project) -> None:
    choice = Choice(db, vault, platform_defaults(PLATFORM))
    ann, bob = [(await shop.add_user())["id"] for _ in range(2)]
    last_resort = await chosen(db, choice, shop, "email", ann)
    assert isinstance(last_resort, Route)
    assert (last_resort.id, last_resort.reason) == (None, "the platform's default")
    assert last_resort.settings.from_address == "alerts@example.com"  # type: ignore[attr-defined]

    projects = await active_mail(shop, sql)
    own = await own_mail(db, vault, shop, ann)
    for person, expected, reason in ((ann, own, "the person's own"), (bob, projects, "the project's")):
        route = await chosen(db, choice, shop, "email", person)
        assert isinstance(route, Route)
        assert (route.id, route.reason) == (expected, reason)
        assert route.credentials.revealed() == LOGIN  # type: ignore[attr-defined]

    better = await active_mail(shop, sql, isDefault=True)
    route = await chosen(db, choice, shop, "email", bob)
    assert isinstance(route, Route)
    assert route.id == better


async def test_without_a_connection_there_is_no_route_and_a_pending_one_is_waited_for(
    db: Database, vault: Vault, shop: Project
) -> None:
    choice = Choice(db, vault, {})
    assert await chosen(db, choice, shop, "email") == NoRoute("no connection for email", waits=False)
    await make_mail(shop.key)
    assert await chosen(db, choice, shop, "email") == NoRoute("no active connection for email: pending", waits=True)


async def test_another_projects_connection_is_never_chosen(
    db: Database, vault: Vault, sql: asyncpg.Connection, two_projects: tuple[Project, Project]
) -> None:
    acme, rival = two_projects
    await active_mail(rival, sql)
    assert await chosen(db, Choice(db, vault, {}), acme, "email") == NoRoute("no connection for email", waits=False)


async def test_a_rotation_counts_at_once(db: Database, vault: Vault, shop: Project) -> None:
    choice = Choice(db, vault, {})
    made = await make_hook(shop.key)
    assert await secret(db, choice, shop) == made["secret"]
    rotated = await shop.key.post(f"/connections/{made['id']}/rotate")
    assert await secret(db, choice, shop) == rotated.json["secret"]


async def secret(db: Database, choice: Choice, project: Project) -> str:
    route = await chosen(db, choice, project, "webhook")
    assert isinstance(route, Route)
    return str(route.credentials.revealed()["secret"])  # type: ignore[attr-defined]


async def test_swapped_credentials_stop_those_two_connections_and_nothing_else(
    db: Database, vault: Vault, sql: asyncpg.Connection, shop: Project
) -> None:
    mail, hook = await active_mail(shop, sql), UUID((await make_hook(shop.key))["id"])
    values = dict(await sql.fetch("SELECT id, credentials FROM tocsin.connections WHERE id = ANY($1)", [mail, hook]))
    for id_, foreign in ((mail, hook), (hook, mail)):
        await sql.execute("UPDATE tocsin.connections SET credentials = $2 WHERE id = $1", id_, values[foreign])
    choice = Choice(db, vault, {})
    ann = UUID((await shop.add_user())["id"])
    own = await own_mail(db, vault, shop, str(ann))
    mails, hooks, to_ann = Wanted("email", None, None), Wanted("webhook", None, None), Wanted("email", ann, None)
    routes = await all_chosen(db, choice, shop, mails, hooks, to_ann)
    unreadable = NoRoute("the connection's credentials cannot be read", waits=True)
    assert routes[mails] == routes[hooks] == unreadable
    route = routes[to_ann]
    assert isinstance(route, Route)
    assert route.id == own
    rows = await sql.fetch("SELECT status, status_reason FROM tocsin.connections WHERE id = ANY($1)", [mail, hook])
    assert {tuple(row) for row in rows} == {("error", "credentials_unreadable")}
    seen = await shop.key.get("/connections", status="error")
    assert {item["id"] for item in seen.json["items"]} == {str(mail), str(hook)}

    rotated = await shop.key.post(f"/connections/{hook}/rotate")
    assert rotated.json["status"] == "active"
    assert await secret(db, choice, shop) == rotated.json["secret"]


async def test_a_project_sees_how_the_platforms_connections_are_and_nothing_they_send_with(
    api: Client, site: Site, db: Database, vault: Vault, sql: asyncpg.Connection, shop: Project
) -> None:
    chief = await operator(api, site)
    body = {"provider": "smtp", "name": "canary-name", "settings": MAIL, "credentials": LOGIN}
    made = await chief.client.post("/platform/connections", body)
    assert made.status == 201, made.json
    id_ = UUID(made.json["id"])
    await sql.execute("UPDATE tocsin.connections SET status = 'active' WHERE id = $1", id_)
    try:
        async with db.unit(UUID(shop.id), "live") as connection:
            assert await connection.fetch("SELECT * FROM tocsin.connections WHERE id = $1", id_) == []
            (seen,) = await connection.fetch("SELECT * FROM tocsin.platform_candidates('{email}')")
        assert seen["id"] == id_
        assert "canary" not in str(dict(seen)) and MAIL["host"] not in str(dict(seen))
        assert {"credentials", "settings", "account", "name"}.isdisjoint(seen.keys())
        route = await chosen(db, Choice(db, vault, {}), shop, "email")
        assert isinstance(route, Route)
        assert (route.id, route.connection_project) == (id_, PLATFORM_ID)
        assert route.credentials.revealed() == LOGIN  # type: ignore[attr-defined]
    finally:
        assert (await chief.client.delete(f"/platform/connections/{id_}")).status == 204


async def test_a_platforms_connection_under_a_projects_key_does_not_open(
    api: Client, site: Site, db: Database, vault: Vault, sql: asyncpg.Connection, shop: Project
) -> None:
    """A sealed value of the project, written into the platform's row by somebody without the keys."""
    chief, mine = await operator(api, site), await make_mail(shop.key)
    body = {"provider": "smtp", "name": "lent", "settings": MAIL, "credentials": LOGIN}
    id_ = UUID((await chief.client.post("/platform/connections", body)).json["id"])
    await sql.execute(
        "UPDATE tocsin.connections c SET status = 'active', credentials = m.credentials FROM tocsin.connections m"
        " WHERE c.id = $1 AND m.id = $2",
        id_,
        UUID(mine["id"]),
    )
    try:
        rival = await sign_up(api, "Rival")
        unreadable = NoRoute("the connection's credentials cannot be read", waits=True)
        assert await chosen(db, Choice(db, vault, {}), rival, "email") == unreadable
        seen = await chief.client.get(f"/platform/connections/{id_}")
        assert (seen.json["status"], seen.json["statusReason"]) == ("error", "credentials_unreadable")
    finally:
        assert (await chief.client.delete(f"/platform/connections/{id_}")).status == 204


async def test_no_project_has_a_connection_of_the_platform(db: Database, shop: Project) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        async with db.unit(UUID(shop.id), "live") as connection:
            await connection.execute(
                "INSERT INTO tocsin.connections (project_id, id, env, provider, channel, owner, name, status)"
                " VALUES ($1, $2, 'live', 'smtp', 'email', 'platform', 'mine', 'active')",
                UUID(shop.id),
                new_id(),
            )
