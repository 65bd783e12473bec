"""The whole way against a Bot API that others wrote, with faults in between."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from tests.client import Client, sign_up
from tests.connections.build import created
from tests.engines import fresh_database
from tests.inbound.bots import bot_token
from tests.inbound.telegram.doubles import Doubles, doubled
from tests.pipeline import ended, make_rule, notified, send_event, until
from tests.running import Site, running, running_api
from tocsin.kit.postgres import Running


@pytest.fixture
async def doubles(http: aiohttp.ClientSession) -> AsyncIterator[Doubles]:
    async with doubled(http) as found:
        yield found


async def test_a_person_links_hears_and_acknowledges_over_somebody_elses_bot_api(
    doubles: Doubles, cluster: Running, template: str, home: Path, http: aiohttp.ClientSession
) -> None:
    """429 with its pause and a 502 of a proxy on the way; neither loses nor doubles the message."""
    async with fresh_database(cluster, template) as url:
        site = Site(url, home, settings={"TOCSIN_TELEGRAM_API_URL": doubles.api})
        sql = await asyncpg.connect(url)
        with running_api(site) as process, running(site, "worker"):
            await walk(doubles, Client(http, process.url), sql)
        await sql.close()


async def walk(doubles: Doubles, api: Client, sql: asyncpg.Connection) -> None:
    shop, token, chat = await sign_up(api, "Shop"), bot_token(), 4242
    body = {"provider": "telegram", "name": "bot", "credentials": {"botToken": token}}
    made = created(await shop.key.post("/connections", body))
    verified = await shop.key.post(f"/connections/{made['id']}/verify")
    assert verified.json["account"] == {"id": "666", "name": "@TestNameBot"}, verified.json
    ann = await shop.add_user(name="Ann")
    link = await shop.key.post(f"/users/{ann['id']}/addresses/telegram/link")
    payload = link.json["url"].partition("?start=")[2]
    person = {"id": chat, "first_name": "Ann", "is_bot": False}
    private = {"botToken": token, "date": 1_795_000_000, "from": person, "chat": {"id": chat, "type": "private"}}
    entities = [{"offset": 0, "length": 6, "type": "bot_command"}]
    await doubles.person("sendCommand", {**private, "text": f"/start {payload}", "entities": entities})
    greeting = await heard(doubles, token, chat)
    assert "Ann" in greeting["message"]["text"]
    await make_rule(shop, "telegram", targetUsers=[ann["id"]], requireAck=True)
    event = await send_event(shop.key, order=7)
    done = await ended(shop.key, event, "telegram", 60)
    assert [attempt["status"] for attempt in done["attempts"]] == [429, 502, 200], done["attempts"]
    told = await heard(doubles, token, chat)
    assert told["message"]["text"] == "<b>Order 7</b>" and str(told["messageId"]) == done["providerMessageId"]
    button = told["message"]["reply_markup"]["inline_keyboard"][0][0]
    shown = {"message_id": told["messageId"], "chat": private["chat"], "reply_markup": told["message"]["reply_markup"]}
    press = {"botToken": token, "from": person, "message": shown, "data": button["callback_data"]}
    await doubles.person("sendCallback", press)

    async def acknowledged() -> Any:
        return (await notified(shop.key, event))["acknowledgedBy"]

    [by] = await until(acknowledged)
    assert (by["userId"], by["via"]) == (ann["id"], "telegram")
    history = (await doubles.person("getUpdatesHistory", {"token": token}))["result"]
    about = [each for each in history if each.get("message", {}).get("text") == "<b>Order 7</b>"]
    assert len(about) == 1


async def heard(doubles: Doubles, token: str, chat: int) -> Any:
    """The next message of the bot's in a chat."""

    async def look() -> Any:
        told = (await doubles.person("getUpdates", {"token": token, "chatId": chat}))["result"]
        return told[0] if told else None

    return await until(look, 20)
