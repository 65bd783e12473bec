"""What an import has changed is put back exactly, once, and not over what somebody did since (C11)."""

from pathlib import Path

import pytest

from tests.client import Project
from tests.imports.build import (
    WHATSAPP,
    Harbour,
    connections_of,
    env_file,
    export_file,
    given_bot,
    places_of,
    renewed,
    telegram,
)
from tests.inbound.bots import bot_token
from tests.plans.build import put_on


async def verified(harbour: Harbour, project: Project, token: str) -> str:
    """The id of a connection of the project to a bot that works."""
    harbour.far.know(token, "shop_bot")
    body = {"provider": "telegram", "name": "Ours", "credentials": {"botToken": token}}
    made = (await project.key.post("/connections", body)).json
    await project.key.post(f"/connections/{made['id']}/destinations", {"name": "orders", "address": "-7"})
    assert (await project.key.post(f"/connections/{made['id']}/verify")).json["status"] == "active"
    return str(made["id"])


async def test_what_was_made_is_removed(harbour: Harbour, shop: Project, mill: Project, tmp_path: Path) -> None:
    file = env_file(tmp_path, {**telegram(bot_token()), **WHATSAPP})
    other = await harbour.imported(file, mill)
    before, beside = await harbour.rows(shop), await harbour.rows(mill, record=True)
    id_ = await harbour.imported(file, shop)
    said = await harbour.tocsin("import", "rollback", id_)
    assert said.code == 0 and said.text.endswith("Everything is as it was before.\n"), said.text
    assert await harbour.rows(shop) == before
    assert await harbour.rows(mill, record=True) == beside and other != id_


async def test_what_was_replaced_is_put_back_exactly(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    token = bot_token()
    await verified(harbour, shop, token)
    before = await harbour.rows(shop)
    id_ = await harbour.imported(env_file(tmp_path, telegram(renewed(token))), shop)
    [now] = await connections_of(shop.key)
    assert (now["status"], len(await places_of(shop.key, now))) == ("pending", 2)
    said = await harbour.tocsin("import", "rollback", id_)
    assert said.code == 0 and "put back  telegram" in said.text, said.text
    assert await harbour.rows(shop) == before


async def test_an_export_of_several_people_is_put_back_as_one(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    ann = await shop.add_user(email="ann@harbour.example")
    before = await harbour.rows(shop)
    people = [{"email": "ann@harbour.example", "connections": [given_bot(bot_token())]}]
    file = export_file(tmp_path, connections=[given_bot(bot_token())], users=people)
    said = await harbour.tocsin("import", "all", "--from-file", str(file), "--project", shop.slug)
    assert {each["userId"] for each in await connections_of(shop.owner)} == {None, ann["id"]}
    assert (await harbour.tocsin("import", "rollback", said.import_id)).code == 0
    assert await harbour.rows(shop) == before


async def test_twice_is_once(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    file = env_file(tmp_path, telegram(bot_token()))
    id_ = await harbour.imported(file, shop)
    await harbour.tocsin("import", "rollback", id_)
    await harbour.imported(file, shop)
    before = await harbour.rows(shop, record=True)
    again = await harbour.tocsin("import", "rollback", id_)
    assert (again.code, again.text) == (0, "This import was put back before.\n")
    assert await harbour.rows(shop, record=True) == before


async def test_the_kept_secrets_are_gone_once_it_was_put_back(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    id_ = await harbour.imported(env_file(tmp_path, telegram(bot_token())), shop)
    kept = "SELECT changes FROM tocsin.imports WHERE id = $1"
    assert str(await harbour.sql.fetchval(kept, id_)).startswith("v1.")
    await harbour.tocsin("import", "rollback", id_)
    assert await harbour.sql.fetchval(kept, id_) is None


CHANGES = {
    "renamed": ("PUT", "", {"name": "Other"}, "has another name"),
    "given another token": ("PUT", "", {"credentials": {"botToken": "8:" + 35 * "b"}}, "has another credentials"),
    "suspended": ("PATCH", "/suspend", {"reason": "too loud"}, "has another status"),
    "given a place": ("POST", "/destinations", {"name": "returns", "address": "-1"}, "has another places"),
    "verified": ("POST", "/verify", None, "was verified"),
    "removed": ("DELETE", "", None, "was removed"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_it_is_refused_when_a_connection_was(
    harbour: Harbour, shop: Project, tmp_path: Path, change: str
) -> None:
    method, path, body, words = CHANGES[change]
    token = bot_token()
    harbour.far.know(token, "shop_bot")
    id_ = await harbour.imported(env_file(tmp_path, {**telegram(token), **WHATSAPP}), shop)
    bot = next(each for each in await connections_of(shop.owner) if each["provider"] == "telegram")
    reply = await shop.owner.send(method, f"/connections/{bot['id']}{path}", body)
    assert reply.status < 300, reply.json
    before = await harbour.rows(shop, record=True)
    said = await harbour.tocsin("import", "rollback", id_)
    assert said.code == 1 and f"{words}" in said.text and "nothing was put back" in said.text, said.text
    assert await harbour.rows(shop, record=True) == before


async def test_what_a_connection_notes_by_itself_stands_in_no_ones_way(
    harbour: Harbour, shop: Project, tmp_path: Path
) -> None:
    token = bot_token()
    await verified(harbour, shop, token)
    id_ = await harbour.imported(env_file(tmp_path, telegram(token)), shop)
    await harbour.sql.execute(
        "UPDATE tocsin.connections SET status = 'rate_limited', health_status = 'healthy', last_health_check = now()"
        " WHERE project_id = $1",
        shop.id,
    )
    assert (await harbour.tocsin("import", "rollback", id_)).code == 0
    [now] = await connections_of(shop.key)
    assert (now["status"], now["healthStatus"]) == ("rate_limited", "healthy")
    assert await places_of(shop.key, now) == {"orders": ("-7", True)}


async def test_what_the_plan_refused_is_no_part_of_it(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    await put_on(harbour.sql, shop, "free", quotas={"bots": 1})
    before = await harbour.rows(shop)
    said = await harbour.import_env(env_file(tmp_path, {**telegram(bot_token()), **WHATSAPP}), shop)
    assert said.code == 1
    assert (await harbour.tocsin("import", "rollback", said.import_id)).code == 0
    assert await harbour.rows(shop) == before


async def test_it_works_after_the_data_key_was_rotated(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    token = bot_token()
    await verified(harbour, shop, token)
    before = await harbour.rows(shop)
    id_ = await harbour.imported(env_file(tmp_path, telegram(renewed(token))), shop)
    assert (await harbour.tocsin("keys", "rotate-data", "--project", shop.slug)).code == 0
    assert (await harbour.tocsin("import", "rollback", id_)).code == 0
    assert await harbour.rows(shop) == before


async def test_the_rollback_is_on_record(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    token = bot_token()
    await verified(harbour, shop, token)
    id_ = await harbour.imported(env_file(tmp_path, {**telegram(renewed(token)), **WHATSAPP}), shop)
    await harbour.tocsin("import", "rollback", id_)
    rows = await harbour.sql.fetch(
        "SELECT action, resource_id FROM tocsin.audit_log WHERE project_id = $1 AND actor_id = $2 ORDER BY id",
        shop.id,
        "tocsin import rollback",
    )
    assert [row["action"] for row in rows] == ["connection.updated", "connection.deleted", "import.rolled_back"]
    assert rows[-1]["resource_id"] == id_


async def test_after_30_days_it_is_forgotten(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    old = await harbour.imported(env_file(tmp_path, telegram(bot_token())), shop)
    young = await harbour.imported(env_file(tmp_path, telegram(bot_token())), shop)
    age = "UPDATE tocsin.imports SET created_at = now() - $2::interval WHERE id = $1"
    await harbour.sql.execute(age.replace("$2", "'30 days 1 minute'"), old)
    await harbour.sql.execute(age.replace("$2", "'29 days 23 hours'"), young)
    assert await harbour.sql.fetchval("SELECT tocsin.tidy_imports(100)") == 1
    assert "There is no such import" in (await harbour.tocsin("import", "rollback", old)).text
    assert (await harbour.tocsin("import", "rollback", young)).code == 0


@pytest.mark.parametrize(
    ("id_", "words"),
    [("0199a000-0000-7000-8000-0000000000ff", "There is no such import"), ("nonsense", "is no id of an import")],
)
async def test_an_id_that_is_none_is_explained(harbour: Harbour, id_: str, words: str) -> None:
    said = await harbour.tocsin("import", "rollback", id_)
    assert said.code == 1 and words in said.text
