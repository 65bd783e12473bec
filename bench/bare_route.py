"""The floor of single events: an empty POST answered by a bare Starlette route, served as the API is served.

``python -m bench.bare_route PORT`` runs it as a process of its own.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.engines import free_port

from tocsin.api import SERVER


async def _accept(_request: Request) -> Response:
    return Response(status_code=202)


def serve(port: int) -> None:
    app = Starlette(routes=[Route("/", _accept, methods=["POST"])])
    uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, ws="none", **SERVER)).run()


@asynccontextmanager
async def bare_route() -> AsyncIterator[tuple[str, int]]:
    """Its URL and process id, once it answers."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, str(port))
    url = f"http://127.0.0.1:{port}/"
    try:
        async with asyncio.timeout(20):
            await _answers(url)
        yield url, process.pid
    finally:
        process.terminate()
        await process.wait()


async def _answers(url: str) -> None:
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.post(url) as answer:
                    answer.raise_for_status()
                return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
