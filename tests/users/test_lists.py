"""Lists in pages: in order, complete, and with cursors that serve nobody else (section 6, P13)."""

import base64

import pytest

from tests.client import Client, Project, Reply, sign_up


@pytest.fixture(scope="module")
async def crowd(api: Client) -> Project:
    """A project with 12 people and its owner."""
    project = await sign_up(api, "Crowd")
    for n in range(12):
        await project.add_user(name=f"Person {n:02}")
    return project


async def cursor_of(project: Project, **params: object) -> str:
    return str((await project.key.get("/users", limit=5, **params)).json["nextCursor"])


@pytest.mark.parametrize("sort", ["createdAt", "-createdAt"])
async def test_pages_are_in_order_and_complete(crowd: Project, sort: str) -> None:
    seen: list[str] = []
    params: dict[str, str] = {"sort": sort, "limit": "5"}
    for expected in (5, 5, 3):
        page = (await crowd.key.get("/users", **params)).json
        assert len(page["items"]) == expected
        seen += [user["createdAt"] + user["id"] for user in page["items"]]
        params["cursor"] = page["nextCursor"]
    assert params["cursor"] is None
    assert len(set(seen)) == 13
    assert seen == sorted(seen, reverse=sort.startswith("-"))


async def test_a_page_that_ends_exactly_has_no_next(crowd: Project) -> None:
    assert (await crowd.key.get("/users", limit=13)).json["nextCursor"] is None


async def test_the_limit_may_change_from_page_to_page(crowd: Project) -> None:
    page = await crowd.key.get("/users", limit=200, cursor=await cursor_of(crowd))
    assert len(page.json["items"]) == 8


async def test_a_cursor_serves_its_own_list_alone(crowd: Project, acme: Project) -> None:
    cursor = await cursor_of(crowd)
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    flipped = [bytes([*raw[:n], raw[n] ^ 1, *raw[n + 1 :]]) for n in (0, 12, 20, len(raw) - 1)]
    refused: list[Reply] = [
        await acme.key.get("/users", cursor=cursor),
        await crowd.test_key.get("/users", cursor=cursor),
        await crowd.key.get("/roles", cursor=cursor),
        await crowd.key.get("/users", cursor=cursor, search="Person"),
        await crowd.key.get("/users", cursor=cursor, sort="createdAt"),
        await crowd.key.get("/users", cursor=cursor, status="active"),
        await crowd.key.get("/users", cursor=""),
        await crowd.key.get("/users", cursor="x"),
        await crowd.key.get("/users", cursor="\u00e4" * 20),
        await crowd.key.get("/users", cursor="A" * 60),
        *[await crowd.key.get("/users", cursor=base64.urlsafe_b64encode(f).decode()) for f in flipped],
    ]
    assert {reply.status for reply in refused} == {400}
    assert len({str({**reply.json, "requestId": None}) for reply in refused}) == 1
    assert (await crowd.key.get("/users", cursor=cursor)).status == 200


async def test_the_owner_may_go_on_with_a_cursor_of_a_key(crowd: Project) -> None:
    assert (await crowd.owner.get("/users", cursor=await cursor_of(crowd))).status == 200


async def test_filters_hold_on_every_page(crowd: Project) -> None:
    cursor = await cursor_of(crowd, search="Person 0")
    page = (await crowd.key.get("/users", search="Person 0", cursor=cursor)).json
    assert [user["name"] for user in page["items"]] == [f"Person {n:02}" for n in (4, 3, 2, 1, 0)]
