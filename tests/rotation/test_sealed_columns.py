"""Nothing is sealed, and nothing derived from the master key, that a rotation does not know of."""

import ast
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

import tocsin
import tocsin.app  # maps every table
from tests.client import Project
from tests.running import Site
from tocsin.kit.db import Table
from tocsin.rotation.sealed_columns import SEALED

SOURCES = sorted(Path(tocsin.__file__).parent.rglob("*.py"))
KNOWN = {(each.table, each.column) for each in SEALED}

# Each purpose with what keeps it working while the key rotates.
DERIVED = {
    "id": "names the key",
    "wrap": "tocsin keys rotate-master wraps anew",
    "access-token": "accepted under every accepted key; lives 15 minutes",
    "refresh-token": "accepted under every accepted key; replaced at every use",
    "api-key-mac": "accepted under every accepted key, made anew at use, and bcrypt stands behind it",
    "ack-link": "accepted under every accepted key; one that was dropped ends the links of old messages",
    "sound-file": "accepted under every accepted key; one that was dropped ends the addresses in old messages",
    "opt-out-link": "accepted under every accepted key; one that was dropped ends the links of old mails",
    "recovery-code": "accepted under every accepted key; drop-master says how many would be lost with it",
    "tries": "counters of a quarter of an hour, which begin anew",
    "device-cookie": "accepted under every accepted key, replaced at every sign-in; without it one is a stranger",
    "single-sign-on": "accepted under every accepted key; lives ten minutes",
    "setup-link": "accepted under every accepted key; lives a day",
    "cursor": "accepted under every accepted key; lives 24 hours",
}


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == name:
                yield path, node


def test_every_value_that_is_sealed_is_in_a_registered_column() -> None:
    """`call.seal(table, row, field, ...)` and `vault.seal(session, project, table, row, field, ...)`."""
    seen = set()
    for path, call in calls("seal"):
        if len(call.args) not in (4, 6) or path.name in ("call.py", "work.py", "data_keys.py", "rotation.py"):
            continue  # cursors, and those that take the table from a row or a list
        table, field = (call.args[0], call.args[2]) if len(call.args) == 4 else (call.args[2], call.args[4])
        assert isinstance(field, ast.Constant), f"{path}:{call.lineno}"
        seen.add((_table(table), field.value))
    assert seen, "the calls are not found any more"
    assert seen <= KNOWN


def _table(argument: ast.expr) -> str:
    """A text, or the table of a mapped class."""
    if isinstance(argument, ast.Constant):
        return str(argument.value)
    assert isinstance(argument, ast.Attribute) and argument.attr == "__tablename__"
    assert isinstance(argument.value, ast.Name)
    return next(
        str(mapper.local_table.name) for mapper in Table.registry.mappers if mapper.class_.__name__ == argument.value.id
    )


async def test_every_sealed_value_in_the_database_is_in_a_registered_column(
    acme: Project, site: Site, sql: asyncpg.Connection
) -> None:
    await acme.key.post("/connections", {"provider": "webhook", "name": "h", "settings": {"url": "https://a.example"}})
    columns = await sql.fetch(
        "SELECT c.table_name AS table, c.column_name AS column FROM information_schema.columns c"
        " JOIN information_schema.tables t USING (table_schema, table_name)"
        " WHERE c.table_schema = 'tocsin' AND c.data_type IN ('text', 'json', 'jsonb') AND t.table_type = 'BASE TABLE'"
    )
    found = set()
    for row in columns:
        pattern = r"v1\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[A-Za-z0-9_-]{16}\."
        query = f'SELECT EXISTS (SELECT FROM tocsin."{row["table"]}" WHERE "{row["column"]}"::text ~ $1)'
        if await sql.fetchval(query, pattern):
            found.add((row["table"], row["column"]))
    assert {("connections", "credentials"), ("identity_secrets", "secret"), ("realtime_apps", "secret")} <= found
    assert found <= KNOWN


@pytest.mark.parametrize("column", SEALED, ids=lambda each: f"{each.table}.{each.column}")
async def test_a_registered_column_exists_and_its_key_is_unique(sql: asyncpg.Connection, column: object) -> None:
    each = next(one for one in SEALED if one is column)
    assert await sql.fetchval(
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'tocsin' AND table_name = $1"
        " AND column_name = ANY($2)",
        each.table,
        [each.column, *each.key],
    ) == len({each.column, *each.key})
    keys = await sql.fetch(
        "SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid"
        " AND a.attnum = ANY(i.indkey) ORDER BY 1) AS columns FROM pg_index i"
        " WHERE i.indrelid = ('tocsin.' || $1)::regclass AND i.indisunique",
        each.table,
    )
    assert sorted({"project_id", *each.key}) in [row["columns"] for row in keys]


def test_every_purpose_of_the_master_key_survives_a_rotation() -> None:
    purposes = set()
    for name in ("derive", "derived", "tries", "_derived"):
        for path, call in calls(name):
            purposes.add(_purpose(path, call.args[-1]))
    purposes.discard(None)
    assert purposes == set(DERIVED)


def _purpose(path: Path, argument: ast.expr) -> str | None:
    """The text of an argument, or of the constant of the module that it names; None for a parameter."""
    if isinstance(argument, ast.Constant):
        return str(argument.value)
    if isinstance(argument, ast.Name):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == argument.id:
                assert isinstance(node.value, ast.Constant)
                return str(node.value.value)
        assert argument.id == "purpose", f"{path}:{argument.lineno}"
    return None
