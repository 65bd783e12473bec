"""Reading the log: page by page, filtered, one entry, and as a file (section 6, P1)."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from tests.audit.chains import seal
from tests.client import Client, Project, Reply, sign_up
from tests.running import Site
from tocsin.audit import export
from tocsin.kit import spreadsheet
from tocsin.kit.ids import new_id

NOBODY = "00000000-0000-7000-8000-00000000dead"


@pytest.fixture(scope="module")
async def storied(api: Client, site: Site) -> Project:
    """A project with a little of everything in its log."""
    project = await sign_up(api, "Storied")
    await project.key.put("/projects/me", {"description": "by the key"})
    await project.owner.put("/projects/me", {"description": "by the owner"})
    await project.test_key.post("/roles", {"name": "sand"})
    await project.key.post("/roles", {"name": "rock", "description": '=HYPERLINK("http://evil.example")'})
    await seal(site, project)
    return project


async def actions(caller: Client, **filters: Any) -> list[str]:
    reply = await caller.get("/audit", **filters)
    assert reply.status == 200, reply.json
    return [entry["action"] for entry in reply.json["items"]]


async def file_of(caller: Client, **filters: Any) -> Reply:
    reply = await caller.get("/audit/export", **filters)
    assert reply.status == 200, reply.json
    return reply


def table(reply: Reply) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(reply.json.removeprefix("\ufeff"), newline="")))


async def test_the_newest_comes_first_and_both_environments_are_shown(storied: Project) -> None:
    expected = ["role.created", "role.created", "project.updated", "project.updated", "project.created"]
    assert await actions(storied.key) == expected
    assert await actions(storied.test_key) == expected


async def test_an_entry_shows_who_what_and_where_it_stands_in_the_chain(storied: Project) -> None:
    entry = (await storied.key.get("/audit", action="project.updated", actorType="user")).json["items"][0]
    assert entry["actorId"] == storied.signed_up["user"]["id"]
    assert entry["metadata"]["before"]["description"] == "by the key"
    assert entry["metadata"]["after"]["description"] == "by the owner"
    assert (entry["resourceType"], entry["resourceId"]) == ("project", storied.id)
    assert entry["seq"] == 3 and len(entry["hash"]) == 64
    assert entry["ipAddress"] == "127.0.0.1"
    assert (await storied.key.get(f"/audit/{entry['id']}")).json == entry


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"action": "role.created"}, 2),
        ({"action": "role"}, 0),
        ({"env": "test"}, 1),
        ({"actorType": "user"}, 2),
        ({"actorType": "key", "resourceType": "project"}, 1),
        ({"resourceType": "role"}, 2),
        ({"resourceType": "role", "env": "test"}, 1),
        ({"actorId": NOBODY}, 0),
        ({"resourceId": NOBODY}, 0),
    ],
)
async def test_filters(storied: Project, filters: dict[str, str], count: int) -> None:
    assert len(await actions(storied.key, **filters)) == count
    assert len(table(await file_of(storied.key, **filters))) == count


async def test_actor_and_resource_are_found_by_their_ids(storied: Project) -> None:
    owner = storied.signed_up["user"]["id"]
    assert (await actions(storied.key, actorId=owner))[-2:] == ["project.updated", "project.created"]
    assert len(await actions(storied.key, resourceId=storied.id)) == 3


async def test_a_span_of_time_includes_its_beginning_and_not_its_end(storied: Project) -> None:
    entries = (await storied.key.get("/audit", sort="createdAt")).json["items"]
    second = datetime.fromisoformat(entries[1]["timestamp"])
    # What is shown is cut to milliseconds.
    before, after = second, second + timedelta(milliseconds=1)
    inside = {"from": before.isoformat(), "to": after.isoformat()}
    assert entries[1]["id"] in [e["id"] for e in (await storied.key.get("/audit", **inside)).json["items"]]
    later = (await storied.key.get("/audit", **{"from": after.isoformat()})).json["items"]
    assert entries[1]["id"] not in [e["id"] for e in later]
    earlier = (await storied.key.get("/audit", to=before.isoformat())).json["items"]
    assert entries[1]["id"] not in [e["id"] for e in earlier]
    assert await actions(storied.key, to="2026-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "value",
    ["yesterday", "1700000000", "2026-11-21", "2026-11-21T12:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"],
)
async def test_a_time_that_is_none_is_refused(storied: Project, value: str) -> None:
    for path in ("/audit", "/audit/export"):
        reply = await storied.key.get(path, to=value)
        assert reply.status == 422 and reply.pointers == ["/query/to"], reply.json


async def test_pages_lead_through_the_whole_log_once(storied: Project) -> None:
    seen, cursor = [], None
    while True:
        reply = await storied.key.get(
            "/audit", limit=2, resourceType="project", **({"cursor": cursor} if cursor else {})
        )
        seen += [entry["id"] for entry in reply.json["items"]]
        if (cursor := reply.json["nextCursor"]) is None:
            break
    assert len(seen) == len(set(seen)) == 3


async def test_another_project_sees_nothing(storied: Project, rival: Project) -> None:
    entry = (await storied.key.get("/audit")).json["items"][0]
    theirs, nobodys = await rival.key.get(f"/audit/{entry['id']}"), await rival.key.get(f"/audit/{NOBODY}")
    assert theirs.status == nobodys.status == 404
    assert _comparable(theirs) == _comparable(nobodys)
    assert await actions(rival.key, resourceId=storied.id) == []
    assert table(await file_of(rival.key, resourceId=storied.id)) == []
    assert storied.id not in (await file_of(rival.key, format="jsonl")).json


async def test_it_needs_the_permission(storied: Project) -> None:
    _, blind = await storied.new_key("users:read")
    _, auditor = await storied.new_key("audit:read")
    for path in ("/audit", "/audit/export", f"/audit/{NOBODY}"):
        assert (await blind.get(path)).code == "permission_missing"
        assert (await auditor.get(path)).status in (200, 404)
        assert (await storied.app.get(path)).status in (401, 403)


async def test_csv_opens_in_a_spreadsheet_and_runs_nothing(api: Client) -> None:
    project = await sign_up(api, "Formulas")
    await project.key.with_headers(User_Agent="=cmd|' /C calc'!A0").post("/roles", {"name": "evil"})
    reply = await file_of(project.key, action="role.created")
    assert reply.headers["Content-Type"].startswith("text/csv; charset=utf-8")
    assert reply.headers["Content-Disposition"] == f'attachment; filename="audit-{project.slug}.csv"'
    assert reply.json.startswith("\ufeffid,timestamp,env,action,actorType,")
    (row,) = table(reply)
    assert row["userAgent"] == "'=cmd|' /C calc'!A0"
    assert row["action"] == "role.created"
    assert msgspec.json.decode(row["metadata"])["after"]["name"] == "evil"


async def test_jsonl_has_the_same_entries_as_the_list(storied: Project) -> None:
    listed = (await storied.key.get("/audit", resourceType="role")).json["items"]
    reply = await file_of(storied.key, format="jsonl", resourceType="role")
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert [msgspec.json.decode(line) for line in reply.json.splitlines()] == listed


async def test_an_export_of_many_pages_is_complete_and_in_order(api: Client, sql: asyncpg.Connection) -> None:
    project = await sign_up(api, "Long")
    count = export.PAGE * 2 + 7
    await sql.executemany(
        "INSERT INTO tocsin.audit_log (project_id, id, env, action, actor_type, resource_type, resource_id)"
        " VALUES ($1, $2, 'live', 'x.y', 'system', 'x', $3)",
        [(project.id, new_id(), str(number)) for number in range(count)],
    )
    rows = table(await file_of(project.key, action="x.y"))
    assert [int(row["resourceId"]) for row in rows] == list(reversed(range(count)))
    lines = (await file_of(project.key, action="x.y", format="jsonl")).json.splitlines()
    assert len(lines) == count


async def test_an_export_is_on_record(api: Client) -> None:
    project = await sign_up(api, "Exported")
    await file_of(project.owner, format="jsonl")
    (entry,) = (await project.key.get("/audit", action="audit.exported")).json["items"]
    assert entry["actorId"] == project.signed_up["user"]["id"]
    assert entry["metadata"] == {"format": "jsonl"}


async def test_a_strange_format_is_refused(storied: Project) -> None:
    assert (await storied.key.get("/audit/export", format="xlsx")).pointers == ["/query/format"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0"])
def test_what_could_be_a_formula_is_text(start: str) -> None:
    line = spreadsheet.row([f"{start}1+1", "plain", None, -5])
    (row,) = csv.reader(io.StringIO(line, newline=""))
    assert row == [f"'{start}1+1", "plain", "", "-5"]


def test_quotes_commas_and_lines_are_written_as_the_standard_says() -> None:
    assert spreadsheet.row(['say "hi"', "a,b", "two\nlines"]) == '"say ""hi""","a,b","two\nlines"\r\n'


def _comparable(reply: Reply) -> dict[str, Any]:
    return {name: value for name, value in reply.json.items() if name not in ("requestId", "instance")}
