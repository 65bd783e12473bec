"""What texts of the database cannot hold, and how long a link to it may be silent."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from tests.overload.slow_link import link_to
from tests.running import Site
from tocsin.kit import db as databases
from tocsin.kit.away import is_away
from tocsin.kit.db import Database, json_text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain ä", "plain ä"),
        ("a\0b", "a\ufffdb"),
        ("\0\0", "\ufffd\ufffd"),
        ("\\\0", "\\\ufffd"),
        (r"\u0000", r"\u0000"),
        (r"\\u0000", r"\\u0000"),
    ],
)
def test_the_character_nul_is_replaced_and_what_only_looks_like_it_is_not(text: str, kept: str) -> None:
    assert json.loads(json_text({text: [text]})) == {kept: [kept]}


async def test_a_link_that_went_silent_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """No packet says that a network is gone, and a statement that the server has begun to answer waits for ever."""
    monkeypatch.setattr(databases, "LATE_SECONDS", 0.5)
    place = urlsplit(site.app_url)
    async with link_to(str(place.hostname), int(place.port or 5432)) as link:
        url = site.app_url.replace(f":{place.port}", f":{link.port}")
        db = Database(url, ordinary=0, hot=1, statement_seconds=1)
        await db.start()
        assert await db.hot.fetchval("SELECT 1") == 1
        link.hang()
        async with asyncio.timeout(20):
            for _ in range(2):
                with pytest.raises(TimeoutError) as late:
                    await db.hot.fetchval("SELECT 1")
                assert is_away(late.value)
        link.heal()
        assert await db.hot.fetchval("SELECT 1") == 1
        await db.close()
