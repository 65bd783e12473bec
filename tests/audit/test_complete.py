"""No operation changes anything without an entry in the log, with what was before and after (section 5).

An operation that is new in the document fails here until it says what it records, or why it records nothing.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.client import PASSWORD, Project, Reply, sign_up
from tests.connections.build import LOGIN, MAIL, make_hook
from tests.contract.endpoints import ALL
from tests.endpoint import Answer, endpoint
from tests.people import join
from tests.pipeline import Working, ended, make_rule, notified, send_event

CANARY = "canary-Qm41-never-to-be-seen"
BEFORE, AFTER = {"before"}, {"after"}
BOTH = BEFORE | AFTER


@dataclass
class Scene:
    """A project and the installation it is in."""

    working: Working
    project: Project

    async def made(self, path: str, body: Any = None) -> Any:
        reply = await self.project.key.post(path, body)
        assert reply.status in (200, 201), reply.json
        return reply.json


@dataclass(frozen=True)
class Change:
    """What an operation records (exactly these words), and how to do it once, successfully."""

    action: str
    holds: set[str]
    do: Callable[[Scene], Awaitable[Reply]]


async def sign_up_anew(scene: Scene) -> Reply:
    body = {"email": "new@signed.example", "password": PASSWORD, "projectName": "Signed", "slug": "signed-anew"}
    return await scene.working.api.post("/signup", body)


async def create_connection(scene: Scene) -> Reply:
    body = {"provider": "smtp", "name": "Mail", "settings": MAIL, "credentials": {**LOGIN, "password": CANARY}}
    return await scene.project.key.post("/connections", body)


async def change_connection(scene: Scene) -> Reply:
    made = await create_connection(scene)
    return await scene.project.key.put(f"/connections/{made.json['id']}", {"credentials": {"password": CANARY + "2"}})


async def delete_connection(scene: Scene) -> Reply:
    made = await create_connection(scene)
    return await scene.project.key.delete(f"/connections/{made.json['id']}")


async def rotate_connection(scene: Scene) -> Reply:
    made = await make_hook(scene.project.key)
    return await scene.project.key.post(f"/connections/{made['id']}/rotate")


async def verify_connection(scene: Scene) -> Reply:
    async with endpoint(Answer(200)) as served:
        made = await served.connect(scene.project)
        return await scene.project.key.post(f"/connections/{made['id']}/verify")


async def retry_delivery(scene: Scene) -> Reply:
    async with endpoint(Answer(410)) as served:
        await served.connect(scene.project)
        await make_rule(scene.project, "webhook")
        failed = await ended(scene.project.key, await send_event(scene.project.key))
    return await scene.project.key.post(f"/deliveries/{failed['id']}/retry")


async def acknowledge(scene: Scene) -> Reply:
    ann = await join(scene.working.api, scene.project)
    await make_rule(scene.project, "realtime", targetUsers=[ann.id])
    made = await notified(scene.project.key, await send_event(scene.project.key))
    return await ann.client.put(f"/notifications/{made['id']}/acknowledge")


async def change_project(scene: Scene) -> Reply:
    return await scene.project.key.put("/projects/me", {"name": "Renamed"})


async def create_key(scene: Scene) -> Reply:
    return await scene.project.owner.post("/projects/me/api-keys", {"name": "k", "permissions": []})


async def revoke_key(scene: Scene) -> Reply:
    made = await create_key(scene)
    return await scene.project.owner.delete(f"/projects/me/api-keys/{made.json['id']}")


async def update_key(scene: Scene) -> Reply:
    made = await create_key(scene)
    return await scene.project.owner.put(f"/projects/me/api-keys/{made.json['id']}", {"name": "renamed"})


async def rotate_key(scene: Scene) -> Reply:
    made = await create_key(scene)
    return await scene.project.owner.post(f"/projects/me/api-keys/{made.json['id']}/rotate", {})


async def rotate_identity_secret(scene: Scene) -> Reply:
    return await scene.project.owner.post("/projects/me/identity-secrets/rotate", {"env": "live"})


async def rotate_realtime_secret(scene: Scene) -> Reply:
    return await scene.project.owner.post("/projects/me/realtime/rotate", {"env": "live"})


async def update_settings(scene: Scene) -> Reply:
    return await scene.project.owner.put("/projects/me/settings", {"timezone": "Europe/Vienna"})


async def create_role(scene: Scene) -> Reply:
    return await scene.project.key.post("/roles", {"name": "audited"})


async def change_role(scene: Scene) -> Reply:
    made = await scene.made("/roles", {"name": "audited"})
    return await scene.project.key.put(f"/roles/{made['id']}", {"description": "changed"})


async def delete_role(scene: Scene) -> Reply:
    made = await scene.made("/roles", {"name": "audited"})
    return await scene.project.key.delete(f"/roles/{made['id']}")


RULE = {"name": "Audited", "eventTypes": ["*"], "title": "Hello", "channels": ["realtime"]}


async def create_rule(scene: Scene) -> Reply:
    return await scene.project.key.post("/rules", RULE)


async def change_rule(scene: Scene) -> Reply:
    made = await scene.made("/rules", RULE)
    return await scene.project.key.put(f"/rules/{made['id']}", {"title": "Changed"})


async def delete_rule(scene: Scene) -> Reply:
    made = await scene.made("/rules", RULE)
    return await scene.project.key.delete(f"/rules/{made['id']}")


async def create_user(scene: Scene) -> Reply:
    return await scene.project.key.post("/users", {"name": "Audited"})


async def change_user(scene: Scene) -> Reply:
    made = await scene.project.add_user()
    return await scene.project.key.put(f"/users/{made['id']}", {"name": "Changed"})


async def delete_user(scene: Scene) -> Reply:
    made = await scene.project.add_user()
    return await scene.project.key.delete(f"/users/{made['id']}")


async def sync_users(scene: Scene) -> Reply:
    return await scene.project.key.post("/users/sync", {"users": [{"externalUserId": "s"}]})


async def register_user(scene: Scene) -> Reply:
    return await scene.project.app.post("/users/register", {"externalUserId": "r"})


async def approve_user(scene: Scene) -> Reply:
    await register_user(scene)
    (pending,) = (await scene.project.key.get("/users", externalUserId="r")).json["items"]
    return await scene.project.key.post(f"/users/{pending['id']}/approve")


async def add_address(scene: Scene) -> Reply:
    made = await scene.project.add_user()
    return await scene.project.key.post(f"/users/{made['id']}/addresses", {"channel": "sms", "value": "1"})


async def delete_address(scene: Scene) -> Reply:
    added = await add_address(scene)
    user = (await scene.project.key.get("/users")).json["items"][0]
    return await scene.project.key.delete(f"/users/{user['id']}/addresses/{added.json['id']}")


RECORDED: dict[str, Change] = {
    "sign_up": Change("project.created", AFTER, sign_up_anew),
    "create_connection": Change("connection.created", AFTER, create_connection),
    "change_connection": Change("connection.updated", BOTH, change_connection),
    "delete_connection": Change("connection.deleted", BEFORE, delete_connection),
    "rotate_connection": Change("connection.rotated", BOTH, rotate_connection),
    "verify_connection": Change("connection.verified", BOTH, verify_connection),
    "retry_delivery": Change("delivery.retried", BOTH, retry_delivery),
    "acknowledge_notification": Change("notification.acknowledged", {"userId", "via"}, acknowledge),
    "change_project": Change("project.updated", BOTH, change_project),
    "create_key": Change("key.created", AFTER, create_key),
    "revoke_key": Change("key.revoked", BEFORE, revoke_key),
    "update_key": Change("key.updated", BOTH, update_key),
    "rotate_key": Change("key.rotated", BOTH, rotate_key),
    "rotate_identity_secret": Change("identity_secret.rotated", AFTER, rotate_identity_secret),
    "rotate_realtime_secret": Change("realtime_app.rotated", AFTER, rotate_realtime_secret),
    "update_settings": Change("settings.updated", BOTH, update_settings),
    "create_role": Change("role.created", AFTER, create_role),
    "change_role": Change("role.updated", BOTH, change_role),
    "delete_role": Change("role.deleted", BEFORE, delete_role),
    "create_rule": Change("rule.created", AFTER, create_rule),
    "change_rule": Change("rule.updated", BOTH, change_rule),
    "delete_rule": Change("rule.deleted", BEFORE, delete_rule),
    "create_user": Change("user.created", AFTER, create_user),
    "change_user": Change("user.updated", BOTH, change_user),
    "delete_user": Change("user.deleted", BEFORE, delete_user),
    "sync_users": Change("users.synced", {"created", "updated", "users"}, sync_users),
    "register_user": Change("user.registered", AFTER, register_user),
    "approve_user": Change("user.approved", BOTH, approve_user),
    "add_address": Change("address.created", AFTER, add_address),
    "delete_address": Change("address.deleted", BEFORE, delete_address),
    "export_audit": Change("audit.exported", {"format"}, lambda scene: scene.project.key.get("/audit/export")),
}

TELLS_ITSELF = {
    "send_event": "an event is kept as it was sent, with all that became of it",
    "send_events": "an event is kept as it was sent, with all that became of it",
    "sign_in": "a session says who, when and from where",
    "refresh_tokens": "a session says when it was used last",
    "sign_out": "a session says when and why it ended",
    "claim_registration": "it begins a session, which says so",
    "authorize_socket": "it changes nothing",
    "test_rule": "it changes nothing",
    "test_rule_draft": "it changes nothing",
}
"""Operations without an entry, and where else it is told."""


@pytest.fixture
async def scene(working: Working) -> Scene:
    return Scene(working, await sign_up(working.api, "Complete"))


def test_every_operation_that_changes_something_says_what_it_records() -> None:
    changing = {str(operation) for operation in ALL if operation.method != "GET"}
    assert changing <= set(RECORDED) | set(TELLS_ITSELF)
    assert set(RECORDED) | set(TELLS_ITSELF) <= {str(operation) for operation in ALL}
    assert not set(RECORDED) & set(TELLS_ITSELF)


@pytest.mark.parametrize("operation", RECORDED)
async def test_a_change_is_recorded_by_itself_alone_with_both_its_sides(scene: Scene, operation: str) -> None:
    change = RECORDED[operation]
    reply = await change.do(scene)
    assert reply.status < 300, reply.json
    rows = await scene.working.sql.fetch(
        "SELECT * FROM tocsin.audit_log WHERE request_id = $1", reply.headers["X-Request-Id"]
    )
    assert [row["action"] for row in rows] == [change.action]
    details = json.loads(rows[0]["metadata"])
    assert set(details) == change.holds
    assert change.holds != BOTH or details["before"] != details["after"]
    assert rows[0]["actor_id"] and rows[0]["ip_address"] == "127.0.0.1"


async def test_no_secret_reaches_the_log(scene: Scene) -> None:
    shown = []
    for change in RECORDED.values():
        if change.do is not sign_up_anew:
            project = await sign_up(scene.working.api, "Canary")
            reply = await change.do(Scene(scene.working, project))
            shown += [project.signed_up["apiKeys"]["live"]["secret"], project.signed_up["tokens"]["refreshToken"]]
            shown += [reply.json["secret"]] if isinstance(reply.json, dict) and reply.json.get("secret") else []
    rows = await scene.working.sql.fetch("SELECT a::text AS row FROM tocsin.audit_log a")
    written = "\n".join(row["row"] for row in rows)
    assert "connection.rotated" in written
    for secret in (CANARY, PASSWORD, "whsec_", "rt_", "$argon2", "$2b$", *shown):
        assert secret not in written
    assert len(shown) > 50
