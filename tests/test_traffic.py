"""What passes first when there is too much; and every operation that reads a whole project is known as heavy."""

import json
from pathlib import Path

import pytest

from tocsin.kit.crowd import Kind
from tocsin.traffic import kind_of

DOCUMENT = Path(__file__).parents[1] / "openapi.json"


@pytest.mark.parametrize(
    ("request_line", "kind"),
    [
        ("PUT /api/v1/notifications/0199/acknowledge", Kind.ACKNOWLEDGEMENT),
        ("POST /api/v1/ack/abc.def", Kind.ACKNOWLEDGEMENT),
        ("POST /api/v1/hooks/telegram/abc", Kind.ACKNOWLEDGEMENT),
        ("GET /api/v1/ack/abc.def", Kind.ORDINARY),
        ("GET /api/v1/hooks/whatsapp/abc", Kind.ORDINARY),
        ("GET /api/v1/notifications", Kind.ORDINARY),
        ("PUT /api/v1/notifications/0199/acknowledge/more", Kind.ORDINARY),
        ("GET /api/v1/projects/me/export", Kind.HEAVY),
        ("POST /api/v1/rules/0199/replay", Kind.HEAVY),
        ("POST /api/v1/connections/0199/verify", Kind.OUTSIDE),
        ("GET /api/v1/connections", Kind.ORDINARY),
        ("GET /health/ready", None),
        ("GET /metrics", None),
    ],
)
def test_requests_are_told_apart(request_line: str, kind: Kind | None) -> None:
    assert kind_of(*request_line.split(" ")) == kind


def test_whatever_exports_or_replays_is_heavy() -> None:
    paths = json.loads(DOCUMENT.read_text())["paths"]
    lines = [(method.upper(), path) for path, operations in paths.items() for method in operations]
    heavy = [line for line in lines if line[1].endswith(("/export", "/replay", "/explain"))]
    assert len(heavy) > 4
    own = ("POST", "/api/v1/webhook-logs/{log_id}/replay")  # sends one call again
    assert {line for line in heavy if kind_of(*line) != Kind.HEAVY} == {own}
