"""A process beside the product that plays a part of the outside: asked and answering in lines of JSON."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
import uvloop

Answer = TypeVar("Answer")

_MOST_ANSWER = 64 * 2**20


class Beside:
    """One such process; questions are answered one after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def ask(self, question: Any, answer: type[Answer], seconds: float = 30) -> Answer:
        """Raises TimeoutError, and RuntimeError when the process has ended."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(msgspec.json.encode(question) + b"\n")
        async with asyncio.timeout(seconds):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("a process beside the product has ended; its words are above")
        return msgspec.json.decode(line, type=answer)


@asynccontextmanager
async def beside(module: str) -> AsyncIterator[Beside]:
    """``python -m module``, which runs ``answering``, until the block ends."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=pipe, stdout=pipe, limit=_MOST_ANSWER
    )
    try:
        yield Beside(process)
    finally:
        assert process.stdin
        process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def answering(question: type[Any], answer: Callable[[Any], Awaitable[Any]]) -> None:
    """The side of that process: answer every line of stdin until it ends."""
    uvloop.run(_answer(question, answer))


async def _answer(question: type[Any], answer: Callable[[Any], Awaitable[Any]]) -> None:
    asked = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    while line := await asked.readline():
        told = await answer(msgspec.json.decode(line, type=question))
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
        sys.stdout.buffer.flush()
