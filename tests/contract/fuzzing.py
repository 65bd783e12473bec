"""What Schemathesis is told about values that no schema can describe; `schemathesis.toml` names this module."""

from datetime import UTC, datetime
from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Leave out, where the case should be accepted, what is only right at one moment or for one list."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    (case.query or {}).pop("cursor", None)
    (case.headers or {}).pop("Idempotency-Key", None)
    for event in _events(case.body):
        event["payload"] = _within_64_bits(event.get("payload"))
        if event.get("timestamp") is not None:
            event["timestamp"] = datetime.now(UTC).isoformat()


def _events(body: Any) -> list[dict[str, Any]]:
    if not isinstance(body, dict):
        return []
    many = body.get("events")
    candidates = [body, *many] if isinstance(many, list) else [body]
    return [event for event in candidates if isinstance(event, dict) and "payload" in event]


def _within_64_bits(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _within_64_bits(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_within_64_bits(child) for child in value]
    return value % 2**63 if isinstance(value, int) and not isinstance(value, bool) else value
