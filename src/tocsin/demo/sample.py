"""The events to send: one JSON object a line, as POST /events takes it."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

MOST = 10_000

Event = dict[str, Any]


class BadSample(Exception):
    """The file does not hold events; the message names the line."""


def read_sample(path: Path | None) -> list[Event]:
    """The events of a file, or of the sample that comes with Tocsin. Raises BadSample."""
    name = str(path) if path else "sample.ndjson"
    try:
        text = path.read_text(encoding="utf-8") if path else files(__package__).joinpath(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSample(f"{name} cannot be read: {error}") from error
    events = [
        _event(line, f"{name}, line {number}") for number, line in enumerate(text.splitlines(), 1) if line.strip()
    ]
    if not events:
        raise BadSample(f"{name} holds no events; write one JSON object a line, as POST /api/v1/events takes it.")
    if len(events) > MOST:
        raise BadSample(f"{name} holds {len(events):,} events; a demonstration takes {MOST:,} at most.")
    return events


def _event(line: str, place: str) -> Event:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise BadSample(f"{place} is not JSON: {error}") from error
    if (
        not isinstance(event, dict)
        or not isinstance(event.get("type"), str)
        or not isinstance(event.get("payload"), dict)
    ):
        raise BadSample(f'{place} is no event; it looks like {{"type": "order.created", "payload": {{...}}}}')
    return event
