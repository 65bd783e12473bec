"""Contenders of the API: an application of one route in a process of its own, served as the API is served."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn
from starlette.types import ASGIApp

from tests.engines import free_port
from tocsin.api import SERVER


@asynccontextmanager
async def served(module: str, *arguments: str) -> AsyncIterator[tuple[str, int]]:
    """``python -m MODULE PORT ARGUMENTS`` with a route ``/``: its URL and process id, once it answers."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, str(port), *arguments)
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
                    await answer.read()
                return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


def serve(app: ASGIApp, port: int, *, sockets: bool = False) -> None:
    """Until it is told to stop; with ``sockets`` uvicorn's own."""
    ws: Any = "websockets-sansio" if sockets else "none"
    uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, ws=ws, **SERVER)).run()
