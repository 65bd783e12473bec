"""What the installation says of itself to everybody (H3)."""

from dataclasses import replace

import aiohttp
import pytest
from pydantic import ValidationError

from tests.client import Client
from tests.running import Site, running_api
from tocsin.settings import Settings


async def test_nobody_need_sign_in_to_read_where_our_calls_come_from(api: Client) -> None:
    reply = await api.get("/meta/egress-addresses")
    assert (reply.status, reply.json) == (200, {"addresses": []})


async def test_the_addresses_are_those_that_the_operator_set(site: Site, http: aiohttp.ClientSession) -> None:
    settings = {"TOCSIN_EGRESS_ADDRESSES": "8.8.4.4, 9.9.9.0/29,2620:fe::fe", "TOCSIN_REALTIME": "0"}
    with running_api(replace(site, settings=settings)) as process:
        reply = await Client(http, process.url).get("/meta/egress-addresses")
    assert reply.json == {"addresses": ["8.8.4.4", "9.9.9.0/29", "2620:fe::fe"]}


@pytest.mark.parametrize("wrong", ["example.com", "8.8.4.4/40", "8.8.4.4,,x", "9.9.9.1/29"])
def test_what_is_no_address_is_refused_at_the_start(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_EGRESS_ADDRESSES", wrong)
    with pytest.raises((ValidationError, ValueError)):
        Settings()
