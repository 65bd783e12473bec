"""Whatever somebody with every right in the database does to the log is found and named (P22)."""

import asyncio
import hashlib
from pathlib import Path

import asyncpg
import msgspec
import pytest

from tests.audit.chains import add_entries, anchored, found, look, seal, sealed_now
from tests.client import Client, Project, sign_up
from tests.running import Site
from tocsin.audit.anchor import Anchor, BadAnchors, Written, append
from tocsin.audit.chain import entry_hash

DENIED = asyncpg.InsufficientPrivilegeError

# What follows an entry is made to fit again, as somebody would who has read this code.
_REHASH = """
DO $$
DECLARE
    e record;
    last bytea := decode(repeat('00', 32), 'hex');
    n bigint := 0;
BEGIN
    FOR e IN SELECT * FROM tocsin.audit_log WHERE project_id = '{project}' AND seq IS NOT NULL ORDER BY seq LOOP
        n := n + 1;
        last := sha256(last || int8send(n) || tocsin.framed(e.project_id::text, e.id::text, e.env, e.action,
            e.actor_type, e.actor_id, e.resource_type, e.resource_id, e.request_id,
            (extract(epoch FROM e.at) * 1000000)::bigint::text) || e.details_digest || e.origin_digest);
        UPDATE tocsin.audit_log SET seq = n, hash = last WHERE project_id = e.project_id AND id = e.id;
    END LOOP;
    UPDATE tocsin.audit_heads SET seq = n, hash = last WHERE project_id = '{project}';
END $$
"""


@pytest.fixture
async def chain(api: Client, site: Site) -> Project:
    """A project with ten sealed entries."""
    project = await sign_up(api, "Chained")
    await add_entries(project, 9)
    await seal(site, project)
    return project


async def test_what_nobody_touched_is_whole(chain: Project, site: Site, sql: asyncpg.Connection) -> None:
    report = await look(site, chain, [await anchored(sql, chain)])
    assert (report.faults, report.entries, report.anchors) == ([], 10, 1)


async def test_the_hash_is_what_the_documentation_says(chain: Project, sql: asyncpg.Connection) -> None:
    """Told a third time, by hand, for the first entry."""
    e = await sql.fetchrow("SELECT * FROM tocsin.audit_log WHERE project_id = $1 AND seq = 1", chain.id)
    micros = str(int(e["at"].timestamp()) * 1_000_000 + e["at"].microsecond)
    names = ("env", "action", "actor_type", "actor_id", "resource_type", "resource_id", "request_id")
    fields = [str(e["project_id"]), str(e["id"]), *(e[name] for name in names), micros]
    framed = b"".join(len(each.encode()).to_bytes(4, "big") + each.encode() for each in fields)
    whole = bytes(32) + (1).to_bytes(8, "big") + framed + e["details_digest"] + e["origin_digest"]
    assert hashlib.sha256(whole).digest() == e["hash"] == entry_hash(bytes(32), 1, e)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("action = 'nothing.happened'", "changed"),
        ("actor_id = gen_random_uuid()::text", "changed"),
        ("actor_id = null", "changed"),
        ("at = at - interval '1 microsecond'", "changed"),
        ("env = 'test'", "changed"),
        ("id = gen_random_uuid()", "changed"),
        ("hash = sha256(hash)", "changed"),
        ("details_digest = sha256(details_digest)", "changed"),
        ("metadata = '{}'", "details"),
        ("metadata = null", "details"),
        ("ip_address = '192.0.2.1'", "details"),
        ("user_agent = null", "details"),
        ("metadata = null, details_salt = null", "erased"),
        ("ip_address = null, user_agent = null, origin_salt = null", "erased"),
    ],
)
@pytest.mark.parametrize("place", [1, 5, 10])
async def test_a_change_is_found(
    chain: Project, site: Site, sql: asyncpg.Connection, change: str, kind: str, place: int
) -> None:
    await sql.execute(f"UPDATE tocsin.audit_log SET {change} WHERE project_id = $1 AND seq = $2", chain.id, place)
    assert await found(site, chain) == (kind, place)


async def test_swapped_fields_next_to_each_other_are_found(chain: Project, site: Site, sql: asyncpg.Connection) -> None:
    """Null and empty, and a border between two fields that moved, are different texts."""
    await sql.execute(
        "UPDATE tocsin.audit_log SET action = action || actor_type, actor_type = '' WHERE project_id = $1 AND seq = 4",
        chain.id,
    )
    assert await found(site, chain) == ("changed", 4)


async def test_a_removed_entry_is_found(chain: Project, site: Site, sql: asyncpg.Connection) -> None:
    await sql.execute("DELETE FROM tocsin.audit_log WHERE project_id = $1 AND seq = 6", chain.id)
    assert await found(site, chain) == ("removed", 6)


@pytest.mark.parametrize("gone", [1, 3])
async def test_removed_entries_are_found_when_the_rest_is_numbered_anew(
    chain: Project, site: Site, sql: asyncpg.Connection, gone: int
) -> None:
    await sql.execute(
        "DELETE FROM tocsin.audit_log WHERE project_id = $1 AND seq BETWEEN 4 AND 3 + $2::int", chain.id, gone
    )
    await _renumber(sql, chain, "seq > 4", -gone)
    assert await found(site, chain) == ("removed", 4)


@pytest.mark.parametrize(("one", "other"), [(3, 8), (4, 5)])
async def test_entries_that_changed_places_are_found(
    chain: Project, site: Site, sql: asyncpg.Connection, one: int, other: int
) -> None:
    for old, new in ((one, -1), (other, one), (-1, other)):
        await sql.execute("UPDATE tocsin.audit_log SET seq = $3 WHERE project_id = $1 AND seq = $2", chain.id, old, new)
    assert await found(site, chain) == ("reordered", one)


async def test_an_entry_put_in_is_found(chain: Project, site: Site, sql: asyncpg.Connection) -> None:
    await _renumber(sql, chain, "seq >= 5", 1)
    await _forge(sql, chain, 5)
    assert await found(site, chain) == ("inserted", 5)


async def test_an_entry_put_in_at_the_end_is_found(chain: Project, site: Site, sql: asyncpg.Connection) -> None:
    await _forge(sql, chain, 11)
    before = await sql.fetchval("SELECT hash FROM tocsin.audit_heads WHERE project_id = $1", chain.id)
    forged = await sql.fetchrow("SELECT * FROM tocsin.audit_log WHERE project_id = $1 AND seq = 11", chain.id)
    await sql.execute(
        "UPDATE tocsin.audit_log SET hash = $2 WHERE project_id = $1 AND seq = 11",
        chain.id,
        entry_hash(before, 11, forged),
    )
    assert await found(site, chain) == ("inserted", 11)


async def test_a_tail_that_was_cut_is_found(chain: Project, site: Site, sql: asyncpg.Connection) -> None:
    await sql.execute("DELETE FROM tocsin.audit_log WHERE project_id = $1 AND seq > 8", chain.id)
    assert await found(site, chain) == ("cut", 9)


async def test_a_tail_that_was_cut_with_its_head_is_found_by_an_anchor(
    chain: Project, site: Site, sql: asyncpg.Connection
) -> None:
    anchor = await anchored(sql, chain)
    await sql.execute("DELETE FROM tocsin.audit_log WHERE project_id = $1 AND seq > 8", chain.id)
    await sql.execute(_REHASH.format(project=chain.id))
    assert await found(site, chain) is None
    assert await found(site, chain, [anchor]) == ("cut", 10)


async def test_a_chain_that_was_written_anew_is_found_by_an_anchor(
    chain: Project, site: Site, sql: asyncpg.Connection
) -> None:
    anchor = await anchored(sql, chain)
    await sql.execute("DELETE FROM tocsin.audit_log WHERE project_id = $1 AND seq = 2", chain.id)
    await sql.execute(_REHASH.format(project=chain.id))
    await add_entries(chain, 3)
    await seal(site, chain)
    assert await found(site, chain) is None
    assert await found(site, chain, [anchor]) == ("rewritten", 10)


async def test_a_chain_whose_head_is_gone_is_not_begun_anew(
    chain: Project, site: Site, sql: asyncpg.Connection
) -> None:
    await sql.execute("DELETE FROM tocsin.audit_heads WHERE project_id = $1", chain.id)
    await add_entries(chain, 1)
    app = await asyncpg.connect(site.app_url)
    assert await sealed_now(app, chain.id) == -1
    await app.close()
    assert await found(site, chain) == ("inserted", 1)


async def test_a_broken_chain_holds_up_no_other(
    chain: Project, api: Client, site: Site, sql: asyncpg.Connection
) -> None:
    other = await sign_up(api, "Unhurt")
    await sql.execute("DELETE FROM tocsin.audit_heads WHERE project_id = $1", chain.id)
    await add_entries(chain, 1)
    app = await asyncpg.connect(site.app_url)
    await app.fetch("SELECT * FROM tocsin.seal_audit('00000000-0000-0000-0000-000000000000', 1000, 1000)")
    await app.close()
    assert await found(site, other) is None
    assert await sql.fetchval("SELECT count(*) FROM tocsin.audit_heads WHERE project_id = $1", other.id) == 1


async def test_many_writers_and_many_sealers_make_one_chain(api: Client, site: Site, sql: asyncpg.Connection) -> None:
    project = await sign_up(api, "Busy")
    writing = [_write(site, project, 20) for _ in range(50)]
    sealing = [_keep_sealing(site, project, 40) for _ in range(4)]
    await asyncio.gather(*writing, *sealing)
    await seal(site, project)
    places = await sql.fetch("SELECT seq FROM tocsin.audit_log WHERE project_id = $1 ORDER BY seq", project.id)
    assert [row["seq"] for row in places] == list(range(1, 1002))
    assert (await look(site, project)).faults == []


async def test_one_chain_says_nothing_of_another(
    two_projects: tuple[Project, Project], site: Site, sql: asyncpg.Connection
) -> None:
    acme, rival = two_projects
    for project in two_projects:
        await add_entries(project, 2)
        await seal(site, project)
    await sql.execute("UPDATE tocsin.audit_log SET action = 'x' WHERE project_id = $1 AND seq = 1", acme.id)
    assert await found(site, acme) == ("changed", 1)
    assert await found(site, rival) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tocsin.audit_log SET action = 'x'",
        "UPDATE tocsin.audit_log SET metadata = null",
        "DELETE FROM tocsin.audit_log",
        "TRUNCATE tocsin.audit_log",
        "UPDATE tocsin.audit_heads SET seq = 0",
        "INSERT INTO tocsin.audit_log (project_id, id, env, action, actor_type, resource_type, seq, hash)"
        " VALUES (tocsin.current_project(), gen_random_uuid(), 'live', 'x', 'user', 'x', 1, '\\x00')",
        "INSERT INTO tocsin.audit_log (project_id, id, env, action, actor_type, resource_type, at)"
        " VALUES (tocsin.current_project(), gen_random_uuid(), 'live', 'x', 'user', 'x', '2020-01-01')",
    ],
)
async def test_the_application_cannot_rewrite_its_history(chain: Project, site: Site, statement: str) -> None:
    app = await asyncpg.connect(site.app_url)
    try:
        with pytest.raises(DENIED):
            async with app.transaction():
                await app.execute("SELECT set_config('tocsin.project', $1, true)", chain.id)
                await app.execute(statement)
    finally:
        await app.close()


def test_anchors_are_kept_in_the_order_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "audit" / "anchors.jsonl"
    line = {"at": "2026-11-21T12:00:00Z", "project": "00000000-0000-7000-8000-000000000000", "seq": 1, "hash": "ab"}
    for seq in (1, 2, 3):
        append(file, [msgspec.convert({**line, "seq": seq}, Anchor)])
    assert [anchor.seq for anchor in Written(file)] == [1, 2, 3]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_line_that_is_no_anchor_is_named(tmp_path: Path) -> None:
    file = tmp_path / "anchors.jsonl"
    file.write_text('{"at": "2026-11-21T12:00:00Z"}\n')
    with pytest.raises(BadAnchors, match="line 1"):
        list(Written(file))


async def _renumber(sql: asyncpg.Connection, project: Project, which: str, by: int) -> None:
    """Move entries to other places, hashes and all, and the head along."""
    await sql.execute(
        f"UPDATE tocsin.audit_log SET seq = -(seq + $2::int) WHERE project_id = $1 AND {which}", project.id, by
    )
    await sql.execute("UPDATE tocsin.audit_log SET seq = -seq WHERE project_id = $1 AND seq < 0", project.id)
    await sql.execute("UPDATE tocsin.audit_heads SET seq = seq + $2 WHERE project_id = $1", project.id, by)


async def _forge(sql: asyncpg.Connection, project: Project, place: int) -> None:
    await sql.execute(
        "INSERT INTO tocsin.audit_log (project_id, id, env, action, actor_type, resource_type, seq, hash)"
        " VALUES ($1, gen_random_uuid(), 'live', 'rule.created', 'user', 'rule', $2, sha256('forged'))",
        project.id,
        place,
    )


async def _write(site: Site, project: Project, count: int) -> None:
    app = await asyncpg.connect(site.app_url)
    try:
        for _ in range(count):
            async with app.transaction():
                await app.execute("SELECT set_config('tocsin.project', $1, true)", project.id)
                await app.execute(
                    "INSERT INTO tocsin.audit_log (project_id, id, env, action, actor_type, resource_type)"
                    " VALUES ($1, gen_random_uuid(), 'live', 'x', 'user', 'x')",
                    project.id,
                )
    finally:
        await app.close()


async def _keep_sealing(site: Site, project: Project, rounds: int) -> None:
    app = await asyncpg.connect(site.app_url)
    try:
        for _ in range(rounds):
            await sealed_now(app, project.id)
            await asyncio.sleep(0.01)
    finally:
        await app.close()
