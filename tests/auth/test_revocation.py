"""Trust that is taken back is gone on every process: for calls, and for sockets that stand on it (A1, A3, P19, T5).

Each test revokes at one process what is in use at the other, with Redis, without it, and without it while the
connection that carries messages between the processes has just been cut.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.auth.two import Two, becomes, listening, socket
from tests.client import PASSWORD, Client, Project, sign_up
from tests.people import join
from tests.running import Site
from tocsin.auth.keys import Credentials
from tocsin.auth.revocation import RevocationWatch, revoke
from tocsin.kit.db import Database
from tocsin.kit.ids import new_id


@pytest.fixture
async def acme(two: Two) -> Project:
    return await sign_up(two.here, "Acme")


async def test_a_session_that_signs_out_takes_its_sockets_along_and_no_others(two: Two, acme: Project) -> None:
    ann, ben, stranger = await join(two.here, acme), await join(two.here, acme), await sign_up(two.here, "Rival")
    zoe = await join(two.here, stranger)
    async with listening(two, ann) as gone, listening(two, ben) as stays, listening(two, zoe) as elsewhere:
        await two.cut()
        assert (await ann.client.at(two.here).post("/auth/logout")).status == 204
        assert (await ann.client.at(two.there).get("/auth/me")).status == 401
        assert await gone.closed() == 4009
        await stays.lives()
        await elsewhere.lives()


async def test_a_session_that_is_ended_from_another_one_is_gone_everywhere(two: Two, acme: Project) -> None:
    body = {"email": acme.email, "password": PASSWORD}
    tokens = (await two.here.post("/auth/login", body)).json["tokens"]
    lost = two.there.with_token(tokens["accessToken"])
    sessions = (await acme.owner.get("/auth/sessions")).json["items"]
    (lost_id,) = [each["id"] for each in sessions if not each["current"]]
    key = acme.signed_up["apiKeys"]["live"]["key"]
    async with socket(two, key) as gone, socket(two, key) as stays:
        await gone.subscribe(f"private-project-{acme.id}", lost)
        await stays.subscribe(f"private-project-{acme.id}", acme.owner.at(two.there))
        await two.cut()
        assert (await acme.owner.delete(f"/auth/sessions/{lost_id}")).status == 204
        assert (await lost.get("/auth/me")).status == 401
        refresh = {"refreshToken": tokens["refreshToken"]}
        assert (await two.there.post("/auth/refresh", refresh)).status == 401
        assert await gone.closed() == 4009
        await stays.lives()


async def test_a_stolen_family_loses_its_sockets(two: Two, acme: Project) -> None:
    key = acme.signed_up["apiKeys"]["live"]["key"]
    first = {"refreshToken": acme.signed_up["tokens"]["refreshToken"]}
    async with socket(two, key) as gone:
        await gone.subscribe("private-staff", acme.owner.at(two.there))
        second = (await two.here.post("/auth/refresh", first)).json["tokens"]
        await two.here.post("/auth/refresh", {"refreshToken": second["refreshToken"]})
        await two.cut()
        assert (await two.here.post("/auth/refresh", first)).status == 401
        assert await gone.closed() == 4009


async def test_whoever_is_blocked_by_a_sync_is_gone_everywhere_and_for_good(two: Two, acme: Project) -> None:
    ann = await join(two.here, acme)
    sync = {"users": [{"externalUserId": ann.external_id, "status": "disabled"}]}
    async with listening(two, ann) as gone:
        await two.cut()
        assert (await acme.key.post("/users/sync", sync)).status == 200
        assert (await ann.client.at(two.there).get(f"/users/{ann.id}")).status == 401
        assert await gone.closed() == 4009
    sync["users"][0]["status"] = "active"
    assert (await acme.key.post("/users/sync", sync)).status == 200
    assert (await ann.client.at(two.there).get(f"/users/{ann.id}")).status == 401


async def test_a_blocked_person_loses_sockets_on_rooms_and_their_own_sign_in(two: Two, acme: Project) -> None:
    """Sockets that hear none of the person's own channels stand on the person all the same."""
    ann = await join(two.here, acme)
    async with socket(two, ann.key) as room, socket(two, ann.key) as signed_in:
        await room.subscribe("private-room-1", ann.client.at(two.there))
        signed = await ann.client.at(two.there).post("/realtime/auth", {"socket_id": signed_in.id})
        await signed_in.connection.send(json.dumps({"event": "pusher:signin", "data": signed.json}))
        assert (await signed_in.hear())["event"] == "pusher:signin_success"
        await two.cut()
        assert (await acme.key.put(f"/users/{ann.id}", {"status": "disabled"})).status == 200
        assert (await room.closed(), await signed_in.closed()) == (4009, 4009)


async def test_a_demoted_person_has_to_ask_again_and_is_refused(two: Two, acme: Project) -> None:
    ann = await join(two.here, acme)
    assert (await acme.key.put(f"/users/{ann.id}", {"roles": ["viewer"]})).status == 200
    activity = f"private-project-{acme.id}"
    async with socket(two, ann.key) as sent_away:
        await sent_away.subscribe(activity, ann.client.at(two.there))
        await two.cut()
        assert (await acme.key.put(f"/users/{ann.id}", {"roles": ["user"]})).status == 200
        asked = {"socket_id": "1.2", "channel_name": activity}
        assert (await ann.client.at(two.there).post("/realtime/auth", asked)).status == 403
        assert await sent_away.closed() == 4200
    async with listening(two, ann) as back:
        await back.lives()


async def test_people_of_a_role_that_may_less_have_to_ask_again(two: Two, acme: Project) -> None:
    role = (await acme.owner.post("/roles", {"name": "watcher", "permissions": ["realtime:read"]})).json
    ann, ben = await join(two.here, acme), await join(two.here, acme)
    assert (await acme.key.put(f"/users/{ann.id}", {"roles": ["watcher"]})).status == 200
    async with socket(two, ann.key) as sent_away, listening(two, ben) as stays:
        await sent_away.subscribe("private-staff", ann.client.at(two.there))
        more = {"permissions": ["realtime:read", "events:read"]}
        assert (await acme.owner.put(f"/roles/{role['id']}", more)).status == 200
        await sent_away.lives()
        await two.cut()
        assert (await acme.owner.put(f"/roles/{role['id']}", {"permissions": ["events:read"]})).status == 200
        assert await sent_away.closed() == 4200
        await stays.lives()


async def test_people_of_a_role_that_is_deleted_have_to_ask_again(two: Two, acme: Project) -> None:
    role = (await acme.owner.post("/roles", {"name": "watcher", "permissions": ["realtime:read"]})).json
    ann = await join(two.here, acme)
    assert (await acme.key.put(f"/users/{ann.id}", {"roles": ["watcher"]})).status == 200
    async with socket(two, ann.key) as sent_away:
        await sent_away.subscribe("private-staff", ann.client.at(two.there))
        await two.cut()
        assert (await acme.owner.delete(f"/roles/{role['id']}")).status == 204
        assert await sent_away.closed() == 4200


async def test_a_signature_that_was_kept_for_later_counts_for_nothing(two: Two, acme: Project) -> None:
    ann = await join(two.here, acme)
    async with socket(two, ann.key) as idle, listening(two, ann) as marker:
        asked = {"socket_id": idle.id, "channel_name": ann.channel}
        kept = (await ann.client.at(two.there).post("/realtime/auth", asked)).json["auth"]
        await two.cut()
        assert (await ann.client.at(two.here).post("/auth/logout")).status == 204
        assert await marker.closed() == 4009
        await idle.show(ann.channel, kept)
        assert await idle.closed() == 4009


async def test_nobody_can_leave_out_on_whom_a_signature_stands(two: Two, acme: Project) -> None:
    ann = await join(two.here, acme)
    async with socket(two, ann.key) as opened:
        asked = {"socket_id": opened.id, "channel_name": ann.channel}
        auth = (await ann.client.at(two.there).post("/realtime/auth", asked)).json["auth"]
        key, _, proof = auth.rpartition(":")
        grant, _, signature = proof.rpartition(".")
        other = ("A" if grant[4] != "A" else "B").join((grant[:4], grant[5:]))
        for forged in (signature, f".{signature}", f"{other}.{signature}", f"{grant}{signature}"):
            await opened.show(ann.channel, f"{key}:{forged}")
            heard = await opened.hear()
            assert heard["event"] == "pusher:subscription_error", forged
        await opened.show(ann.channel, auth)
        assert (await opened.hear())["event"] == "pusher_internal:subscription_succeeded"


async def test_a_revoked_key_is_refused_and_its_sockets_end(two: Two, acme: Project) -> None:
    made, caller = await acme.new_key("users:read", "events:write")
    there, event = caller.at(two.there), {"type": "a.b", "payload": {}}
    assert (await there.get("/users")).status == 200
    assert (await there.post("/events", event)).status == 202
    async with socket(two, made["key"]) as gone:
        await two.cut()
        assert (await acme.owner.delete(f"/projects/me/api-keys/{made['id']}")).status == 204
        await becomes(lambda: there.get("/users"), 401)
        await becomes(lambda: there.post("/events", event), 401)
        assert await gone.closed() == 4009


async def test_what_a_revoked_key_signed_for_others_ends_with_it(two: Two, acme: Project) -> None:
    """On sockets that another key opened, and for signatures that were kept for later."""
    made, caller = await acme.new_key("realtime:read")
    signer, room, opener = caller.at(two.there), "private-room-1", acme.signed_up["apiKeys"]["live"]["key"]
    async with socket(two, opener) as gone, socket(two, opener) as idle, socket(two, opener) as stays:
        await gone.subscribe(room, signer)
        await stays.subscribe(room, acme.key.at(two.there))
        asked = {"socket_id": idle.id, "channel_name": room}
        kept = (await signer.post("/realtime/auth", asked)).json["auth"]
        await two.cut()
        assert (await acme.owner.delete(f"/projects/me/api-keys/{made['id']}")).status == 204
        assert await gone.closed() == 4009
        await idle.show(room, kept)
        assert await idle.closed() == 4009
        await stays.lives()
        assert (await signer.post("/realtime/auth", asked)).status == 401


@pytest.mark.parametrize("change", ["may less", "new secret"])
async def test_what_a_changed_key_signed_has_to_be_signed_again(two: Two, acme: Project, change: str) -> None:
    made, caller = await acme.new_key("realtime:read", "users:read")
    other, other_caller = await acme.new_key("realtime:read")
    key, opener = f"/projects/me/api-keys/{made['id']}", acme.signed_up["apiKeys"]["live"]["key"]
    async with socket(two, opener) as sent_away, socket(two, opener) as marker:
        await sent_away.subscribe("private-room-1", caller.at(two.there))
        await marker.subscribe("private-room-1", other_caller.at(two.there))
        assert (await acme.owner.put(key, {"name": "Renamed"})).status == 200
        assert (await acme.owner.post(f"{key}/rotate", {"overlapSeconds": 60})).status == 200
        assert (await acme.owner.delete(f"/projects/me/api-keys/{other['id']}")).status == 204
        assert await marker.closed() == 4009
        await sent_away.lives()
        await two.cut()
        if change == "may less":
            assert (await acme.owner.put(key, {"permissions": ["users:read"]})).status == 200
        else:
            assert (await acme.owner.post(f"{key}/rotate", {"overlapSeconds": 0})).status == 200
        assert await sent_away.closed() == 4200


async def test_a_suspended_project_is_refused_and_its_sockets_end(two: Two, acme: Project) -> None:
    """By the key that the process remembers; reads go on, and so does everything when it is active again."""
    rival, there, event = await sign_up(two.here, "Rival"), acme.key.at(two.there), {"type": "a.b", "payload": {}}
    ann, zoe = await join(two.here, acme), await join(two.here, rival)
    assert (await there.post("/events", event)).status == 202
    assert (await rival.key.at(two.there).post("/events", event)).status == 202
    async with listening(two, ann) as gone, listening(two, zoe) as stays:
        await two.cut()
        await two.switch(acme, "suspended")
        refused = await becomes(lambda: there.post("/events", event), 403)
        assert refused.code == "project_suspended"
        assert await gone.closed() == 4101
        assert (await there.get("/users")).status == 200
        assert (await rival.key.at(two.there).post("/events", event)).status == 202
        await stays.lives()
    with pytest.raises(AssertionError, match="4003"):
        async with socket(two, ann.key):
            pass
    await two.switch(acme, "active")
    await becomes(lambda: there.post("/events", event), 202)


@dataclass
class Watched:
    """A watch of a process that looks when it is told to, and what it told."""

    watch: RevocationWatch
    told: list[tuple[UUID, str, str]]
    db: Database
    sql: asyncpg.Connection

    async def revoke(self, project: Project) -> tuple[UUID, str, str]:
        """Something new is taken back; what its listeners shall hear."""
        what = (UUID(project.id), "user", str(new_id()))
        async with self.db.scope(what[0], "live") as session:
            await revoke(session, *what)
        return what

    async def age(self, what: tuple[UUID, str, str], seconds: int) -> None:
        earlier = "UPDATE tocsin.revocations SET at = at - $2 * interval '1 s' WHERE ref = $1"
        await self.sql.execute(earlier, what[2], seconds)

    def blind_for(self, seconds: int) -> None:
        """As if the last finished read were so much longer ago."""
        assert self.watch.read_at is not None
        self.watch.read_at -= timedelta(seconds=seconds)


@pytest.fixture
async def watched(site: Site, sql: asyncpg.Connection) -> AsyncIterator[Watched]:
    told: list[tuple[UUID, str, str]] = []
    db = Database(site.app_url, ordinary=1, hot=1, statement_seconds=5)
    await db.start()

    def stumbles(*what: object) -> None:
        raise KeyError(what)

    watch = RevocationWatch(db, Credentials(db, site.master), [stumbles, lambda *what: told.append(what)])
    await watch.look()
    told.clear()
    yield Watched(watch, told, db, sql)
    await db.close()


async def test_one_who_stumbles_over_a_revocation_keeps_it_from_nobody(watched: Watched, api: Client) -> None:
    project = await sign_up(api)
    what = await watched.revoke(project)
    before = watched.watch.read_at
    await watched.watch.look()
    assert what in watched.told
    assert before is not None and watched.watch.read_at is not None and watched.watch.read_at > before


async def test_a_revocation_is_told_once(watched: Watched, api: Client) -> None:
    what = await watched.revoke(await sign_up(api))
    for _ in range(3):
        await watched.watch.look()
    assert watched.told.count(what) == 1
    watched.blind_for(1)
    await watched.watch.look()
    assert watched.told.count(what) == 1


async def test_a_revocation_that_was_committed_late_is_told(watched: Watched, api: Client) -> None:
    what = await watched.revoke(await sign_up(api))
    await watched.age(what, 8)
    await watched.watch.look()
    assert what in watched.told


async def test_what_was_revoked_while_a_process_was_blind_is_not_missed(watched: Watched, api: Client) -> None:
    """Or the credentials it remembers from before would be trusted again."""
    what = await watched.revoke(await sign_up(api))
    await watched.age(what, 60)
    await watched.watch.look()
    assert what not in watched.told
    watched.blind_for(120)
    await watched.watch.look()
    assert what in watched.told


async def test_whoever_was_blind_for_longer_than_rows_are_kept_forgets_everything(watched: Watched) -> None:
    watched.blind_for(3_600)
    await watched.watch.look()
    assert watched.told[0][1] == "everything"
    watched.told.clear()
    await watched.watch.look()
    assert "everything" not in {kind for _, kind, _ in watched.told}
