"""What kind of traffic a request is when there is too much of it, by its path.

Health and metrics always pass. Events have a bound of their own: the queue of their group commit (`events/store.py`).
"""

import re

from tocsin.kit.crowd import Kind

_MACHINES = re.compile(r"/health/.*|/metrics")
_KINDS = (
    # Providers bring presses of buttons as well as what became of messages, and give up on who refuses them.
    (
        Kind.ACKNOWLEDGEMENT,
        re.compile(r"PUT /api/v1/notifications/[^/]+/acknowledge|POST /api/v1/(?:ack|hooks)/.+"),
    ),
    (
        Kind.HEAVY,
        re.compile(
            r"[A-Z]+ /api/v1/(?:projects/me/export|audit/export|rules/test|rules/[^/]+/(?:test|replay)"
            r"|events/[^/]+/explain"
            r"|platform/(?:projects|projects/[^/]+/export|metrics|usage))"
        ),
    ),
    (
        Kind.OUTSIDE,
        re.compile(
            r"(?:POST|PUT|DELETE) /api/v1/(?:connections(?:/.*)?|projects/me/domain/verify|projects/me/sso(?:/.*)?)"
            r"|[A-Z]+ /api/v1/auth/sso/.*"
        ),
    ),
)


def kind_of(method: str, path: str) -> Kind | None:
    """None for what is never held up."""
    if _MACHINES.fullmatch(path):
        return None
    request = f"{method} {path}"
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(request)), Kind.ORDINARY)
