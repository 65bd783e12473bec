"""What travels between a process of ours and the one that runs Apprise: msgpack behind a length of four bytes."""

import struct

import msgspec

LENGTH = struct.Struct(">I")
MOST_REPLY = 4_000
"""Bytes. Replies of several processes share a pipe, and one that is longer than 4,096 could be cut in two (pipe(7))."""


class Rules(msgspec.Struct, frozen=True):
    """Where the process may connect to, as the door of its parent says. Networks and addresses are text."""

    allowed: list[str]
    own_networks: list[str]
    own: list[tuple[str, int]]
    own_domain: str | None
    proxy: str | None


class Order(msgspec.Struct, frozen=True):
    """One message for the service behind an Apprise URL. A ``dry`` one ends where its first call would leave."""

    number: int
    url: str
    title: str
    body: str
    kind: str
    seconds: int
    dry: bool


class Result(msgspec.Struct):
    """What became of an order. ``code`` and ``detail`` are of what was blocked, ``status`` and ``answer`` the far end's
    last, if it was reached at all."""

    number: int
    outcome: str
    """``taken``, ``refused`` (by the service or by Apprise), ``invalid`` (no such service), ``blocked`` (by the jail)
    or ``died`` (out of time or memory)."""
    name: str = ""
    code: str = ""
    detail: str = ""
    status: int | None = None
    retry_after: str | None = None
    answer: str = ""


def framed(message: msgspec.Struct) -> bytes:
    body = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(body)) + body
