"""A project with one object of every kind, full of words that nobody else may ever see."""

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.client import Client, Project, Reply, sign_up
from tests.isolation.matrix.places import Id
from tests.operators import operator
from tests.people import Person, join
from tests.pipeline import Working, send_event, story
from tests.sounds.library import AS_FORM, form
from tocsin.kit.roles import Roles
from tocsin.kit.vault import Vault
from tocsin.mail.printed import printed


@dataclass
class Scene:
    """A project, who calls for it, and the ids of what it has, by kind."""

    project: Project
    working: Working
    mark: str
    """Stands in every text that the project wrote."""
    person: Person
    viewer: Client
    operator: Client
    """A platform admin, of no project."""
    ids: dict[str, str] = field(default_factory=dict)
    hook_url: str = ""
    issuer: str = ""
    """A provider to sign in at."""

    def id(self, kind: str, around: str = "{}") -> Id:
        return Id(self.ids[kind], kind, around)

    def fresh(self, kind: str, made: Any) -> Id:
        """The id of something made to be lost in the call."""
        return Id(made["id"] if isinstance(made, dict) else made, kind)

    @property
    def canaries(self) -> list[str]:
        """What of this project may show in nobody else's answers, but for words that others try to find it by."""
        return [value for kind, value in self.ids.items() if kind != "external id"]

    async def make(self, path: str, body: Any) -> Any:
        return created(await self.project.owner.post(path, body))


async def seeded(working: Working, name: str, hook_url: str, *, traffic: bool = True) -> Scene:
    """Sign a project up and give it one of everything; ``traffic`` needs a worker."""
    mark = f"canary{secrets.token_hex(6)}"
    project = await sign_up(working.api, name)
    scene = Scene(
        project,
        working,
        mark,
        person=await join(working.api, project, name=mark),
        viewer=await _viewer(working.api, project),
        operator=(await operator(working.api, working.site)).client,
        hook_url=hook_url,
    )
    await _people(scene)
    await _rules(scene)
    if traffic:
        await _traffic(scene)
    return scene


async def _people(scene: Scene) -> None:
    project, mark, ids = scene.project, scene.mark, scene.ids
    ids["project"] = project.id
    ids["slug"] = project.slug
    visit = await scene.operator.post(f"/platform/projects/{project.id}/login-as", {"reason": mark})
    ids["visit"] = created(visit)["id"]
    ids["key"] = project.signed_up["apiKeys"]["live"]["id"]
    ids["role"] = (await scene.make("/roles", {"name": mark, "permissions": ["users:read"]}))["id"]
    ids["role name"] = mark
    ids["user"] = scene.person.id
    (session,) = (await project.owner.get(f"/users/{ids['user']}/sessions")).json["items"]
    ids["session"] = session["id"]
    ids["external id"] = scene.person.external_id
    ids["pending"] = await pending(scene)
    path = f"/users/{scene.person.id}/addresses"
    address = await scene.make(path, {"channel": "email", "value": f"{mark}@example.com"})
    ids["address"] = address["id"]
    invited = await scene.make("/invites", {"email": f"invited-{mark}@example.com", "roles": [mark]})
    ids["invite"] = invited["id"]
    ids["mail"] = (await mailed(scene, f"invited-{mark}@example.com"))["id"]


async def _rules(scene: Scene) -> None:
    hook = {"provider": "webhook", "name": scene.mark, "settings": {"url": scene.hook_url}}
    scene.ids["connection"] = (await scene.make("/connections", hook))["id"]
    topics = {"provider": "ntfy", "name": scene.mark, "settings": {"url": scene.hook_url, "topic": "alerts"}}
    scene.ids["topics"] = (await scene.make("/connections", topics))["id"]
    named = {"name": "orders", "address": "orders"}
    scene.ids["destination"] = (await scene.make(f"/connections/{scene.ids['topics']}/destinations", named))["id"]
    number = {"provider": "whatsapp", "name": scene.mark, "settings": {"phoneNumberId": "1065403522"}}
    number["credentials"] = {"accessToken": f"token of {scene.mark}"}
    scene.ids["number"] = (await scene.make("/connections", number))["id"]
    app = {"name": scene.mark, "appSecret": f"secret of {scene.mark} 0123456789"}
    scene.ids["meta app"] = (await scene.make("/meta-apps", app))["id"]
    scene.ids["webhook endpoint"] = (await scene.make("/webhook-endpoints", listening(scene)))["id"]
    scene.ids["webhook message"] = await webhook_message(scene)
    scene.ids["sound name"] = f"sound_{secrets.token_hex(4)}"
    uploaded = await scene.project.owner.send("POST", "/sounds", form(scene.ids["sound name"]), headers=AS_FORM)
    scene.ids["sound"] = created(uploaded)["id"]
    scene.ids["rule"] = (await scene.make("/rules", rule(scene)))["id"]
    declared = {"name": "order.created", "description": scene.mark, "schema": {"type": "object"}, "mode": "reject"}
    scene.ids["event type"] = (await scene.make("/event-types", declared))["id"]
    scene.ids["template"] = (await worded(scene))["id"]
    (entry,) = (await scene.project.owner.get("/audit", action="rule.created")).json["items"]
    scene.ids["audit"] = entry["id"]


async def _traffic(scene: Scene) -> None:
    """An event that was heard, and a delivery that was given up."""
    event = await send_event(scene.project.key, "order.created", note=scene.mark)
    told = await story(scene.project.key, event)
    scene.ids["event"], (scene.ids["notification"],) = event, told["notifications"]
    sql = scene.working.sql
    scene.ids["delivery"] = await delivery(scene)
    async with asyncio.timeout(10):
        while await sql.fetchval(
            "SELECT count(*) FROM tocsin.deliveries WHERE project_id = $1 AND state IN ('queued', 'leased')",
            scene.project.id,
        ):
            await asyncio.sleep(0.05)


async def delivery(scene: Scene) -> str:
    """A delivery that ended badly, so that it can be tried again."""
    sql = scene.working.sql
    found = (
        "SELECT id FROM tocsin.deliveries WHERE notification_id = $1 AND channel = 'webhook' AND state = 'delivered'"
    )
    async with asyncio.timeout(10):
        while (id_ := await sql.fetchval(found, scene.ids["notification"])) is None:
            await asyncio.sleep(0.05)
    await sql.execute("UPDATE tocsin.deliveries SET state = 'failed', last_error = $2 WHERE id = $1", id_, scene.mark)
    return str(id_)


async def pending(scene: Scene) -> str:
    """Somebody who registered alone and waits."""
    email = f"{secrets.token_hex(4)}-{scene.mark}@example.com"
    reply = await scene.project.app.post("/users/register", {"email": email})
    assert reply.status == 201, reply.json
    (found,) = (await scene.project.owner.get("/users", search=email)).json["items"]
    return str(found["id"])


async def mailed(scene: Scene, recipient: str, kind: str = "invitation") -> Any:
    """The newest mail of a kind to somebody, once it is written."""
    async with asyncio.timeout(60):
        while True:
            mails = (await scene.project.owner.get("/mails", limit=200)).json["items"]
            for mail in mails:
                if (mail["recipient"], mail["kind"]) == (recipient, kind):
                    return mail
            await asyncio.sleep(0.1)


async def link(scene: Scene, recipient: str, kind: str = "invitation") -> str:
    """The token of such a mail, as an operator would pass it on: no mail server is set here."""
    site = scene.working.site
    mail = await mailed(scene, recipient, kind)
    shown = await printed(site.installer_url, Roles(), Vault(site.master), UUID(mail["id"]))
    assert shown is not None and shown.url is not None
    return shown.url.partition("#token=")[2]


def listening(scene: Scene) -> dict[str, Any]:
    """An endpoint for what does not happen meanwhile."""
    return {"url": scene.hook_url, "eventTypes": ["quota.exceeded"], "description": scene.mark}


async def webhook_message(scene: Scene) -> str:
    """A message that came to its end."""
    reply = await scene.project.owner.post(f"/webhook-endpoints/{scene.ids['webhook endpoint']}/test")
    assert reply.status == 200, reply.json
    return str(reply.json["logId"])


def wording(scene: Scene, **fields: Any) -> dict[str, Any]:
    words = {"subject": f"{scene.mark} {{{{ payload.note }}}}", "body": scene.mark}
    return {"kind": "notification", "name": "orders", "language": "de", **words, **fields}


async def worded(scene: Scene, **fields: Any) -> Any:
    reply = await scene.project.owner.put("/templates", wording(scene, **fields))
    assert reply.status == 200, reply.json
    return reply.json


def rule(scene: Scene, **fields: Any) -> dict[str, Any]:
    """A rule that names whatever a rule can name."""
    return {
        "name": f"{scene.mark} {secrets.token_hex(3)}",
        "eventTypes": ["order.created"],
        "title": f"{scene.mark} {{{{ payload.note }}}}",
        "targetUsers": [scene.id("user")],
        "channels": ["realtime", "webhook"],
        **fields,
    }


async def _viewer(api: Client, project: Project) -> Client:
    """Somebody who was promoted after they signed in."""
    somebody = await join(api, project)
    reply = await project.owner.put(f"/users/{somebody.id}", {"roles": ["viewer"]})
    assert reply.status == 200, reply.json
    return somebody.client


def created(reply: Reply) -> Any:
    assert reply.status == 201, reply.json
    return reply.json
