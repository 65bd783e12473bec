"""Variables of a single-tenant installation become connections (C11, C12)."""

import json
from pathlib import Path

import pytest

from tests.client import Project
from tests.imports.build import (
    INVENTORY,
    ORDERS,
    WHATSAPP,
    Harbour,
    connections_of,
    env_file,
    places_of,
    renewed,
    telegram,
)
from tests.inbound.bots import bot_token
from tests.plans.build import put_on


async def test_they_become_a_connection_of_the_project_with_two_places(
    harbour: Harbour, shop: Project, mill: Project, tmp_path: Path
) -> None:
    token = bot_token()
    said = await harbour.import_env(env_file(tmp_path, telegram(token, TELEGRAM_INVENTORY_ENABLED="false")), shop)
    assert said.code == 0, said.text
    assert token not in said.text and f"****{token[-4:]}" in said.text
    [made] = await connections_of(shop.key)
    assert (made["owner"], made["provider"], made["status"], made["isDefault"]) == (
        "project",
        "telegram",
        "pending",
        True,
    )
    assert made["credentials"] == {"botToken": f"****{token[-4:]}"}
    assert await places_of(shop.key, made) == {"orders": (ORDERS, True), "inventory": (INVENTORY, False)}
    assert await connections_of(mill.key) == []


async def test_the_connection_works_once_it_is_verified(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    token = bot_token()
    harbour.far.know(token, "shop_bot")
    await harbour.imported(env_file(tmp_path, telegram(token)), shop)
    [made] = await connections_of(shop.key)
    verified = await shop.key.post(f"/connections/{made['id']}/verify")
    assert (verified.status, verified.json["status"], verified.json["account"]["name"]) == (200, "active", "@shop_bot")


async def test_each_admin_gets_one_and_nobody_else(
    harbour: Harbour, shop: Project, mill: Project, tmp_path: Path
) -> None:
    admin = await shop.add_user(roles=["admin"])
    await shop.add_user()
    said = await harbour.import_env(env_file(tmp_path, WHATSAPP), shop, "admins")
    assert said.code == 0, said.text
    made = await connections_of(shop.owner)
    assert {each["userId"] for each in made} == {shop.signed_up["user"]["id"], admin["id"]}
    assert {each["owner"] for each in made} == {"user"}
    assert await connections_of(mill.owner) == []


async def test_one_bot_for_several_admins_is_warned_of(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    await shop.add_user(roles=["admin"])
    said = await harbour.import_env(env_file(tmp_path, telegram(bot_token())), shop, "admins")
    assert "warning    2 connections have the account" in said.text


async def test_a_named_person_gets_one_in_this_project_alone(
    harbour: Harbour, shop: Project, mill: Project, tmp_path: Path
) -> None:
    file = env_file(tmp_path, telegram(bot_token()))
    there, elsewhere = (
        await shop.add_user(email="ann@harbour.example"),
        await mill.add_user(email="bob@harbour.example"),
    )
    await harbour.imported(file, shop, "Ann@Harbour.example")
    assert [each["userId"] for each in await connections_of(shop.owner)] == [there["id"]]
    refused = await harbour.import_env(file, shop, "bob@harbour.example")
    assert (refused.code, await connections_of(mill.owner)) == (1, [])
    assert f"{shop.slug}: the project has nobody with the e-mail bob@harbour.example" in refused.text
    assert elsewhere["id"] not in refused.text


async def test_from_the_environment_it_is_for_the_project_where_nobody_is_named(
    harbour: Harbour, shop: Project
) -> None:
    words = ("import", "telegram", "--from-env", "--project", shop.slug)
    said = await harbour.tocsin(*words, variables={**telegram(bot_token()), **WHATSAPP})
    assert said.code == 0, said.text
    assert f"left out   WHATSAPP_ variables ({len(WHATSAPP)}) are for tocsin import whatsapp, or all." in said.text
    assert [(each["provider"], each["owner"]) for each in await connections_of(shop.key)] == [("telegram", "project")]


async def test_numbers_have_a_command_of_their_own(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    file = env_file(tmp_path, {**telegram(bot_token()), **WHATSAPP})
    said = await harbour.tocsin("import", "whatsapp", "--from-file", str(file), "--project", shop.slug)
    assert said.code == 0, said.text
    assert [each["provider"] for each in await connections_of(shop.key)] == ["whatsapp"]


@pytest.mark.parametrize("sources", [(), ("--from-env", "--from-file", __file__)], ids=["neither", "both"])
async def test_it_comes_from_one_place(harbour: Harbour, shop: Project, sources: tuple[str, ...]) -> None:
    said = await harbour.tocsin("import", "telegram", *sources, "--project", shop.slug)
    assert said.code == 2 and "--from-env, or --from-file" in said.text


async def test_whatsapp_keeps_the_verify_token_that_stands_at_meta(
    harbour: Harbour, shop: Project, tmp_path: Path
) -> None:
    await harbour.imported(env_file(tmp_path, WHATSAPP), shop)
    [made] = await connections_of(shop.key)
    assert (made["provider"], made["status"]) == ("whatsapp", "pending")
    assert made["settings"]["phoneNumberId"] == WHATSAPP["WHATSAPP_PHONE_NUMBER_ID"]
    assert made["settings"]["businessAccountId"] == WHATSAPP["WHATSAPP_BUSINESS_ACCOUNT_ID"]
    assert await places_of(shop.key, made) == {"orders": ("+436601234567", True), "inventory": ("+436607654321", False)}
    [hook] = (await harbour.rows(shop))["hooks"]
    assert hook["secret"] == WHATSAPP["WHATSAPP_VERIFY_TOKEN"]


async def test_a_second_time_changes_nothing(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    file = env_file(tmp_path, {**telegram(bot_token()), **WHATSAPP})
    await harbour.imported(file, shop)
    before = await harbour.rows(shop, record=True)
    again = await harbour.import_env(file, shop)
    assert (again.code, again.text.count("unchanged  ")) == (0, 6)
    assert "rollback" not in again.text
    assert await harbour.rows(shop, record=True) == before


async def test_a_renewed_token_replaces_the_connection_of_the_same_bot(
    harbour: Harbour, shop: Project, tmp_path: Path
) -> None:
    token = bot_token()
    await harbour.imported(env_file(tmp_path, telegram(token)), shop)
    [made] = await connections_of(shop.key)
    await shop.key.put(f"/connections/{made['id']}", {"name": "Ours", "settings": {"mode": "polling"}})
    await shop.key.post(f"/connections/{made['id']}/destinations", {"name": "returns", "address": "-1"})
    said = await harbour.import_env(env_file(tmp_path, telegram(renewed(token))), shop)
    assert said.code == 0 and "replaced   telegram" in said.text, said.text
    [now] = await connections_of(shop.key)
    assert (now["id"], now["name"], now["settings"]) == (made["id"], "Ours", {"mode": "polling"})
    assert now["credentials"] == {"botToken": "****next"}
    assert set(await places_of(shop.key, now)) == {"orders", "inventory", "returns"}


async def test_another_bot_of_the_project_is_left_alone(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    await harbour.imported(env_file(tmp_path, telegram(bot_token())), shop)
    before = await harbour.rows(shop)
    await harbour.imported(env_file(tmp_path, telegram(bot_token())), shop)
    first, second = sorted(await connections_of(shop.key), key=lambda each: str(each["id"]))
    assert (first["isDefault"], second["isDefault"]) == (True, False)
    assert (await harbour.rows(shop))["connections"][:1] == before["connections"]


async def test_an_active_connection_stays_active_while_its_token_is_the_same(
    harbour: Harbour, shop: Project, tmp_path: Path
) -> None:
    token = bot_token()
    harbour.far.know(token, "shop_bot")
    await harbour.imported(env_file(tmp_path, telegram(token)), shop)
    [made] = await connections_of(shop.key)
    await shop.key.post(f"/connections/{made['id']}/verify")
    await harbour.imported(env_file(tmp_path, telegram(token, TELEGRAM_ORDERS_CHAT_ID="-5")), shop)
    [now] = await connections_of(shop.key)
    assert (now["status"], now["verifiedAt"] is not None) == ("active", True)
    assert (await places_of(shop.key, now))["orders"] == ("-5", True)


async def test_somebody_with_another_bot_is_skipped_and_told_of(
    harbour: Harbour, shop: Project, tmp_path: Path
) -> None:
    await harbour.imported(env_file(tmp_path, telegram(bot_token())), shop, shop.email)
    before = await harbour.rows(shop, record=True)
    said = await harbour.import_env(env_file(tmp_path, telegram(bot_token())), shop, shop.email)
    assert said.code == 1
    assert "skipped    telegram" in said.text and "connections.ownPerProvider" in said.text
    assert await harbour.rows(shop, record=True) == before


async def test_the_limit_of_the_plan_holds_and_the_rest_goes_on(
    harbour: Harbour, shop: Project, tmp_path: Path
) -> None:
    await put_on(harbour.sql, shop, "free", quotas={"bots": 1})
    said = await harbour.import_env(env_file(tmp_path, {**telegram(bot_token()), **WHATSAPP}), shop)
    assert said.code == 1
    assert "made       telegram" in said.text and "The plan Free allows 1 bots" in said.text
    assert [each["provider"] for each in await connections_of(shop.key)] == ["telegram"]


async def test_a_dry_run_says_the_same_and_leaves_no_trace(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    file = env_file(tmp_path, {**telegram(bot_token()), **WHATSAPP})
    before = await harbour.rows(shop, record=True)
    dry = await harbour.import_env(file, shop, "project", "--dry-run")
    assert (dry.code, "rollback" in dry.text) == (0, False)
    assert await harbour.rows(shop, record=True) == before
    real = await harbour.import_env(file, shop)
    fates = [line for line in dry.text.splitlines() if "made  " in line]
    assert fates == [line for line in real.text.splitlines() if "made  " in line] and len(fates) == 6


async def test_the_report_is_written_as_json_without_secrets(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    token, file = bot_token(), tmp_path / "report.json"
    given = {**telegram(token, TELEGRAM_ADMIN_CHAT_ID="7"), "TELEGRAM_INVENTORY_CHAT_ID": ""}
    said = await harbour.import_env(
        env_file(tmp_path, {**given, "TELEGRAM_INVENTORY_ENABLED": "true"}), shop, "project", "--report", str(file)
    )
    report = json.loads(file.read_text())
    [made] = await connections_of(shop.key)
    assert token not in file.read_text()
    assert report == {
        "project": shop.slug,
        "source": "env",
        "dryRun": False,
        "id": said.import_id,
        "connections": [
            {
                "outcome": "made",
                "provider": "telegram",
                "owner": "project",
                "account": token.partition(":")[0],
                "credentials": {"botToken": f"****{token[-4:]}"},
                "destinations": [{"name": "orders", "address": ORDERS, "enabled": True, "outcome": "made"}],
                "connectionId": made["id"],
                "status": "pending",
                "why": None,
            }
        ],
        "leftOut": [
            "TELEGRAM_ADMIN_CHAT_ID is not read",
            "TELEGRAM_INVENTORY_ENABLED is on, but TELEGRAM_INVENTORY_CHAT_ID is missing: no destination inventory",
        ],
        "warnings": [],
    }


async def test_a_report_that_cannot_be_written_keeps_everything_as_it_is(
    harbour: Harbour, shop: Project, tmp_path: Path
) -> None:
    file = env_file(tmp_path, telegram(bot_token()))
    said = await harbour.import_env(file, shop, "project", "--report", str(tmp_path / "none" / "report.json"))
    assert (said.code, await connections_of(shop.key)) == (1, [])


async def test_every_change_is_on_record_without_a_secret(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    token = bot_token()
    id_ = await harbour.imported(env_file(tmp_path, telegram(token)), shop)
    rows = await harbour.sql.fetch(
        "SELECT action, resource_id, actor_type, actor_id, metadata::text FROM tocsin.audit_log"
        " WHERE project_id = $1 AND actor_id LIKE 'tocsin import%' ORDER BY id",
        shop.id,
    )
    assert [row["action"] for row in rows] == [
        "connection.created",
        "destination.created",
        "destination.created",
        "import.made",
    ]
    assert (rows[-1]["resource_id"], rows[-1]["actor_type"], rows[-1]["actor_id"]) == (
        id_,
        "system",
        "tocsin import all",
    )
    assert not any(token in row["metadata"] for row in rows)


async def test_a_persons_credentials_do_not_stand_in_the_record(
    harbour: Harbour, shop: Project, tmp_path: Path
) -> None:
    token = bot_token()
    await harbour.imported(env_file(tmp_path, telegram(token)), shop, shop.email)
    kept = await harbour.sql.fetchval(
        "SELECT metadata::text FROM tocsin.audit_log WHERE project_id = $1 AND action = 'connection.created'", shop.id
    )
    assert json.loads(kept)["after"]["credentials"] is None


async def test_a_project_that_is_not_there_is_named(harbour: Harbour, tmp_path: Path) -> None:
    file = env_file(tmp_path, telegram(bot_token()))
    for slug in ("nobody-1", "platform"):
        said = await harbour.tocsin("import", "telegram", "--from-file", str(file), "--project", slug)
        assert (said.code, said.text) == (1, f"tocsin: There is no project {slug!r}; --project is its slug.\n")


async def test_for_nobody_that_can_be_is_explained(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    said = await harbour.import_env(env_file(tmp_path, telegram(bot_token())), shop, "everybody")
    assert said.code == 1 and "--for is project, admins, or somebody's e-mail" in said.text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"TELEGRAM_ORDERS_CHAT_ID": "-5"}, "TELEGRAM_BOT_TOKEN is missing: @BotFather shows it."),
        ({"TELEGRAM_BOT_TOKEN": "canary"}, "TELEGRAM_BOT_TOKEN: Must read 123456:ABC-DEF..., as BotFather shows it."),
        (
            {"TELEGRAM_BOT_TOKEN": "1:" + 35 * "a", "TELEGRAM_ORDERS_CHAT_ID": "@canary"},
            "TELEGRAM_ORDERS_CHAT_ID: Is not the id of a Telegram chat. Correct it: a group's is a number such as",
        ),
        (
            {"TELEGRAM_BOT_TOKEN": "1:" + 35 * "a", "TELEGRAM_ORDERS_ENABLED": "canary"},
            "TELEGRAM_ORDERS_ENABLED is neither on nor off: write true or false.",
        ),
        ({"WHATSAPP_ACCESS_TOKEN": "canary"}, "WHATSAPP_PHONE_NUMBER_ID is missing: Meta's console shows it"),
        (
            {**WHATSAPP, "WHATSAPP_VERIFY_TOKEN": "a b"},
            "WHATSAPP_VERIFY_TOKEN: String should match pattern",
        ),
        ({**WHATSAPP, "WHATSAPP_ORDERS_RECIPIENT": "canary"}, "WHATSAPP_ORDERS_RECIPIENT: Is neither a phone number"),
        ({"PORT": "80"}, "there is nothing to import: give TELEGRAM_BOT_TOKEN and WHATSAPP_ACCESS_TOKEN"),
    ],
    ids=["no token", "token", "chat", "switch", "no number", "verify token", "recipient", "nothing"],
)
async def test_a_mistake_names_its_variable_and_the_way_out(
    harbour: Harbour, shop: Project, tmp_path: Path, given: dict[str, str], words: str
) -> None:
    file = env_file(tmp_path, given)
    said = await harbour.import_env(file, shop)
    assert said.code == 1 and f"{file}: {words}" in said.text, said.text
    assert "canary" not in said.text.replace("canary-of", "")
    assert await connections_of(shop.key) == []


async def test_all_mistakes_are_told_at_once(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    given = {"TELEGRAM_ORDERS_CHAT_ID": "-5", "WHATSAPP_VERIFY_TOKEN": "long enough"}
    said = await harbour.import_env(env_file(tmp_path, given), shop)
    for name in ("TELEGRAM_BOT_TOKEN", "WHATSAPP_ACCESS_TOKEN", "WHATSAPP_PHONE_NUMBER_ID"):
        assert f"{name} is missing" in said.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("TELEGRAM_BOT_TOKEN=1:abc\n".encode("utf-16"), "no text in UTF-8"),
        ("TELEGRAM_BOT_TOKEN=1:abc\n".encode("utf-16-le"), "UTF-16"),
        ("# Bücher\n".encode("latin-1"), "no text in UTF-8"),
        (b"version: 1", "line 1: this is no NAME=value. Is it a .env file?"),
        (b"A=1\nB='never closed\nC=2\n", "line 2: this is no NAME=value"),
        (b"A=1\n" * 1_100_000, "longer than 4,194,304 bytes"),
    ],
    ids=["utf-16", "utf-16 without a mark", "latin-1", "yaml", "quote", "long"],
)
async def test_what_is_no_env_file_is_refused(
    harbour: Harbour, shop: Project, tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "shop.env"
    file.write_bytes(content)
    said = await harbour.import_env(file, shop)
    assert said.code == 1 and words in said.text, said.text


async def test_ten_thousand_lines_are_read(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    file = tmp_path / "shop.env"
    many = "".join(f"OTHER_{number}='a value\nof two lines' # {number}\n" for number in range(5_000))
    file.write_text(many + "".join(f"{name}={value}\n" for name, value in telegram(bot_token()).items()))
    await harbour.imported(file, shop)
    assert len(await connections_of(shop.key)) == 1
