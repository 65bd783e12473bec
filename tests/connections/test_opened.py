"""What a process keeps opened of connections: a bounded number, for a bounded time, in nobody's way (C6)."""

import asyncio
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import aiohttp
import asyncpg
import pytest

from tests.channels.conftest import LOOPBACK, MESSAGE
from tests.channels.far_end import answering
from tests.client import Client, sign_up
from tests.engines import fresh_database
from tests.inbound.bots import bot_token, make_bot
from tests.running import Site, running_api
from tocsin.channels.ntfy import Ntfy, NtfyCredentials, NtfySettings
from tocsin.channels.telegram import TelegramCredentials, TelegramSettings
from tocsin.connections import opened as module
from tocsin.connections.opened import IDLE_SECONDS, OPENED_AT_MOST, Opened, OpenedConnections
from tocsin.kit.http import Door
from tocsin.kit.ids import new_id
from tocsin.kit.postgres import Running

VERSION = datetime(2026, 1, 1, tzinfo=UTC)
BYTES_AT_REST = 4_096
BOTS = 10_000


def bot() -> Opened:
    return Opened(VERSION, TelegramSettings(), TelegramCredentials.model_validate({"botToken": bot_token()}))


def filled(count: int) -> tuple[OpenedConnections, list[tuple[UUID, UUID]]]:
    kept, places = OpenedConnections(), [(new_id(), new_id()) for _ in range(count)]
    for place in places:
        kept.keep(*place, bot())
    return kept, places


def test_the_one_that_was_used_longest_ago_gives_way() -> None:
    kept, places = filled(OPENED_AT_MOST)
    assert kept.find(*places[0], VERSION) is not None
    kept.keep(new_id(), new_id(), bot())
    assert len(kept) == OPENED_AT_MOST
    assert kept.find(*places[0], VERSION) is not None
    assert kept.find(*places[1], VERSION) is None


def test_an_operator_may_keep_fewer() -> None:
    kept = OpenedConnections(2)
    for _ in range(3):
        kept.keep(new_id(), new_id(), bot())
    assert len(kept) == 2


def test_what_has_changed_since_is_not_found() -> None:
    kept, [place] = filled(1)
    assert kept.find(*place, datetime(2026, 1, 2, tzinfo=UTC)) is None


async def test_what_nobody_uses_for_half_an_hour_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    kept, places = filled(2)
    now += IDLE_SECONDS
    assert kept.find(*places[1], VERSION) is not None
    now += 1
    await kept.look_over()
    assert [kept.find(*place, VERSION) is not None for place in places] == [False, True]


async def test_a_call_under_way_goes_on_when_its_connection_gives_way() -> None:
    """Whoever sends has in hand what it takes; the session belongs to the door and to no connection."""
    kept, place, sending = OpenedConnections(), (new_id(), new_id()), asyncio.Event()
    async with Door(allowed=LOOPBACK) as door, answering(200, '{"id": "1", "event": "message"}') as far:
        own = Opened(VERSION, NtfySettings(url=far.url, topic="orders"), NtfyCredentials())
        kept.keep(*place, own)
        found = kept.find(*place, VERSION)
        assert found is not None

        async def evicted() -> None:
            for _ in range(OPENED_AT_MOST):
                kept.keep(new_id(), new_id(), bot())
            sending.set()

        far.meanwhile = evicted
        receipt = await Ntfy().send(MESSAGE, None, found.settings, found.credentials, door)  # type: ignore[arg-type]
    assert sending.is_set() and kept.find(*place, VERSION) is None
    assert receipt.provider_message_id == "1"


def test_an_opened_bot_takes_less_than_four_kibibytes() -> None:
    """A bot is its secrets: no session, no library's client."""
    filled(10)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept, _ = filled(100)
        each = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    finally:
        tracemalloc.stop()
    assert each < BYTES_AT_REST, f"{each:,.0f} bytes"


async def test_ten_thousand_bots_take_less_than_four_kibibytes_each_at_rest(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession
) -> None:
    """Rows and their indexes; processes hold nothing of a connection that is not used."""
    async with fresh_database(cluster, template) as url:
        site, sql = Site(url, home), await asyncpg.connect(url)
        with running_api(site) as process:
            shop = await sign_up(Client(http, process.url), "Shop")
            one = UUID((await make_bot(shop.key, site, sql)).connection["id"])
        before = await sql.fetchval(_SIZE)
        copies = [new_id() for _ in range(BOTS)]
        await sql.execute(_COPY_CONNECTION, one, copies)
        await sql.execute(_COPY_HOOK, one, copies)
        each = (await sql.fetchval(_SIZE) - before) / BOTS
        await sql.close()
    assert 500 < each < BYTES_AT_REST, f"{each:,.0f} bytes"


_SIZE = "SELECT pg_total_relation_size('tocsin.connections') + pg_total_relation_size('tocsin.hooks')"
_COPY_CONNECTION = """
INSERT INTO tocsin.connections (project_id, id, env, provider, channel, owner, name, credentials, settings, account,
    status, is_default, account_claim)
SELECT c.project_id, n.id, c.env, c.provider, c.channel, c.owner, c.name, c.credentials, c.settings,
    '{"id": "7000000", "name": "@acme_alerts_bot"}', 'active', false, sha256(n.id::text::bytea)
FROM tocsin.connections c, unnest($2::uuid[]) AS n (id) WHERE c.id = $1
"""
_COPY_HOOK = """
INSERT INTO tocsin.hooks (project_id, connection_id, env, provider, token, secret)
SELECT h.project_id, n.id, h.env, h.provider, left(encode(sha256(n.id::text::bytea), 'hex'), 32), h.secret
FROM tocsin.hooks h, unnest($2::uuid[]) AS n (id) WHERE h.connection_id = $1
"""
