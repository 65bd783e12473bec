"""A secret that went in comes out nowhere: not in answers, the audit log, the database or the logs (C3)."""

import asyncpg
import msgspec
import pytest

from tests import running
from tests.client import Client, Project
from tests.connections.build import MAIL, mail_server, make_hook, make_mail, read

CANARY = "canary-b0Zq7-never-to-be-seen"
SECOND_CANARY = "canary-k3Xw1-never-to-be-seen"

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")


async def test_secrets_are_never_seen_again(api: Client, acme: Project, sql: asyncpg.Connection) -> None:
    answers: list[object] = []
    async with mail_server() as mail:
        made = await make_mail(acme.key, port=mail.port, login={"username": "acme", "password": CANARY})
        where = f"/connections/{made['id']}"
        hook = await make_hook(acme.key)
        rotated = await acme.key.post(f"/connections/{hook['id']}/rotate")
        for reply in (
            await acme.key.get(where),
            await acme.key.get("/connections"),
            await acme.key.post(f"{where}/verify"),
            await acme.key.put(where, {"credentials": {"password": SECOND_CANARY}}),
            await acme.key.post(f"{where}/verify"),
            await acme.key.put(where, {"settings": {**MAIL, "port": "x"}, "credentials": {"password": CANARY}}),
            await acme.key.put(where, {"credentials": {"username": None, "password": CANARY}}),
            await acme.key.put(where, {"credentials": {"password": [CANARY]}}),
            await acme.key.post("/connections", {"provider": "smtp", "name": "x", "credentials": {CANARY: CANARY[:9]}}),
            await acme.key.get(f"/connections/{hook['id']}"),
        ):
            answers.append(reply.json)
        assert await acme.key.delete(where)
    answers.append(made)
    shown = msgspec.json.encode(answers).decode()
    secrets = (CANARY, SECOND_CANARY, hook["secret"], rotated.json["secret"])
    # The name of an unknown field is the caller's own text, pointed at; its value is not repeated.
    shown = shown.replace(f"/credentials/{CANARY}", "")
    kept = await everything_kept(sql)
    assert '"connection.rotated"' in kept or "connection.rotated" in kept
    logs = "".join(each.log.read_text() for each in running.alive if each.url == api.base)
    assert f"/api/v1{where}/verify" in logs
    for place in (shown, kept, logs):
        for secret in secrets:
            assert secret not in place
            assert secret.removeprefix("whsec_") not in place


async def everything_kept(sql: asyncpg.Connection) -> str:
    tables = ("connections", "audit_log", "idempotency_records")
    rows = [await sql.fetch(f"SELECT t::text AS row FROM tocsin.{table} t") for table in tables]
    return "\n".join(row["row"] for found in rows for row in found)


async def test_the_audit_log_shows_both_sides_of_a_change(acme: Project, sql: asyncpg.Connection) -> None:
    made = await make_mail(acme.key)
    await acme.key.put(f"/connections/{made['id']}", {"credentials": {"password": SECOND_CANARY}})
    await acme.key.delete(f"/connections/{made['id']}")
    rows = await sql.fetch(
        "SELECT action, metadata FROM tocsin.audit_log WHERE resource_id = $1 ORDER BY id", made["id"]
    )
    assert [row["action"] for row in rows] == ["connection.created", "connection.updated", "connection.deleted"]
    changed = msgspec.json.decode(rows[1]["metadata"])
    assert changed["before"]["credentials"]["password"] == made["credentials"]["password"]
    assert changed["after"]["credentials"]["password"] == f"****{SECOND_CANARY[-4:]}"


async def test_credentials_that_cannot_be_read_stop_nothing(acme: Project, sql: asyncpg.Connection) -> None:
    made, other = await make_mail(acme.key), await make_hook(acme.key)
    await sql.execute(
        "UPDATE tocsin.connections SET credentials = o.credentials FROM tocsin.connections o"
        " WHERE connections.id = $1 AND o.id = $2",
        made["id"],
        other["id"],
    )
    after = await read(acme.key, made)
    assert after["credentials"] is None
    assert after["settings"] == made["settings"]
    assert (await acme.key.get("/connections")).status == 200
    where = f"/connections/{made['id']}"
    verified = await acme.key.post(f"{where}/verify")
    assert (verified.status, verified.code) == (409, "credentials_unreadable")
    assert (await acme.key.put(where, {"name": "still mine"})).status == 200
    mended = await acme.key.put(where, {"credentials": {"username": "acme", "password": SECOND_CANARY}})
    assert mended.json["credentials"] == {"username": "acme", "password": f"****{SECOND_CANARY[-4:]}"}
