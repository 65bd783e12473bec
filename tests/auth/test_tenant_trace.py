"""`TOCSIN_DEBUG_TENANT=1`: every resolution in the log, with its source and without a secret (T6)."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.client import PASSWORD, Client, Project, sign_up
from tests.hosted import BASE, Hosted, at
from tests.operators import operator
from tests.running import Process, running_api, without_sockets


@pytest.fixture(scope="module")
async def traced(hosted: Hosted) -> AsyncIterator[tuple[Process, Client]]:
    settings = {**hosted.site.settings, "TOCSIN_DEBUG_TENANT": "1", "TOCSIN_LOG_FORMAT": "json"}
    with running_api(without_sockets(replace(hosted.site, settings=settings))) as process:
        yield process, Client(hosted.api.http, process.url)


@pytest.fixture(scope="module")
async def acme(hosted: Hosted) -> Project:
    return await sign_up(hosted.api, "Acme")


def told(process: Process, request_id: str) -> list[dict[str, Any]]:
    """What the log says of a request."""
    lines = [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "tenant resolved" and line["request_id"] == request_id]


async def test_a_credentials_project_is_told_with_its_kind(traced: tuple[Process, Client], acme: Project) -> None:
    process, api = traced
    event = {"type": "a", "payload": {}}
    for caller, kind in ((acme.key, "key"), (acme.owner, "user"), (acme.app, "public_key")):
        call = caller.at(api)
        replies = [
            await call.post("/users/register", {}) if kind == "public_key" else await call.post("/events", event)
        ]
        replies += [] if kind == "public_key" else [await call.get("/projects/me")]
        for reply in replies:
            [line] = told(process, reply.headers["X-Request-Id"])
            assert (line["source"], line["project"], line["project_id"]) == (kind, acme.slug, acme.id)


async def test_what_names_the_project_of_a_public_call_is_told(traced: tuple[Process, Client], acme: Project) -> None:
    process, api = traced
    body = {"email": acme.email, "password": PASSWORD}
    replies = {
        "subdomain": await at(api, f"{acme.slug}.{BASE}").post("/auth/login", body),
        "header": await api.post("/auth/login", body, X_Tenant_Id=acme.id),
        "query": await api.send("POST", "/auth/login", body, params={"tenant": acme.slug}),
        "body": await api.post("/auth/login", {**body, "project": acme.slug}),
    }
    for source, reply in replies.items():
        [line] = told(process, reply.headers["X-Request-Id"])
        assert (line["source"], line["project"]) == (source, acme.slug)


async def test_a_visit_is_told_as_one(traced: tuple[Process, Client], hosted: Hosted, acme: Project) -> None:
    process, api = traced
    admin = await operator(hosted.api, hosted.site)
    await admin.client.post(f"/platform/projects/{acme.id}/login-as", {"reason": "Ticket 4711"})
    reply = await admin.inside(acme.slug).at(api).get("/projects/me")
    [line] = told(process, reply.headers["X-Request-Id"])
    assert (line["source"], line["project"]) == ("platform_admin", acme.slug)


async def test_no_secret_is_told(traced: tuple[Process, Client], acme: Project) -> None:
    process, api = traced
    await acme.key.at(api).get("/projects/me")
    text = process.log.read_text()
    for secret in (acme.key.headers["X-API-Secret"], acme.owner.headers["Authorization"], PASSWORD):
        assert secret not in text


async def test_without_the_setting_nothing_is_told(hosted: Hosted, acme: Project) -> None:
    reply = await acme.key.get("/projects/me")
    logs = [path.read_text() for path in hosted.site.home.glob("api-*.log")]
    assert not any("tenant resolved" in text and reply.headers["X-Request-Id"] in text for text in logs)
