"""What a project's own Pusher app hears besides notifications: the same channels and events as our sockets (W3)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pusher.signature import sign

from tests.channels.far_end import Asked, FarEnd, answering
from tests.client import Project, sign_up
from tests.connections.build import created, make_hook
from tests.pipeline import Working, ended, make_rule, notified, send_event, until
from tocsin.realtime.hosted import EVERY_SECONDS

SECRET = "canary-of-a-hosted-app"


@dataclass
class Hosted:
    """A project whose people are on an app elsewhere, and what that app is sent."""

    project: Project
    far: FarEnd
    ann: Any

    @property
    def events(self) -> list[tuple[str, str, Any]]:
        """Name, channel and data of each event, in order."""
        told = []
        for asked in self.far.asked:
            if asked.method == "POST":
                body = asked.json
                for each in body.get("batch", [body]):
                    channels = each.get("channels") or [each["channel"]]
                    told += [(each["name"], channel, json.loads(each["data"])) for channel in channels]
        return told

    async def heard(self, name: str, channel: str, **wanted: Any) -> Any:
        """The data of the first such event."""

        async def look() -> Any:
            for event, where, data in self.events:
                if (event, where) == (name, channel) and wanted.items() <= data.items():
                    return data
            return None

        return await until(look, 25)

    @property
    def anns(self) -> str:
        return f"private-user-{self.ann['id']}"

    @property
    def panel(self) -> str:
        return f"private-project-{self.project.id}"


@asynccontextmanager
async def hosted(working: Working, name: str) -> AsyncIterator[Hosted]:
    project = await sign_up(working.api, name)
    ann = await project.add_user()
    async with answering(200, "{}") as far:
        body = {
            "provider": "pusher",
            "name": "our app",
            "settings": {"appId": "1001", "key": "app-key", "url": far.url},
            "credentials": {"secret": SECRET},
        }
        made = created(await project.owner.post("/connections", body))
        assert (await project.owner.post(f"/connections/{made['id']}/verify", {})).status == 200
        await make_rule(project, "pusher", targetUsers=[ann["id"]], requireAck=True)
        there = Hosted(project, far, ann)
        await listened_to(there)
        yield there


async def listened_to(there: Hosted) -> None:
    """Once something of the project's activity has come through, everything from now on will."""

    async def told() -> bool:
        event_id = await send_event(there.project.key)
        await ended(there.project.key, event_id, "pusher")
        return any(channel == there.panel for _, channel, _ in there.events)

    await until(told, 25)


def signed(asked: Asked) -> bool:
    query = "&".join(f"{name}={asked.query[name]}" for name in sorted(asked.query) if name != "auth_signature")
    return str(sign(SECRET, f"{asked.method}\n{asked.path}\n{query}")) == asked.query["auth_signature"]


async def test_an_acknowledgement_is_told_to_whoever_was_sent_the_notification(working: Working) -> None:
    async with hosted(working, "Shop") as shop, hosted(working, "Rival") as rival:
        bystander = await shop.project.add_user()
        told = await notified(shop.project.key, await send_event(shop.project.key))
        await shop.heard("notification.created", shop.anns, id=told["id"])
        summary = await shop.heard("notification.created", shop.panel, id=told["id"])
        assert summary["recipients"] == 1
        assert (await shop.project.owner.put(f"/notifications/{told['id']}/acknowledge")).status == 200
        acknowledged = await shop.heard("notification.acknowledged", shop.anns, id=told["id"])
        assert [each["via"] for each in acknowledged["acknowledgedBy"]] == ["panel"]
        assert bystander["id"] not in str(shop.events) and shop.project.id not in str(rival.events)
        assert all(signed(asked) for asked in shop.far.asked)


async def test_the_status_of_a_connection_is_told_to_its_owner(working: Working) -> None:
    async with hosted(working, "Shop") as shop:
        hook = await make_hook(shop.project.owner)
        reply = await shop.project.owner.send("PATCH", f"/connections/{hook['id']}/suspend", {"reason": "trial"})
        assert reply.status == 200, reply.json
        told = await shop.heard("connection.status_changed", shop.panel, id=hook["id"])
        assert (told["status"], told["statusReason"]) == ("suspended", "trial")


async def test_what_happens_while_the_app_is_paused_is_told_afterwards(working: Working) -> None:
    async with hosted(working, "Shop") as shop:
        told = await notified(shop.project.key, await send_event(shop.project.key))
        await shop.heard("notification.created", shop.panel, id=told["id"])
        # Longer than it takes to look who has an app: those who are left out then hear nothing.
        await working.sql.execute(
            "UPDATE tocsin.connections SET status = 'rate_limited', paused_until = now() + $2::interval"
            " WHERE project_id = $1 AND provider = 'pusher'",
            shop.project.id,
            timedelta(seconds=EVERY_SECONDS + 3),
        )
        asked = len(shop.far.asked)
        assert (await shop.project.owner.put(f"/notifications/{told['id']}/acknowledge")).status == 200
        await asyncio.sleep(EVERY_SECONDS)
        assert len(shop.far.asked) == asked
        await shop.heard("notification.acknowledged", shop.anns, id=told["id"])


async def test_a_repeat_is_one_there_too(working: Working) -> None:
    async with hosted(working, "Shop") as shop:
        repeat = {"everySeconds": 30, "maxTimes": 2}
        await make_rule(
            shop.project,
            "pusher",
            eventTypes=["door.open"],
            targetUsers=[shop.ann["id"]],
            requireAck=True,
            repeat=repeat,
        )
        event_id = await send_event(shop.project.key, "door.open")
        told = await sent_twice(working, shop, event_id)
        assert (await shop.heard("notification.repeated", shop.anns, id=told))["requireAck"] is True


async def sent_twice(working: Working, shop: Hosted, event_id: str) -> Any:
    """The id of the insisting one of an event's notifications, whose first repeat is due now."""

    async def look() -> Any:
        return await working.sql.fetchval(
            "UPDATE tocsin.insistences i SET repeats_at = now(), due_at = now() FROM tocsin.notifications n"
            " WHERE n.project_id = i.project_id AND n.id = i.notification_id AND n.event_id = $1"
            " AND EXISTS (SELECT FROM tocsin.deliveries d WHERE d.notification_id = n.id AND d.state = 'sent')"
            " RETURNING n.id",
            event_id,
        )

    return str(await until(look))


async def test_an_app_that_refuses_the_secret_stops_its_connection(working: Working) -> None:
    async with hosted(working, "Shop") as shop:
        hook = await make_hook(shop.project.owner)
        shop.far.status = 401
        await shop.project.owner.send("PATCH", f"/connections/{hook['id']}/suspend", {"reason": "trial"})

        async def stopped() -> bool:
            found = (await shop.project.owner.get("/connections", limit=200)).json["items"]
            return any(each["provider"] == "pusher" and each["status"] == "error" for each in found)

        await until(stopped)


async def test_the_sandbox_tells_nobody_outside(working: Working) -> None:
    async with hosted(working, "Shop") as shop:
        told = await notified(shop.project.test_key, await send_event(shop.project.test_key, "sandbox.only"))
        await listened_to_again(shop)
        assert told["id"] not in str(shop.events)


async def listened_to_again(shop: Hosted) -> None:
    """What was said before a later event had been heard."""
    told = await notified(shop.project.key, await send_event(shop.project.key, "later.on"))
    await shop.heard("notification.created", shop.panel, id=told["id"])
