"""The far end of the hub in memory: a link that keeps what was sent to it."""

import json
from typing import Any

from tocsin.realtime.client import Client
from tocsin.realtime.hub import Hub


class Recorder:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.closed: int | None = None

    def send(self, frame: bytes) -> None:
        if self.closed is None:
            self.sent.append(json.loads(_payload(frame)))

    def close(self, code: int, reason: str) -> None:
        self.closed = code

    def events(self) -> list[str]:
        return [frame["event"] for frame in self.sent]


def connected(hub: Hub, app_id: str = "1", key: str = "pk") -> tuple[Client, Recorder]:
    """A client with its greeting already read."""
    link = Recorder()
    client = hub.connect(app_id, key, link, None)
    assert isinstance(client, Client)
    link.sent.clear()
    return client, link


def _payload(frame: bytes) -> bytes:
    """Of an unmasked text frame (RFC 6455 section 5.2)."""
    assert frame[0] == 0x81
    start = {126: 4, 127: 10}.get(frame[1], 2)
    return frame[start:]
