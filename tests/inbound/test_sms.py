"""What becomes of text messages: Twilio's status callbacks, signed as its own library signs (D5, C8's rules)."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import asyncpg
import pytest
from twilio.request_validator import RequestValidator

from tests.client import Client, Project, Reply, sign_up
from tests.connections.build import read
from tests.connections.twilio import TOKEN, Twilio, make_sms, new_number, twilio
from tests.engines import fresh_database
from tests.operators import operator
from tests.pipeline import ended, make_rule, send_event, until
from tests.running import Site, running, running_api
from tocsin.kit.postgres import Running

PUBLIC = "https://alerts.tocsin.example"
UNSUBSCRIBED = (400, 21610, "Attempt to send to unsubscribed recipient")

_numbers = itertools.count(1)


@dataclass
class Town:
    site: Site
    api: Client
    sql: asyncpg.Connection
    far: Twilio


@dataclass
class Shop:
    """A project with an account at Twilio and a person, whom a rule tells of everything."""

    town: Town
    project: Project
    connection: Any
    number: str

    async def sent(self) -> Any:
        return await ended(self.project.key, await send_event(self.project.key, order=7), "sms")

    @property
    def told_at(self) -> str:
        return self.town.far.to(self.number)[-1]["StatusCallback"]

    async def report(
        self, message: str, status: str, *, token: str = TOKEN, account: str | None = None, **fields: str
    ) -> Reply:
        """One call of Twilio's, at the address that the last message named."""
        account = account or self.connection["settings"]["accountSid"]
        form = {"MessageSid": message, "MessageStatus": status, "AccountSid": account, "To": self.number, **fields}
        return await self._call(form, token)

    async def write(self, text: str, **fields: str) -> Reply:
        """What the person writes back to the sender of the last message, as Twilio passes it on."""
        sender = self.town.far.to(self.number)[-1]["From"]
        account = self.connection["settings"]["accountSid"]
        message = f"SM{next(_numbers):032x}"
        form = {"MessageSid": message, "AccountSid": account, "From": self.number, "To": sender, "Body": text}
        return await self._call({**form, "SmsStatus": "received", **fields}, TOKEN)

    async def _call(self, form: dict[str, str], token: str) -> Reply:
        shown = {"X_Twilio_Signature": RequestValidator(token).compute_signature(self.told_at, form)}
        shown["Content_Type"] = "application/x-www-form-urlencoded"
        path = self.told_at.removeprefix(f"{PUBLIC}/api/v1")
        return await Client(self.town.api.http, self.town.api.base).post(path, urlencode(form).encode(), **shown)

    async def delivery(self, found: Any) -> Any:
        return (await self.project.key.get(f"/deliveries/{found['id']}")).json

    async def becomes(self, found: Any, state: str) -> Any:
        async def look() -> Any:
            now = await self.delivery(found)
            return now if now["state"] == state else None

        return await until(look)

    async def worked_on(self, count: int) -> list[Any]:
        async def look() -> Any:
            rows = await self.town.sql.fetch(
                "SELECT event_id, state, last_error FROM tocsin.inbound_raw WHERE connection_id = $1 ORDER BY id",
                self.connection["id"],
            )
            return rows if sum(row["state"] != "received" for row in rows) >= count else None

        return await until(look)


@pytest.fixture(scope="module")
async def town(cluster: Running, template: str, home: Path, http: aiohttp.ClientSession) -> AsyncIterator[Town]:
    async with twilio() as far, fresh_database(cluster, template) as url:
        site = Site(url, home, settings={"TOCSIN_PUBLIC_URL": PUBLIC})
        sql = await asyncpg.connect(url)
        with running_api(site) as process, running(site, "worker"):
            yield Town(site, Client(http, process.url), sql, far)
        await sql.close()


async def make_shop(town: Town, number: str | None = None, connection: Any = None) -> Shop:
    """``connection`` is one that the platform lends, in place of the project's own."""
    project, number = await sign_up(town.api, "Shop"), number or new_number()
    connection = connection or await make_sms(project.owner, town.far)
    ann = await project.add_user(addresses={"phone": number})
    await make_rule(project, "sms", targetUsers=[ann["id"]])
    return Shop(town, project, connection, number)


@pytest.fixture
async def shop(town: Town) -> Shop:
    return await make_shop(town)


async def test_what_is_sent_becomes_delivered_when_twilio_says_so(shop: Shop) -> None:
    done = await shop.sent()
    assert done["state"] == "sent" and shop.told_at.startswith(f"{PUBLIC}/api/v1/hooks/twilio/")
    assert (await shop.report(done["providerMessageId"], "delivered")).status == 200
    assert (await shop.becomes(done, "delivered"))["deliveredAt"] is not None


async def test_any_order_and_doubles_come_to_the_same(shop: Shop) -> None:
    for order in permutations(("queued", "sent", "delivered")):
        done = await shop.sent()
        for status in (*order, *order):
            assert (await shop.report(done["providerMessageId"], status)).status == 200
        await shop.becomes(done, "delivered")
    assert len(await shop.worked_on(18)) == 18


async def test_what_did_not_arrive_is_failed_with_the_code_until_it_did(shop: Shop) -> None:
    done = await shop.sent()
    await shop.report(done["providerMessageId"], "undelivered", ErrorCode="30005")
    failed = await shop.becomes(done, "failed")
    assert failed["lastError"] == "The message is undelivered (30005)."
    assert [attempt["outcome"] for attempt in failed["attempts"]] == ["permanent"]
    await shop.report(done["providerMessageId"], "sent")
    await shop.report(done["providerMessageId"], "delivered")
    await shop.becomes(done, "delivered")
    rows = await shop.worked_on(3)
    assert [row["state"] for row in rows] == ["processed", "ignored", "processed"]


async def test_a_failure_that_passes_is_tried_again_later(shop: Shop) -> None:
    done = await shop.sent()
    await shop.report(done["providerMessageId"], "failed", ErrorCode="30001")
    waiting = await shop.becomes(done, "queued")
    assert waiting["attempts"][0]["outcome"] == "temporary" and waiting["dueAt"] is not None


async def test_an_account_that_may_not_send_stops_the_connection(shop: Shop) -> None:
    done = await shop.sent()
    await shop.report(done["providerMessageId"], "failed", ErrorCode="30002")
    await shop.worked_on(1)
    assert (await read(shop.project.owner, shop.connection))["status"] == "error"
    assert (await shop.delivery(done))["state"] == "queued"


async def test_where_the_sender_is_not_registered_one_message_fails_and_others_leave(shop: Shop) -> None:
    done = await shop.sent()
    await shop.report(done["providerMessageId"], "undelivered", ErrorCode="30034")
    await shop.becomes(done, "failed")
    assert (await read(shop.project.owner, shop.connection))["status"] == "active"
    assert (await shop.sent())["state"] == "sent"


async def test_a_late_report_stops_no_connection_that_was_mended_since(shop: Shop) -> None:
    done = await shop.sent()
    assert (await shop.project.owner.post(f"/connections/{shop.connection['id']}/verify")).status == 200
    await shop.report(done["providerMessageId"], "failed", ErrorCode="30002")
    await shop.worked_on(1)
    assert (await read(shop.project.owner, shop.connection))["status"] == "active"
    await shop.report((await shop.sent())["providerMessageId"], "failed", ErrorCode="30002")
    await shop.worked_on(2)
    assert (await read(shop.project.owner, shop.connection))["status"] == "error"


async def test_what_twilio_did_not_sign_changes_nothing(shop: Shop) -> None:
    done = await shop.sent()
    sid = done["providerMessageId"]
    assert (await shop.report(sid, "delivered", token="another")).status == 401
    body = urlencode({"MessageSid": sid, "MessageStatus": "delivered", "AccountSid": "AC1"}).encode()
    path = shop.told_at.removeprefix(f"{PUBLIC}/api/v1")
    bare = Client(shop.town.api.http, shop.town.api.base)
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert (await bare.post(path, body, **form)).status == 401
    assert (await shop.report(sid, "delivered", account="AC" + "0" * 32)).status == 200
    [item] = await shop.worked_on(1)
    assert item["last_error"] == "it is about another account than this connection's"
    assert (await shop.delivery(done))["state"] == "sent"


async def test_one_project_says_nothing_of_anothers_messages(shop: Shop, town: Town) -> None:
    rival = await make_shop(town)
    done = await shop.sent()
    await rival.sent()
    assert (await rival.report(done["providerMessageId"], "delivered")).status == 200

    async def tried() -> Any:
        return await town.sql.fetchval(
            "SELECT last_error FROM tocsin.inbound_raw WHERE connection_id = $1", rival.connection["id"]
        )

    assert await until(tried) == "no message of this connection is known by that id"
    assert (await shop.delivery(done))["state"] == "sent"


async def test_who_texted_stop_is_not_tried_again_until_they_text_start(shop: Shop) -> None:
    await shop.sent()
    shop.town.far.refusals.append(UNSUBSCRIBED)
    refused = await shop.sent()
    assert (refused["state"], len(refused["attempts"])) == ("failed", 1)
    before = len(shop.town.far.to(shop.number))
    stopped = await shop.sent()
    assert (stopped["state"], stopped["lastError"]) == ("suppressed", "the person opted out of the project's")
    assert len(shop.town.far.to(shop.number)) == before
    assert (await shop.write("Start")).status == 200
    await shop.worked_on(1)
    assert (await shop.sent())["state"] == "sent"


async def test_stop_counts_when_it_is_written_and_of_this_sender_alone(shop: Shop, town: Town) -> None:
    rival = await make_shop(town, shop.number)
    await rival.sent()
    await shop.sent()
    await shop.write("STOP", To="+15005550006")
    assert (await shop.worked_on(1))[0]["last_error"] == "it was written to another sender than this connection's"
    assert (await shop.sent())["state"] == "sent"
    await shop.write("STOP")
    await shop.worked_on(2)
    assert (await shop.sent())["state"] == "suppressed"
    assert (await rival.sent())["state"] == "sent"


async def test_a_status_that_says_unsubscribed_opts_out_as_well(shop: Shop) -> None:
    done = await shop.sent()
    await shop.report(done["providerMessageId"], "failed", ErrorCode="21610")
    await shop.becomes(done, "failed")
    await shop.worked_on(1)
    assert (await shop.sent())["state"] == "suppressed"


async def test_nobody_who_opted_out_is_texted_from_the_platforms_number_instead(shop: Shop, town: Town) -> None:
    chief = await operator(town.api, town.site)
    lent = await make_sms(chief.client, town.far, where="/platform/connections")
    town.far.refusals.append(UNSUBSCRIBED)
    assert (await shop.sent())["state"] == "failed"
    await town.sql.execute("UPDATE tocsin.connections SET status = 'error' WHERE id = $1", shop.connection["id"])
    before = len(town.far.messages)
    assert (await shop.sent())["state"] == "suppressed"
    assert len(town.far.messages) == before
    assert (await chief.client.delete(f"/platform/connections/{lent['id']}")).status == 204


async def test_who_stops_a_lent_number_stops_it_for_all_projects_until_they_start_it_again(town: Town) -> None:
    chief = await operator(town.api, town.site)
    lent = await make_sms(chief.client, town.far, where="/platform/connections")
    number = new_number()
    one, two = [await make_shop(town, number, connection=lent) for _ in range(2)]
    town.far.refusals.append(UNSUBSCRIBED)
    assert (await one.sent())["state"] == "failed"
    assert [(await shop.sent())["state"] for shop in (one, two)] == ["suppressed"] * 2
    await one.write("START")
    await one.worked_on(1)
    assert [(await shop.sent())["state"] for shop in (one, two)] == ["sent"] * 2
    assert (await chief.client.delete(f"/platform/connections/{lent['id']}")).status == 204


async def test_a_new_address_ends_the_old_one_and_is_in_the_next_message(shop: Shop) -> None:
    done = await shop.sent()
    old = shop.told_at
    reply = await shop.project.owner.post(f"/connections/{shop.connection['id']}/webhook/regenerate")
    assert reply.status == 200 and reply.json["address"] != old
    assert (await shop.report(done["providerMessageId"], "delivered")).status == 401
    await shop.sent()
    assert shop.told_at == reply.json["address"]


@pytest.mark.parametrize("how", ["verify", "change", "regenerate"])
async def test_a_connection_made_before_statuses_hears_of_them_once_it_is_touched(shop: Shop, how: str) -> None:
    await shop.town.sql.execute("DELETE FROM tocsin.hooks WHERE connection_id = $1", shop.connection["id"])
    await shop.sent()
    assert "StatusCallback" not in shop.town.far.to(shop.number)[-1]
    owner, where = shop.project.owner, f"/connections/{shop.connection['id']}"
    if how == "change":
        reply = await owner.put(where, {"settings": shop.connection["settings"]})
    else:
        reply = await owner.post(f"{where}/{'verify' if how == 'verify' else 'webhook/regenerate'}")
    assert reply.status == 200, reply.json
    done = await shop.sent()
    assert shop.told_at == (await owner.get(f"{where}/setup")).json["address"]
    await shop.report(done["providerMessageId"], "delivered")
    await shop.becomes(done, "delivered")
