"""One connected client, as the hub sees it. Ten thousand of these are idle at a time, so it is small."""

from typing import Protocol


class Link(Protocol):
    """The way to one client. Neither call waits: what cannot be sent is the link's to keep within bounds."""

    def send(self, frame: bytes) -> None:
        """Queue a ready WebSocket frame; nothing happens when the link is closing or gone."""

    def close(self, code: int, reason: str) -> None:
        """Say goodbye after what was queued, and be gone soon whether or not the client answers."""


class Client:
    """An admitted socket. ``channels`` maps subscriptions to the user id they were made with, if presence.

    ``holders`` are the users, sessions and visits it stands on: whose rights let it in anywhere.
    """

    __slots__ = (
        "app_id",
        "channels",
        "closing",
        "event_count",
        "event_second",
        "holders",
        "id",
        "key",
        "link",
        "pinged",
        "seen",
        "slot",
        "user_id",
    )

    def __init__(self, socket_id: str, app_id: str, key: str, link: Link, now: float) -> None:
        self.id = socket_id
        self.app_id = app_id
        self.key = key
        self.link = link
        self.channels: dict[str, str | None] = {}
        self.user_id: str | None = None
        self.holders: frozenset[str] = frozenset()
        self.closing = False
        self.seen = now
        self.pinged = False
        self.slot = 0
        self.event_second = 0
        self.event_count = 0

    def may_send_event(self, now: float, per_second: int) -> bool:
        """Count one client event; False when this second's share is spent."""
        second = int(now)
        if second != self.event_second:
            self.event_second, self.event_count = second, 0
        self.event_count += 1
        return self.event_count <= per_second
