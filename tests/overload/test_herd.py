"""Two thousand clients that lost their sockets in one moment and are all back in the next (P11)."""

import asyncio
from collections import Counter

import aiohttp
import msgspec

from tests.client import Client, Project, sign_up

SOCKETS = 2_000


async def greeted(http: aiohttp.ClientSession, project: Project) -> tuple[str, aiohttp.ClientWebSocketResponse]:
    """What one socket is told first: the name of the event, or the code it is sent away with."""
    key = project.app.headers["X-API-Key"]
    url = f"{project.app.base.replace('http', 'ws', 1)}/app/{key}?protocol=7"
    socket = await http.ws_connect(url, heartbeat=None, max_msg_size=0)
    told = msgspec.json.decode((await socket.receive_str()).encode())
    code = msgspec.json.decode(told["data"]).get("code") if isinstance(told["data"], str) else told["data"].get("code")
    return (f"{told['event']} {code}" if code else told["event"]), socket


async def test_sockets_that_come_back_all_at_once_are_let_in_or_told_to_wait(
    api: Client, http: aiohttp.ClientSession
) -> None:
    project = await sign_up(api, "Herd")
    for _ in range(2):
        greetings = await asyncio.gather(*(greeted(http, project) for _ in range(SOCKETS)))
        told = Counter(what for what, _ in greetings)
        assert told.keys() <= {"pusher:connection_established", "pusher:error 4100"}, told
        assert told["pusher:connection_established"] > SOCKETS / 2
        reply = await project.key.post("/events", {"type": "herd.back", "payload": {}})
        assert reply.status == 202
        for _, socket in greetings:
            socket._response.close()  # as a network ends them: nobody says goodbye
