"""What becomes of a delivery, as a person would say it."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tocsin.events.explain import words
from tocsin.notifications.write import OVER_QUOTA

AT = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


def delivery(state: str, error: str | None = None, **fields: Any) -> Any:
    row = {
        "channel": "email",
        "round": 0,
        "attempts": 0,
        "due_at": AT,
        "sent_at": AT,
        "delivered_at": AT,
        "read_at": AT,
        "gathered_into": None,
    }
    return SimpleNamespace(**{**row, "state": state, "last_error": error, **fields})


@pytest.mark.parametrize(
    ("row", "code", "sentence"),
    [
        (delivery("sent"), "sent", "The provider took it over email at 2026-03-01 10:00:00 UTC."),
        (delivery("delivered", round=2), "delivered", "It was delivered over email again at 2026-03-01 10:00:00 UTC."),
        (delivery("read"), "read", "It was read over email at 2026-03-01 10:00:00 UTC."),
        (delivery("captured"), "captured", "In the sandbox nothing leaves: what email would have sent was captured."),
        (delivery("queued"), "waiting", "It waits to be sent over email."),
        (delivery("leased"), "waiting", "It waits to be sent over email."),
        (
            delivery("queued", "waits: 429", attempts=0),
            "paced",
            "It waits for its turn over email: 429.",
        ),
        (
            delivery("queued", "550", attempts=2),
            "retrying",
            "email failed 2 times; the next try is due at 2026-03-01 10:00:00 UTC.",
        ),
        (
            delivery("held", "quiet hours"),
            "held",
            "It is held back on email until 2026-03-01 10:00:00 UTC: quiet hours.",
        ),
        (
            delivery("gathered", "in the digest of 10:00"),
            "gathered",
            "On email it is gathered with others into one message: in the digest of 10:00.",
        ),
        (delivery("failed", "550 no", attempts=1), "gave_up", "email failed once and was given up: 550 no."),
        (
            delivery("failed", "no connection for email"),
            "no_connection",
            "Nothing can send over email: no connection for email.",
        ),
        (delivery("dropped", OVER_QUOTA), "over_quota", f"It was dropped over email: {OVER_QUOTA}."),
        (
            delivery("dropped", "preferences: email is switched off"),
            "switched_off",
            "It was dropped over email, by the person's preferences: email is switched off.",
        ),
        (
            delivery("dropped", "preferences: not subscribed to the topic news"),
            "not_subscribed",
            "It was dropped over email, by the person's preferences: not subscribed to the topic news.",
        ),
        (
            delivery("sent", "silently: quiet hours until 07:00 UTC", channel="realtime"),
            "in_feed",
            "It stands in the person's feed and was shown to whoever of their apps was connected at 2026-03-01 10:00:00"
            " UTC, without a sound: quiet hours until 07:00 UTC.",
        ),
        (delivery("cancelled", "acknowledged"), "acknowledged", "It was cancelled over email: acknowledged."),
        (delivery("suppressed", "muted by hand"), "suppressed", "It must not be sent over email: muted by hand."),
    ],
    ids=lambda value: value if isinstance(value, str) and "." not in value else "",
)
def test_a_state_has_a_code_and_a_sentence(row: Any, code: str, sentence: str) -> None:
    assert words.of_delivery(row) == (code, sentence)


@pytest.mark.parametrize(
    ("outcome", "error", "sentence"),
    [
        ("ok", None, "the provider took it with status 250."),
        ("permanent", "no", "it was refused for good with status 250: no."),
    ],
)
def test_an_attempt_has_a_sentence(outcome: str, error: str | None, sentence: str) -> None:
    attempt = SimpleNamespace(number=2, started_at=AT, duration_ms=31, status=250, outcome=outcome, error=error)
    assert words.of_attempt(attempt) == f"Try 2 at 2026-03-01 10:00:00 UTC took 31 ms: {sentence}"
