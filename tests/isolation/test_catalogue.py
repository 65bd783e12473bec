"""The catalogue has no hole in the walls (T2), and the lint that says so can see one."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.running import Site
from tocsin.kit.catalogue import RULES, Hole, holes, plans_without_initplan
from tocsin.kit.dsn import plain_url
from tocsin.kit.roles import Roles

ROLES = Roles()

ID = "project_id uuid NOT NULL, id uuid NOT NULL"
OWN = "project_id = (SELECT tocsin.current_project())"
FORCED = "ALTER TABLE tocsin.bad ENABLE ROW LEVEL SECURITY; ALTER TABLE tocsin.bad FORCE ROW LEVEL SECURITY;"
KEYED = f"CREATE TABLE tocsin.bad ({ID}, PRIMARY KEY (project_id, id)); {FORCED}"
WALLED = f"{KEYED} CREATE POLICY tenant ON tocsin.bad TO tocsin_app USING ({OWN}) WITH CHECK ({OWN});"

PLANTED = {
    "row security": [
        f"CREATE TABLE tocsin.bad ({ID}, PRIMARY KEY (project_id, id))",
        f"{WALLED} ALTER TABLE tocsin.bad NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE tocsin.events_other DISABLE ROW LEVEL SECURITY",
    ],
    "project_id": [
        f"CREATE TABLE tocsin.bad (id uuid PRIMARY KEY); {FORCED}",
        f"CREATE TABLE tocsin.bad (project_id uuid, id uuid); {FORCED}",
    ],
    "policy of the application": [
        KEYED,
        f"{KEYED} CREATE POLICY tenant ON tocsin.bad TO tocsin_app USING ({OWN})",
        "DROP POLICY tenant_delete ON tocsin.users",
    ],
    "policy without project": [
        f"{KEYED} CREATE POLICY tenant ON tocsin.bad TO tocsin_app USING (true) WITH CHECK (true)",
        f"{KEYED} CREATE POLICY tenant ON tocsin.bad TO tocsin_app"
        " USING (project_id = tocsin.current_project()) WITH CHECK (project_id = tocsin.current_project())",
        f"{WALLED} CREATE POLICY more ON tocsin.bad FOR SELECT TO tocsin_app USING (true)",
    ],
    "policy without environment": [f"{WALLED} ALTER TABLE tocsin.bad ADD env text NOT NULL"],
    "policy for somebody else": [
        f"{WALLED} CREATE POLICY all_of_us ON tocsin.bad USING (false)",
        f"{WALLED} CREATE POLICY pipeline ON tocsin.bad TO tocsin_pipeline USING (true)",
        f"{WALLED} CREATE POLICY platform ON tocsin.bad FOR SELECT TO tocsin_platform USING (true)",
        "CREATE POLICY more ON tocsin.projects FOR UPDATE TO tocsin_platform USING (true)",
        "CREATE POLICY more ON tocsin.projects TO tocsin_platform USING (true)",
        "CREATE POLICY more ON tocsin.projects FOR SELECT TO tocsin_platform, tocsin_app USING (true)",
    ],
    "unique across projects": [
        f"CREATE TABLE tocsin.bad ({ID}, PRIMARY KEY (id, project_id))",
        f"{WALLED} CREATE UNIQUE INDEX bad_name ON tocsin.bad ((id::text))",
    ],
    "reference across projects": [
        "ALTER TABLE tocsin.projects ADD first_key text REFERENCES tocsin.api_keys (key)",
        f"{WALLED} CREATE UNIQUE INDEX one ON tocsin.projects (id);"
        " ALTER TABLE tocsin.bad ADD FOREIGN KEY (id) REFERENCES tocsin.projects (id)",
    ],
    "reference that would clear project_id": [
        f"{WALLED} ALTER TABLE tocsin.bad ADD FOREIGN KEY (project_id, id)"
        " REFERENCES tocsin.users (project_id, id) ON DELETE SET NULL"
    ],
    "reference into partitions": [
        f"{WALLED} ALTER TABLE tocsin.bad ADD FOREIGN KEY (project_id, id) REFERENCES tocsin.events (project_id, id)"
    ],
    "role with too much": [
        "ALTER ROLE tocsin_app CREATEDB",
        "ALTER ROLE tocsin_platform BYPASSRLS",
        "ALTER ROLE tocsin_owner LOGIN",
        "GRANT pg_read_all_data TO tocsin_app",
        "GRANT tocsin_pipeline TO tocsin_app",
    ],
    "owned by the wrong role": [
        "ALTER TABLE tocsin.roles OWNER TO tocsin_pipeline",
        "CREATE TABLE public.own (); ALTER TABLE public.own OWNER TO tocsin_app",
        "ALTER FUNCTION tocsin.find_project OWNER TO tocsin_owner",
    ],
    "grant on a partition": ["GRANT SELECT ON tocsin.events_other TO tocsin_app"],
    "grant of too much": [
        "GRANT TRUNCATE ON tocsin.users TO tocsin_app",
        "GRANT SELECT ON tocsin.users TO PUBLIC",
        "GRANT REFERENCES (id) ON tocsin.users TO tocsin_app",
        "GRANT SELECT ON tocsin.users TO tocsin_app WITH GRANT OPTION",
        "GRANT SELECT ON tocsin.rules TO tocsin_pipeline",
        "GRANT SELECT ON tocsin.projects TO tocsin_platform",
        "GRANT SELECT (email) ON tocsin.users TO tocsin_platform",
        "GRANT SELECT (project_id) ON tocsin.sessions TO tocsin_platform",
        "GRANT UPDATE (status) ON tocsin.projects TO tocsin_platform",
        "GRANT INSERT ON tocsin.audit_log TO tocsin_platform",
        "GRANT EXECUTE ON FUNCTION tocsin.claim_events TO tocsin_platform",
        "GRANT CREATE ON SCHEMA tocsin TO tocsin_pipeline",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
    ],
    "history that can be rewritten": [
        "GRANT UPDATE ON tocsin.audit_log TO tocsin_app",
        "GRANT UPDATE (seq) ON tocsin.audit_log TO tocsin_app",
        "GRANT DELETE ON tocsin.audit_heads TO tocsin_app",
        "GRANT INSERT ON tocsin.audit_log TO tocsin_platform",
    ],
    "content readable across projects": [
        "GRANT SELECT (payload) ON tocsin.events TO tocsin_pipeline",
        "GRANT SELECT (payload) ON tocsin.events TO tocsin_platform",
        "GRANT SELECT (password_hash) ON tocsin.users TO tocsin_platform",
    ],
    "function with its owner's rights": [
        "CREATE FUNCTION tocsin.bad() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1'"
    ],
    "function without a fixed search_path": [
        "ALTER FUNCTION tocsin.find_api_key RESET search_path",
        "ALTER FUNCTION tocsin.find_api_key SET search_path = tocsin",
    ],
    "function open to everybody": [
        "CREATE FUNCTION tocsin.bad() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "GRANT EXECUTE ON FUNCTION tocsin.ingest_events TO PUBLIC",
    ],
    "function that claims to leak nothing": ["ALTER FUNCTION tocsin.current_env LEAKPROOF"],
    "view past the walls": [
        "CREATE VIEW tocsin.bad AS SELECT * FROM tocsin.users",
        "CREATE MATERIALIZED VIEW tocsin.bad AS SELECT * FROM tocsin.users",
    ],
}


@pytest.fixture
async def installer(site: Site) -> AsyncIterator[asyncpg.Connection]:
    """The superuser inside a transaction that is rolled back."""
    connection = await asyncpg.connect(plain_url(site.installer_url))
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


async def test_the_migrated_database_has_no_hole(installer: asyncpg.Connection) -> None:
    assert await holes(installer, ROLES) == []


async def test_every_policy_asks_for_the_project_once_per_statement(site: Site) -> None:
    app = await asyncpg.connect(site.app_url)
    try:
        assert await plans_without_initplan(app) == []
    finally:
        await app.close()


async def test_a_policy_that_asks_once_per_row_is_found(installer: asyncpg.Connection) -> None:
    bare = "project_id = tocsin.current_project()"
    await installer.execute(f"""
        CREATE TABLE tocsin.bad (project_id uuid); ALTER TABLE tocsin.bad ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON tocsin.bad TO tocsin_app USING ({bare}); GRANT SELECT ON tocsin.bad TO tocsin_app;
        SET LOCAL ROLE tocsin_app""")
    assert await plans_without_initplan(installer) == ["tocsin.bad"]


@pytest.mark.parametrize(
    ("rule", "statements"), [(rule, script) for rule, scripts in PLANTED.items() for script in scripts]
)
async def test_a_planted_hole_is_found(installer: asyncpg.Connection, rule: str, statements: str) -> None:
    await installer.execute(statements)
    assert rule in {hole.rule for hole in await holes(installer, ROLES)}


async def test_a_missing_role_is_found(installer: asyncpg.Connection) -> None:
    found = await holes(installer, Roles("elsewhere"))
    assert Hole("role that is missing", "elsewhere_app") in found


def test_every_rule_was_seen_to_find_something() -> None:
    assert set(RULES) == {*PLANTED, "role that is missing"}
