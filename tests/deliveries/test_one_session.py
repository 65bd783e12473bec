"""All connections of a worker send through one session (C6)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from tests.client import Client, sign_up
from tests.connections.build import created
from tests.engines import fresh_database
from tests.inbound.telegram.bot_api import BotApi, bot_api
from tests.inbound.telegram.town import Bot, Town, new_bot
from tests.pipeline import make_rule, send_event, until
from tests.running import Site, running, running_api
from tocsin.kit.postgres import Running

BOTS = 100
AT_ONCE = 2
"""Of the worker's eight slots, for one project."""


@pytest.fixture
async def far() -> AsyncIterator[BotApi]:
    async with bot_api() as api:
        yield api


@pytest.fixture
async def town(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession, far: BotApi
) -> AsyncIterator[Town]:
    async with fresh_database(cluster, template) as url:
        site = Site(url, home, settings={"TOCSIN_SLOTS": "8", "TOCSIN_TELEGRAM_API_URL": far.url})
        sql = await asyncpg.connect(url)
        with running_api(site) as process, running(site, "worker"):
            yield Town(site, Client(http, process.url), sql, far)
        await sql.close()


async def test_a_hundred_bots_open_no_more_sockets_than_there_are_calls_at_once(town: Town) -> None:
    shop = await sign_up(town.api, "Shop")
    bots = [await new_bot(town, shop) for _ in range(BOTS)]
    # Proven without a call, and not looked at by checks: what the worker calls is for messages alone.
    await town.sql.execute(
        "UPDATE tocsin.connections SET status = 'active', verified_at = now(), next_check_at = now() + interval '1 day'"
    )
    names = [await group_of(bot, number) for number, bot in enumerate(bots)]
    for start in range(0, BOTS, 20):
        await make_rule(shop, "telegram", targetRoles=[], targetDestinations=names[start : start + 20])
    assert town.far.sockets == set()
    await send_event(shop.key, order=7)

    async def all_have_sent() -> bool:
        return all(len(bot.known.of("sendMessage")) == 1 for bot in bots)

    await until(all_have_sent, 60)
    assert 1 <= len(town.far.sockets) <= AT_ONCE


async def group_of(bot: Bot, number: int) -> Any:
    """The name of a group that this bot alone sends to."""
    body = {"name": f"group-{number}", "address": f"-{1_000 + number}"}
    return created(await bot.project.key.post(f"/connections/{bot.id}/destinations", body))["name"]
