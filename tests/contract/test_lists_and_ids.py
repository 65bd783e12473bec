"""Ids that cannot be, and pages that were never given out (bad inputs 25 to 28)."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.client import Client, Project
from tests.contract.conftest import Refused
from tests.contract.endpoints import LISTS, NOBODY, WITH_ID, Operation
from tocsin.kit.crypto import MasterKey
from tocsin.kit.cursors import CURSOR_LIFETIME_SECONDS
from tocsin.kit.ids import new_id

MALFORMED = [
    "1",
    "0",
    "-1",
    "null",
    "1 OR 1=1",
    "' OR ''='",
    "%",
    "-" * 36,
    NOBODY.upper(),
    "{" + NOBODY + "}",
    NOBODY.replace("-", ""),
    f"urn:uuid:{NOBODY}",
    f" {NOBODY}",
    f"{NOBODY}\n",
    f"{NOBODY}\0",
    "٠" * 36,
    "a" * 5_000,
]

ABOUT = {"explain_event": {"userId": NOBODY}}
"""What a key has to say besides."""


@pytest.mark.parametrize("operation", [o for o in WITH_ID if not o.needs_body], ids=str)
async def test_an_id_that_cannot_be_is_as_absent_as_one_that_is_not(refused: Refused, operation: Operation) -> None:
    asked = ABOUT.get(str(operation))
    absent = await refused.by(operation, {404}, params=asked)
    for id_ in MALFORMED:
        reply = await refused.by(operation, {404}, path=operation.path_with(quote(id_, safe="")), params=asked)
        assert without_request(reply.json) == without_request(absent.json), id_


def without_request(problem: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in problem.items() if name != "requestId"}


@pytest.mark.parametrize("operation", LISTS, ids=str)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "201"),
        ("limit", "1e2"),
        ("limit", "1_0"),
        ("limit", "0x10"),
        ("limit", "1.5"),
        ("limit", ""),
        ("limit", "٢"),
        ("limit", "9" * 5_000),
        ("sort", "password"),
        ("sort", "createdAt;DROP TABLE users"),
        ("sort", "-createdAt,id"),
        ("order", "desc"),
        ("password", "a"),
        ("projectId", NOBODY),
        ("environment", "live"),
        ("cursor", "a" * 501),
    ],
)
async def test_a_list_asked_wrongly_says_which_parameter(
    refused: Refused, operation: Operation, name: str, value: str
) -> None:
    if str(operation) == "list_all_connections" and name == "projectId":
        value = "of no project"  # the platform's own list has this filter
    reply = await refused.by(operation, {422}, params={name: value})
    assert f"/query/{name}" in reply.pointers


@pytest.mark.parametrize("operation", LISTS, ids=str)
@pytest.mark.parametrize("cursor", ["", "a", "AAAA", "=" * 10, "a" * 500, "ä", "\0", NOBODY, "../../etc/passwd"])
async def test_a_cursor_that_was_never_given_out_is_refused(
    refused: Refused, operation: Operation, cursor: str
) -> None:
    reply = await refused.by(operation, {400}, params={"cursor": cursor})
    assert reply.code == "invalid_cursor"


async def next_page(caller: Client, path: str = "/roles", **params: Any) -> str:
    cursor = (await caller.get(path, limit=1, **params)).json["nextCursor"]
    assert cursor is not None
    return str(cursor)


async def test_a_cursor_is_good_for_its_own_project_environment_list_and_filters(
    refused: Refused, acme: Project, rival: Project
) -> None:
    cursor = await next_page(acme.key)
    assert (await acme.key.get("/roles", cursor=cursor)).status == 200
    elsewhere = [
        (rival.key, "/roles", {}),
        (acme.test_key, "/roles", {}),
        (acme.key, "/users", {}),
        (acme.key, "/roles", {"sort": "createdAt"}),
    ]
    problems = [
        await refused.send(caller, "GET", path, {400}, params={"cursor": cursor, **more})
        for caller, path, more in elsewhere
    ]
    problems.append(await refused.send(acme.key, "GET", "/roles", {400}, params={"cursor": "made up"}))
    assert {str(without_request(problem.json)) for problem in problems} == {str(without_request(problems[0].json))}


async def test_every_changed_character_of_a_cursor_is_noticed(refused: Refused, acme: Project) -> None:
    cursor = await next_page(acme.key)
    for index in range(0, len(cursor) - 1):
        other = "A" if cursor[index] != "A" else "B"
        changed = cursor[:index] + other + cursor[index + 1 :]
        await refused.send(acme.key, "GET", "/roles", {400}, params={"cursor": changed})


async def test_a_cursor_of_yesterday_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from tocsin.kit import cursors as kit_cursors

    cursors = kit_cursors.Cursors(MasterKey(bytes(32)))
    last = new_id()
    cursor = cursors.seal(b"place", last)
    assert cursors.open(b"place", cursor) == last
    now = kit_cursors.time.time()
    monkeypatch.setattr(kit_cursors.time, "time", lambda: now + CURSOR_LIFETIME_SECONDS + 2)
    with pytest.raises(kit_cursors.BadRequest):
        cursors.open(b"place", cursor)


@pytest.mark.parametrize("path", ["/deliveries", "/notifications"])
@pytest.mark.parametrize("id_", ["1", "a" * 36, NOBODY.upper()])
async def test_a_filter_by_an_id_that_cannot_be_is_a_mistake(refused: Refused, path: str, id_: str) -> None:
    reply = await refused.send(refused.project.key, "GET", path, {422}, params={"userId": id_})
    assert reply.pointers == ["/query/userId"]


@pytest.mark.parametrize("search", ["%", "_", "\\", "%" * 200, "'; --", "ä" * 200, "\u202e"])
async def test_a_search_finds_its_letters_and_is_no_pattern(acme: Project, search: str) -> None:
    found = await acme.key.get("/users", search=search)
    assert (found.status, found.json["items"]) == (200, [])
