"""Codes and sentences for states and reasons, the way a person would say it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tocsin.channels.registry import kinds


class Said(NamedTuple):
    code: str
    sentence: str


ARRIVED = ("read", "delivered", "sent", "captured", "in_feed", "in_digest")
"""Codes of what reached the person, the surest first."""

_WISHED = "preferences: "

_REFUSALS = (
    ("the person has no address", "no_address"),
    ("the device is not registered", "device_gone"),
    ("the person blocked", "blocked"),
    ("the person opted out", "opted_out"),
    ("the person is ", "person_not_active"),
    ("the person does not exist", "person_not_active"),
    ("no connection for ", "not_reachable"),
    ("quota", "over_quota"),
    (f"{_WISHED}not subscribed", "not_subscribed"),
    (_WISHED, "switched_off"),
    ("throttle: ", "throttled"),
    ("read meanwhile", "read_meanwhile"),
    ("acknowledged", "acknowledged"),
)
"""What the recorded reason of a delivery begins with. Reasons that are not here speak for themselves."""


def of_delivery(delivery: Any, since: datetime | None = None) -> Said:
    """Of a row of a delivery; ``since`` when its person shut the connection out, where that is known."""
    said = _TOLD.get(delivery.state, _as_recorded)(delivery)
    return Said(said.code, f"{said.sentence[:-1]}, since {moment(since)}.") if since else said


def _sent(delivery: Any) -> Said:
    if kinds()[delivery.channel].instant:
        sentence = "It stands in the person's feed and was shown to whoever of their apps was connected"
        return Said("in_feed", f"{sentence} at {moment(delivery.sent_at)}{_quietly(delivery)}.")
    return Said("sent", f"The provider took it over {_way(delivery)} at {moment(delivery.sent_at)}.")


def _quietly(delivery: Any) -> str:
    begins = "silently: "
    reason = delivery.last_error or ""
    return f", without a sound: {reason.removeprefix(begins)}" if reason.startswith(begins) else ""


def _delivered(delivery: Any) -> Said:
    at = delivery.delivered_at or delivery.sent_at
    return Said("delivered", f"It was delivered over {_way(delivery)} at {moment(at)}.")


def _read(delivery: Any) -> Said:
    return Said("read", f"It was read over {_way(delivery)} at {moment(delivery.read_at or delivery.delivered_at)}.")


def _captured(delivery: Any) -> Said:
    return Said("captured", f"In the sandbox nothing leaves: what {_way(delivery)} would have sent was captured.")


def _queued(delivery: Any) -> Said:
    way, error = _way(delivery), delivery.last_error
    if error and delivery.attempts:
        tries = _times(delivery.attempts)
        return Said("retrying", f"{way} failed {tries}; the next try is due at {moment(delivery.due_at)}.")
    if error and error.startswith("waits: "):
        return Said("paced", f"It waits for its turn over {way}: {error.removeprefix('waits: ')}.")
    if error:
        again = f"it is looked at again at {moment(delivery.due_at)}"
        return Said("waits_for_connection", f"It waits for the connection of {way}: {error}; {again}.")
    return Said("waiting", f"It waits to be sent over {way}.")


def _held(delivery: Any) -> Said:
    return Said("held", f"It is held back on {_way(delivery)} until {moment(delivery.due_at)}{_because(delivery)}.")


def _gathered(delivery: Any) -> Said:
    if delivery.gathered_into is not None:
        return Said("in_digest", f"On {_way(delivery)} it went out with others in one message.")
    return Said("gathered", f"On {_way(delivery)} it is gathered with others into one message{_because(delivery)}.")


def _failed(delivery: Any) -> Said:
    way = _way(delivery)
    if not delivery.attempts:
        return Said("no_connection", f"Nothing can send over {way}{_because(delivery)}.")
    return Said("gave_up", f"{way} failed {_times(delivery.attempts)} and was given up{_because(delivery)}.")


def _as_recorded(delivery: Any) -> Said:
    """Not sent, or not any more: the recorded reason says why."""
    error = delivery.last_error or ""
    code = next((code for words, code in _REFUSALS if error.startswith(words)), delivery.state)
    did = {"suppressed": "must not be sent", "dropped": "was dropped", "cancelled": "was cancelled"}
    return Said(
        code, f"It {did.get(delivery.state, 'is ' + delivery.state)} over {_way(delivery)}{_because(delivery)}."
    )


_TOLD = {
    "sent": _sent,
    "delivered": _delivered,
    "read": _read,
    "captured": _captured,
    "queued": _queued,
    "leased": _queued,
    "held": _held,
    "gathered": _gathered,
    "failed": _failed,
}


def of_attempt(attempt: Any) -> str:
    took = f"Try {attempt.number} at {moment(attempt.started_at)} took {attempt.duration_ms} ms"
    status = f" with status {attempt.status}" if attempt.status is not None else ""
    if attempt.outcome == "ok":
        return f"{took}: the provider took it{status}."
    if attempt.outcome == "captured":
        return f"{took}: it was captured in the sandbox."
    went = _FAILED.get(attempt.outcome, attempt.outcome)
    return f"{took}: {went}{status}{f': {attempt.error}' if attempt.error else ''}."


_FAILED = {
    "temporary": "it failed and may succeed later",
    "permanent": "it was refused for good",
    "credentials": "the provider refused the connection itself",
}

_REASONS = {
    "user in the payload": "the event names them as payload.userId",
    "named in the rule": "the rule names them",
}


def of_recipient(reason: str, roles: Sequence[str]) -> str:
    """Why somebody was a recipient; ``roles`` are those of theirs that the rule tells, as far as known."""
    if reason == "role":
        return f"the rule tells {_roles(roles)}" if roles else "the rule tells a role they had"
    if reason.startswith("escalation"):
        return f"nobody had acknowledged in time ({reason})"
    return _REASONS.get(reason, reason)


def of_targets(version: Mapping[str, Any], person: str) -> str:
    """Whom a version of a rule tells; ``person`` is the id of the one who is asked about."""
    roles, users = version.get("targetRoles") or [], version.get("targetUsers") or []
    told = [_roles(roles)] if roles else []
    if users:
        told.append("this person by name" if person in users else f"{len(users)} other people by name")
    if version.get("targetPayloadUser"):
        told.append("whom the event names as payload.userId")
    return " and ".join(told) or "nobody in particular"


def _roles(names: Iterable[str]) -> str:
    listed = list(names)
    return f"the role{'s' if len(listed) > 1 else ''} {', '.join(listed)}"


def _way(delivery: Any) -> str:
    return f"{delivery.channel}{' again' if delivery.round else ''}"


def _because(delivery: Any) -> str:
    error = delivery.last_error or ""
    if error.startswith(_WISHED):
        return f", by the person's {error}"
    return error and f": {error}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "an unknown time"
