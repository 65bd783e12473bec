"""What the evaluator is asked and what it answers: one event with the rules that may match it."""

from typing import Any, Literal

import msgspec

DIGEST = "(digest)"
"""The type that stands for a digest among events, which no event can have: templates see what is in its payload."""

NOBODYS = "full|24h|1,234.5|UTC"
"""The way of reading of nobody in particular, in which the first words of a rule are written."""


class Event(msgspec.Struct, frozen=True):
    """An event as rules see it. ``timestamp`` is ISO 8601; ``payload`` is the JSON text of an object."""

    id: str
    type: str
    source: str
    timestamp: str
    payload: bytes


class RuleSource(msgspec.Struct, frozen=True):
    """A rule's texts. Templates are named ``title``, ``message``, ``actionUrl``, or ``title.de``.

    The same object given with several events travels once.
    """

    rule_id: str
    condition: str | None = None
    templates: dict[str, str] = {}


class Job(msgspec.Struct, frozen=True):
    """One event with its candidate rules. ``user`` and ``project`` are plain JSON objects, the project's with its
    ``branding``; that object travels once, whatever the number of events. ``way`` is how those for whom it is printed
    read times and numbers.

    Neighbours with the same event object travel as one, with the user and the project of the first.
    """

    event: Event
    user: dict[str, Any] | None
    project: dict[str, Any]
    rules: list[RuleSource]
    way: str = NOBODYS


class RuleOutcome(msgspec.Struct):
    """What a rule says about an event.

    ``reason`` is a phrase for the trace. With ``condition_error`` the rule did not match because its
    condition went wrong; with ``render_error`` it matched and its templates went wrong. ``stopped`` marks
    an evaluation that had to be killed: the strikes that suspend a rule. ``missing`` names variables that
    printed nothing because they have no value.
    """

    rule_id: str
    matched: bool
    reason: str
    error: Literal["", "condition_error", "render_error"] = ""
    rendered: dict[str, str] = {}
    missing: list[str] = []
    duration_us: int = 0
    stopped: bool = False


class Outcome(msgspec.Struct):
    """The answer to one job: an outcome for each of its rules, in their order."""

    event_id: str
    rules: list[RuleOutcome]


class Task(msgspec.Struct, array_like=True):
    """The jobs of one event on the wire: the project and the rules are indexes into the request's tables, each rule
    with the way in which it is printed; there are no ways where all are nobody's."""

    event: Event
    user: dict[str, Any] | None
    project: int
    rules: list[int]
    ways: list[str] = []


class Request(msgspec.Struct, array_like=True):
    """A message to the child. ``careful`` asks for a frame after every step, not every few milliseconds."""

    careful: bool
    projects: list[dict[str, Any]]
    rules: list[RuleSource]
    tasks: list[Task]
