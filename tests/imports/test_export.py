"""A single-tenant export becomes connections of the project and of its people (C11, C12)."""

from pathlib import Path
from typing import Any

import pytest

from tests.client import Project
from tests.imports.build import (
    INVENTORY,
    ORDERS,
    WHATSAPP,
    Harbour,
    Said,
    connections_of,
    export_file,
    given_bot,
    places_of,
)
from tests.inbound.bots import bot_token
from tocsin.imports.export import read_export

NUMBER = {
    "provider": "whatsapp",
    "name": "The shop's number",
    "settings": {"phoneNumberId": "106540352242922"},
    "credentials": {"accessToken": WHATSAPP["WHATSAPP_ACCESS_TOKEN"]},
    "verifyToken": WHATSAPP["WHATSAPP_VERIFY_TOKEN"],
    "destinations": [{"name": "orders", "address": "+436601234567"}],
}


async def brought_in(harbour: Harbour, project: Project, file: Path, *more: str) -> Said:
    return await harbour.tocsin("import", "all", "--from-file", str(file), "--project", project.slug, *more)


def of_person(email: str, *connections: dict[str, Any]) -> dict[str, Any]:
    return {"email": email, "connections": list(connections)}


async def test_each_connection_goes_to_whom_it_belonged(
    harbour: Harbour, shop: Project, mill: Project, tmp_path: Path
) -> None:
    ann = await shop.add_user(email="ann@quay.example")
    await mill.add_user(email="ann@quay.example")
    people = [of_person("Ann@quay.example", given_bot(bot_token(), name="Ann's bot"))]
    said = await brought_in(harbour, shop, export_file(tmp_path, connections=[NUMBER], users=people))
    assert said.code == 0, said.text
    found = {each["owner"]: each for each in await connections_of(shop.owner)}
    assert (found["project"]["name"], found["project"]["status"]) == ("The shop's number", "pending")
    assert await places_of(shop.owner, found["project"]) == {"orders": ("+436601234567", True)}
    assert (found["user"]["name"], found["user"]["userId"]) == ("Ann's bot", ann["id"])
    assert await places_of(shop.owner, found["user"]) == {"orders": (ORDERS, True), "inventory": (INVENTORY, False)}
    assert await connections_of(mill.owner) == []


async def test_somebody_who_is_not_in_the_project_is_skipped_and_the_rest_goes_on(
    harbour: Harbour, shop: Project, mill: Project, tmp_path: Path
) -> None:
    await mill.add_user(email="bob@quay.example")
    people = [of_person("bob@quay.example", given_bot(bot_token()))]
    file = export_file(tmp_path, connections=[given_bot(bot_token())], users=people)
    said = await brought_in(harbour, shop, file)
    assert said.code == 1
    assert "the project has nobody with the e-mail bob@quay.example who may sign in; invite them first" in said.text
    assert [each["owner"] for each in await connections_of(shop.owner)] == ["project"]
    assert await connections_of(mill.owner) == []


async def test_rules_are_left_out_and_said_to_be(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    file = export_file(tmp_path, connections=[given_bot(bot_token())], rules=[{"name": "anything"}])
    said = await brought_in(harbour, shop, file)
    assert (said.code, "left out   rules are not imported" in said.text) == (0, True)


async def test_of_one_provider_the_other_connections_are_left_for_its_own_command(
    harbour: Harbour, shop: Project, tmp_path: Path
) -> None:
    file = export_file(tmp_path, connections=[NUMBER, given_bot(bot_token())])
    words = ("--from-file", str(file), "--project", shop.slug)
    said = await harbour.tocsin("import", "telegram", *words)
    assert said.code == 0 and "left out   connections to whatsapp (1) are for tocsin import whatsapp" in said.text
    assert [each["provider"] for each in await connections_of(shop.owner)] == ["telegram"]
    assert (await harbour.tocsin("import", "whatsapp", *words)).code == 0
    assert {each["provider"] for each in await connections_of(shop.owner)} == {"telegram", "whatsapp"}


async def test_an_export_says_itself_whose_its_connections_are(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    said = await brought_in(harbour, shop, export_file(tmp_path, connections=[NUMBER]), "--for", "admins")
    assert said.code == 1 and "leave --for away" in said.text
    assert await connections_of(shop.owner) == []


async def test_a_dry_run_leaves_no_trace(harbour: Harbour, shop: Project, tmp_path: Path) -> None:
    before = await harbour.rows(shop, record=True)
    said = await brought_in(harbour, shop, export_file(tmp_path, connections=[NUMBER]), "--dry-run")
    assert said.code == 0 and "a dry run, nothing is written" in said.text
    assert await harbour.rows(shop, record=True) == before


async def test_more_than_200_places_are_refused_together_with_those_there_are(
    harbour: Harbour, shop: Project, tmp_path: Path
) -> None:
    def places(first: int, count: int) -> list[dict[str, str]]:
        return [{"name": f"place-{number}", "address": str(number)} for number in range(first, first + count)]

    token = bot_token()
    full = export_file(tmp_path, connections=[given_bot(token) | {"destinations": places(1, 200)}])
    assert (await brought_in(harbour, shop, full)).code == 0
    before = await harbour.rows(shop)
    more = export_file(tmp_path, connections=[given_bot(token) | {"destinations": places(200, 2)}])
    said = await brought_in(harbour, shop, more)
    assert said.code == 1 and "A connection has 200 destinations at the most." in said.text
    assert await harbour.rows(shop) == before


def test_the_example_of_the_documentation_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "import.md").read_text()
    parts, left_out = read_export(page.partition("```json\n")[2].partition("```")[0].encode())
    assert [(part.whose, len(part.accounts)) for part in parts] == [("project", 1), ("ann@example.com", 1)]
    assert left_out == []


BOT = {"provider": "telegram", "credentials": {"botToken": "1:" + 35 * "a"}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"connections": [{"provider": "telegram", "credentials": {}}]}, "/connections/0/credentials/botToken: This f"),
        ({"connections": [{"provider": "pigeon", "credentials": {}}]}, "/connections/0/provider: There is no such"),
        (
            {"connections": [{"provider": "ntfy", "settings": {"topic": "t"}, "credentials": {}}]},
            "/connections/0/provider: Connections of this provider cannot be imported",
        ),
        (
            {"users": [of_person("a@b.example", {**BOT, "destinations": [{"name": "x", "address": "canary"}]})]},
            "/users/0/connections/0/destinations/0/address: Is not the id of a Telegram chat.",
        ),
        ({"users": [of_person("canary", BOT)]}, "/users/0/email: Is not an e-mail address."),
        (
            {"users": [of_person("a@b.example", BOT), of_person("A@b.example", BOT)]},
            "/users/1/email: Somebody before has the same.",
        ),
        ({"connections": [BOT, BOT]}, "/connections/1: This account is there twice."),
        ({"connections": [{**BOT, "verifyToken": "long enough"}]}, "/connections/0/verifyToken: String should"),
        ({"connections": [{**BOT, "verifyToken": "long-enough"}]}, "/connections/0/verifyToken: This provider is told"),
        ({"version": 2}, "/version: Input should be 1."),
        ({"chats": []}, "/chats: There is no such field."),
        ({"connections": []}, "there is nothing to import"),
    ],
)
async def test_a_mistake_is_named_with_its_place(
    harbour: Harbour, shop: Project, tmp_path: Path, content: dict[str, Any], words: str
) -> None:
    file = export_file(tmp_path, **content)
    said = await brought_in(harbour, shop, file)
    assert said.code == 1 and f"{file}: {words}" in said.text, said.text
    assert "canary" not in said.text
    assert await connections_of(shop.owner) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"version": 1', "not valid JSON"),
        ('{"version": 1}'.encode("utf-16"), "no text in UTF-8"),
        (b"[1]", "this is no JSON object; docs/import.md"),
        (b'{"version": 1, "version": 1}', "twice"),
        (b"", "there is nothing to import"),
    ],
)
async def test_what_is_no_export_is_refused(
    harbour: Harbour, shop: Project, tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "shop.json"
    file.write_bytes(content)
    said = await brought_in(harbour, shop, file)
    assert said.code == 1 and words in said.text, said.text
    assert "canary" not in said.text
