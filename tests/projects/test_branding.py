"""How a project looks and how long it keeps what: its own, checked, and on its record (P4)."""

import json
from typing import Any

import asyncpg
import pytest

from tests.client import Client, Project, sign_up

LOOK = {
    "logoUrl": "https://cdn.client.com/logo.svg",
    "favicon": "https://cdn.client.com/favicon.ico",
    "brandColor": "#1A73E8",
    "accent": "#FF8800",
    "customCss": ".brand-button { color: red; }",
    "emailFooter": "Client Ltd, Main Street 1",
}
PATHS = ["/projects/me/branding", "/projects/me/compliance"]


@pytest.fixture
async def fresh(api: Client) -> Project:
    return await sign_up(api, "Fresh")


async def test_a_look_is_kept_as_it_was_given(fresh: Project) -> None:
    reply = await fresh.owner.put("/projects/me/branding", LOOK)
    assert (reply.status, reply.json) == (200, {**LOOK, "customDomain": None})
    assert (await fresh.key.get("/projects/me/branding")).json == reply.json


async def test_what_is_left_out_stays_and_null_clears(fresh: Project) -> None:
    await fresh.owner.put("/projects/me/branding", LOOK)
    shown = (await fresh.owner.put("/projects/me/branding", {"accent": "#000000", "logoUrl": None})).json
    assert shown == {**LOOK, "accent": "#000000", "logoUrl": None, "customDomain": None}


@pytest.mark.parametrize("path", PATHS)
async def test_one_projects_words_are_not_anothers(acme: Project, rival: Project, path: str) -> None:
    untouched = (await rival.owner.get(path)).json
    body = LOOK if path.endswith("branding") else {"gdprContact": {"email": "privacy@acme.example"}}
    assert (await acme.owner.put(path, body)).status == 200
    assert (await rival.owner.get(path)).json == untouched
    assert (await acme.owner.get(path)).json != untouched


@pytest.mark.parametrize("path", PATHS)
async def test_changing_needs_project_manage(acme: Project, path: str) -> None:
    _, reader = await acme.new_key("project:read")
    assert (await reader.get(path)).status == 200
    assert (await reader.put(path, {})).code == "permission_missing"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("logoUrl", "http://cdn.client.com/logo.svg"),
        ("logoUrl", "javascript:alert(1)"),
        ("logoUrl", "data:image/svg+xml,<svg/>"),
        ("logoUrl", "//cdn.client.com/logo.svg"),
        ("logoUrl", "https://user:secret@cdn.client.com/logo.svg"),
        ("logoUrl", "https://"),
        ("logoUrl", "https://[::1"),
        ("logoUrl", "https://a.example/" + "a" * 2_000),
        ("logoUrl", ""),
        ("favicon", "ftp://a.example/f.ico"),
        ("brandColor", "red"),
        ("brandColor", "#12345"),
        ("brandColor", "#1234567"),
        ("brandColor", "#12345G"),
        ("accent", "#12345\n"),
        ("emailFooter", "a" * 2_001),
        ("emailFooter", "a\0"),
        ("customCss", "body { color: red; }"),
        ("customDomain", "alerts.client.com"),
    ],
)
async def test_a_look_that_could_do_harm_is_refused(acme: Project, field: str, value: str) -> None:
    reply = await acme.owner.put("/projects/me/branding", {field: value})
    assert (reply.status, reply.pointers) == (422, [f"/{field}"])


async def test_what_is_wrong_in_a_style_sheet_is_named_with_its_line(acme: Project) -> None:
    css = ".brand-a { color: red; }\n.brand-b { position: fixed; }"
    reply = await acme.owner.put("/projects/me/branding", {"customCss": css})
    [error] = reply.json["errors"]
    assert (reply.code, error["code"], error["line"], error["column"]) == ("invalid_css", "css_property", 2, 12)


async def test_retention_is_kept_by_kind_within_its_bounds(fresh: Project) -> None:
    path = "/projects/me/compliance"
    assert (await fresh.owner.get(path)).json == {
        "retentionDays": {"events": None, "notifications": None, "deliveries": None, "audit": None},
        "gdprContact": None,
    }
    await fresh.owner.put(path, {"retentionDays": {"events": 30, "audit": 730}})
    contact = {"email": "privacy@client.com", "name": "Ann"}
    shown = (
        await fresh.owner.put(path, {"retentionDays": {"events": None, "deliveries": 90}, "gdprContact": contact})
    ).json
    assert shown == {
        "retentionDays": {"events": None, "notifications": None, "deliveries": 90, "audit": 730},
        "gdprContact": contact,
    }


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"retentionDays": {"events": 6}}, "/retentionDays/events"),
        ({"retentionDays": {"events": 3651}}, "/retentionDays/events"),
        ({"retentionDays": {"notifications": "30"}}, "/retentionDays/notifications"),
        ({"retentionDays": {"deliveries": 30.5}}, "/retentionDays/deliveries"),
        ({"retentionDays": {"audit": 364}}, "/retentionDays/audit"),
        ({"retentionDays": {"messages": 30}}, "/retentionDays/messages"),
        ({"gdprContact": {"email": "nobody"}}, "/gdprContact/email"),
        ({"gdprContact": {"name": "Ann"}}, "/gdprContact/email"),
    ],
)
async def test_what_is_no_compliance_is_named(acme: Project, body: Any, pointer: str) -> None:
    reply = await acme.owner.put("/projects/me/compliance", body)
    assert (reply.status, reply.pointers) == (422, [pointer])


@pytest.mark.parametrize(
    ("path", "action", "one", "two"),
    [
        ("branding", "branding.updated", {"accent": "#111111"}, {"accent": "#222222"}),
        ("compliance", "compliance.updated", {"retentionDays": {"events": 7}}, {"retentionDays": {"events": 8}}),
    ],
)
async def test_a_change_is_recorded_with_before_and_after(
    fresh: Project, sql: asyncpg.Connection, path: str, action: str, one: Any, two: Any
) -> None:
    shown = [(await fresh.owner.put(f"/projects/me/{path}", body)).json for body in (one, two)]
    rows = await sql.fetch(
        "SELECT metadata FROM tocsin.audit_log WHERE project_id = $1 AND action = $2 ORDER BY id", fresh.id, action
    )
    assert json.loads(rows[1]["metadata"]) == {"before": shown[0], "after": shown[1]}
