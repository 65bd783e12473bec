"""Fault switches: named points where a process can be made to end as abruptly as by ``kill -9``.

Crash tests arm one point of one process (``TOCSIN_CRASH_AT=send.after_send:2``, refused without
``TOCSIN_CRASH_TESTS=1``). Where nothing is armed, to pass a point is to compare two words.
"""

import asyncio
import os
from collections.abc import Mapping

import structlog

POINTS: Mapping[str, str] = {
    "api.before_begin": "events are accepted, and the database was told nothing of them",
    "api.under_way": "the statement that stores and commits them has left, and its answer has not come",
    "api.after_commit": "they are committed; no hint was given and nobody was answered",
    "api.before_reply": "the answer is made, and none of it was sent",
    "api.after_reply": "the answer was handed to the socket",
    "call.before_commit": "an ordinary call did its work, and its transaction is open",
    "call.after_commit": "it is committed, and its caller was not answered",
    "match.after_claim": "events are leased",
    "match.after_read": "their rules and people are read",
    "match.after_evaluate": "the evaluator has answered",
    "match.under_way": "the statement that writes and commits all that follows has left, and its answer has not come",
    "match.after_commit": "it is committed; no hint was given and no socket was told",
    "send.after_claim": "deliveries are leased, by a claim or as they were written",
    "send.after_read": "they are read, with their connections",
    "send.before_send": "the provider is about to be called",
    "send.after_send": "the provider has answered, and only this process knows",
    "send.before_record": "results are about to be written",
    "send.under_way": "the statement that writes and commits them has left, and its answer has not come",
    "send.after_record": "they are committed, and their slots are not free yet",
    "insist.after_due": "what insists once more is known, and nothing of it is written",
    "insist.under_way": "the statement that writes and commits repeats has left, and its answer has not come",
    "insist.after_commit": "they are committed; no hint was given and no socket was told",
    "turn.after_due": "whose next channel has its turn is known, and nothing of it is written",
    "turn.under_way": "the statement that writes and commits turns has left, and its answer has not come",
    "turn.after_commit": "they are committed, and no hint was given",
    "digest.after_due": "which windows are over is known, and nothing of them is read",
    "digest.after_read": "what they gathered is read and put into words",
    "digest.under_way": "the statement that writes and commits digests has left, and its answer has not come",
    "digest.after_commit": "they are committed; no hint was given and no socket was told",
    "clock.after_due": "retries are made claimable, and nobody was told",
    "clock.after_held": "what was held until now is queued, and nobody was told",
    "clock.after_release": "leases of the dead are released, and nobody was told",
    "broker.before_send": "hints and messages are off the queue, and nobody was sent them",
    "broker.after_send": "they are with the broker, and their place in the queue is not free yet",
}
"""Every point, and what is so at the moment it is passed."""

EXIT_CODE = 137
UNDER_WAY_SECONDS = 0.001

_armed: str | None = None
_passes_left = 0


def arm(what: str) -> None:
    """Let the nth pass of a point be the end of this process: ``point:n``. Raises ValueError."""
    global _armed, _passes_left
    point, _, nth = what.partition(":")
    if point not in POINTS or not nth.isdecimal() or int(nth) < 1:
        raise ValueError(f"A crash point reads name:n with n from 1 on, and a name of {', '.join(POINTS)}.")
    _armed, _passes_left = point, int(nth)
    structlog.get_logger(__name__).warning("armed to crash", point=point, passes=_passes_left)


def here(point: str) -> None:
    """End the process if this is the pass that was asked for."""
    if point == _armed:
        _count_down(point)


def soon(point: str) -> None:
    """The same a moment later, for a statement that has left by then and may or may not have arrived."""
    if point == _armed:
        asyncio.get_running_loop().call_later(UNDER_WAY_SECONDS, _count_down, point)


def _count_down(point: str) -> None:
    global _passes_left
    _passes_left -= 1
    if _passes_left == 0:
        os.write(2, f"crashed at {point}\n".encode())
        os._exit(EXIT_CODE)
