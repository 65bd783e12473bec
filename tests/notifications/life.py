"""An installation whose worker is moved by hand, stage by stage, for tests of what happens in which order.

Everything runs in a loop of its own, since hypothesis calls its steps without one. The API is a process; the stages
that claim, send, insist and tidy up are here, over the same database. Time passes by moving due times.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, TypeVar
from uuid import UUID, uuid4

import aiohttp
import asyncpg

from tests.channels.far_end import FarEnd, answering
from tests.client import PASSWORD, Client, Project, sign_up
from tests.connections.build import make_hook
from tests.pipeline import make_rule, send_event
from tests.running import Site, running_api
from tocsin.audit.record import Actor
from tocsin.connections.choose import Choice
from tocsin.deliveries.ack_links import AckLink, AckLinks
from tocsin.deliveries.clock import ClockStage
from tocsin.deliveries.send import SendStage
from tocsin.kit import broker as brokers
from tocsin.kit.db import Database
from tocsin.kit.http import Door
from tocsin.kit.vault import Vault
from tocsin.notifications.acknowledge import set_acknowledged
from tocsin.notifications.insist import InsistStage
from tocsin.notifications.turns import TurnStage
from tocsin.rules.digests import DigestStage
from tocsin.rules.evaluator import Evaluator
from tocsin.rules.stage import MatchStage
from tocsin.sounds.links import SoundLinks

T = TypeVar("T")

PEOPLE = ("ann", "bob", "eve")
TOKEN_SECONDS = 600
"""The owner signs in anew after so long."""

_numbers = itertools.count(1)


@contextmanager
def living(site: Site) -> Iterator["World"]:
    with asyncio.Runner() as runner, running_api(site) as process:
        world = World(runner, site, process.url)
        runner.run(world.open())
        try:
            yield world
        finally:
            runner.run(world.opened.aclose())


@dataclass(frozen=True)
class Made:
    """What one event became, and how often it may come again."""

    id: UUID
    rule: str
    requires_ack: bool
    most_repeats: int = 0
    most_steps: int = 0
    in_turns: bool = False
    """Of its channels that reach people only the first is told at once."""
    is_digest: bool = False


class World:
    """One project with three people, a place that hears by webhook, and every stage that moves a notification."""

    def __init__(self, runner: asyncio.Runner, site: Site, url: str) -> None:
        self._runner = runner
        self._site = site
        self._url = url
        self.opened = AsyncExitStack()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    async def open(self) -> None:
        enter, close = self.opened.enter_async_context, self.opened.push_async_callback
        http = await enter(aiohttp.ClientSession())
        self.api = Client(http, self._url)
        self.far: FarEnd = await enter(answering())
        self.sql = await asyncpg.connect(self._site.installer_url)
        close(self.sql.close)
        self.db = Database(self._site.app_url, ordinary=2, hot=6, statement_seconds=30)
        await self.db.start()
        close(self.db.close)
        await self._open_stages()
        self.project: Project = await sign_up(self.api, "Life")
        await make_hook(self.project.key, self.far.url)
        users = [await self.project.add_user(roles=["agent"], name=name) for name in PEOPLE]
        self.people = {name: str(user["id"]) for name, user in zip(PEOPLE, users, strict=True)}
        self._signed_in_at = time.monotonic()

    async def _open_stages(self) -> None:
        broker = brokers.connect(None, self.db.url)
        await broker.start()
        self.opened.push_async_callback(broker.close)
        evaluator = Evaluator()
        self.opened.push_async_callback(evaluator.close)
        door = await self.opened.enter_async_context(Door(allowed=[ip_network("127.0.0.0/8")]))
        choice = Choice(self.db, Vault(self._site.master), {})
        sounds = SoundLinks(self._site.master, self._url)
        self._send = SendStage(
            self.db, door, choice, 8, 60, freed=_nothing, changed=_nothing, links=None, sounds=sounds
        )
        self._match = MatchStage(self.db, broker, evaluator, 60, freed=_nothing)
        self._match_and_hand = MatchStage(self.db, broker, evaluator, 60, freed=_nothing, sending=self._send)
        self._insist = InsistStage(self.db, broker, await broker.waiter("insist"))
        self._clock = ClockStage(self.db, broker)
        self._turns = TurnStage(self.db, broker, await broker.waiter("turns"))
        self._digests = DigestStage(self.db, broker, evaluator, await broker.waiter("digests"))

    async def begin(self) -> None:
        """Everything as at first, but for what has happened."""
        while self._send.busy:
            await asyncio.sleep(0.002)
        if time.monotonic() - self._signed_in_at > TOKEN_SECONDS:
            await self._sign_in()
        self.far.status = 200
        await self.suspend(suspended=False)
        await self.sql.execute("DELETE FROM tocsin.rules WHERE project_id = $1", self.project.id)
        await self.sql.execute(
            "UPDATE tocsin.users SET status = 'active', preferences = DEFAULT, wishes = false WHERE project_id = $1",
            self.project.id,
        )
        for table in ("insistences", "channel_turns", "digests", "deliveries"):
            await self.sql.execute(f"DELETE FROM tocsin.{table} WHERE project_id = $1", self.project.id)

    async def _sign_in(self) -> None:
        login = {"email": self.project.email, "password": PASSWORD, "project": self.project.slug}
        reply = await self.api.post("/auth/login", login)
        assert reply.status == 200, reply.json
        self.project.owner.headers.update(self.api.with_token(reply.json["tokens"]["accessToken"]).headers)
        self._signed_in_at = time.monotonic()

    async def make(self, people: list[str], events: int = 1, *, handed: bool = False, **fields: Any) -> list[Made]:
        """A rule of its own type, so many events of that, and their notifications. What is ``handed`` is being sent as
        soon as it is written; the rest waits to be claimed."""
        type_ = f"life.{next(_numbers)}"
        targets = [self.people[name] for name in people]
        channels = ("realtime", "webhook", "telegram")
        rule = await make_rule(self.project, *channels, eventTypes=[type_], targetUsers=targets, **fields)
        match = self._match_and_hand if handed else self._match
        return [await self._happen(match, type_, rule["id"], fields) for _ in range(events)]

    async def _happen(self, match: MatchStage, type_: str, rule_id: str, fields: dict[str, Any]) -> Made:
        event = await send_event(self.project.key, type_)
        await self._repeated(match.run_once)
        await match.drain()
        row = await self.sql.fetchrow(
            "SELECT state, outcome, trace->0->>'notificationId' AS id FROM tocsin.events WHERE id = $1", event
        )
        assert (row["state"], row["outcome"]) == ("processed", "notified"), dict(row)
        repeat, steps = fields.get("repeat"), fields.get("escalation") or []
        return Made(
            UUID(row["id"]),
            rule_id,
            fields.get("requireAck", False),
            repeat["maxTimes"] if repeat else 0,
            len(steps) * fields.get("escalationLoops", 1),
            in_turns="channelOrder" in fields,
        )

    async def send(self) -> None:
        """Send everything that may be sent now."""
        while await self._send.run_once() or self._send.busy:
            await asyncio.sleep(0.002)

    async def insist(self) -> None:
        await self._repeated(self._insist.run_once)

    async def take_turns(self) -> None:
        await self._repeated(self._turns.run_once)

    async def tell_digests(self, made: list[Made]) -> list[Made]:
        """Put windows that are over into digests; those that are not among ``made``."""
        await self._repeated(self._digests.run_once)
        rows = await self.sql.fetch(
            "SELECT DISTINCT n.id, n.rule_id FROM tocsin.deliveries d"
            " JOIN tocsin.notifications n ON n.id = d.gathered_into WHERE d.project_id = $1 AND n.id <> ALL ($2)",
            self.project.id,
            [each.id for each in made],
        )
        return [Made(row["id"], str(row["rule_id"]), requires_ack=False, is_digest=True) for row in rows]

    async def tick(self) -> None:
        """Retries whose time has come, what is held until now, leases that ran out."""
        await self._repeated(self._clock.run_once)

    async def _repeated(self, look: Callable[[], Awaitable[bool]]) -> None:
        while await look():
            pass

    async def pass_time(self, made: Made, what: str) -> None:
        """Until the next repeat (``repeats_at``) or step (``escalates_at``), if there is to be one."""
        await self.sql.execute(
            f"UPDATE tocsin.insistences SET {what} = now(), due_at = now() WHERE notification_id = $1"
            f" AND {what} IS NOT NULL",
            made.id,
        )

    async def pass_time_to_retries(self) -> None:
        await self.sql.execute(
            "UPDATE tocsin.deliveries SET due_at = now() WHERE project_id = $1 AND state = 'queued'", self.project.id
        )

    async def pass_time_of(self, table: str) -> None:
        """Until turns (``channel_turns``) are due or windows (``digests``) are over."""
        await self.sql.execute(f"UPDATE tocsin.{table} SET due_at = now() WHERE project_id = $1", self.project.id)

    async def pass_time_of_what_is_held(self) -> None:
        await self.sql.execute(
            "UPDATE tocsin.deliveries SET due_at = now() WHERE project_id = $1 AND state = 'held'", self.project.id
        )

    async def die_while_sending(self) -> None:
        """A worker claims what waits and ends; its lease runs out."""
        claim = "SELECT id FROM tocsin.claim_deliveries($1, 32, 8, 8, 60, $2, '{}', '{}')"
        await self.db.hot.fetch(claim, UUID(int=0), uuid4())
        await self.sql.execute(
            "UPDATE tocsin.deliveries SET lease_until = now() - interval '1 second' WHERE project_id = $1"
            " AND state = 'leased'",
            self.project.id,
        )

    async def acknowledge(self, made: Made, person: str, via: str) -> bool:
        """Whether somebody could say so; the ways are those of `via` on the row."""
        user = self.people[person]
        if via == "link":
            path = AckLinks(self._site.master, self._url).make(
                AckLink(UUID(self.project.id), "live", made.id, UUID(user))
            )
            async with self.api.http.post(path) as page:
                return page.status == 200
        if via == "telegram":
            async with self.db.scope(UUID(self.project.id), "live") as session:
                return await set_acknowledged(
                    session, UUID(self.project.id), "live", Actor("user", user), made.id, UUID(user), None, via
                )
        if via == "api":
            reply = await self.project.key.put(f"/notifications/{made.id}/acknowledge", {"userId": user})
        else:
            reply = await self.project.owner.put(f"/notifications/{made.id}/acknowledge")
        assert reply.status in (200, 422), reply.json
        return reply.status == 200

    async def retry(self, delivery: UUID) -> int:
        return (await self.project.key.post(f"/deliveries/{delivery}/retry")).status

    async def suspend(self, *, suspended: bool) -> None:
        at = "now()" if suspended else "NULL"
        await self.sql.execute(f"UPDATE tocsin.projects SET suspended_at = {at} WHERE id = $1", self.project.id)

    async def set_status(self, person: str, status: str) -> None:
        reply = await self.project.key.put(f"/users/{self.people[person]}", {"status": status})
        assert reply.status in (200, 403), reply.json

    async def reason(self, made: Made) -> str:
        """Why people were not told by Telegram."""
        query = "SELECT last_error FROM tocsin.deliveries WHERE notification_id = $1 AND channel = 'telegram'"
        return str(await self.sql.fetchval(query, made.id))

    async def wish(self, person: str, **wishes: Any) -> None:
        """Instead of what the person wished before."""
        path = f"/users/{self.people[person]}/preferences"
        reply = await self.project.key.put(path, {"quietHours": None, "channels": {"telegram": True}, **wishes})
        assert reply.status in (200, 403), reply.json

    async def delete_rule(self, made: Made) -> None:
        reply = await self.project.key.delete(f"/rules/{made.rule}")
        assert reply.status in (204, 404, 403), reply.json


def _nothing(*_: Any) -> None:
    pass
