"""Messages on their way out: bounded, oldest dropped first, hints merged."""

import asyncio
from collections import deque

from tocsin.kit.broker.link import Frame

_FRAME_OVERHEAD = 200
"""Bytes a queued frame takes in memory besides its message, roughly."""


class Outbox:
    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._hints: dict[Frame, None] = {}
        self._messages: deque[Frame] = deque()
        self._filled = asyncio.Event()
        self._unsent = 0
        self._emptied = asyncio.Event()
        self._emptied.set()

    def put_hint(self, hint: Frame) -> None:
        """Queue a frame of which one copy is enough. Hints go first and are never dropped."""
        self._hints[hint] = None
        self._note_filled()

    def put(self, message: Frame) -> int:
        """Queue a message; returns how many older ones were dropped to make room."""
        self._messages.append(message)
        self._bytes += len(message.message) + _FRAME_OVERHEAD
        dropped = 0
        while self._bytes > self._limit and len(self._messages) > 1:
            self._forget_size(self._messages.popleft())
            dropped += 1
        self._note_filled()
        return dropped

    async def take(self, most: int) -> list[Frame]:
        """Wait until something is queued, then take it: all hints and up to ``most`` messages.

        What was taken counts as unsent until ``sent`` or ``lost`` says how it ended.
        """
        await self._filled.wait()
        taken = list(self._hints)
        self._hints.clear()
        while self._messages and most > 0:
            message = self._messages.popleft()
            self._forget_size(message)
            taken.append(message)
            most -= 1
        if not self._messages:
            self._filled.clear()
        self._unsent = len(taken)
        return taken

    def sent(self) -> None:
        self._unsent = 0
        if not self._filled.is_set():
            self._emptied.set()

    def lost(self) -> int:
        """The taken frames may not have gone out: returns how many those are."""
        unsent = self._unsent
        self.sent()
        return unsent

    async def emptied(self) -> None:
        """Wait until everything queued was sent or lost."""
        await self._emptied.wait()

    def _note_filled(self) -> None:
        self._filled.set()
        self._emptied.clear()

    def _forget_size(self, message: Frame) -> None:
        self._bytes -= len(message.message) + _FRAME_OVERHEAD
