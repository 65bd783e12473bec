"""A process that starts meets the keys of everybody at once."""

import asyncio
from itertools import pairwise

import aiohttp

from tests.client import Client, Project
from tests.running import Site, running_api, without_sockets

KEYS = 60
"""More than the 32 that may wait for bcrypt."""


async def test_every_right_key_is_let_in_by_a_process_that_knows_none(
    site: Site, acme: Project, http: aiohttp.ClientSession
) -> None:
    keys = [(await acme.new_key("events:write"))[1] for _ in range(KEYS)]
    with running_api(without_sockets(site)) as process:
        there = Client(http, process.url)
        callers = [key.at(there) for key in keys]
        replies = await asyncio.gather(*(caller.post("/events", {"type": "a", "payload": {}}) for caller in callers))
        again = await asyncio.gather(*(caller.post("/events", {"type": "a", "payload": {}}) for caller in callers))
    assert {reply.status for reply in [*replies, *again]} == {202}


async def test_a_wrong_secret_is_refused_however_many_wait(
    site: Site, acme: Project, http: aiohttp.ClientSession
) -> None:
    made = [await acme.new_key("events:write") for _ in range(KEYS)]
    wrong = [{**one[0], "secret": other[0]["secret"]} for one, other in pairwise(made)]
    with running_api(without_sockets(site)) as process:
        there = Client(http, process.url)
        right = [key.at(there).post("/events", {"type": "a", "payload": {}}) for _, key in made]
        guesses = [
            there.with_headers(X_API_Key=pair["key"], X_API_Secret=pair["secret"]).post(
                "/events", {"type": "a", "payload": {}}
            )
            for pair in wrong[:10]
        ]
        replies = await asyncio.gather(*guesses, *right)
    assert {reply.status for reply in replies[:10]} <= {401, 429}
    assert {reply.status for reply in replies[10:]} == {202}
