"""The process that evaluates what tenants wrote: no secrets, no network, capped memory, killed at will.

Frames on stdin and stdout are a 4-byte big-endian length and msgpack. The child sends an empty list when it
is ready, and for a `Request` lists of `RuleOutcome` in order, until every rule of every task has one. In a
careful request an empty list says that the next rule has matched and is being rendered.
"""

import ctypes
import gc
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import repeat
from typing import Any, BinaryIO

import msgspec

from tocsin.rules.compiled import Compiled
from tocsin.rules.conditions import Condition, Facts
from tocsin.rules.jobs import DIGEST, NOBODYS, Event, Request, RuleOutcome, RuleSource, Task
from tocsin.rules.templates import RenderError, Template, fitted

MOST_PRINTED = 256 * 1024
"""Characters that all texts of a rule print together, in all languages."""

FLUSH_NS = 5_000_000
"""Outcomes are sent at least this often while work goes on, so that a kill loses little."""

CONDITION_CACHE = 4_000_000
TEMPLATE_CACHE = 2_000_000
"""Characters of source kept compiled: a compiled template takes up to about 50 times its source."""

_SAMPLE_RULE = RuleSource(
    "sample",
    "payload.items.exists(item, item.price > 10 && item.name.matches('^a.*'))"
    " && timestamp(event.timestamp).getHours() < 24"
    " && double(payload.count) + size(payload.items) > 1.5 && user.name == 'Ada' && payload.absent != 1",
    {"title": "{% for item in payload.items %}{{ item.name | upcase }} {{ item.price | times: 2 }}{% endfor %}"},
)
_SAMPLE_EVENT = Event(
    "sample",
    "order.created",
    "shop",
    "2026-05-04T10:00:00Z",
    b'{"count": 1, "absent": 2, "items": [{"name": "abc", "price": 12.5}]}',
)

_PR_SET_PDEATHSIG = 1
_DECODE = msgspec.msgpack.Decoder(Request)
_ENCODE = msgspec.msgpack.Encoder()


def main() -> None:
    """``python -m tocsin.rules.child MEMORY_BYTES PARENT_PID NICENESS``, started by `evaluator.Evaluator`."""
    memory, parent, niceness = map(int, sys.argv[1:])
    _die_with(parent)
    os.nice(niceness)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    requests, replies = _claim_pipes()
    evaluation = Evaluation()
    evaluation.warm_up()
    gc.freeze()
    _send(replies, [])
    while frame := _receive(requests):
        evaluation.answer(_DECODE.decode(frame), replies)


def _die_with(parent: int) -> None:
    """Let Linux kill us with the parent, even in the middle of a condition; elsewhere stdin ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit()


def _claim_pipes() -> tuple[BinaryIO, int]:
    """The two pipes, out of reach of stray prints: from here on nothing tenant-made reaches a log."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    return requests, replies


def _receive(requests: BinaryIO) -> bytes:
    """The next frame; empty when the parent has closed the pipe."""
    header = requests.read(4)
    return requests.read(int.from_bytes(header, "big")) if len(header) == 4 else b""


def _send(replies: int, outcomes: list[RuleOutcome]) -> None:
    body = _ENCODE.encode(outcomes)
    frame = memoryview(len(body).to_bytes(4, "big") + body)
    while frame:
        frame = frame[os.write(replies, frame) :]


class Evaluation:
    """Evaluates requests, with what it compiled kept between them."""

    def __init__(self) -> None:
        self._condition = Compiled(Condition, CONDITION_CACHE)
        self._template = Compiled(Template, TEMPLATE_CACHE)

    def warm_up(self) -> None:
        """Use what rules will use, before anybody's time runs.

        The first condition touches some 200 pages of memory, and where a hypervisor hands out each of them when it is
        first touched, that alone takes longer than a rule may.
        """
        subject = _Subject(Task(_SAMPLE_EVENT, {"name": "Ada"}, 0, [0]), {"name": "Shop"}, {})
        for _ in self._steps(_SAMPLE_RULE, subject, NOBODYS):
            pass

    def answer(self, request: Request, replies: int) -> None:
        waiting: list[RuleOutcome] = []
        looks = [project.pop("branding", {}) for project in request.projects]
        flushed = time.perf_counter_ns()
        for task in request.tasks:
            subject = _Subject(task, request.projects[task.project], looks[task.project])
            for index, way in zip(task.rules, task.ways or repeat(NOBODYS), strict=False):
                for outcome in self._steps(request.rules[index], subject, way):
                    if outcome:
                        waiting.append(outcome)
                    now = time.perf_counter_ns()
                    if request.careful or now - flushed > FLUSH_NS:
                        if waiting or request.careful:
                            _send(replies, waiting)
                        waiting, flushed = [], now
        if waiting:
            _send(replies, waiting)

    def _steps(self, rule: RuleSource, subject: "_Subject", way: str) -> Iterator[RuleOutcome | None]:
        """The outcome of a rule; before it None when the rule has matched and is about to be rendered."""
        started = time.perf_counter_ns()
        outcome = self._judged(rule, subject)
        if outcome.matched and rule.templates:
            yield None
            self._render(rule, subject.context_for(way), outcome)
        outcome.duration_us = (time.perf_counter_ns() - started) // 1_000
        yield outcome

    def _judged(self, rule: RuleSource, subject: "_Subject") -> RuleOutcome:
        try:
            verdict = self._condition(rule.condition or "").evaluate(subject.facts)
        except MemoryError:
            reason = "the condition was stopped after taking too much memory"
            return RuleOutcome(rule.rule_id, False, reason, "condition_error", stopped=True)
        except RecursionError:
            return RuleOutcome(rule.rule_id, False, "the payload is nested too deeply", "condition_error")
        except ValueError as error:
            return RuleOutcome(rule.rule_id, False, str(error), "condition_error")
        return RuleOutcome(rule.rule_id, verdict.matched, verdict.reason, "condition_error" if verdict.error else "")

    def _render(self, rule: RuleSource, context: Mapping[str, Any], outcome: RuleOutcome) -> None:
        missing: dict[str, None] = {}
        rendered: dict[str, str] = {}
        for name, text in rule.templates.items():
            try:
                printed = self._template(text).render(context)
                rendered[name] = fitted(name, printed.text)
            except MemoryError:
                outcome.error, outcome.stopped = "render_error", True
                outcome.reason = "the templates were stopped after taking too much memory"
                return
            except (RenderError, ValueError) as error:
                outcome.error, outcome.reason = "render_error", f"{name}: {error}"
                return
            missing |= dict.fromkeys(printed.missing)
        if sum(map(len, rendered.values())) > MOST_PRINTED:
            outcome.error, outcome.reason = "render_error", "its texts together are too long"
            return
        outcome.rendered, outcome.missing = rendered, list(missing)


class _Subject:
    """An event in the forms that conditions and templates need, each made once and only when needed."""

    def __init__(self, task: Task, project: Mapping[str, Any], branding: Mapping[str, Any]) -> None:
        self._task = task
        self._project = project
        self._branding = branding

    @cached_property
    def payload(self) -> dict[str, Any]:
        payload = _decoded(self._task.event.payload)
        if not isinstance(payload, dict):
            raise ValueError("the payload is not an object")
        return payload

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        event = self._task.event
        return {
            "id": event.id,
            "type": event.type,
            "source": event.source,
            "timestamp": event.timestamp,
            "payload": self.payload,
        }

    @cached_property
    def facts(self) -> Facts:
        return Facts(self.fields, self.payload, self._task.user)

    def context_for(self, way: str) -> dict[str, Any]:
        """A digest has no ``reader``: there it is its ``user``."""
        told = {"user": self._task.user, "project": self._project, "branding": self._branding}
        if self._task.event.type == DIGEST:
            return {**self.payload, **told}
        return {"event": self.fields, "payload": self.payload, "reader": _reader(way), **told}


def _reader(way: str) -> dict[str, Any]:
    """Nobody but a way of reading."""
    length, time_, number, timezone = way.split("|", 3)
    return {"timezone": timezone, "format": {"length": length, "time": time_, "number": number}}


def _decoded(payload: bytes) -> Any:
    """Decoded JSON. PostgreSQL writes 1e300 as 301 digits, which only the slower reader takes."""
    try:
        return msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return _slowly_decoded(payload)


def _slowly_decoded(payload: bytes) -> Any:
    try:
        return json.loads(payload, parse_int=_number)
    except ValueError as error:
        raise ValueError("the payload is not JSON") from error


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) < 20 else float(digits)


if __name__ == "__main__":
    main()
