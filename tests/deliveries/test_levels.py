"""Who sends, from the rule to the far end: people's own, projects' and what the platform lends (C4, C6, D2, T12).

Two channels that are installed beside ours play the providers: pigeons know who spoke to them, doves fly to anybody.
"""

import asyncio
import hashlib
import itertools
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.engines import temporary_folder
from tests.operators import Operator, operator
from tests.people import Person, join
from tests.pipeline import ENDED, Working, deliveries_of, ended, make_rule, send_event, until
from tests.running import Site, running, running_api
from tocsin.kit.ids import PLATFORM_ID

_flights = itertools.count(1)

BIRDS = """
import asyncio, hashlib
from pydantic import Field, SecretStr
from tocsin.channels.contract import Account, BadCredentials, Blocked, Channel, Described, OptedOut, Receipt
from tocsin.kit.ids import PLATFORM_ID


class Loft(Described):
    place: str = Field(title="Place")
    seconds: float = Field(0, title="How long a flight takes")


class Whistle(Described):
    tune: SecretStr = Field(title="Tune")


class Dove(Channel[Loft, Whistle]):
    provider = channel = "dove"
    title = "Dove"
    reaches = "person"
    address_kind = "email"
    settings = Loft
    credentials = Whistle

    async def send(self, message, address, settings, credentials, door):
        await asyncio.sleep(settings.seconds)
        tune = credentials.tune.get_secret_value()
        if tune == "wrong":
            raise BadCredentials("it does not listen to this tune")
        if address.startswith("blocked"):
            raise Blocked("it was shot at")
        if address.startswith("left"):
            raise OptedOut("it was sent home")
        heard = hashlib.sha256(tune.encode()).hexdigest()[:8]
        return Receipt(delivered=True, provider_message_id=f"{settings.place} {heard}")

    async def verify(self, settings, credentials, door):
        return Account(id=settings.place, name=settings.place)


class Pigeon(Dove):
    provider = channel = "pigeon"
    title = "Pigeon"
    known_only = True
"""


@pytest.fixture(scope="module")
async def birds(database: str, home: Path, http: aiohttp.ClientSession) -> AsyncIterator[Working]:
    """An API and a worker in which two more channels are installed."""
    with temporary_folder() as folder:
        (folder / "birds.py").write_text(BIRDS)
        info = folder / "birds-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: birds\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[tocsin.channels]\ndove = birds:Dove\npigeon = birds:Pigeon\n")
        path = os.pathsep.join([*sys.path, str(folder)])
        site = Site(database, home, settings={"TOCSIN_SLOTS": "64", "PYTHONPATH": path})
        sql = await asyncpg.connect(database)
        with running_api(site) as process, running(site, "worker"):
            yield Working(site, process, Client(http, process.url), sql)
        await sql.close()


@pytest.fixture(scope="module")
async def chief(birds: Working) -> Operator:
    return await operator(birds.api, birds.site)


@pytest.fixture
async def shop(birds: Working) -> Project:
    return await sign_up(birds.api, "Shop")


@pytest.fixture
async def ann(birds: Working, shop: Project) -> Person:
    return await person(birds, shop)


async def person(birds: Working, project: Project, email: str = "ann@example.com") -> Person:
    made = await join(birds.api, project)
    assert (await project.key.put(f"/users/{made.id}", {"email": email})).status == 200
    return made


async def connect(caller: Client, provider: str, place: str, **fields: Any) -> Any:
    """A verified connection; its tune is its secret."""
    where = "/platform/connections" if fields.pop("lent", False) else "/connections"
    settings = {"place": place, **fields.pop("settings", {})}
    body = {"provider": provider, "name": place, "settings": settings, "credentials": {"tune": f"tune of {place}"}}
    made = await caller.post(where, {**body, **fields})
    assert made.status == 201, made.json
    verified = await caller.post(f"{where}/{made.json['id']}/verify")
    assert verified.json["status"] == "active", verified.json
    return made.json


async def suspend(project: Project, connection: Any) -> None:
    reply = await project.owner.send("PATCH", f"/connections/{connection['id']}/suspend", {"reason": "A test"})
    assert reply.status == 200, reply.json


async def sent(project: Project, to: Person, channel: str = "dove") -> Any:
    """What became of one delivery to this person."""
    type_ = f"flight.{next(_flights)}"
    await make_rule(project, channel, eventTypes=[type_], targetUsers=[to.id])
    return await ended(project.key, await send_event(project.key, type_, order=1), channel)


def by(place: str) -> str:
    """What a delivery is marked with that left from there, with the right secret."""
    return f"{place} {hashlib.sha256(f'tune of {place}'.encode()).hexdigest()[:8]}"


async def mark(birds: Working, project: Project, connection: Any, state: str, email: str = "ann@example.com") -> None:
    await birds.sql.execute(
        "INSERT INTO tocsin.reachability (project_id, connection_id, connection_project, env, state, address_hash)"
        " SELECT $1, id, project_id, 'live', $3, sha256($4) FROM tocsin.connections WHERE id = $2",
        project.id,
        connection["id"],
        state,
        email.encode(),
    )


@pytest.fixture
async def lent(chief: Operator) -> AsyncIterator[Any]:
    """A dove of the platform, gone again afterwards."""
    made = await connect(chief.client, "dove", "platform", lent=True)
    yield made
    assert (await chief.client.delete(f"/platform/connections/{made['id']}")).status == 204


async def test_each_level_sends_where_there_is_no_nearer_one(
    birds: Working, lent: Any, shop: Project, ann: Person
) -> None:
    first = await sent(shop, ann)
    assert (first["state"], first["providerMessageId"]) == ("delivered", by("platform"))
    assert (first["connectionReason"], first["connectionId"]) == ("the platform's default", lent["id"])
    await connect(shop.key, "dove", "project")
    second = await sent(shop, ann)
    assert (second["providerMessageId"], second["connectionReason"]) == (by("project"), "the project's")
    await connect(ann.client, "dove", "own")
    third = await sent(shop, ann)
    assert (third["providerMessageId"], third["connectionReason"]) == (by("own"), "the person's own")
    rival = await sign_up(birds.api, "Rival")
    theirs = await sent(rival, await person(birds, rival))
    assert theirs["providerMessageId"] == by("platform")


async def test_a_suspended_connection_is_stood_in_for_by_the_next_that_may(
    lent: Any, shop: Project, ann: Person
) -> None:
    own, projects = await connect(ann.client, "dove", "own"), await connect(shop.key, "dove", "project")
    await suspend(shop, own)
    done = await sent(shop, ann)
    assert done["providerMessageId"] == by("project")
    assert done["connectionReason"] == "the project's; the person's own is suspended"
    assert (await shop.key.put(f"/connections/{projects['id']}", {"useAsFallback": False})).status == 200
    assert (await sent(shop, ann))["providerMessageId"] == by("platform")


async def test_a_project_can_decline_what_the_platform_lends(lent: Any, shop: Project, ann: Person) -> None:
    assert (await shop.owner.put("/projects/me/settings", {"connections": {"usePlatform": False}})).status == 200
    done = await sent(shop, ann)
    assert (done["state"], done["lastError"]) == ("failed", "no connection for dove")


async def test_a_person_can_decline_all_but_their_own(shop: Project, ann: Person) -> None:
    own = await connect(ann.client, "dove", "own")
    await connect(shop.key, "dove", "project")
    told = await ann.client.put(f"/users/{ann.id}/preferences", {"fallback": {"dove": False}})
    assert told.json["fallback"] == {"dove": False}
    assert (await ann.client.get(f"/users/{ann.id}/preferences")).json == told.json
    await suspend(shop, own)
    await make_rule(shop, "dove", targetUsers=[ann.id])
    event_id = await send_event(shop.key, order=1)

    async def waiting() -> Any:
        (found,) = await deliveries_of(shop.key, event_id, "dove")
        return found if found["lastError"] else None

    waits = await until(waiting)
    assert (waits["state"], waits["lastError"]) == ("queued", "no active connection for dove: suspended")
    activated = await shop.owner.send("PATCH", f"/connections/{own['id']}/activate")
    assert activated.json["status"] == "active"
    assert (await ended(shop.key, event_id, "dove"))["providerMessageId"] == by("own")


@pytest.mark.parametrize(("state", "words"), [("blocked", "blocked"), ("opted_out", "opted out of")])
async def test_nobody_is_reached_around_a_block_or_an_opt_out(
    birds: Working, lent: Any, shop: Project, ann: Person, state: str, words: str
) -> None:
    own = await connect(ann.client, "dove", "own")
    await connect(shop.key, "dove", "project")
    await mark(birds, shop, own, state)
    await suspend(shop, own)
    done = await sent(shop, ann)
    assert (done["state"], done["lastError"]) == ("suppressed", f"the person {words} the person's own")


@pytest.mark.parametrize(("email", "state"), [("blocked@example.com", "blocked"), ("left@example.com", "opted_out")])
async def test_what_a_provider_says_of_a_person_is_kept_and_holds(
    birds: Working, lent: Any, shop: Project, email: str, state: str
) -> None:
    bob = await person(birds, shop, email)
    refused = await sent(shop, bob)
    assert (refused["state"], len(refused["attempts"])) == ("failed", 1)
    query = "SELECT state, connection_id FROM tocsin.reachability WHERE project_id = $1 AND connection_id = $2"
    known = await birds.sql.fetch(query, PLATFORM_ID if state == "opted_out" else shop.id, lent["id"])
    assert [(row["state"], str(row["connection_id"])) for row in known] == [(state, lent["id"])]
    again = await sent(shop, bob)
    assert (again["state"], again["attempts"]) == ("suppressed", [])
    rival = await sign_up(birds.api, "Rival")
    theirs = await sent(rival, await person(birds, rival, email))
    # Its own people, whom it has to find out about; but an opt-out was told to the account, which is everybody's.
    assert (theirs["state"], len(theirs["attempts"])) == (("suppressed", 0) if state == "opted_out" else ("failed", 1))


async def test_who_never_spoke_to_a_bot_is_reached_through_the_one_that_knows_them(
    birds: Working, shop: Project, ann: Person
) -> None:
    nobody = await sent(shop, ann, "pigeon")
    assert (nobody["state"], nobody["lastError"]) == ("failed", "no connection for pigeon")
    own, projects = await connect(ann.client, "pigeon", "own"), await connect(shop.key, "pigeon", "project")
    unknown = await sent(shop, ann, "pigeon")
    assert unknown["state"] == "suppressed"
    assert unknown["lastError"] == "no connection for pigeon is known to reach this address"
    await mark(birds, shop, projects, "reachable")
    through = await sent(shop, ann, "pigeon")
    assert through["providerMessageId"] == by("project")
    assert through["connectionReason"] == "the project's; the person's own is not known to reach this address"
    await mark(birds, shop, own, "reachable")
    assert (await sent(shop, ann, "pigeon"))["providerMessageId"] == by("own")


async def test_a_default_of_the_platform_that_breaks_stops_for_all_and_says_so_to_the_operator_alone(
    birds: Working, chief: Operator, lent: Any, shop: Project, ann: Person
) -> None:
    where = f"/platform/connections/{lent['id']}"
    assert (await chief.client.post(f"{where}/rotate", {"credentials": {"tune": "wrong"}})).status == 200
    assert (await chief.client.post(f"{where}/verify")).json["status"] == "active"
    await make_rule(shop, "dove", targetUsers=[ann.id])
    event_id = await send_event(shop.key, order=1)

    async def broken() -> Any:
        reply = await chief.client.get(where)
        return reply.json if reply.json["status"] == "error" else None

    assert (await until(broken))["statusReason"] == "it does not listen to this tune"
    (waits,) = await deliveries_of(shop.key, event_id, "dove")
    assert waits["state"] == "queued"
    assert (await shop.owner.get(f"/connections/{lent['id']}")).status == 404
    assert (await shop.owner.get("/connections")).json["items"] == []


async def test_the_platforms_default_is_the_one_that_the_operator_last_made_it(
    chief: Operator, lent: Any, shop: Project, ann: Person
) -> None:
    other = await connect(chief.client, "dove", "other", lent=True)
    assert (await sent(shop, ann))["providerMessageId"] == by("platform")
    made = await chief.client.post(f"/platform/connections/{other['id']}/default")
    assert made.json["isDefault"] is True
    assert (await sent(shop, ann))["providerMessageId"] == by("other")
    assert (await chief.client.delete(f"/platform/connections/{other['id']}")).status == 204
    assert (await sent(shop, ann))["lastError"] == "no connection for dove"


async def test_what_waits_for_its_turn_is_not_sent_over_a_connection_that_was_suspended_meanwhile(
    birds: Working, shop: Project
) -> None:
    slow = await connect(shop.key, "dove", "slow", settings={"seconds": 4})
    people = [await shop.add_user() for _ in range(12)]
    await make_rule(shop, "dove", targetUsers=[each["id"] for each in people])
    event_id = await send_event(shop.key, order=1)

    async def begun() -> Any:
        found = await deliveries_of(shop.key, event_id, "dove")
        leased = await birds.sql.fetchval(
            "SELECT count(*) FROM tocsin.deliveries WHERE project_id = $1 AND state = 'leased'", shop.id
        )
        return found if leased == 12 else None

    await until(begun)
    await asyncio.sleep(0.7)
    await suspend(shop, slow)

    async def settled() -> Any:
        found = await deliveries_of(shop.key, event_id, "dove")
        return found if all(each["state"] in ENDED or each["lastError"] for each in found) else None

    found = await until(settled)
    assert Counter(each["state"] for each in found) == {"delivered": 8, "queued": 4}
    assert {each["lastError"] for each in found} == {None, "no active connection for dove: suspended"}


async def test_a_connection_that_was_removed_is_followed_by_the_next(lent: Any, shop: Project, ann: Person) -> None:
    projects = await connect(shop.key, "dove", "project")
    done = await sent(shop, ann)
    assert (await shop.key.delete(f"/connections/{projects['id']}")).status == 204
    assert (await sent(shop, ann))["providerMessageId"] == by("platform")
    kept = await shop.key.get(f"/deliveries/{done['id']}")
    assert (kept.json["connectionId"], kept.json["connectionReason"]) == (None, "the project's")


async def numbers(caller: Client, path: str) -> Any:
    reply = await caller.get(path)
    assert reply.status == 200, reply.json
    return reply.json


# What waited in a project of before, for such a connection to come.
_WAITED = """
SELECT count(*), count(DISTINCT d.project_id) FROM tocsin.deliveries d
WHERE d.connection_id = $1 AND d.project_id <> ALL ($2::text[]::uuid[])
"""


async def test_of_a_lent_connection_each_project_counts_its_own_and_the_operator_all(
    birds: Working, lent: Any, shop: Project, ann: Person, chief: Operator
) -> None:
    rival, idle = await sign_up(birds.api, "Rival"), await sign_up(birds.api, "Idle")
    theirs = await person(birds, rival)
    for project, to, times in ((shop, ann, 2), (rival, theirs, 1)):
        for _ in range(times):
            assert (await sent(project, to))["connectionId"] == lent["id"]
    where = f"/connections/{lent['id']}/stats"
    assert [(await numbers(project.key, where))["sent"] for project in (shop, rival)] == [2, 1]
    assert (await numbers(shop.key, where))["latency"] is not None
    total = await numbers(chief.client, f"/platform{where}")
    waited, others = await birds.sql.fetchrow(_WAITED, lent["id"], [shop.id, rival.id])
    told = (3 + waited, 3 + waited, 0, 2 + others)
    assert (total["sent"], total["delivered"], total["failed"], total["projects"]) == told
    assert [day["sent"] for day in total["days"]] == [3 + waited]
    assert "Ann" not in str(total) and shop.id not in str(total)
    for caller in (idle.key, ann.client):
        assert (await caller.get(where)).status == 404
    assert (await shop.owner.get(f"/platform{where}")).status in (403, 404)


async def test_of_a_projects_connection_the_project_counts_everybodys_and_others_nothing(
    birds: Working, shop: Project, ann: Person, chief: Operator
) -> None:
    made = await connect(shop.key, "dove", "project")
    for to in (ann, await person(birds, shop, "ben@example.com")):
        await sent(shop, to)
    where = f"/connections/{made['id']}/stats"
    assert (await numbers(shop.key, where))["sent"] == 2
    total = await numbers(chief.client, f"/platform{where}")
    assert (total["sent"], total["projects"]) == (2, 1)
    rival = await sign_up(birds.api, "Rival")
    for caller in (rival.key, rival.owner, ann.client):
        assert (await caller.get(where)).status == 404
