"""What an event must look like (E3), read straight from bytes."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from tocsin.event_types.names import valid_event_type
from tocsin.kit.errors import BadRequest, FieldError, Invalid, Problem
from tocsin.kit.strict_json import MAX_DEPTH, escaped, faults, holds_oddity, looks_large, looks_odd

MOST_IN_BATCH = 1_000
EVENT_BYTES = 256 * 1024
MOST_AHEAD = timedelta(minutes=10)
MOST_BEHIND = timedelta(days=366)

_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}):(\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PATH_PART = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[(\.\.\.)\]")


class Event(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """One event as a client sends it."""

    type: str
    payload: dict[str, Any]
    client_event_id: str | None = None
    timestamp: str | None = None
    source: str | None = None

    @property
    def moment(self) -> datetime | None:
        """The client's timestamp, None where it gave none (or one that ``read_event`` refuses)."""
        return _moment(self.timestamp) if self.timestamp is not None else None

    def canonical(self) -> bytes:
        """The body in one spelling, so that a repeat with its keys in another order is still the same."""
        return msgspec.json.encode((self.type, self.payload, self.source, self.timestamp), order="deterministic")


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    events: list[msgspec.Raw]


Shape = TypeVar("Shape")

_event = msgspec.json.Decoder(Event)
_batch = msgspec.json.Decoder(_Batch)


def read_event(body: bytes, fallback_id: str | None = None) -> Event:
    """A single event; ``fallback_id`` is the Idempotency-Key, which serves where there is no clientEventId."""
    event = _decoded(_event, body)
    if event.client_event_id is None:
        event.client_event_id = fallback_id
    _check(event, looks_odd(body))
    return event


def read_batch(body: bytes) -> list[Event | Problem]:
    """The events of a batch, each one read or refused for itself."""
    items: list[msgspec.Raw] = _decoded(_batch, body).events
    if not 1 <= len(items) <= MOST_IN_BATCH:
        detail = f"A batch holds 1 to {MOST_IN_BATCH:,} events; this one has {len(items):,}."
        raise Invalid([FieldError("/events", "batch_size", detail)], code="batch_size")
    odd = holds_oddity(body)
    return [_read_item(bytes(item), odd) for item in items]


def _read_item(raw: bytes, odd: bool) -> Event | Problem:
    try:
        if len(raw) > EVENT_BYTES:
            detail = f"An event may have {EVENT_BYTES // 1024} KiB at most."
            raise Invalid([FieldError("", "event_too_large", detail)], code="event_too_large")
        event = _decoded(_event, raw)
        _check(event, odd or looks_large(raw))
    except Problem as problem:
        return problem
    return event


def _decoded(decoder: "msgspec.json.Decoder[Shape]", body: bytes) -> Shape:
    if not body:
        raise BadRequest("empty_body", "The request has no body; send a JSON object.")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _from_msgspec(str(error)) from None
    except RecursionError:
        raise BadRequest("too_deep", f"The JSON is nested deeper than {MAX_DEPTH} levels.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest("malformed_json", f"The body is not valid JSON in UTF-8: {error}.") from None


def _from_msgspec(message: str) -> Problem:
    """msgspec says ``Object missing required field `type` - at `$.events[3]```; we say /events/3/type."""
    words, _, path = message.partition(" - at `$")
    pointer = "".join(f"/{escaped(a or b)}" for a, b, inside in _PATH_PART.findall(path.rstrip("`")) if not inside)
    code = "wrong_type"
    if named := re.search(r"(missing required|unknown) field `(.*)`", words):
        pointer += f"/{escaped(named[2])}"
        code = "required" if named[1] == "missing required" else "unknown_field"
        words = "This field is required" if code == "required" else "There is no such field"
    elif words == "Number out of range":
        return BadRequest("number_out_of_range", "A number is too large for a finite 64-bit float.")
    return Invalid([FieldError(pointer, code, words.rstrip(".") + ".")])


def _check(event: Event, odd: bool) -> None:
    """Raise Invalid with every fault; ``odd``: the payload may hold what only a walk through it finds."""
    errors: list[FieldError] = []
    if not valid_event_type(event.type):
        errors.append(
            FieldError(
                "/type",
                "invalid_event_type",
                "A type is dotted words of letters, digits, _ and -, 200 characters at most: order.created.",
            )
        )
    if event.client_event_id is not None and not _is_name(event.client_event_id, 255):
        errors.append(
            FieldError("/clientEventId", "invalid_client_event_id", "1 to 255 characters without control characters.")
        )
    if event.source is not None and not _is_name(event.source, 200):
        errors.append(FieldError("/source", "invalid_source", "1 to 200 characters without control characters."))
    if event.timestamp is not None and event.moment is None:
        errors.append(
            FieldError(
                "/timestamp",
                "invalid_timestamp",
                "ISO 8601 with a time zone, at most 10 minutes ahead and a year behind: 2026-11-21T12:00:00Z.",
            )
        )
    if odd:
        errors += faults(event.payload, "/payload")
    if errors:
        raise Invalid(errors)


def _is_name(text: str, most: int) -> bool:
    # Nearly every name is printable, which is known three times faster than what the few others hold.
    return 1 <= len(text) <= most and (text.isprintable() or _CONTROL.search(text) is None)


def _moment(text: str) -> datetime | None:
    """The moment of a client's timestamp; a leap second counts as the second after it."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    day, minutes, seconds, fraction, zone = match.groups()
    leap = seconds == "60"
    try:
        moment = datetime.fromisoformat(
            f"{day}T{minutes}:{'59' if leap else seconds}{(fraction or '')[:7]}{zone.upper()}"
        )
    except ValueError:
        return None
    if leap:
        moment = moment.replace(microsecond=0) + timedelta(seconds=1)
    now = datetime.now(UTC)
    return moment if now - MOST_BEHIND < moment < now + MOST_AHEAD else None
