"""Settings of the installation while it runs (P2): whose word counts, and that it counts on every process."""

from typing import Any

import pytest

from tests.client import PASSWORD
from tests.platform.conftest import TwoProcesses

SIGNUP = {"email": "new@settings.example", "password": PASSWORD, "projectName": "New"}


async def test_a_setting_says_whose_word_it_is(two_processes: TwoProcesses) -> None:
    admin, _ = two_processes
    shown = (await admin.client.get("/platform/settings")).json
    assert shown["signup"] == {"value": "open", "source": "default"}
    assert shown["defaultPlan"] == {"value": "starter", "source": "environment"}
    assert shown["announcement"] == {"value": None, "source": "default"}
    changed = (await admin.client.put("/platform/settings", {"defaultPlan": "professional"})).json
    assert changed["defaultPlan"] == {"value": "professional", "source": "platform"}
    back = (await admin.client.put("/platform/settings", {"defaultPlan": None})).json
    assert back["defaultPlan"] == {"value": "starter", "source": "environment"}


async def test_the_plan_of_a_new_project_follows_on_every_process(two_processes: TwoProcesses) -> None:
    admin, elsewhere = two_processes
    assert (await elsewhere.post("/signup", SIGNUP)).json["project"]["plan"] == "starter"
    await admin.client.put("/platform/settings", {"defaultPlan": "free"})
    assert (await elsewhere.post("/signup", SIGNUP)).json["project"]["plan"] == "free"
    made = await admin.client.post("/platform/projects", {"name": "X", "ownerEmail": "x@settings.example"})
    assert made.json["project"]["plan"] == "free"
    await admin.client.put("/platform/settings", {"defaultPlan": None})


@pytest.mark.parametrize(("signup", "code"), [("closed", "signup_closed"), ("invite", "signup_by_invitation")])
async def test_a_closed_door_is_closed_on_every_process(two_processes: TwoProcesses, signup: str, code: str) -> None:
    admin, elsewhere = two_processes
    await admin.client.put("/platform/settings", {"signup": signup})
    refused = await elsewhere.post("/signup", SIGNUP)
    assert (refused.status, refused.code) == (403, code)
    made = await admin.client.post("/platform/projects", {"name": "X", "ownerEmail": "x@settings.example"})
    assert made.status == 201, "the operator still makes projects"
    await admin.client.put("/platform/settings", {"signup": None})
    assert (await elsewhere.post("/signup", SIGNUP)).status == 201


async def test_strangers_see_what_concerns_them(two_processes: TwoProcesses) -> None:
    admin, elsewhere = two_processes
    words = {"announcement": "Down on Sunday.", "supportEmail": "help@settings.example"}
    await admin.client.put("/platform/settings", words)
    assert (await elsewhere.get("/platform/about")).json == {"signup": "open", **words}
    await admin.client.put("/platform/settings", {"announcement": None})
    assert (await elsewhere.get("/platform/about")).json["announcement"] is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"signup": "sometimes"}, "/signup"),
        ({"supportEmail": "nobody"}, "/supportEmail"),
        ({"announcement": "x" * 2_001}, "/announcement"),
        ({"defaultPlan": ""}, "/defaultPlan"),
        ({"masterKey": "x"}, "/masterKey"),
    ],
)
async def test_nonsense_is_named_and_changes_nothing(two_processes: TwoProcesses, body: Any, pointer: str) -> None:
    admin, _ = two_processes
    before = (await admin.client.get("/platform/settings")).json
    reply = await admin.client.put("/platform/settings", body)
    assert (reply.status, reply.pointers) == (422, [pointer])
    assert (await admin.client.get("/platform/settings")).json == before


async def test_a_change_is_on_the_record(two_processes: TwoProcesses) -> None:
    admin, _ = two_processes
    await admin.client.put("/platform/settings", {"announcement": "Hello."})
    (newest, *_) = (await admin.client.get("/platform/audit", action="settings.updated")).json["items"]
    assert newest["metadata"]["after"]["announcement"] == "Hello."
    assert newest["actorId"] == admin.id
